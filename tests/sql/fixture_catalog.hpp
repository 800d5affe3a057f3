// A small multi-tenant schema as a catalog snapshot, and short ways to ask facts about it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sql/analyzer.hpp"

namespace postern::sql::test {

// Relations.
inline constexpr Oid kUsers = 1001, kOrders = 1002, kItems = 1003, kEvents = 1004,
                     kEvents2024 = 1005, kUserNames = 1006, kPlans = 1007, kSecretUsers = 1008,
                     kAudited = 1010, kStamped = 1011, kCounted = 1012, kPgClass = 1259,
                     kPgSettings = 12000;
// Routines.
inline constexpr Oid kRiskScore = 3001, kRiskScore2 = 3002, kTextEq = 67, kCitextEq = 3100,
                     kLower = 870, kBadEq = 3101, kStamp = 3301, kNextval = 1574, kJsonEach = 3208;

std::shared_ptr<const Catalog> fixture_catalog();

/// search_path = app, public.
AnalysisContext fixture_context();

/// Analyses on a thread with a large stack, as serving does.
std::shared_ptr<const Facts> facts_of(std::string_view text);

/// The only statement's facts as one line per fact, sorted; see fact_text.cpp for the form.
std::string describe(std::string_view text, const Statement& statement);

}  // namespace postern::sql::test
