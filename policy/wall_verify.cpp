#include "policy/wall_verify.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/codes/wall.hpp"
#include "policy/glob.hpp"
#include "policy/sql_quote.hpp"
#include "policy/wall_functions.hpp"
#include "policy/wall_rules.hpp"
#include "policy/wall_schemas.hpp"
#include "policy/wall_state.hpp"
#include "policy/wall_table.hpp"
#include "policy/wall_trigger.hpp"

namespace postern::policy {
namespace {

using Values = std::multimap<std::string, std::string>;  // property -> value
using Objects = std::map<std::string, Values>;           // object -> ...
constexpr const char* kKeyTable = "\"postern\".\"context_key\"";
constexpr const char* kGrantTable = "\"postern\".\"wall_grant\"";
constexpr const char* kStateTable = "\"postern\".\"wall_state\"";
constexpr std::string_view kReapply = "-- run: postern policy apply";

class Comparison {
 public:
  Comparison(const Ruleset& rules, const WallOptions& options, const std::vector<WallRow>& rows)
      : rules_(rules), options_(options) {
    for (const WallRow& row : rows) {
      sections_[row.section][row.object].emplace(row.property, row.value);
    }
  }

  std::vector<WallDifference> run() {
    check_roles();
    check_schema();
    check_functions();
    check_domain();
    check_key_table();
    check_event_triggers();
    auto tables = walled_tables(rules_);
    if (!tables) {
      differ("policy", tables.error().message(), std::string(kReapply));
      return std::move(out_);
    }
    for (const WalledTable& table : *tables) check_table(table);
    check_unwalled(*tables);
    check_stripped(*tables);
    for (const sql::Relation* view : walled_views(rules_)) check_view(*view);
    return std::move(out_);
  }

 private:
  void differ(std::string object, std::string problem, std::string repair) {
    out_.push_back({std::move(object), std::move(problem), std::move(repair)});
  }

  const Values& values(const std::string& section, const std::string& object) {
    return sections_[section][object];
  }

  /// The one value of a property, or nullptr.
  const std::string* value(const std::string& section, const std::string& object,
                           const std::string& property) {
    const Values& found = values(section, object);
    const auto it = found.find(property);
    return it == found.end() ? nullptr : &it->second;
  }

  bool role_has(const std::string& role, const std::string& attribute) {
    const std::string* attributes = value("role", role, "attributes");
    return attributes != nullptr && (*attributes + " ").find(attribute + " ") != std::string::npos;
  }

  void check_roles() {
    const std::string& owner = options_.owner_role;
    if (value("role", owner, "attributes") == nullptr) {
      differ(owner, "owner role does not exist", std::string(kReapply));
    } else {
      if (role_has(owner, "login=t")) {
        differ(owner, "owner role can log in", "ALTER ROLE " + quote_ident(owner) + " NOLOGIN;");
      }
      if (role_has(owner, "stats=f")) {
        differ(owner, "owner role cannot see when backends started",
               "GRANT pg_read_all_stats TO " + quote_ident(owner) + ";");
      }
    }
    for (const std::string& role : options_.app_roles) check_app_role(role);
  }

  void check_app_role(const std::string& role) {
    if (value("role", role, "attributes") == nullptr) {
      differ(role, "application role does not exist", "-- create it, or correct the configuration");
      return;
    }
    if (role_has(role, "super=t")) {
      differ(role, "superuser: no row security holds it",
             "ALTER ROLE " + quote_ident(role) + " NOSUPERUSER;");
      return;  // a superuser counts as a member of everything
    }
    if (role_has(role, "bypass=t")) {
      differ(role, "BYPASSRLS: no row security holds it",
             "ALTER ROLE " + quote_ident(role) + " NOBYPASSRLS;");
    }
    if (role_has(role, "escapes=t")) {
      differ(role,
             "member of a role that is a superuser or has BYPASSRLS: SET ROLE leaves the wall",
             "-- revoke that role from " + quote_ident(role) + "; postern policy lint names it");
    }
    if (role_has(role, "tables=t")) {
      differ(role, "member of a role that owns walled tables: SET ROLE opens the wall",
             "-- revoke that role from " + quote_ident(role) + "; postern policy lint names it");
    }
    if (role_has(role, "owner=t")) {
      differ(role, "member of the wall's owner: can read its keys",
             "REVOKE " + quote_ident(options_.owner_role) + " FROM " + quote_ident(role) + ";");
    }
  }

  void check_schema() {
    const std::string* owner = value("schema", "postern", "owner");
    if (owner == nullptr) {
      differ("postern", "schema does not exist", std::string(kReapply));
    } else if (*owner != options_.owner_role) {
      differ("postern", "schema belongs to " + *owner,
             "ALTER SCHEMA postern OWNER TO " + quote_ident(options_.owner_role) + ";");
    }
    for (const auto& [property, grantee] : values("schema", "postern")) {
      if (property != "create") continue;
      differ("postern", grantee + " may create objects in the schema",
             "REVOKE CREATE ON SCHEMA postern FROM " +
                 (grantee == "public" ? "PUBLIC" : quote_ident(grantee)) + ";");
    }
  }

  /// In SQL, or in C where the extension has exchanged the functions.
  struct Form {
    std::string source;
    std::string attributes;
  };

  Form expected_form(const WallFunction& function, bool native) const {
    const bool definer = function.security_definer && !native;
    return {native ? std::string(function.symbol) : function.body,
            "owner=" + options_.owner_role + " language=" + (native ? "c" : "plpgsql") +
                " definer=" + (definer ? "t" : "f") + " volatile=" + function.volatility +
                " parallel=" + (native ? "s" : "r") + " leakproof=f set=" +
                (function.fixed_path && !native ? "search_path=pg_catalog, pg_temp" : "") +
                " returns=" + std::string(function.returns) +
                " public=" + (function.for_public ? "t" : "f") +
                " library=" + (native ? std::string(kGuardLibrary) : "")};
  }

  /// The form of the functions is that of the first: the policies' own.
  bool native_form() {
    const std::string* attributes = value("function", "postern.tenant()", "attributes");
    return attributes != nullptr && attributes->find(" language=c ") != std::string::npos;
  }

  void check_functions() {
    const bool native = native_form();
    if (native && value("guard", "postern_guard", "version") == nullptr) {
      differ("postern_guard", "the library is not loaded: every use of a tenant table fails",
             "-- load it (shared_preload_libraries), or DROP EXTENSION postern_guard and run: "
             "postern policy apply");
    }
    for (const WallFunction& function : wall_functions(rules_)) {
      check_function(function, expected_form(function, native && !function.symbol.empty()));
    }
  }

  void check_function(const WallFunction& function, const Form& expected) {
    const std::string object =
        "postern." + std::string(function.name) + "(" + std::string(function.identity) + ")";
    const std::string* source = value("function", object, "source");
    const std::string* attributes = value("function", object, "attributes");
    std::string repair = function.symbol.empty() || expected.source != function.symbol
                             ? function_sql(function, options_.owner_role)
                             : std::string(kReapply);
    if (source == nullptr || attributes == nullptr) {
      differ(object, "function is missing", std::move(repair));
    } else if (*source != expected.source) {
      differ(object, "function was replaced", std::move(repair));
    } else if (*attributes != expected.attributes) {
      differ(object, "function is declared differently: " + *attributes, std::move(repair));
    }
  }

  void check_domain() {
    bool found = false;
    for (const auto& [name, text] : values("domain", "postern.pe1")) {
      if (name == "pe1_container" && squeeze(text) == printed_check()) {
        found = true;
        continue;
      }
      differ("postern.pe1", "check of the domain differs: " + text,
             "ALTER DOMAIN postern.pe1 DROP CONSTRAINT " + quote_ident(name) + ";");
    }
    if (!found) differ("postern.pe1", "domain or its check is missing", std::string(kReapply));
  }

  static std::string printed_check() {
    return squeeze(
        "CHECK (octet_length(VALUE) >= 48 AND substr(VALUE, 1, 3) = '\\xf55001'::bytea AND "
        "get_byte(VALUE, 3) = ANY ('{1,2,17,33}'::integer[]))");
  }

  void check_key_table() {
    check_flags(kKeyTable);
    const Values& policies = values("policy", kKeyTable);
    for (const auto& [name, text] : policies) {
      if (name == "postern_owner_only" &&
          text == "permissive|*|" + options_.owner_role + "|true|true") {
        continue;
      }
      differ(kKeyTable, "unknown policy " + name + " opens the keys",
             "DROP POLICY " + quote_ident(name) + " ON postern.context_key;");
    }
    for (const char* table : {kKeyTable, kStateTable, kGrantTable}) {
      for (const auto& [grantee, privilege] : values("grant", table)) {
        if (table != kKeyTable && privilege == "SELECT") continue;
        differ(table, grantee + " has " + privilege,
               "REVOKE " + privilege + " ON " + table + " FROM " + grantee + ";");
      }
    }
  }

  /// Their absence is lint's: not every login may make them.
  void check_event_triggers() {
    for (const std::string_view name : kEventTriggers) {
      const std::string* enabled = value("event", std::string(name), "enabled");
      if (enabled == nullptr || *enabled == "A") continue;
      differ(std::string(name), "event trigger of the wall is disabled",
             "ALTER EVENT TRIGGER " + std::string(name) + " ENABLE ALWAYS;");
    }
  }

  /// False where the table was dropped since the ruleset was compiled: it has no rows to guard, and
  /// one that the configuration names is missed when the next snapshot is compiled.
  bool check_flags(const std::string& name) {
    const std::string* flags = value("table", name, "security");
    if (flags == nullptr) return false;
    if (flags->find("enabled=t") == std::string::npos) {
      differ(name, "row security is disabled",
             "ALTER TABLE " + name + " ENABLE ROW LEVEL SECURITY;");
    }
    if (flags->find("forced=t") == std::string::npos) {
      differ(name, "row security does not bind the owner",
             "ALTER TABLE " + name + " FORCE ROW LEVEL SECURITY;");
    }
    return true;
  }

  void check_table(const WalledTable& table) {
    if (!check_flags(table.name)) return;
    if (value("table", table.name, "nondeterministic") != nullptr) {
      differ(table.name, "tenant column has a nondeterministic collation",
             "-- give the tenant column a deterministic collation, such as \"C\"");
    }
    const std::string* tenant = value("policy", table.name, std::string(kTenantPolicy));
    if (tenant == nullptr) {
      differ(table.name, "policy postern_tenant is missing", tenant_policy_sql(table));
    } else if (!is_tenant_policy(table, *tenant)) {
      differ(table.name, "policy postern_tenant was changed", tenant_policy_sql(table));
    }
    check_owner(table);
    check_allow(table);
    check_business_rules(table);
    check_foreign_policies(table);
  }

  /// Its owner may switch everything else off.
  void check_owner(const WalledTable& table) {
    const std::string* then = value("state", table.name, "owner");
    const std::string* now = value("table", table.name, "owner");
    if (then == nullptr || now == nullptr || *then == *now) return;
    differ(table.name, "the table belongs to " + *now + " now, not to " + *then,
           "ALTER TABLE " + table.name + " OWNER TO " + quote_ident(*then) + ";");
  }

  /// As configured they must be as applied, and what was applied must be what there is.
  void check_business_rules(const WalledTable& table) {
    std::set<std::string> sources = all(table.name, "rule");
    const std::set<std::string> printed = all(table.name, "rule printed");
    for (const BusinessRule& rule : table.rules) {
      const std::string name = rule_name(rule);
      const std::string* text = value("policy", table.name, name);
      if (sources.erase(rule_source(rule)) == 0) {
        differ(table.name, "policy " + rule.name + " of the configuration has not been applied",
               std::string(kReapply));
      } else if (text == nullptr || !printed.contains(name + "|" + *text)) {
        differ(table.name, "policy " + name + " is missing or was changed", std::string(kReapply));
      }
    }
    for (const auto& [name, text] : values("policy", table.name)) {
      const bool wanted = std::any_of(table.rules.begin(), table.rules.end(),
                                      [&](const BusinessRule& r) { return rule_name(r) == name; });
      if (wanted || !name.starts_with(kRulePrefix)) continue;
      differ(table.name, "policy " + name + " is not in the configuration", std::string(kReapply));
    }
  }

  std::set<std::string> all(const std::string& table, const std::string& property) {
    std::set<std::string> out;
    const auto [first, last] = values("state", table).equal_range(property);
    for (auto it = first; it != last; ++it) out.insert(it->second);
    return out;
  }

  static bool is_tenant_policy(const WalledTable& table, const std::string& text) {
    return std::any_of(table.printed.begin(), table.printed.end(), [&](const std::string& form) {
      return squeeze(text) == "restrictive|*|public|" + form + "|" + form;
    });
  }

  void check_allow(const WalledTable& table) {
    const std::string* allow = value("state", table.name, "allow");
    if (allow == nullptr) {
      differ(table.name, "wall_state does not know the table", std::string(kReapply));
      return;
    }
    const std::string& owner = table.relation->owner;
    const std::string lets = table.open ? "|true|true" : "|false|false";
    for (const Allow kind : {Allow::kPublic, Allow::kOwner}) {
      const std::string name(kind == Allow::kPublic ? kAllowPolicy : kAllowOwnerPolicy);
      const std::string* found = value("policy", table.name, name);
      const bool wanted = *allow == to_word(kind);
      const std::string text =
          std::string("permissive|*|") + (kind == Allow::kPublic ? "public" : owner) + lets;
      if (wanted && (found == nullptr || *found != text)) {
        differ(table.name, "policy " + name + " is missing or was changed",
               allow_policy_sql(table, kind));
      } else if (!wanted && found != nullptr) {
        differ(table.name, "policy " + name + " lets more through than before the wall",
               "DROP POLICY " + name + " ON " + table.name + ";");
      }
    }
  }

  void check_foreign_policies(const WalledTable& table) {
    std::set<std::string> known = all(table.name, "known");
    for (const auto& [name, text] : values("policy", table.name)) {
      if (is_own_policy(name) || known.erase(name + "|" + text) > 0) continue;
      differ(table.name, "policy " + name + " is not one that was reviewed",
             "DROP POLICY " + quote_ident(name) + " ON " + table.name + ";");
    }
    for (const std::string& missing : known) {
      differ(table.name, "reviewed policy is gone or changed: " + missing, std::string(kReapply));
    }
  }

  /// Tables that appeared since the ruleset was compiled.
  void check_unwalled(const std::vector<WalledTable>& tables) {
    std::set<std::string> walled;
    for (const WalledTable& table : tables) walled.insert(table.name);
    for (const auto& [object, properties] : sections_["table"]) {
      if (walled.contains(object)) continue;
      const auto parents = properties.equal_range("parent");
      const bool below = std::any_of(parents.first, parents.second, [&](const auto& parent) {
        return walled.contains(parent.second);
      });
      // Made and walled in one transaction since: the next snapshot has it verified in full.
      if (is_walled_meanwhile(object, tables)) continue;
      if (below || (properties.contains("tenant column") && !is_shared(properties))) {
        differ(object, "table has tenants' rows but no wall", std::string(kReapply));
      }
    }
  }

  /// Tables that were walled and lost it, as with their tenant column.
  void check_stripped(const std::vector<WalledTable>& tables) {
    std::set<std::string> walled;
    for (const WalledTable& table : tables) walled.insert(table.name);
    for (const auto& [object, properties] : sections_["state"]) {
      const auto kind = properties.find("kind");
      const bool table = kind != properties.end() && (kind->second == "r" || kind->second == "p");
      if (!table || walled.contains(object)) continue;
      if (value("policy", object, std::string(kTenantPolicy)) != nullptr) continue;
      const auto& known = sections_["table"];
      const auto now = known.find(object);
      if (now != known.end() && is_shared(now->second)) continue;
      differ(
          object, "table was walled and has lost its wall, or its tenant column",
          "-- give the column back and run: postern policy apply; or list it in [tenant] shared");
    }
  }

  /// Exactly as policy apply would wall it, on the column that the configuration or a parent names;
  /// a policy that merely speaks of postern.tenant() is none.
  bool is_walled_meanwhile(const std::string& object, const std::vector<WalledTable>& tables) {
    const std::string* flags = value("table", object, "security");
    const std::string* tenant = value("policy", object, std::string(kTenantPolicy));
    if (flags == nullptr || *flags != "enabled=t forced=t" || tenant == nullptr) return false;
    if (tenant->starts_with("gone|")) return true;  // dropped meanwhile: no rows to guard
    if (value("table", object, "nondeterministic") != nullptr) return false;
    std::set<std::string> columns;
    add_tenant_columns(object, tables, columns, 0);
    return std::any_of(columns.begin(), columns.end(), [&](const std::string& column) {
      return is_tenant_policy_on(column, *tenant);
    });
  }

  /// The names that the tenant column of a table may have which the ruleset does not know.
  void add_tenant_columns(const std::string& object, const std::vector<WalledTable>& tables,
                          std::set<std::string>& out, int depth) {
    constexpr int kDeepest = 32;
    const auto known = std::find_if(tables.begin(), tables.end(),
                                    [&](const WalledTable& t) { return t.name == object; });
    if (known != tables.end()) {
      out.insert(rules_.tenant_tables.at(known->relation->oid).column);
      return;
    }
    if (const std::string* name = value("table", object, "name")) {
      const std::string column = configured_column(*name);
      if (!column.empty()) out.insert(column);
    }
    const auto [first, last] = values("table", object).equal_range("parent");
    for (auto parent = first; parent != last && depth < kDeepest; ++parent) {
      add_tenant_columns(parent->second, tables, out, depth + 1);
    }
  }

  /// As compile_ruleset() chooses it: the last rule's that matches, else the common one.
  std::string configured_column(const std::string& name) const {
    const TableRule* found = nullptr;
    for (const TableRule& rule : rules_.options.tables) {
      if (glob_match(rule.table, name)) found = &rule;
    }
    const bool own = found != nullptr && !found->tenant_column.empty();
    return own ? found->tenant_column : rules_.options.tenant_column;
  }

  bool is_shared(const Values& properties) const {
    const auto name = properties.find("name");
    return name != properties.end() &&
           std::any_of(rules_.options.shared.begin(), rules_.options.shared.end(),
                       [&](const std::string& glob) { return glob_match(glob, name->second); });
  }

  void check_view(const sql::Relation& view) {
    const std::string name = quote_relation(view);
    const std::string* invoker = value("view", name, "invoker");
    if (invoker != nullptr && *invoker == "true") return;
    differ(name, "view reads tenants' rows with its owner's rights",
           "ALTER VIEW " + name + " SET (security_invoker = true);");
  }

  const Ruleset& rules_;
  const WallOptions& options_;
  std::map<std::string, Objects> sections_;
  std::vector<WallDifference> out_;
};

}  // namespace

std::vector<WallDifference> verify_wall(const Ruleset& rules, const WallOptions& options,
                                        const std::vector<WallRow>& rows) {
  if (rules.options.schemas) return schema_differences(rows);
  return Comparison(rules, options, rows).run();
}

Status wall_status(const std::vector<WallDifference>& differences) {
  if (differences.empty()) return ok();
  const WallDifference& first = differences.front();
  Error error = make_error(pst::kWallDrift, first.object + ": " + first.problem);
  if (differences.size() > 1) {
    error.what += " (and " + std::to_string(differences.size() - 1) + " more)";
  }
  return error;
}

}  // namespace postern::policy
