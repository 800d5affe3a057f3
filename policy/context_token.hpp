// The signed tenant context that a server connection carries in the setting `postern.ctx`.
//
// Text: ten fields joined by '.', none of which can contain a dot:
//
//   0 version    "pctx1": format version and domain of the MAC
//   1 database   oid of the database, decimal
//   2 kid        key id, lower-case hex
//   3 tenant     hex of the bytes, empty = no tenant
//   4 subject    hex of the bytes, empty = none
//   5 roles      hex of each role's bytes, joined by ','; empty = none
//   6 pid        process id of the backend, decimal
//   7 start      start of the backend, microseconds since 1970 UTC, decimal
//   8 expiry     microseconds since 1970 UTC, decimal
//   9 mac        HMAC-SHA-256 over fields 0 to 8 with their dots, lower-case hex
//
// The message is the text without the last field and its dot. No two different field tuples have
// the same message. policy/ knows no cryptography: the caller computes the MAC.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace postern::policy {

inline constexpr std::string_view kContextVersion = "pctx1";
inline constexpr std::size_t kContextFieldCount = 10;
inline constexpr std::size_t kMaxKidDigits = 32;
inline constexpr std::size_t kMinKidDigits = 8;
inline constexpr std::size_t kMaxSubjectBytes = 255;
inline constexpr std::size_t kMaxContextRoles = 64;
inline constexpr std::size_t kMaxContextRoleBytes = 63;
inline constexpr std::size_t kMacHexDigits = 64;

/// What a context says. Times are microseconds since 1970-01-01 UTC.
struct ContextFields {
  Oid database = kInvalidOid;
  std::string kid;                 ///< 8 to 32 lower-case hex digits
  TenantId tenant;                 ///< TenantId::none() = no tenant: no rows
  std::string subject;             ///< UTF-8, 0 to 255 bytes
  std::vector<std::string> roles;  ///< at most 64 of 1 to 63 bytes
  std::int32_t backend_pid = 0;    ///< of BackendKeyData and kLearnBackend
  std::int64_t backend_start_us = 0;
  std::int64_t expiry_us = 0;
};

/// The message to be authenticated. kBadContext where a field is out of its range.
Result<std::string> build_context(const ContextFields& fields);

/// The text of `postern.ctx`. `mac_hex`: 64 lower-case hex digits over `message`; kBadContext else.
Result<std::string> attach_mac(std::string_view message, std::string_view mac_hex);

/// Whether a context is to be renewed before the next transaction's first message: at half of its
/// life, or when the clock stands before its making.
[[nodiscard]] bool past_half_life(std::int64_t issued_us, std::int64_t expiry_us,
                                  std::int64_t now_us);

}  // namespace postern::policy
