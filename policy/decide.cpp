// decide(): gate, then encryption, then what routing, caching and audit need to know.
#include <algorithm>

#include "policy/decision.hpp"
#include "policy/effects.hpp"
#include "policy/encrypt.hpp"
#include "policy/findings.hpp"
#include "policy/gate.hpp"

namespace postern::policy {
namespace {

Profile effective_profile(const Ruleset& rules, Profile profile) {
  return profile == Profile::kTransparent && rules.is_protected ? Profile::kApp : profile;
}

bool sees_plaintext(const Principal& principal, const Ruleset& rules) {
  if (rules.columns.empty() || !principal.decrypts) return false;
  return principal.profile != Profile::kBackup && principal.profile != Profile::kAdmin;
}

bool alone(const sql::Facts& facts) {
  return std::count_if(facts.statements.begin(), facts.statements.end(),
                       [](const auto& s) { return s.kind != sql::StatementKind::kEmpty; }) == 1;
}

StatementDecision judge(const Judged& j, bool is_alone, Decision& decision) {
  StatementDecision out;
  out.kind = j.statement.kind;
  out.audit = audit_class_of(j.statement.kind, j.profile);
  gate_statement(j);
  if (!gate_is_open(j.rules, j.profile)) out.rules.emplace_back("gate");
  if (j.decrypts && j.statement.understood()) {
    check_column_uses(j);
    seal_values(j, decision);
    open_outputs(j, out);
  }
  if (shapes_plan(j)) out.outputs = {{0, OutputAction::kPlan, {}}};
  shape_numbers(j, out);
  out.copy_as_insert = copy_as_insert(j, is_alone);
  out.touches_pii = touches_protected(j);
  if (out.touches_pii) out.rules.emplace_back(j.decrypts ? "encrypt" : "ciphertext");
  const bool walled = std::any_of(
      j.statement.relations.begin(), j.statement.relations.end(), [&](const sql::RelationUse& use) {
        return j.rules.tenant_tables.contains(use.oid) || in_tenant_schema(j, use.oid);
      });
  if (walled) out.rules.emplace_back("wall");
  out.route = route_of(j, is_alone);
  if (j.rules.options.caches) out.cache = cache_of(j, out.route);
  find_write_set(j, out);
  return out;
}

}  // namespace

Decision decide(const sql::Facts& facts, std::string_view text, const Ruleset& rules,
                const Principal& principal) {
  Decision decision;
  decision.ruleset_epoch = rules.epoch;
  Findings findings(text);
  const JudgedText judged_text(text);
  const bool is_alone = alone(facts);
  for (const sql::Statement& statement : facts.statements) {
    const Judged judged{statement,
                        judged_text,
                        rules,
                        effective_profile(rules, principal.profile),
                        principal.has_tenant,
                        sees_plaintext(principal, rules),
                        principal.chooses,
                        findings,
                        is_alone,
                        principal.schema};
    decision.statements.push_back(judge(judged, is_alone, decision));
  }
  gate_mixing(facts, rules, effective_profile(rules, principal.profile), findings);
  const auto by_place = [](const LiteralOp& a, const LiteralOp& b) {
    return a.span.begin < b.span.begin;
  };
  std::sort(decision.literals.begin(), decision.literals.end(), by_place);
  decision.would_refuse = findings.any() && !findings.strict() && rules.mode == Mode::kObserve;
  decision.refusal = findings.take(rules.mode);
  // Offsets into the text are as much of it as its bytes.
  decision.by_facts_alone = !judged_text.was_read() && !decision.refusal &&
                            decision.literals.empty() && decision.params.empty();
  return decision;
}

}  // namespace postern::policy
