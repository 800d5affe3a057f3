// What is told of a violation: who, where, which rule, and the statement's fingerprint. Never its
// text, a literal or a value.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"

namespace postern::proxy {

/// Rules beside those of policy::Refusal::rule.
inline constexpr std::string_view kRuleContext = "context.invalid";
inline constexpr std::string_view kRuleContextExpired = "context.expired";
inline constexpr std::string_view kRuleDrift = "wall.drift";
inline constexpr std::string_view kRuleBurst = "auth.burst";
inline constexpr std::string_view kRuleToken = "auth.token";
inline constexpr std::string_view kRuleIdentity = "identity.tenant";
inline constexpr std::string_view kRuleBypass = "role.bypass";
inline constexpr std::string_view kRuleFastPath = "gate.fastpath";

struct Alert {
  std::string rule;
  Pst code{};
  std::string fingerprint;  ///< of the statement, or what stands for one where there is none
  std::string database;
  std::string login;
  std::string tenant;
  std::string application;  ///< as asserted by the client
  std::string address;
  std::string object;     ///< what drifted, who bypasses; empty: nothing further
  bool observed = false;  ///< let through: observe mode, or nothing was to be refused
  std::int64_t time_us = 0;
  std::uint64_t repeated = 0;  ///< times it was held back since it was told last
};

/// The body of a webhook request: one JSON object.
std::string alert_json(const Alert& alert, std::string_view instance);

}  // namespace postern::proxy
