// The records of a key store file and their text (format: crypto/key_store.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "crypto/key_snapshot.hpp"
#include "crypto/root_key.hpp"
#include "crypto/uuid.hpp"

namespace postern::crypto {

struct TenantRecord {
  TenantId tenant;
  bool shredded = false;
  std::int64_t created = 0;
  std::string wrapped_kek;  ///< base64, "-" where shredded
};

struct KeyRecord {
  enum class State : std::uint8_t { kCurrent, kOld, kShredded };
  KeyId id = 0;
  TenantId tenant;
  KeyPurpose purpose = KeyPurpose::kRandomized;
  State state = State::kCurrent;
  std::int64_t created = 0;
  std::string wrapped_dek;  ///< base64, "-" where shredded
};

/// The file's content, still wrapped.
struct KeyFile {
  Uuid store{};
  std::uint64_t generation = 1;
  RootKeySource::Kind root = RootKeySource::Kind::kKeyFile;
  StretchSpec stretch;     ///< for a passphrase root
  std::string root_check;  ///< hexadecimal
  std::vector<TenantRecord> tenants;
  std::vector<KeyRecord> keys;
  std::string mac;  ///< hexadecimal, as read; not used when writing

  [[nodiscard]] const TenantRecord* find(const TenantId& tenant) const;
  [[nodiscard]] TenantRecord* find(const TenantId& tenant);
};

std::string_view purpose_name(KeyPurpose purpose);

/// All lines before "mac".
std::string body_text(const KeyFile& file);
/// The whole file: body, mac line, sum line.
std::string file_text(const KeyFile& file, std::string_view mac);
/// Parses and checks the sum and the form of every line (not the mac). kKeyFileCorrupt.
Result<KeyFile> parse_key_file(std::string_view text);

}  // namespace postern::crypto
