// The compiled policy of one database: what the configuration says, resolved against a catalog.
//
// Built once per (configuration, catalog epoch) by compile_ruleset() and shared by all workers;
// immutable and thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "policy/schema_tenants.hpp"
#include "sql/catalog.hpp"
#include "types/logical_type.hpp"

namespace postern::policy {

/// How much a login may do. See design of the gate in docs/ARCHITECTURE.md.
enum class Profile : std::uint8_t {
  kApp,          ///< DML and what applications need; no DDL
  kAnalyst,      ///< SELECT only
  kMigrator,     ///< DDL, DO, owner through SET ROLE, no tenant
  kBackup,       ///< COPY TO and catalogs; sees ciphertext
  kAdmin,        ///< bypasses the gate, sees ciphertext, always audited
  kTransparent,  ///< unprotected databases
};
const char* to_word(Profile profile);
std::optional<Profile> profile_from_word(std::string_view word);

inline constexpr std::size_t kProfileCount = 6;

/// What the configuration frees from the gate's lists. Entries that no configuration can free are
/// ignored (why_never_function(), why_never_setting()).
struct Permits {
  std::vector<std::string> functions;  ///< globs "schema.name"
  std::vector<std::string> settings;   ///< globs, lower case
  bool plans = false;                  ///< EXPLAIN of tenant tables, without costs and counts
  bool full_errors = false;            ///< messages of the server reach tenants whole
};

/// Why an entry of Permits has no effect; empty where it has one.
std::string why_never_function(std::string_view glob);
std::string why_never_setting(std::string_view glob);

/// What is done about a violation.
enum class Mode : std::uint8_t {
  kObserve,
  kGate,
  kEnforce,
  kPinned,  ///< as kEnforce, and only shapes of statements known by name
};
/// Something may be refused.
inline bool refuses(Mode mode) {
  return mode != Mode::kObserve;
}

enum class Scheme : std::uint8_t { kRandomized, kDeterministic };
enum class KeyScope : std::uint8_t { kTenant, kGlobal };

/// Index of a protected column in its ruleset; names the key purpose without knowing crypto.
struct ColumnId {
  std::uint32_t index = 0;
  friend bool operator==(ColumnId, ColumnId) = default;
  friend auto operator<=>(ColumnId, ColumnId) = default;
};

/// A column whose values leave and reach the server encrypted.
struct ProtectedColumn {
  ColumnRef ref;
  std::string table;  ///< "schema.name"
  std::string column;
  std::string uuid;        ///< 32 lower-case hex digits, identity in AAD; survives renames
  std::string link_group;  ///< 32 lower-case hex digits; = uuid where no group is declared
  Scheme scheme = Scheme::kRandomized;
  KeyScope scope = KeyScope::kTenant;
  types::LogicalType type;
  Oid stored_type = kInvalidOid;  ///< the domain over bytea
  /// False while the server's column is not over bytea yet: every use of it is refused.
  bool stored_sealed = true;
};

/// A relation with a tenant column.
struct TenantTable {
  Oid oid = kInvalidOid;
  std::string table;  ///< "schema.name"
  std::int16_t attnum = 0;
  std::string column;
};

/// One [[column]] row of the configuration, before it is resolved.
struct ColumnRule {
  std::string table;  ///< "schema.name", globs allowed
  std::string column;
  std::string type;
  Scheme scheme = Scheme::kRandomized;
  KeyScope scope = KeyScope::kTenant;
  std::string uuid;        ///< required: 32 hex digits or 8-4-4-4-12
  std::string link_group;  ///< as uuid (a group's name is turned into a UUID by the caller); may be
                           ///< empty
};

/// One [[table.policies]] row: a row policy of the business, installed with the wall.
struct BusinessRule {
  std::string name;  ///< 1 to 50 bytes
  bool permissive = true;
  char command = '*';              ///< as pg_policy.polcmd: * r a w d
  std::vector<std::string> roles;  ///< database roles; empty = everyone
  std::string using_text;          ///< SQL; empty = none
  std::string check_text;
};

/// One [[table]] row of the configuration.
struct TableRule {
  std::string table;          ///< "schema.name", globs allowed
  std::string tenant_column;  ///< empty = PolicyOptions::tenant_column
  std::vector<BusinessRule> policies = {};
};

/// The policy part of the configuration, as plain data.
struct PolicyOptions {
  Mode mode = Mode::kEnforce;
  std::string tenant_column;             ///< covers every table that has it; empty = none
  std::vector<std::string> shared;       ///< globs of tables declared to have no tenant
  std::optional<SchemaTenants> schemas;  ///< tenants have schemas; excludes tenant columns
  std::vector<TableRule> tables;  ///< the last rule that matches a table names its column; the
                                  ///< policies of all that match it or a parent of it apply
  /// New tables with neither tenant column nor place in `shared` are refused by the database.
  bool refuse_new_tables = true;
  std::vector<ColumnRule> columns;
  Permits permits;                                     ///< of every profile
  std::array<Permits, kProfileCount> profile_permits;  ///< of one, besides
  /// Answers may be cached: decisions say which. Without it none is said to be cacheable.
  bool caches = true;
};

struct Ruleset {
  std::uint64_t epoch = 0;  ///< unique per compiled ruleset within the process
  Mode mode = Mode::kEnforce;
  bool is_protected = false;  ///< any tenant table, protected column or mask
  std::shared_ptr<const sql::Catalog> catalog;
  std::vector<ProtectedColumn> columns;  ///< indexed by ColumnId
  std::unordered_map<ColumnRef, ColumnId> column_index;
  std::unordered_map<Oid, TenantTable> tenant_tables;
  /// Tables with a protected column, partitions and children included.
  std::unordered_set<Oid> protected_tables;
  /// Relations that show tenants' rows without row security (materialised views over tenant tables,
  /// foreign tables with the tenant column) and are not declared shared: refused to tenants.
  std::unordered_set<Oid> unwallable;
  PolicyOptions options;  ///< what was compiled

  [[nodiscard]] const ProtectedColumn* protected_column(ColumnRef ref) const;
  /// By row or by schema.
  [[nodiscard]] bool separates_tenants() const {
    return !tenant_tables.empty() || options.schemas.has_value();
  }
  /// The schema of some tenant, where tenants have schemas.
  [[nodiscard]] bool is_tenant_schema(std::string_view schema) const {
    return options.schemas && options.schemas->schema.matches(schema);
  }
  [[nodiscard]] const Permits& permits_of(Profile profile) const {
    return options.profile_permits.at(static_cast<std::size_t>(profile));
  }
};

/// Resolves the options against the catalog. Partitions and inheritance children of a protected or
/// tenant table share its protection, whatever else is said of them. Errors (kPolicyUnknownTable,
/// kPolicyUnknownColumn, kPolicyBadColumn) name the rule, what is wrong and the nearest name.
///
/// A column of scope `tenant` must stand in a table with a tenant column: otherwise no row says
/// under whose key its value is.
Result<std::shared_ptr<const Ruleset>> compile_ruleset(const PolicyOptions& options,
                                                       std::shared_ptr<const sql::Catalog> catalog);

}  // namespace postern::policy
