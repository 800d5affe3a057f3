#include "protocol/framer.hpp"

#include <algorithm>
#include <array>

#include "base/codes/wire.hpp"
#include "protocol/cursor.hpp"

namespace postern::protocol {
namespace {

enum class Size : std::uint8_t { kForbidden, kAuth, kSmall, kServer, kParameters, kLarge };
using Table = std::array<Size, 256>;

constexpr void set(Table& table, std::string_view types, Size size) {
  for (const char type : types) table[static_cast<std::uint8_t>(type)] = size;
}

// The one table of what may arrive when and how long it may be. Lower rows override nothing:
// every type is listed once per phase.
constexpr Table frontend_table(Phase phase) {
  Table table{};
  if (phase == Phase::kReady) {
    set(table, "QPBFd", Size::kLarge);
    set(table, "DECSHcfX", Size::kSmall);
  } else {
    set(table, "p", Size::kAuth);
  }
  return table;
}

constexpr Table backend_table(Phase phase) {
  Table table{};
  if (phase == Phase::kReady) {
    set(table, "TDdVENA", Size::kLarge);
    set(table, "t", Size::kParameters);
    set(table, "123CGHIScnsWZ", Size::kServer);
  } else {
    set(table, "RvENSKZ", Size::kServer);
  }
  return table;
}

constexpr std::array<std::array<Table, 3>, 2> kTables = {{
    {frontend_table(Phase::kStartup), frontend_table(Phase::kAuthenticating),
     frontend_table(Phase::kReady)},
    {backend_table(Phase::kStartup), backend_table(Phase::kAuthenticating),
     backend_table(Phase::kReady)},
}};

std::uint32_t limit_of(Size size, std::uint32_t large_limit) {
  switch (size) {
    case Size::kAuth:
      return kMaxAuthLength;
    case Size::kSmall:
      return kMaxSmallLength;
    case Size::kServer:
      return kMaxServerLength;
    case Size::kParameters:
      return kMaxParameterDescriptionLength;
    case Size::kLarge:
      return large_limit;
    case Size::kForbidden:
      break;
  }
  return 0;
}

Error bad_type(Direction direction, char type) {
  Bytes what = "unexpected message type 0x" + to_hex(ByteView(&type, 1));
  if (direction == Direction::kFromBackend) return make_error(pst::kServerProtocol, what);
  return make_error(pst::kProtocolViolation, what);
}

Error bad_length(Direction direction, std::uint32_t length, std::uint32_t minimum) {
  // A length word with the top bit set is negative, hence below the minimum rather than large.
  if (length >= minimum && length <= 0x7FFF'FFFFU) {
    return make_error(pst::kMessageTooLarge, std::to_string(length) + " bytes");
  }
  if (direction == Direction::kFromBackend) {
    return make_error(pst::kServerProtocol, "invalid message length");
  }
  return violation("invalid message length");
}

}  // namespace

Framer::Framer(Direction direction, Phase phase, std::uint32_t large_limit) noexcept
    : direction_(direction), phase_(phase), large_limit_(std::min(large_limit, kMaxLargeLength)) {}

Result<Framed<Header>> Framer::startup_header(ByteView unread) const {
  if (unread.size() < 4) return Framed<Header>{4, {}};
  const std::uint32_t length = load_be32(unread.data());
  constexpr std::uint32_t kMinimum = 8;  // length word and protocol version
  if (length < kMinimum || length > kMaxStartupLength) {
    return bad_length(direction_, length, kMinimum);
  }
  return Framed<Header>{0, {0, 4, length - 4}};
}

Result<Framed<Header>> Framer::header(ByteView unread) const {
  if (direction_ == Direction::kFromFrontend && phase_ == Phase::kStartup) {
    return startup_header(unread);
  }
  if (unread.empty()) return Framed<Header>{5, {}};
  const char type = unread[0];
  const Size size = kTables[static_cast<std::size_t>(direction_)][static_cast<std::size_t>(phase_)]
                           [static_cast<std::uint8_t>(type)];
  if (size == Size::kForbidden) return bad_type(direction_, type);
  if (unread.size() < 5) return Framed<Header>{5, {}};
  const std::uint32_t length = load_be32(unread.data() + 1);
  if (length < 4 || length > limit_of(size, large_limit_)) {
    return bad_length(direction_, length, 4);
  }
  return Framed<Header>{0, {type, 5, length - 4}};
}

Result<Framed<Frame>> Framer::next(ByteView unread) const {
  POSTERN_ASSIGN(const Framed<Header> framed, header(unread));
  if (!framed.complete()) return Framed<Frame>{framed.need, {}};
  const Header& head = framed.item;
  if (unread.size() < head.total()) return Framed<Frame>{head.total(), {}};
  return Framed<Frame>{
      0, {head.type, unread.substr(head.size, head.body), unread.substr(0, head.total())}};
}

}  // namespace postern::protocol
