// Rules of tenants, tables, columns and keys.
#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <tuple>

#include "base/codes/config.hpp"
#include "config/findings.hpp"
#include "config/key.hpp"
#include "config/values.hpp"

namespace postern::config {
namespace {

constexpr std::array<std::string_view, 5> kTenantTypes{"text", "varchar", "uuid", "int4", "int8"};
constexpr std::array<std::string_view, 19> kTypes{
    "text",        "varchar",  "char",  "int2", "int4", "int8", "numeric",
    "float4",      "float8",   "bool",  "uuid", "date", "time", "timestamp",
    "timestamptz", "interval", "bytea", "json", "jsonb"};
/// Equal bytes mean equal values only here (docs: deterministic columns).
constexpr std::array<std::string_view, 12> kDeterministicTypes{
    "text", "varchar", "char",  "int2",      "int4",        "int8",
    "uuid", "date",    "bytea", "timestamp", "timestamptz", "numeric"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// "varchar" of "varchar(80)"; empty where the modifier is not well formed.
std::string_view base_type(std::string_view type) {
  const std::size_t open = type.find('(');
  if (open == std::string_view::npos) return type;
  const std::string_view modifier = type.substr(open + 1);
  const bool well_formed = modifier.size() >= 2 && modifier.back() == ')' &&
                           std::all_of(modifier.begin(), modifier.end() - 1, [](char c) {
                             return std::isdigit(static_cast<unsigned char>(c)) != 0 || c == ',';
                           });
  return well_formed ? type.substr(0, open) : std::string_view();
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool has_glob(std::string_view text) {
  return text.find_first_of("*?") != std::string_view::npos;
}

/// A rule must be able to govern something: its database is one that clients can ask for.
void check_database(Findings& findings, const std::string& path, const std::string& database) {
  if (database == "*" || find_database(findings.config(), database) != nullptr) return;
  findings.conflict(path + ".database", "there is no [database." + database + "]");
}

void validate_shared(Findings& findings, const char* path, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!is_qualified(name)) {
      findings.add(pst::kConfigBadValue, path, "\"" + name + "\" is not schema.table");
    }
  }
}

void validate_tenant(Findings& findings) {
  const auto& tenant = findings.config().tenant;
  if (!tenant) return;
  validate_shared(findings, "tenant.shared", tenant->shared);
  if (tenant->by_schema()) return validate_schema_tenants(findings);
  for (const char* key : {"role", "role_password", "role_password_file", "trusted"}) {
    const std::string path = std::string("tenant.") + key;
    if (findings.written(path)) findings.conflict(path, "has no meaning without tenant.schema");
  }
  if (tenant->column.empty()) findings.conflict("tenant.column", "is empty");
  if (!contains(kTenantTypes, tenant->type)) {
    findings.add(pst::kConfigBadValue, "tenant.type", "is none of text, varchar, uuid, int4, int8");
  }
  const bool observes = findings.config().policy.mode == PolicyMode::kObserve;
  if (tenant->guard_key_file.empty() && !observes) {
    findings.missing("tenant.guard_key_file",
                     "signs the tenant context; only [policy] mode \"observe\" does without");
  }
}

/// What CREATE POLICY refuses.
void validate_commands(Findings& findings, const std::string& path, const TablePolicy& policy) {
  const bool reads =
      policy.command == PolicyCommand::kSelect || policy.command == PolicyCommand::kDelete;
  if (reads && !policy.check_sql.empty()) {
    findings.conflict(path + ".check", "has no meaning for select and delete");
  }
  if (policy.command == PolicyCommand::kInsert && !policy.using_sql.empty()) {
    findings.conflict(path + ".using", "has no meaning for insert: new rows have `check`");
  }
}

void validate_table(Findings& findings, const std::string& path, const TableOptions& table) {
  if (!table.name.empty() && !is_qualified(table.name)) {
    findings.add(pst::kConfigBadValue, path + ".name", "is not \"schema.table\"");
  }
  const auto& tenant = findings.config().tenant;
  if (!tenant) findings.conflict(path, "has no effect without [tenant]");
  if (tenant && tenant->by_schema()) {
    findings.conflict(path, "has no meaning beside tenant.schema: tenants are no rows there");
  }
  check_database(findings, path, table.database);
  std::set<std::string> names;
  for (std::size_t i = 0; i < table.policies.size(); ++i) {
    const TablePolicy& policy = table.policies[i];
    const std::string place = path + ".policies[" + std::to_string(i) + "]";
    if (policy.using_sql.empty() && policy.check_sql.empty()) {
      findings.missing(place, "has neither using nor check");
    }
    validate_commands(findings, place, policy);
    if (!names.insert(policy.name).second) findings.conflict(place + ".name", "stands twice");
  }
}

void validate_scheme(Findings& findings, const std::string& path, const ColumnOptions& column) {
  const Config& config = findings.config();
  if (!config.keys) findings.missing(path, "an encrypted column needs [keys]");
  if (column.type.empty()) findings.missing(path + ".type", "an encrypted column needs it");
  if (!column.type.empty() && !contains(kTypes, base_type(column.type))) {
    findings.add(pst::kConfigBadValue, path + ".type", "is not a type that can be encrypted");
  }
  if (column.uuid.empty()) findings.missing(path + ".uuid", "an encrypted column needs it");
  if (!column.uuid.empty() && !is_uuid(column.uuid)) {
    findings.add(pst::kConfigBadValue, path + ".uuid", "is not a uuid");
  }
  if (column.key_scope == KeyScope::kTenant && !config.tenant) {
    findings.conflict(path + ".key_scope", "\"tenant\" needs [tenant]; \"global\" does not");
  }
  if (column.scheme != Scheme::kDeterministic) return;
  const std::string_view base = base_type(column.type);
  const bool scaled = base != "numeric" || column.type.find('(') != std::string::npos;
  if (contains(kTypes, base) && (!contains(kDeterministicTypes, base) || !scaled)) {
    findings.conflict(path + ".type",
                      "equal values of this type may differ in bytes: not for deterministic");
  }
}

void validate_mask(Findings& findings, const std::string& path, const ColumnOptions& column) {
  const auto masks = mask_names();
  const bool known = std::find(masks.begin(), masks.end(), column.mask) != masks.end();
  if (!column.mask.empty() && !known) {
    findings.add(pst::kConfigBadValue, path + ".mask", "names no mask");
  }
  for (const RoleAccess& role : column.roles) {
    if (role.access == Access::kMask && role.mask.empty() && column.mask.empty()) {
      findings.conflict(path + ".roles", "\"" + role.role + "\" is masked, but mask is not given");
    }
    if (role.access == Access::kCiphertext && column.scheme == Scheme::kNone) {
      findings.conflict(path + ".roles", "\"" + role.role + "\" sees ciphertext of a plain column");
    }
  }
}

void validate_column(Findings& findings, const std::string& path, const ColumnOptions& column) {
  if (!column.table.empty() && (!is_qualified(column.table) || has_glob(column.table))) {
    findings.add(pst::kConfigBadValue, path + ".table", "is not one \"schema.table\"");
  }
  check_database(findings, path, column.database);
  if (column.scheme == Scheme::kNone) {
    if (column.mask.empty() && column.roles.empty()) {
      findings.missing(path, "has neither scheme nor mask nor roles");
    }
  } else {
    validate_scheme(findings, path, column);
  }
  if (!column.link_group.empty() && column.scheme != Scheme::kDeterministic) {
    findings.conflict(path + ".link_group", "is for deterministic columns");
  }
  validate_mask(findings, path, column);
}

/// One column is described once, and no two columns share an identity.
void check_unique(Findings& findings) {
  std::set<std::tuple<std::string, std::string, std::string>> names;
  std::map<std::string, std::string> uuids;
  const auto& columns = findings.config().columns;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const ColumnOptions& column = columns[i];
    const std::string path = "column[" + std::to_string(i) + "]";
    if (!names.emplace(column.database, column.table, column.name).second) {
      findings.conflict(path + ".name", "this column is described twice");
    }
    if (column.uuid.empty()) continue;
    const auto [other, fresh] = uuids.try_emplace(lower(column.uuid), path);
    if (!fresh) findings.conflict(path + ".uuid", "is also the uuid of " + other->second);
  }
}

void validate_keys(Findings& findings) {
  const auto& keys = findings.config().keys;
  if (!keys) return;
  if (keys->kek_file.empty() && keys->passphrase_file.empty()) {
    findings.missing("keys", "needs kek_file or passphrase_file");
  }
  if (!keys->kek_file.empty() && !keys->passphrase_file.empty()) {
    findings.conflict("keys.passphrase_file", "is given beside kek_file");
  }
}

}  // namespace

void validate_protection(Findings& findings) {
  const Config& config = findings.config();
  validate_tenant(findings);
  validate_keys(findings);
  for (std::size_t i = 0; i < config.tables.size(); ++i) {
    validate_table(findings, "table[" + std::to_string(i) + "]", config.tables[i]);
  }
  for (std::size_t i = 0; i < config.columns.size(); ++i) {
    validate_column(findings, "column[" + std::to_string(i) + "]", config.columns[i]);
  }
  check_unique(findings);
}

}  // namespace postern::config
