// Entries at rest: sealed under the tenant's key and bound to their full key and versions, so that
// whoever can write into the store can neither read, alter, swap nor prolong them.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "proxy/cache/fill.hpp"
#include "proxy/cache/key.hpp"

namespace postern::proxy {

/// A 32-byte key for one purpose from a secret of any length (keyed BLAKE2b).
Secret derive_cache_key(ByteView secret, ByteView purpose);

/// What an entry belongs to. Views must outlive the call.
struct SealScope {
  ByteView seal_key;  ///< 32 bytes, of all tenants
  const CacheKey* key = nullptr;
  ByteView scope;
  const CapturedVersions* versions = nullptr;
};

/// tokens || nonce (24) || XChaCha20-Poly1305 of the answer and its last moment. The tokens stand
/// in front so that a store can tell a stale entry without a key.
Bytes seal_answer(const SealScope& scope, const CachedAnswer& answer, std::uint64_t expires_at);

/// The answer, or nothing where its time has passed or its versions are others. kCacheEntry where
/// it was altered, sealed for another read or tenant, or is malformed. Times in Unix milliseconds.
Result<std::optional<CachedAnswer>> open_answer(const SealScope& scope, ByteView entry,
                                                std::uint64_t now);

}  // namespace postern::proxy
