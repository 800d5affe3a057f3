#include "protocol/framer.hpp"

#include <vector>

#include "base/codes/wire.hpp"
#include "tests/protocol/support.hpp"

using namespace postern;
using namespace postern::protocol;
using namespace postern::protocol::test;

namespace {

Bytes header(char type, std::uint32_t length) {
  return Bytes(1, type) + be32(length);
}

Pst header_code(Direction d, Phase p, char type, std::uint32_t length) {
  return code_of(Framer(d, p).header(header(type, length)));
}

/// All frames of a stream that arrives in pieces [0,cut), [cut,end).
std::vector<Bytes> frames_cut_at(const Framer& framer, const Bytes& stream, std::size_t cut) {
  std::vector<Bytes> frames;
  Bytes unread = stream.substr(0, cut);
  for (const bool last : {false, true}) {
    if (last) unread += stream.substr(cut);
    while (true) {
      const auto framed = framer.next(unread);
      REQUIRE(framed);
      if (!framed->complete()) {
        CHECK(framed->need > unread.size());
        break;
      }
      CHECK(Bytes(framed->item.whole).ends_with(framed->item.body));
      frames.emplace_back(framed->item.whole);
      unread.erase(0, framed->item.whole.size());
    }
  }
  CHECK(unread.empty());
  return frames;
}

constexpr auto kFe = Direction::kFromFrontend;
constexpr auto kBe = Direction::kFromBackend;

}  // namespace

TEST_CASE("a stream cut at every byte gives the same frames") {
  const Bytes stream = message('Q', lit("select 1\0")) + message('S', "") +
                       message('d', Bytes(300, 'x')) + message('X', "");
  const Framer framer(kFe, Phase::kReady);
  const auto whole = frames_cut_at(framer, stream, stream.size());
  REQUIRE(whole.size() == 4);
  CHECK(whole[0] == message('Q', lit("select 1\0")));
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    CHECK(frames_cut_at(framer, stream, cut) == whole);
  }
}

TEST_CASE("need says exactly how many bytes make the frame whole") {
  const Framer framer(kFe, Phase::kReady);
  CHECK(framer.next("")->need == 5);
  CHECK(framer.next("Q")->need == 5);
  CHECK(framer.next(header('Q', 20))->need == 21);
  CHECK(Framer(kFe, Phase::kStartup).next(lit("\0\0"))->need == 4);
  CHECK(Framer(kFe, Phase::kStartup).next(be32(8))->need == 8);
}

TEST_CASE("a header is announced before its body is there") {
  const auto framed = Framer(kBe, Phase::kReady).header(header('D', 0x3FFF'FFFF));
  REQUIRE(framed);
  REQUIRE(framed->complete());
  CHECK(framed->item.type == 'D');
  CHECK(framed->item.body == 0x3FFF'FFFB);
  CHECK(framed->item.total() == 0x4000'0000ULL);
}

TEST_CASE("every type is allowed in exactly its phases") {
  struct Row {
    Direction direction;
    Phase phase;
    std::string_view types;
  };
  const Row rows[] = {{kFe, Phase::kAuthenticating, "p"},
                      {kFe, Phase::kReady, "QPBDECSHFdcfX"},
                      {kBe, Phase::kStartup, "RvENSKZ"},
                      {kBe, Phase::kAuthenticating, "RvENSKZ"},
                      {kBe, Phase::kReady, "123ACDEGHINSTVWZcdnst"}};
  for (const Row& row : rows) {
    for (int c = 0; c < 256; ++c) {
      const char type = static_cast<char>(c);
      const bool allowed = row.types.find(type) != std::string_view::npos;
      CAPTURE(c);
      CHECK(Framer(row.direction, row.phase).header(header(type, 4)).has_value() == allowed);
      // The type alone decides, before any length is there.
      CHECK(Framer(row.direction, row.phase).header(Bytes(1, type)).has_value() == allowed);
    }
  }
}

TEST_CASE("length limits hold at the limit and not one past it") {
  struct Row {
    Direction direction;
    Phase phase;
    std::string_view types;
    std::uint32_t limit;
  };
  const Row rows[] = {{kFe, Phase::kAuthenticating, "p", 65'535},
                      {kFe, Phase::kReady, "DECSHcfX", 10'000},
                      {kFe, Phase::kReady, "QPBFd", 0x3FFF'FFFF},
                      {kBe, Phase::kAuthenticating, "RvENSKZ", 30'000},
                      {kBe, Phase::kReady, "123CGHIScnsWZ", 30'000},
                      {kBe, Phase::kReady, "t", 262'146},
                      {kBe, Phase::kReady, "TDdVENA", 0x3FFF'FFFF}};
  for (const Row& row : rows) {
    for (const char type : row.types) {
      CAPTURE(type);
      CHECK(header_code(row.direction, row.phase, type, row.limit) == pst::kInternal);
      CHECK(header_code(row.direction, row.phase, type, row.limit + 1) == pst::kMessageTooLarge);
    }
  }
}

TEST_CASE("startup packets have 8 to 10,004 bytes") {
  const Framer framer(kFe, Phase::kStartup);
  CHECK(code_of(framer.header(be32(7))) == pst::kProtocolViolation);
  CHECK(framer.header(be32(8)));
  CHECK(framer.header(be32(10'004)));
  CHECK(code_of(framer.header(be32(10'005))) == pst::kMessageTooLarge);
}

TEST_CASE("lengths below 4 and negative ones are violations, not large") {
  for (const std::uint32_t length : {0U, 1U, 3U, 0x8000'0000U, 0xFFFF'FFFFU}) {
    CHECK(header_code(kFe, Phase::kReady, 'Q', length) == pst::kProtocolViolation);
    CHECK(header_code(kBe, Phase::kReady, 'D', length) == pst::kServerProtocol);
  }
}

TEST_CASE("the large limit can be lowered") {
  const Framer framer(kFe, Phase::kReady, 1000);
  CHECK(framer.header(header('Q', 1000)));
  CHECK(code_of(framer.header(header('Q', 1001))) == pst::kMessageTooLarge);
  CHECK(framer.header(header('S', 10'000)));
}
