// Private to policy/: what a statement reaches, as routing, caching and audit need it.
#pragma once

#include <set>
#include <vector>

#include "policy/decision.hpp"
#include "policy/findings.hpp"

namespace postern::policy {

/// kReplicaEligible only where proven harmless: one understood SELECT whose every reachable
/// function is immutable or stable and parallel safe, over permanent relations, without locks,
/// session state or catalogs. `alone`: the only statement of its text.
RouteClass route_of(const Judged& judged, bool alone);

/// Cacheable only where replica-eligible and the answer depends on nothing but the tables listed
/// and what the cache's key holds.
CacheHint cache_of(const Judged& judged, RouteClass route);

/// Fills writes, written_tables and unknown_write_set.
void find_write_set(const Judged& judged, StatementDecision& out);

AuditClass audit_class_of(sql::StatementKind kind, Profile profile);

}  // namespace postern::policy
