// Start-up of the crypto library and random bytes from the operating system.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace postern::crypto {

/// Prepares libsodium (CPU detection, guarded memory). Call once at start, before any other
/// function of this folder; calling it again, from any thread, is harmless. kCryptoUnavailable
/// where the library or the system's random source cannot be used.
Status init();

/// `count` bytes from the system's generator. Any thread.
Bytes random_bytes(std::size_t count);
Secret random_secret(std::size_t count);
std::uint32_t random_u32();

}  // namespace postern::crypto
