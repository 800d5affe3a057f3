// What two instances say to each other about one cancel request: hello, order, answer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace postern::proxy {

/// A cancel request on its one and only hop.
struct PeerOrder {
  std::uint16_t from = 0;  ///< instance that got it from a client
  std::uint16_t to = 0;    ///< instance it is meant for
  std::uint32_t process_id = 0;
  Secret key;  ///< 1 to kMaxKey bytes
};

/// Makes and reads the three messages, all of fixed size:
///
///   hello   of the instance called: version (1), challenge (24)
///   order   of the caller: from (2), to (2), nonce (24), sealed process id and key (278)
///   answer  0 or 1 (1), MAC (16)
///
/// The order is sealed (XChaCha20-Poly1305) under the shared secret and bound to the hello, so that
/// nobody else can make, read or repeat one; the answer is bound to the order. Immutable; any
/// thread.
class PeerMessages {
 public:
  static constexpr std::size_t kMaxKey = 256;
  static constexpr std::size_t kHelloBytes = 25;
  static constexpr std::size_t kOrderBytes = 2 + 2 + 24 + 4 + 2 + kMaxKey + 16;
  static constexpr std::size_t kAnswerBytes = 17;

  explicit PeerMessages(const Secret& shared);

  /// Never twice the same.
  [[nodiscard]] static Bytes hello();
  /// kPeerLink where the hello is none of this version or the key too long.
  [[nodiscard]] Result<Bytes> seal(const PeerOrder& order, ByteView hello) const;
  /// `hello` is what was sent on this connection. kPeerRefused where the order was not made for it
  /// with the shared secret, or is meant for another instance than `own`.
  [[nodiscard]] Result<PeerOrder> open(ByteView order, ByteView hello, std::uint16_t own) const;
  /// Whether the order (as sealed) met a session.
  [[nodiscard]] Bytes answer(ByteView order, bool known) const;
  /// kPeerLink where the answer is not one to this order by an owner of the secret.
  [[nodiscard]] Result<bool> read_answer(ByteView answer, ByteView order) const;

 private:
  Secret order_key_;
  Secret answer_key_;
};

}  // namespace postern::proxy
