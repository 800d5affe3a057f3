// Options of protection: tenants, walled tables, protected columns, keys and the gate.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/options_net.hpp"

namespace postern::config {

enum class PolicyMode : std::uint8_t { kObserve, kGate, kEnforce, kPinned };
/// How much of a server's error and notice messages a tenant hears.
enum class ErrorDetail : std::uint8_t { kShape, kFull };
enum class Scheme : std::uint8_t { kNone, kRandomized, kDeterministic };
enum class KeyScope : std::uint8_t { kTenant, kGlobal };
/// What a login sees of a protected or masked column.
enum class Access : std::uint8_t { kDecrypt, kMask, kCiphertext, kDeny };
enum class PolicyCommand : std::uint8_t { kAll, kSelect, kInsert, kUpdate, kDelete };
enum class PolicyKind : std::uint8_t { kPermissive, kRestrictive };
/// What happens to a new table that has no tenant column and is not shared.
enum class NewTables : std::uint8_t { kRefuse, kAllow };

/// [tenant]. Present: every table that has `column` is a tenant table, in every database, unless
/// its name is in `shared`; or, where `schema` is given, every tenant has a schema and a role of
/// its own.
struct TenantOptions {
  std::string column = "tenant_id";
  std::string type = "text";         ///< type of the column: text, uuid, int4, int8
  std::vector<std::string> shared;   ///< "schema.table" with globs (* and ?)
  FilePath guard_key_file;           ///< key that signs the tenant context
  Millis expiry{300'000};            ///< life of a signed context
  std::string schema;                ///< "tenant_{tenant}"; empty: tenants are rows, not schemas
  std::string role;                  ///< likewise: the login on the server; empty: as `schema`
  Secret role_password;              ///< of all those logins
  std::vector<std::string> trusted;  ///< views and functions meant to reach several schemas

  [[nodiscard]] bool by_schema() const { return !schema.empty(); }
};

/// [[table.policies]]: a further row policy, SQL as CREATE POLICY takes it.
struct TablePolicy {
  std::string name;
  PolicyKind kind = PolicyKind::kPermissive;
  PolicyCommand command = PolicyCommand::kAll;  ///< key `for`
  std::vector<std::string> roles;               ///< database roles; empty = everyone
  std::string using_sql;                        ///< key `using`
  std::string check_sql;                        ///< key `check`
};

/// [[table]]: what differs from [tenant] for the tables matched.
struct TableOptions {
  std::string database = "*";
  std::string name;           ///< "schema.table" with globs
  std::string tenant_column;  ///< empty = the column of [tenant]
  std::vector<TablePolicy> policies;
};

/// One entry of a column's `roles`: a login name, "profile:NAME", or "*".
struct RoleAccess {
  std::string role;
  Access access = Access::kDeny;
  std::string mask;  ///< name of the mask for kMask
};

/// [[column]]: a column that is encrypted (scheme), masked (mask), or both.
struct ColumnOptions {
  std::string database = "*";
  std::string table;  ///< "schema.table", no globs: a protected column is named exactly
  std::string name;
  std::string type;  ///< logical type while encrypted, e.g. "text", "varchar(80)", "date"
  Scheme scheme = Scheme::kNone;  ///< kNone where only masked
  KeyScope key_scope = KeyScope::kTenant;
  std::string uuid;        ///< identity of the column in keys and ciphertexts; never changed
  std::string link_group;  ///< deterministic columns that join share a name
  std::string mask;        ///< fixed | partial | email | hash | date_year | null; empty = none
  std::vector<RoleAccess> roles;
};

/// [keys]. `file` is required; exactly one of the two others is given.
struct KeysOptions {
  FilePath file;             ///< the key store
  FilePath kek_file;         ///< root key, raw
  FilePath passphrase_file;  ///< or a passphrase (Argon2id)
};

/// [policy.profile.NAME]: what logins of one profile may do besides.
struct ProfileOptions {
  std::vector<std::string> allow_functions;
  std::vector<std::string> allow_settings;
  bool allow_plans = false;  ///< EXPLAIN of tenant tables, shaped
  ErrorDetail error_detail = ErrorDetail::kShape;
};

/// [policy]. Enforced also where the section is absent: it can only weaken or tune.
struct PolicyOptions {
  PolicyMode mode = PolicyMode::kEnforce;
  Millis verify_interval{30'000};  ///< how often the wall of every node is verified
  NewTables new_tables = NewTables::kRefuse;
  bool reduce_grants = false;                ///< take TRUNCATE, REFERENCES, TRIGGER from logins
  std::vector<std::string> lint_accept;      ///< findings of lint that are meant so
  std::vector<std::string> allow_functions;  ///< "schema.name" with globs (* and ?)
  std::vector<std::string> allow_settings;   ///< names with globs
  FilePath pins_file;                        ///< shapes of statements that mode `pinned` lets pass
  FilePath learn_file;                       ///< where shapes not seen before are written down
  std::map<std::string, ProfileOptions, std::less<>> profile;  ///< by name of the profile
};

}  // namespace postern::config
