// Private to policy/: what a profile may do in a protected database. Each part adds refusals.
#pragma once

#include "policy/findings.hpp"

namespace postern::policy {

/// May this profile send this kind of statement at all?
[[nodiscard]] bool kind_allowed(Profile profile, sql::StatementKind kind);

/// True where the gate stands open: profile admin, and an unprotected database for all but the
/// profiles that are restrictions in themselves (analyst, backup).
[[nodiscard]] bool gate_is_open(const Ruleset& rules, Profile profile);

/// The whole gate for one statement, opaque ones included.
void gate_statement(const Judged& judged);

// The parts, for statements that are understood.
void gate_functions(const Judged& judged);
void gate_settings(const Judged& judged);
void gate_relations(const Judged& judged);
void gate_numbers(const Judged& judged);
/// Where tenants have schemas: what is neither the session's own nor shared.
void gate_schemas(const Judged& judged);

/// The relation stands in some tenant's schema.
[[nodiscard]] bool in_tenant_schema(const Judged& judged, Oid relation);
void gate_definitions(const Judged& judged);

/// The whole text: settings that decide what statements mean change only by themselves.
void gate_mixing(const sql::Facts& facts, const Ruleset& rules, Profile profile,
                 Findings& findings);

/// An opaque text of a migrator that may name what its own transaction made, which the catalog does
/// not show yet. The wall holds within that too; no value of an encrypted column goes along.
[[nodiscard]] bool may_be_new(const Judged& judged);

/// COPY FROM STDIN into a tenant table, which row security refuses, can be put as INSERT.
[[nodiscard]] bool copy_as_insert(const Judged& judged, bool alone);

/// EXPLAIN whose lines tell nothing of other tenants once they are shaped (OutputAction::kPlan).
[[nodiscard]] bool shapes_plan(const Judged& judged);

/// Numbers of whole tables among the results (gate_numbers.cpp): appends the operations that hide
/// them, and says whether the columns that come have to be checked.
void shape_numbers(const Judged& judged, StatementDecision& out);

/// Whether pg_catalog's or an extension's function reaches around policies or sessions.
enum class FunctionRisk : std::uint8_t {
  kNone,
  kDenied,   ///< refused to app and analyst
  kShared,   ///< reaches what tenants share: refused to logins with a tenant
  kUnknown,  ///< of a newer server, and not known to be harmless: refused to app and analyst
};
FunctionRisk function_risk(const sql::Routine& routine);

}  // namespace postern::policy
