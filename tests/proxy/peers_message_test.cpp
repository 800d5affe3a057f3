#include <doctest/doctest.h>

#include "base/codes/session.hpp"
#include "crypto/init.hpp"
#include "proxy/peers/peer_message.hpp"

using namespace postern;
using namespace postern::proxy;

namespace {

constexpr std::uint16_t kFrom = 3;
constexpr std::uint16_t kTo = 7;

struct Fixture {
  Fixture() { REQUIRE(crypto::init()); }
  PeerMessages messages{Secret(Bytes(32, 's'))};
  PeerMessages stranger{Secret(Bytes(32, 't'))};
  Bytes hello = PeerMessages::hello();

  [[nodiscard]] Bytes seal(const Bytes& key = "key!") const {
    const auto sealed = messages.seal({kFrom, kTo, 4711, Secret(key)}, hello);
    REQUIRE(sealed);
    return *sealed;
  }
  [[nodiscard]] bool refuses(ByteView order, ByteView greeting) const {
    const auto opened = messages.open(order, greeting, kTo);
    return !opened && opened.error().code == pst::kPeerRefused;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "an order arrives as it was given") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{4}, PeerMessages::kMaxKey}) {
    const Bytes key(size, 'k');
    const Bytes sealed = seal(key);
    CHECK(sealed.size() == PeerMessages::kOrderBytes);
    const auto order = messages.open(sealed, hello, kTo);
    REQUIRE(order);
    CHECK(order->from == kFrom);
    CHECK(order->to == kTo);
    CHECK(order->process_id == 4711);
    CHECK(order->key.reveal() == key);
  }
  const Secret long_key(Bytes(PeerMessages::kMaxKey + 1, 'k'));
  CHECK_FALSE(messages.seal({kFrom, kTo, 1, long_key.clone()}, hello));
}

TEST_CASE_FIXTURE(Fixture, "the key is not readable on the way") {
  CHECK(seal("a secret of sixteen").find("a secret") == Bytes::npos);
}

TEST_CASE_FIXTURE(Fixture, "an order cut anywhere or altered anywhere is refused") {
  const Bytes sealed = seal();
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    CHECK(refuses(ByteView(sealed).substr(0, size), hello));
  }
  CHECK(refuses(sealed + "x", hello));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes other = sealed;
    other[i] = static_cast<char>(other[i] ^ 1);
    CAPTURE(i);
    CHECK(refuses(other, hello));
  }
}

TEST_CASE_FIXTURE(Fixture, "an order counts once, for one connection and one instance") {
  const Bytes sealed = seal();
  CHECK(refuses(sealed, PeerMessages::hello()));
  CHECK_FALSE(messages.open(sealed, hello, kTo + 1));
  CHECK_FALSE(stranger.open(sealed, hello, kTo));
}

TEST_CASE_FIXTURE(Fixture, "who does not greet as a peer of this version gets no order") {
  const PeerOrder order{kFrom, kTo, 4711, Secret("key!")};
  CHECK_FALSE(messages.seal(order, ByteView(hello).substr(1)));
  hello.front() = 2;
  const auto sealed = messages.seal(order, hello);
  REQUIRE_FALSE(sealed);
  CHECK(sealed.error().code == pst::kPeerLink);
}

TEST_CASE_FIXTURE(Fixture, "an answer is believed for its own order only") {
  const Bytes sealed = seal();
  for (const bool known : {true, false}) {
    const Bytes answer = messages.answer(sealed, known);
    REQUIRE(answer.size() == PeerMessages::kAnswerBytes);
    const auto read = messages.read_answer(answer, sealed);
    REQUIRE(read);
    CHECK(*read == known);
    CHECK_FALSE(messages.read_answer(answer, seal()));
    CHECK_FALSE(messages.read_answer(stranger.answer(sealed, known), sealed));
    for (std::size_t i = 0; i < answer.size(); ++i) {
      CHECK_FALSE(messages.read_answer(ByteView(answer).substr(0, i), sealed));
      Bytes other = answer;
      other[i] = static_cast<char>(other[i] ^ 1);
      CHECK_FALSE(messages.read_answer(other, sealed));
    }
  }
}
