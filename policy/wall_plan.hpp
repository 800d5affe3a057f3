// The wall: native row security that keeps tenants apart even where Postern is wrong or absent.
//
// Pure functions from a ruleset to SQL text; app/ and proxy/ run it. Every text is one transaction,
// may be run again with the same result, and holds no secret: keys are bound parameters.
//
// What is installed (schema `postern`, owned by a role nobody can log in as):
//   context_key      keys of the context MAC, readable by their owner only (row security even
//                    against pg_read_all_data)
//   wall_state       per relation what it was before, for rollback, and which of its own policies
//                    were there when the wall was applied, for verification
//   tenant(), subject(), has_role(text)
//                    what the signed context says; NULL without one; ZP002 invalid, ZP003 expired
//   guard_keys()     ids of the keys installed
//   wall_new(), wall_record()
//                    run by event triggers, where a superuser applies the plan: new tables are
//                    walled or refused in the transaction that makes them
//   wall_grant       privileges that were taken away, for rollback
//   pe1              domain over bytea: a well-formed encrypted value
// and on every tenant table, its partitions and children: ENABLE and FORCE ROW LEVEL SECURITY, a
// restrictive policy `postern_tenant`, and a permissive `true` policy where nothing else lets rows
// through that were visible before (`postern_allow`, or `postern_allow_owner` for the owner only
// where row security bound the others already). Views over tenant tables become security_invoker.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "policy/ruleset.hpp"

namespace postern::policy {

inline constexpr std::string_view kWallSchema = "postern";
inline constexpr std::string_view kTenantPolicy = "postern_tenant";
inline constexpr std::string_view kAllowPolicy = "postern_allow";
inline constexpr std::string_view kAllowOwnerPolicy = "postern_allow_owner";

struct WallOptions {
  std::string owner_role = "postern_owner";  ///< created NOLOGIN where it does not exist
  /// Roles of pooled connections: verified to be neither superuser nor BYPASSRLS nor members of the
  /// owner role.
  std::vector<std::string> app_roles;
  /// Takes privileges that row security does not know from app_roles and PUBLIC.
  bool reduce_grants = false;
};

/// SQL that raises the wall. Runs as a superuser, or as a role that owns the tables, may create
/// roles (or is a member of owner_role) and may grant pg_read_all_stats. kPolicyBadColumn where a
/// tenant column has a type the context cannot be compared with.
Result<std::string> wall_plan(const Ruleset& rules, const WallOptions& options);

/// SQL that takes the wall away and restores what wall_state remembers. The domain stays while a
/// column uses it, the owner role while another database does.
std::string wall_rollback(const WallOptions& options);

/// Installs one MAC key. $1 text: kid (8 to 32 lower-case hex digits); $2, $3 text: the inner and
/// outer block of RFC 2104, 64 bytes each in hex. Run after the plan, as the same role.
inline constexpr std::string_view kInstallKeySql =
    "INSERT INTO postern.context_key (kid, inner_block, outer_block) VALUES ($1, "
    "pg_catalog.decode($2, 'hex'), pg_catalog.decode($3, 'hex')) ON CONFLICT (kid) DO UPDATE SET "
    "inner_block = EXCLUDED.inner_block, outer_block = EXCLUDED.outer_block";

/// Drops every MAC key but that of $1 text; a row for each that went.
inline constexpr std::string_view kRetireKeysSql =
    "DELETE FROM postern.context_key WHERE kid OPERATOR(pg_catalog.<>) $1::pg_catalog.text "
    "RETURNING kid";

/// One row: "kid microseconds" of every key installed, joined by ','; the time of its installation
/// since 1970. Any login may ask.
inline constexpr std::string_view kGuardKeysSql = "SELECT postern.guard_keys()";

}  // namespace postern::policy
