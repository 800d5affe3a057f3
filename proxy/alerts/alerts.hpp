// Violations: counted by rule, logged, and told to the webhook of [alerts]. As with the log there
// is one for the process, because they arise everywhere.
#pragma once

#include <map>
#include <string>

#include "base/result.hpp"
#include "config/options_identity.hpp"
#include "proxy/alerts/alert.hpp"

namespace postern::proxy {

/// Rules counted by name; further ones are counted as "(others)".
inline constexpr std::size_t kMaxAlertRules = 64;

/// What /metrics shows.
struct AlertCounts {
  std::map<std::string, std::uint64_t> by_rule;
  std::uint64_t held_back = 0;  ///< the same rule and fingerprint within repeat_after
  std::uint64_t sent = 0;
  std::uint64_t failed = 0;
  std::uint64_t dropped = 0;
};

/// Before the first worker starts; starts the webhook's thread where there is one. `options` must
/// outlive close_alerts(). kWebhookUnusable.
Status open_alerts(const config::AlertsOptions* options, std::string instance);
/// Ends the webhook's thread. Violations are still counted and logged.
void close_alerts();

/// Counts a violation, and logs and tells it unless the same one was told a moment ago. Any thread;
/// never waits for the network.
void raise_alert(Alert alert);

AlertCounts alert_counts();

}  // namespace postern::proxy
