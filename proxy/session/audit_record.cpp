#include "proxy/session/audit_record.hpp"

#include <chrono>

namespace postern::proxy {
namespace {

// Analysis is off: the log says so instead of guessing.
constexpr std::string_view kOpaqueText = "";

std::vector<std::string_view> column_names(const sql::Relation& relation,
                                           const std::vector<std::int16_t>& numbers) {
  std::vector<std::string_view> names;
  for (const std::int16_t number : numbers) {
    if (const sql::Column* column = relation.column(number)) names.push_back(column->name);
  }
  return names;
}

}  // namespace

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

audit::Who who_of(const Identity& identity) {
  audit::Who who;
  who.login = identity.login;
  who.role = identity.upstream_user;
  if (!identity.tenant.is_none()) who.tenant = identity.tenant.text();
  who.application = identity.application;
  who.address = identity.address;
  who.end_user = identity.subject;
  who.purpose = identity.purpose;
  return who;
}

StatementRecord::StatementRecord(Session& session, const Execution& execution, std::size_t index) {
  const AnalysedText& analysed = *execution.analysed;
  intent_.session = session.audit_id;
  intent_.statement = ++session.statements_run;
  intent_.time_us = now_us();
  intent_.who = who_of(session.identity);
  intent_.where.node = execution.node;
  intent_.where.route = execution.route;
  intent_.decision.verdict = "allow";
  intent_.what.text = kOpaqueText;
  if (analysed.decision != nullptr && analysed.decision->refusal) {
    rule_ = analysed.decision->refusal->rule;
  }
  if (analysed.protection != nullptr) intent_.decision.policy_version = analysed.protection->epoch;
  const sql::Statement* statement = analysed.statement(index);
  intent_.what.opaque = statement == nullptr || !statement->understood();
  if (analysed.facts == nullptr) return;
  intent_.catalog_epoch = analysed.facts->catalog_epoch;
  intent_.what.fingerprint = analysed.facts->fingerprint;
  intent_.what.text = analysed.facts->normalized;
  if (statement == nullptr) return;
  intent_.what.operation = sql::to_word(statement->kind);
  if (analysed.protection == nullptr || analysed.protection->catalog == nullptr) return;
  add_relations(*analysed.protection->catalog, *statement);
  const auto* decided = analysed.decided(index);
  if (decided != nullptr && analysed.protection->rules != nullptr) {
    add_decrypted(*analysed.protection->rules, *decided);
  }
}

void StatementRecord::add_relations(const sql::Catalog& catalog, const sql::Statement& statement) {
  names_.reserve(statement.relations.size());  // views into its elements must stay
  for (const sql::RelationUse& use : statement.relations) {
    const sql::Relation* relation = catalog.relation(use.oid);
    if (relation == nullptr) continue;
    Names& names = names_.emplace_back();
    names.relation = relation->qualified();
    names.read = column_names(*relation, use.columns_read);
    names.written = column_names(*relation, use.columns_written);
    relations_.push_back({use.oid, names.relation, names.read, names.written});
  }
  intent_.what.relations = relations_;
}

void StatementRecord::add_decrypted(const policy::Ruleset& rules,
                                    const policy::StatementDecision& decided) {
  for (const policy::OutputOp& op : decided.outputs) {
    if (op.action != policy::OutputAction::kDecrypt) continue;
    const auto& column = rules.columns.at(op.column.index);
    decrypted_names_.push_back(column.table + "." + column.column);
  }
  for (const std::string& name : decrypted_names_) decrypted_.push_back(name);
  intent_.what.decrypted = decrypted_;
}

const audit::Intent& StatementRecord::refusal(const Error& error, bool observed) const {
  code_ = pst_label(error.code);
  intent_.decision.verdict = observed ? "observe" : "refuse";
  intent_.decision.code = code_;
  intent_.decision.rule = rule_;
  return intent_;
}

}  // namespace postern::proxy
