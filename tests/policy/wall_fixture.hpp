// One database with tables of every sort the wall knows, shared by the tests of the wall.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "policy/context_token.hpp"
#include "policy/ruleset.hpp"
#include "policy/wall_plan.hpp"
#include "policy/wall_verify.hpp"
#include "tests/policy/live_catalog.hpp"
#include "tests/policy/pg_cluster.hpp"

namespace postern::test {

/// Roles: postgres (superuser), own (owner of the tables, may log in), app (the application).
/// Tenants 1 and 2 have 100 rows each in public.cust.
class WallFixture {
 public:
  WallFixture();

  /// The cluster, started once for the process.
  static PgCluster& cluster();

  /// Compiles against the database as it is now.
  [[nodiscard]] std::shared_ptr<const policy::Ruleset> rules();
  /// Applies the plan of rules() and installs the key.
  [[nodiscard]] std::string apply();
  [[nodiscard]] std::vector<policy::WallDifference> differences();
  /// Arms a session for a tenant with a token of its own; the arming statement's answer.
  std::string arm(Psql& session, const std::string& tenant);
  /// A token for the session's backend; `change` alters the fields before the MAC is made.
  std::string token(Psql& session, const std::string& tenant,
                    void (*change)(policy::ContextFields&) = nullptr);

  /// A new session; a prvalue, because sessions do not move.
  [[nodiscard]] Psql session(const std::string& user) { return {cluster(), user, database}; }

  std::string database;  ///< before `admin`, which connects to it
  Psql admin;
  policy::WallOptions options;
  policy::PolicyOptions policy_options;

 private:
  std::string key_ = std::string(32, 'k');
  std::string kid_ = "0badc0de";
};

/// kArmSql with its parameter put in as a literal: psql 15 binds none.
std::string arm_sql(const std::string& token);

}  // namespace postern::test
