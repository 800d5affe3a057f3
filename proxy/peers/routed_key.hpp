// Cancel keys that say which instance issued them, for clients whose protocol has room for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/secret.hpp"

namespace postern::proxy {

/// Makes and reads secrets of protocol 3.2: version (1 byte), instance (2), MAC over all else and
/// the process id (13), random (16). To a client it is 32 bytes without meaning; only who has the
/// shared secret can make one that any instance would pass on. Immutable; any thread.
class RoutedKeys {
 public:
  /// As long as PostgreSQL's own: 224 of the 256 bytes allowed are left to further proxies.
  static constexpr std::size_t kBytes = 32;

  /// `instance` is 1 to 65535. `shared` is the secret of all instances.
  RoutedKeys(std::uint16_t instance, const Secret& shared);

  /// A fresh secret for a session shown as `process_id`.
  [[nodiscard]] Bytes make(std::uint32_t process_id) const;
  /// Who issued the key; nullopt where no instance with this shared secret did.
  [[nodiscard]] std::optional<std::uint16_t> issuer(std::uint32_t process_id, ByteView key) const;
  [[nodiscard]] std::uint16_t instance() const { return instance_; }

 private:
  [[nodiscard]] Bytes mac(std::uint32_t process_id, ByteView head, ByteView random) const;
  std::uint16_t instance_;
  Secret mac_key_;
};

}  // namespace postern::proxy
