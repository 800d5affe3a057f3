// What makes two reads the same read: everything that can change the bytes of an answer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"

namespace postern::proxy {

/// How the client asked, since the answer's messages depend on it.
enum class AnswerShape : std::uint8_t {
  kSimple,           ///< Query: RowDescription, rows, CommandComplete
  kExtended,         ///< Bind, Execute: rows without RowDescription
  kExtendedDescribe  ///< Bind, Describe of the portal, Execute
};

/// One parameter of a Bind as it goes to the server.
struct CacheParam {
  Oid type = kInvalidOid;  ///< as the server resolved it; 0 where the server still chooses
  std::int16_t format = 0;
  bool null = false;
  ByteView value;  ///< ignored where null
};

/// Parameters as one length-prefixed byte string, the same only for equal parameters (NULL differs
/// from empty, and no two lists run into each other).
Bytes canonical_params(std::span<const CacheParam> params);
/// Likewise for name and value pairs, e.g. the settings that change an answer. The caller keeps
/// their order fixed; a setting that is not set is left out (unset differs from empty).
Bytes canonical_settings(std::span<const std::pair<std::string_view, std::string_view>> settings);

/// The inputs of a key. The caller fills every member; what is left out here must not be able to
/// change an answer.
struct CacheKeyParts {
  std::string cluster;
  std::string database;          ///< on the server
  std::uint64_t protection = 0;  ///< epoch of policy and catalog (Protection::epoch)
  std::string epoch;             ///< of the cluster: timeline, generation of keys
  std::string server_text;       ///< final text, as the server gets it
  Bytes params;                  ///< canonical_params; empty for a Query
  std::vector<std::int16_t> result_formats;
  AnswerShape shape = AnswerShape::kSimple;
  std::string upstream_role;  ///< session user and effective role on the server
  std::string login;          ///< where the policy distinguishes logins, else empty
  std::string tenant;         ///< TenantId::text(); chooses the key the entry is sealed under
  std::string acting;         ///< whom policies may tell apart besides: end user, roles
  bool decrypts = false;
  std::string search_path;
  Bytes settings;  ///< canonical_settings: TimeZone, DateStyle and the like
};

/// A key as stores and seals use it. Compared in full: the canonical bytes are authenticated with
/// every entry, the name only finds it.
struct CacheKey {
  Bytes canonical;   ///< every part, length-prefixed
  std::string name;  ///< lower-case hex of a keyed BLAKE2b-256: tells nothing about the parts
  std::string tenant;
};

/// Deterministic: equal parts give equal keys on all instances that share `name_key` (32 bytes).
CacheKey make_cache_key(const CacheKeyParts& parts, ByteView name_key);

}  // namespace postern::proxy
