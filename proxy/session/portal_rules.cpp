#include "proxy/session/portal_rules.hpp"

#include <algorithm>

#include "base/codes/session.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/items.hpp"

namespace postern::proxy {
namespace {

using policy::ColumnId;
using policy::Ruleset;

// Columns are numbered anew in each ruleset.
bool same_column(const Ruleset& a, ColumnId in_a, const Ruleset& b, ColumnId in_b) {
  const policy::ProtectedColumn& x = a.columns.at(in_a.index);
  const policy::ProtectedColumn& y = b.columns.at(in_b.index);
  return x.ref == y.ref && x.uuid == y.uuid && x.link_group == y.link_group &&
         x.scheme == y.scheme && x.scope == y.scope && x.type == y.type &&
         x.stored_type == y.stored_type && x.stored_sealed == y.stored_sealed;
}

template <typename Op, typename Same>
bool alike(const std::vector<Op>& a, const std::vector<Op>& b, Same same) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

bool same_operations(const AnalysedText& a, const AnalysedText& b) {
  const Ruleset& of_a = *a.protection->rules;
  const Ruleset& of_b = *b.protection->rules;
  const auto literal = [&](const policy::LiteralOp& x, const policy::LiteralOp& y) {
    return x.span == y.span && x.operand == y.operand &&
           same_column(of_a, x.column, of_b, y.column);
  };
  const auto param = [&](const policy::ParamOp& x, const policy::ParamOp& y) {
    return x.number == y.number && x.operand == y.operand && x.array == y.array &&
           same_column(of_a, x.column, of_b, y.column);
  };
  const auto output = [&](const policy::OutputOp& x, const policy::OutputOp& y) {
    if (x.output != y.output || x.action != y.action) return false;
    return x.action == policy::OutputAction::kPlan || same_column(of_a, x.column, of_b, y.column);
  };
  return alike(a.decision->literals, b.decision->literals, literal) &&
         alike(a.decision->params, b.decision->params, param) &&
         alike(a.decision->statements.front().outputs, b.decision->statements.front().outputs,
               output);
}

bool same_wall(const AnalysedText& a, const AnalysedText& b, Oid relation) {
  const auto& in_a = a.protection->rules->tenant_tables;
  const auto& in_b = b.protection->rules->tenant_tables;
  const auto x = in_a.find(relation);
  const auto y = in_b.find(relation);
  if (x == in_a.end() || y == in_b.end()) return (x == in_a.end()) == (y == in_b.end());
  return x->second.attnum == y->second.attnum;
}

bool same_relations(const AnalysedText& a, const AnalysedText& b) {
  const auto use = [&](const sql::RelationUse& x, const sql::RelationUse& y) {
    return x.oid == y.oid && x.via == y.via && x.columns_read == y.columns_read &&
           x.columns_written == y.columns_written && same_wall(a, b, x.oid);
  };
  const sql::Statement& of_a = a.facts->statements.front();
  const sql::Statement& of_b = b.facts->statements.front();
  return of_a.routines == of_b.routines && alike(of_a.relations, of_b.relations, use);
}

bool decided_alone(const AnalysedText& text) {
  return text.facts != nullptr && text.decision != nullptr && text.protection != nullptr &&
         text.protection->rules != nullptr && text.facts->statements.size() == 1 &&
         text.decision->statements.size() == 1;
}

}  // namespace

bool needs_the_same(const AnalysedText& former, const AnalysedText& newer) {
  if (!decided_alone(former) || !decided_alone(newer)) return false;
  if (former.search_path != newer.search_path || former.has_tenant != newer.has_tenant ||
      former.decrypts != newer.decrypts) {
    return false;
  }
  const sql::Statement& was = former.facts->statements.front();
  const sql::Statement& is = newer.facts->statements.front();
  if (was.kind != is.kind || !same_operations(former, newer)) return false;
  // What was let pass without being understood is judged now, and names what it always named.
  if (!was.understood()) return true;
  return is.understood() && same_relations(former, newer);
}

Task<Result<ItemResult>> portal_stands(Session* session, std::shared_ptr<Portal> portal) {
  const std::shared_ptr<const AnalysedText> former = portal->statement->analysed;
  if (portal->stands_under == session->database->protection()) co_return sent();
  const auto analysed = co_await analyse(session, former->text);
  if (!analysed && ends_session(analysed.error())) co_return analysed.error();
  if (!analysed) co_return refused(analysed.error());
  const auto refusal = co_await refusal_of(session, *analysed);
  if (refusal) co_return refused(*refusal, Recorded::kYes);
  if (!needs_the_same(*former, **analysed)) co_return refused(make_error(pst::kPolicyChanged));
  portal->stands_under = (*analysed)->protection;
  co_return sent();
}

}  // namespace postern::proxy
