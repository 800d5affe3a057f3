// What reaches a peers' listener, and what a peer answers: nobody without the secret is heard.
#include "crypto/init.hpp"
#include "proxy/peers/peer_message.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::proxy;

namespace {

constexpr std::uint16_t kFrom = 3;
constexpr std::uint16_t kTo = 7;

const PeerMessages& messages() {
  static const PeerMessages one = [] {
    POSTERN_CHECK(crypto::init().has_value());
    return PeerMessages(Secret(Bytes(32, 's')));
  }();
  return one;
}

// A message of the right form with some bytes changed: whether any was.
bool bend(fuzz::Feed& feed, Bytes& message) {
  const Bytes before = message;
  for (unsigned changes = feed.below(8); changes > 0; --changes) {
    const std::size_t at = (std::size_t{feed.byte()} << 8 | feed.byte()) % message.size();
    message[at] = static_cast<char>(message[at] ^ feed.byte());
  }
  return message != before;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input = fuzz::view(data, size);
  const Bytes hello = PeerMessages::hello();
  POSTERN_CHECK(!messages().open(input, hello, kTo).has_value());
  POSTERN_CHECK(!messages().read_answer(input, input).has_value());

  fuzz::Feed feed(input);
  const Bytes key(feed.below(2) * std::size_t{feed.byte()}, 'k');
  const auto sealed = messages().seal({kFrom, kTo, 4711, Secret(key)}, hello);
  POSTERN_CHECK(sealed.has_value());
  Bytes order = *sealed;
  const bool other = bend(feed, order);
  const auto opened = messages().open(order, hello, kTo);
  POSTERN_CHECK(opened.has_value() == !other);
  if (opened) POSTERN_CHECK(opened->process_id == 4711 && opened->key.reveal() == key);

  const bool known = feed.below(2) == 1;
  Bytes answer = messages().answer(*sealed, known);
  const bool bent = bend(feed, answer);
  const auto heard = messages().read_answer(answer, *sealed);
  POSTERN_CHECK(heard.has_value() == !bent);
  if (heard) POSTERN_CHECK(*heard == known);
  (void)messages().seal({kFrom, kTo, 1, Secret(key)}, input).has_value();
  return 0;
}
