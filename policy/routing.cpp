#include <algorithm>

#include "policy/closure.hpp"
#include "policy/effects.hpp"
#include "policy/glob.hpp"
#include "policy/wall_state.hpp"

namespace postern::policy {
namespace {

/// Postern's own functions read the session's context, which every armed connection carries.
bool harmless(const sql::Routine& routine) {
  if (routine.schema == "postern") return routine.name != "context";
  return routine.volatility != 'v' && routine.parallel == 's' && !routine.moves_path;
}

bool routines_harmless(const sql::Catalog& catalog, const std::vector<Oid>& routines) {
  return std::all_of(routines.begin(), routines.end(), [&](Oid oid) {
    const sql::Routine* routine = catalog.routine(oid);
    return routine != nullptr && harmless(*routine);
  });
}

/// Settings are the session's: a replica's session may have others.
bool reads_settings(const sql::Catalog& catalog, const std::vector<Oid>& routines) {
  return std::any_of(routines.begin(), routines.end(), [&](Oid oid) {
    const sql::Routine* routine = catalog.routine(oid);
    return routine == nullptr ||
           (routine->schema == "pg_catalog" && routine->name == "current_setting");
  });
}

/// Calls `act` with each policy of others than the wall that decides which rows a SELECT sees. The
/// operator's business policies are among them.
template <typename Act>
void each_filter(const sql::Relation& relation, Act act) {
  if (!relation.row_security) return;
  for (const sql::RowPolicy& policy : relation.policies) {
    const bool wall = is_own_policy(policy.name) && !policy.name.starts_with(kRulePrefix);
    const bool filters = policy.command == '*' || policy.command == 'r';
    if (!wall && filters && !policy.using_text.empty()) act(policy);
  }
}

bool policies_harmless(const sql::Catalog& catalog, const sql::Relation& relation) {
  bool harmless = true;
  each_filter(relation, [&](const sql::RowPolicy& policy) {
    harmless = harmless && routines_harmless(catalog, policy.calls) &&
               !reads_settings(catalog, policy.calls);
  });
  return harmless;
}

bool relation_harmless(const sql::Catalog& catalog, const sql::Relation& relation) {
  const bool kind = is_table(relation) || is_view(relation);
  return kind && relation.persistence == sql::Persistence::kPermanent &&
         !in_system_schema(relation) && policies_harmless(catalog, relation) &&
         routines_harmless(catalog, relation.depends_routines) &&
         !reads_settings(catalog, relation.depends_routines);
}

/// The relation, what stands below it, what decides which of its rows are seen, and the same of
/// everything that a view reads.
void add_reached(const sql::Catalog& catalog, Oid oid, std::set<Oid>& out) {
  std::set<Oid> family;
  add_with_descendants(catalog, oid, family);
  for (const Oid member : family) {
    if (!out.insert(member).second) continue;
    const sql::Relation* relation = catalog.relation(member);
    if (relation == nullptr) continue;
    each_filter(*relation, [&](const sql::RowPolicy& policy) {
      for (const Oid read : policy.reads) add_reached(catalog, read, out);
    });
    // A materialised view holds its own rows: what it was made from does not change its answer.
    if (relation->kind != sql::RelationKind::kView) continue;
    for (const Oid below : relation->depends_on) add_reached(catalog, below, out);
  }
}

std::set<Oid> reached(const Judged& j) {
  std::set<Oid> out;
  for (const sql::RelationUse& use : j.statement.relations) add_reached(j.catalog(), use.oid, out);
  return out;
}

// Stable functions of pg_catalog whose answer changes without a table changing.
constexpr std::string_view kUncacheable[] = {"pg_*",
                                             "has_*",
                                             "to_reg*",
                                             "reg*",
                                             "*_description",
                                             "inet_client*",
                                             "inet_server*",
                                             "current_*",
                                             "txid_*",
                                             "*_to_xml*",
                                             "ts_*",
                                             "age",
                                             "now",
                                             "statement_timestamp",
                                             "transaction_timestamp",
                                             "row_security_active",
                                             "version",
                                             "getdatabaseencoding",
                                             "getpgusername",
                                             "session_user",
                                             "obj_description",
                                             "format_type"};

bool answer_is_pure(const sql::Routine& routine) {
  if (routine.schema == "postern" || routine.volatility == 'i') return true;
  if (routine.schema != "pg_catalog") return false;  // stable: may read tables we do not see
  return std::none_of(std::begin(kUncacheable), std::end(kUncacheable),
                      [&](std::string_view glob) { return glob_match(glob, routine.name); });
}

bool routines_pure(const sql::Catalog& catalog, const std::vector<Oid>& routines) {
  return std::all_of(routines.begin(), routines.end(), [&](Oid oid) {
    const sql::Routine* routine = catalog.routine(oid);
    return routine != nullptr && answer_is_pure(*routine);
  });
}

bool is_number(sql::TokenClass token) {
  return token == sql::TokenClass::kInteger || token == sql::TokenClass::kFloat;
}

/// 'now', 'today', 'tomorrow' and 'yesterday' are read off the clock when a string becomes a date.
bool has_clock_word(const Judged& j) {
  constexpr std::string_view kWords[] = {"now", "today", "tomorrow", "yesterday"};
  const auto equal = [](char a, char b) { return (a | 0x20) == b; };
  return std::any_of(
      j.statement.literals.begin(), j.statement.literals.end(), [&](const sql::Literal& literal) {
        if (is_number(literal.token)) return false;
        const auto token = j.text.at(literal.span);
        if (!token) return true;
        return std::any_of(std::begin(kWords), std::end(kWords), [&](std::string_view word) {
          return std::search(token->begin(), token->end(), word.begin(), word.end(), equal) !=
                 token->end();
        });
      });
}

}  // namespace

RouteClass route_of(const Judged& j, bool alone) {
  const sql::Statement& s = j.statement;
  const bool plain = alone && s.understood() && s.kind == sql::StatementKind::kSelect &&
                     s.session == sql::SessionEffect::kNone &&
                     s.transaction == sql::TransactionEffect::kNone && !s.locking_clause &&
                     !s.reads_catalog && !s.reads_session;
  if (!plain || !routines_harmless(j.catalog(), s.routines)) return RouteClass::kPrimary;
  const bool writes = std::any_of(s.relations.begin(), s.relations.end(),
                                  [](const sql::RelationUse& use) { return use.written; });
  if (writes) return RouteClass::kPrimary;
  for (const Oid oid : reached(j)) {
    const sql::Relation* relation = j.catalog().relation(oid);
    if (relation == nullptr || !relation_harmless(j.catalog(), *relation)) {
      return RouteClass::kPrimary;
    }
  }
  return RouteClass::kReplicaEligible;
}

CacheHint cache_of(const Judged& j, RouteClass route) {
  CacheHint hint;
  const sql::Statement& s = j.statement;
  if (route != RouteClass::kReplicaEligible || s.reads_clock || has_clock_word(j)) return hint;
  if (!routines_pure(j.catalog(), s.routines)) return hint;
  const std::set<Oid> all = reached(j);
  for (const Oid oid : all) {
    const sql::Relation* relation = j.catalog().relation(oid);
    if (!routines_pure(j.catalog(), relation->depends_routines)) return hint;
    bool pure = true;
    each_filter(*relation, [&](const sql::RowPolicy& policy) {
      pure = pure && routines_pure(j.catalog(), policy.calls);
    });
    if (!pure) return hint;
  }
  hint.cacheable = true;
  for (const Oid oid : all) {
    if (j.catalog().relation(oid)->kind != sql::RelationKind::kView) hint.tables.push_back(oid);
  }
  return hint;
}

}  // namespace postern::policy
