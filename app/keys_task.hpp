// What the key commands share.
#pragma once

#include <cstdint>
#include <string_view>

#include "app/inputs.hpp"
#include "crypto/key_store.hpp"

namespace postern::app {

/// Precondition: config.keys.
crypto::KeyStore::Options key_store_options(const config::KeysOptions& keys);

/// Seconds since 1970.
std::int64_t now_seconds();
/// "2026-01-31T09:30:00Z"; times before 1970 or far beyond are clamped.
std::string utc_text(std::int64_t seconds);

/// Opens the key store of the configuration. kSectionNeeded without [keys].
Result<crypto::KeyStore> open_key_store(const config::Config& config);

}  // namespace postern::app
