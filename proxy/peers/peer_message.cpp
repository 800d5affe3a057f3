#include "proxy/peers/peer_message.hpp"

#include <utility>

#include "base/codes/session.hpp"
#include "crypto/aead.hpp"
#include "crypto/hash.hpp"
#include "crypto/init.hpp"

namespace postern::proxy {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kIdBytes = 4;
constexpr std::size_t kHeadBytes = kIdBytes + crypto::kAeadNonceBytes;
constexpr std::size_t kMacBytes = PeerMessages::kAnswerBytes - 1;
constexpr std::size_t kBodyBytes = 4 + 2 + PeerMessages::kMaxKey;
static_assert(kHeadBytes + kBodyBytes + crypto::kAeadTagBytes == PeerMessages::kOrderBytes);

Error refused(std::string why) {
  return make_error(pst::kPeerRefused, std::move(why));
}

}  // namespace

PeerMessages::PeerMessages(const Secret& shared)
    : order_key_(crypto::hmac_sha256(shared.reveal(), "postern peer orders 1").bytes()),
      answer_key_(crypto::hmac_sha256(shared.reveal(), "postern peer answers 1").bytes()) {}

Bytes PeerMessages::hello() {
  return Bytes(1, kVersion) + crypto::random_bytes(kHelloBytes - 1);
}

Result<Bytes> PeerMessages::seal(const PeerOrder& order, ByteView hello) const {
  if (hello.size() != kHelloBytes || hello.front() != kVersion) {
    return make_error(pst::kPeerLink, "its greeting is not that of a peer of this version");
  }
  const ByteView key = order.key.reveal();
  if (key.size() > kMaxKey) return make_error(pst::kPeerLink, "the cancel key is too long");
  Bytes out;
  append_be16(out, order.from);
  append_be16(out, order.to);
  const Bytes nonce = crypto::random_bytes(crypto::kAeadNonceBytes);
  const Bytes bound = out + Bytes(hello);
  Bytes body;
  append_be32(body, order.process_id);
  append_be16(body, static_cast<std::uint16_t>(key.size()));
  body += key;
  body.resize(kBodyBytes, '\0');
  out += nonce;
  crypto::aead_seal({order_key_.reveal(), nonce, bound}, body, out);
  wipe(body);
  return out;
}

Result<PeerOrder> PeerMessages::open(ByteView order, ByteView hello, std::uint16_t own) const {
  if (order.size() != kOrderBytes) return refused("the order is cut short");
  PeerOrder out;
  out.from = load_be16(order.data());
  out.to = load_be16(order.data() + 2);
  const ByteView nonce = order.substr(kIdBytes, crypto::kAeadNonceBytes);
  const Bytes bound = Bytes(order.substr(0, kIdBytes)) + Bytes(hello);
  Bytes body;
  if (!crypto::aead_open({order_key_.reveal(), nonce, bound}, order.substr(kHeadBytes), body)) {
    return refused("the order does not prove knowledge of the shared secret");
  }
  // Who made it knows the secret: what is wrong from here on is a slip of configuration.
  const std::size_t size = load_be16(body.data() + 4);
  out.process_id = load_be32(body.data());
  if (size <= kMaxKey) out.key = Secret(body.substr(4 + 2, size));
  wipe(body);
  if (size > kMaxKey) return refused("the order's cancel key is too long");
  if (out.to != own) return refused("the order is meant for instance " + std::to_string(out.to));
  return out;
}

Bytes PeerMessages::answer(ByteView order, bool known) const {
  Bytes out(1, known ? '\1' : '\0');
  const Bytes mac = crypto::hmac_sha256(answer_key_.reveal(), out + Bytes(order)).bytes();
  return out + mac.substr(0, kMacBytes);
}

Result<bool> PeerMessages::read_answer(ByteView answer, ByteView order) const {
  const bool known = !answer.empty() && answer.front() == '\1';
  if (!equal_constant_time(this->answer(order, known), answer)) {
    return make_error(pst::kPeerLink, "its answer does not prove knowledge of the shared secret");
  }
  return known;
}

}  // namespace postern::proxy
