// A small multi-tenant schema with protected columns, and short ways to ask for decisions about it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "policy/decision.hpp"
#include "policy/ruleset.hpp"
#include "sql/catalog.hpp"

namespace postern::test {

// Relations of schema public. Tenant tables have "tenant_id"; protected columns are named in rules.
inline constexpr Oid kUsers = 20001, kAccounts = 20002, kOrders = 20003, kEvents = 20004,
                     kEvents1 = 20005, kEvents2 = 20006, kPlans = 20007, kAudited = 20008,
                     kUserView = 20009, kOrderView = 20010, kOrderMatview = 20011,
                     kPlanView = 20012, kScratch = 20013, kLogins = 20014, kItems = 20015,
                     kForeign = 20016, kNotes = 20017;
// ColumnIds in the order of rules().
inline constexpr std::uint32_t kEmail = 0, kSsn = 1, kAccountEmail = 2, kLoginName = 3, kAge = 4,
                               kEventEmail = 5, kNoteBody = 6, kLoginHint = 7;

std::shared_ptr<const sql::Catalog> catalog();

/// What the tests configure; a test may change and compile it.
policy::PolicyOptions options();
std::shared_ptr<const policy::Ruleset> rules();
/// The same catalog without any protection.
std::shared_ptr<const policy::Ruleset> unprotected();
/// Tenant tables only.
std::shared_ptr<const policy::Ruleset> without_columns();

/// app, a tenant in force, sees plaintext.
inline constexpr policy::Principal kTenantApp{policy::Profile::kApp, true, true};
inline constexpr policy::Principal kTenantless{policy::Profile::kApp, false, true};

policy::Decision decide_sql(std::string_view text, const policy::Ruleset& rules,
                            const policy::Principal& principal = kTenantApp);
inline policy::Decision decide_sql(std::string_view text,
                                   const policy::Principal& principal = kTenantApp) {
  return decide_sql(text, *rules(), principal);
}

/// "PST-1501 gate.statement", or "" where nothing is refused.
std::string refusal_of(const policy::Decision& decision);

}  // namespace postern::test
