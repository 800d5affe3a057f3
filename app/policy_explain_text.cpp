#include <algorithm>
#include <set>

#include "app/policy_explain.hpp"
#include "app/printable.hpp"
#include "proxy/runtime/shapes.hpp"

namespace postern::app {
namespace {

using Json = nlohmann::ordered_json;

std::string column_name(const policy::ProtectedColumn& column) {
  return column.table + "." + column.column;
}

/// "email (encrypted)": columns of one relation by name.
std::vector<std::string> names(const Explanation& e, const sql::RelationUse& use,
                               const std::vector<std::int16_t>& numbers) {
  std::vector<std::string> out;
  const sql::Relation* relation = e.rules->catalog->relation(use.oid);
  for (const std::int16_t number : numbers) {
    const sql::Column* column = relation != nullptr ? relation->column(number) : nullptr;
    if (column == nullptr) continue;
    const bool sealed = e.rules->protected_column({use.oid, number}) != nullptr;
    out.push_back(column->name + (sealed ? " (encrypted)" : ""));
  }
  return out;
}

std::string table_kind(const Explanation& e, Oid oid) {
  if (e.rules->tenant_tables.contains(oid)) return "tenant table";
  const sql::Relation* relation = e.rules->catalog->relation(oid);
  if (relation != nullptr && e.rules->is_tenant_schema(relation->schema)) {
    return relation->schema == e.principal.schema ? "the tenant's own" : "another tenant's";
  }
  return e.rules->unwallable.contains(oid) ? "shows all tenants' rows" : "shared";
}

Json relations_json(const Explanation& e, const sql::Statement& statement) {
  Json out = Json::array();
  for (const sql::RelationUse& use : statement.relations) {
    const sql::Relation* relation = e.rules->catalog->relation(use.oid);
    if (relation == nullptr) continue;
    Json row{{"table", relation->qualified()},
             {"kind", table_kind(e, use.oid)},
             {"read", names(e, use, use.columns_read)},
             {"written", names(e, use, use.columns_written)}};
    if (const sql::Relation* view = e.rules->catalog->relation(use.via)) {
      row["through"] = view->qualified();
    }
    out.push_back(std::move(row));
  }
  return out;
}

const char* scheme_word(const policy::ProtectedColumn& column) {
  return column.scheme == policy::Scheme::kDeterministic ? "deterministic" : "randomized";
}

const char* scope_word(const policy::ProtectedColumn& column) {
  return column.scope == policy::KeyScope::kGlobal ? "global key" : "key of the tenant";
}

Json value_json(const Explanation& e, std::string what, policy::ColumnId id, const char* use) {
  const policy::ProtectedColumn& column = e.rules->columns.at(id.index);
  return {{"what", std::move(what)},
          {"use", use},
          {"column", column_name(column)},
          {"scheme", scheme_word(column)},
          {"key", scope_word(column)}};
}

Json encryption_json(const Explanation& e) {
  Json out = Json::array();
  for (const policy::LiteralOp& op : e.decision.literals) {
    out.push_back(value_json(e, "literal at byte " + std::to_string(op.token.begin), op.column,
                             op.operand ? "encrypted to compare" : "encrypted to store"));
  }
  for (const policy::ParamOp& op : e.decision.params) {
    out.push_back(value_json(e, "$" + std::to_string(op.number), op.column,
                             op.operand ? "encrypted to compare" : "encrypted to store"));
  }
  for (std::size_t i = 0; i < e.decision.statements.size(); ++i) {
    for (const policy::OutputOp& op : e.decision.statements[i].outputs) {
      if (op.action == policy::OutputAction::kPlan) continue;
      out.push_back(
          value_json(e, "result column " + std::to_string(op.output + 1), op.column,
                     op.action == policy::OutputAction::kDecrypt ? "decrypted" : "left encrypted"));
    }
  }
  return out;
}

std::string route_text(const Explanation& e, const policy::StatementDecision& decided) {
  if (decided.route == policy::RouteClass::kPrimary) return "primary";
  if (!e.config->routing) return "primary ([routing] is off; a replica could serve it)";
  return "a replica, outside of transactions";
}

bool rule_matches(const Explanation& e, const config::CacheRule& rule,
                  const policy::CacheHint& hint) {
  if (!rule.login.empty() && rule.login != e.login) return false;
  if (!rule.statement.empty() && !config::glob_match(rule.statement, e.text)) return false;
  if (rule.tables.empty()) return true;
  return std::all_of(hint.tables.begin(), hint.tables.end(), [&](Oid oid) {
    const sql::Relation* relation = e.rules->catalog->relation(oid);
    return relation != nullptr &&
           std::any_of(rule.tables.begin(), rule.tables.end(), [&](const std::string& glob) {
             return config::glob_match(glob, relation->qualified());
           });
  });
}

std::string cache_text(const Explanation& e, const policy::CacheHint& hint) {
  if (!hint.cacheable) return "never";
  if (!e.config->cache) return "not cached ([cache] is off; it could be)";
  const auto& rules = e.config->cache->rules;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rule_matches(e, rules[i], hint)) {
      return "cached by [[cache.rule]] " + std::to_string(i + 1);
    }
  }
  return "not cached (no [[cache.rule]] matches; it could be)";
}

const char* audit_word(policy::AuditClass audit) {
  switch (audit) {
    case policy::AuditClass::kRead:
      return "read";
    case policy::AuditClass::kWrite:
      return "write";
    case policy::AuditClass::kDdl:
      return "ddl";
    case policy::AuditClass::kSession:
      return "session";
    case policy::AuditClass::kAdmin:
      return "admin";
  }
  return "?";
}

/// Where the statement reaches the server, or its answer the client, in another form.
std::string form_text(const policy::StatementDecision& decided) {
  if (decided.copy_as_insert) return "carried out as INSERTs in one transaction";
  const bool plan =
      !decided.outputs.empty() && decided.outputs.front().action == policy::OutputAction::kPlan;
  return plan ? "lines of the plan without costs and counts" : "";
}

Json statements_json(const Explanation& e) {
  Json out = Json::array();
  for (std::size_t i = 0; i < e.facts->statements.size(); ++i) {
    const sql::Statement& statement = e.facts->statements[i];
    Json row{{"kind", sql::to_word(statement.kind)}, {"understood", statement.understood()}};
    if (statement.opaque) row["opaque"] = statement.opaque->reason;
    row["tables"] = relations_json(e, statement);
    if (i < e.decision.statements.size()) {
      const policy::StatementDecision& decided = e.decision.statements[i];
      row["route"] = route_text(e, decided);
      row["cache"] = cache_text(e, decided.cache);
      row["audit"] = audit_word(decided.audit);
      row["pii"] = decided.touches_pii;
      row["rules"] = decided.rules;
      const std::string form = form_text(decided);
      if (!form.empty()) row["form"] = form;
    }
    out.push_back(std::move(row));
  }
  return out;
}

Json refusal_json(const Explanation& e) {
  if (!e.decision.refusal) return nullptr;
  const policy::Refusal& refusal = *e.decision.refusal;
  return {{"applied", e.decision.refused()},
          {"code", pst_label(refusal.error.code)},
          {"sqlstate", pst_info(refusal.error.code).sqlstate},
          {"message", refusal.error.message()},
          {"hint", refusal.error.effective_hint()},
          {"rule", refusal.rule},
          {"position", refusal.error.position}};
}

std::string verdict(const Explanation& e) {
  if (e.decision.refused()) return "refused";
  return e.decision.would_refuse ? "allowed (observe mode; would be refused)" : "allowed";
}

std::vector<std::string> strings(const Json& list) {
  std::vector<std::string> out;
  for (const Json& item : list) out.push_back(item.get<std::string>());
  return out;
}

void print_tables(const Json& statement) {
  TextTable table({"TABLE", "KIND", "READ", "WRITTEN"});
  for (const Json& use : statement["tables"]) {
    std::string name = use["table"].get<std::string>();
    if (use.contains("through")) name += " through " + use["through"].get<std::string>();
    table.add({name, use["kind"].get<std::string>(), joined(strings(use["read"])),
               joined(strings(use["written"]))});
  }
  if (!table.empty()) table.print("    ");
}

void print_statement(const Json& statement, std::size_t number) {
  const auto text = [&](const char* key) { return printable(statement[key].get<std::string>()); };
  print_line("statement " + std::to_string(number) + ": " + text("kind"));
  if (statement.contains("opaque")) print_line("    not understood: " + text("opaque"));
  print_tables(statement);
  if (!statement.contains("route")) return;
  TextTable table({"route", statement["route"].get<std::string>()});
  table.add({"cache", statement["cache"].get<std::string>()});
  table.add({"audit", statement["audit"].get<std::string>()});
  if (statement.contains("form")) table.add({"form", statement["form"].get<std::string>()});
  if (!statement["rules"].empty()) table.add({"rules", joined(strings(statement["rules"]))});
  table.print("    ");
}

void print_encryption(const Json& values) {
  if (values.empty()) return;
  print_line("encryption");
  TextTable table({"VALUE", "WHAT HAPPENS", "COLUMN", "SCHEME", "KEY"});
  for (const Json& value : values) {
    const auto text = [&](const char* key) { return value[key].get<std::string>(); };
    table.add({text("what"), text("use"), text("column"), text("scheme"), text("key")});
  }
  table.print("    ");
}

}  // namespace

Json explain_json(const Explanation& e) {
  Json out;
  out["login"] = e.login;
  out["profile"] = policy::to_word(e.principal.profile);
  out["tenant_in_force"] = e.principal.has_tenant;
  if (!e.principal.schema.empty()) out["tenant_schema"] = e.principal.schema;
  out["verdict"] = verdict(e);
  out["refusal"] = refusal_json(e);
  out["normalized"] = e.facts->normalized;
  out["fingerprint"] = e.facts->fingerprint;
  out["shape"] = proxy::shape_name(e.facts->normalized);
  out["statements"] = statements_json(e);
  out["encryption"] = encryption_json(e);
  return out;
}

void explain_print(const Explanation& e) {
  print_line("login " + printable(e.login) + ", profile " + policy::to_word(e.principal.profile) +
             (e.principal.has_tenant ? ", a tenant in force" : ", no tenant in force") +
             (e.principal.schema.empty() ? "" : ", schema " + printable(e.principal.schema)));
  print_line("text " + e.facts->fingerprint + "  " + printable(e.facts->normalized));
  print_line("verdict: " + verdict(e));
  if (e.decision.refusal) {
    const policy::Refusal& refusal = *e.decision.refusal;
    print_line("    " + printable(refusal.error.line()));
    print_line("    rule " + refusal.rule + ", SQLSTATE " +
               std::string(pst_info(refusal.error.code).sqlstate) +
               (refusal.error.position > 0
                    ? ", at character " + std::to_string(refusal.error.position)
                    : ""));
  }
  const Json statements = statements_json(e);
  for (std::size_t i = 0; i < statements.size(); ++i) print_statement(statements[i], i + 1);
  print_encryption(encryption_json(e));
}

}  // namespace postern::app
