#include "proxy/alerts/alerts.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

#include "proxy/alerts/dedupe.hpp"
#include "proxy/alerts/webhook.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

constexpr std::string_view kOthers = "(others)";

/// The process's own.
struct Desk {
  std::mutex mutex;
  std::map<std::string, std::uint64_t> by_rule;
  std::uint64_t held_back = 0;
  AlertDedupe dedupe{std::chrono::milliseconds(config::AlertsOptions().repeat_after)};
  std::string instance;
  std::unique_ptr<Webhook> webhook;
  // Of webhooks that were closed.
  std::uint64_t sent = 0;
  std::uint64_t failed = 0;
  std::uint64_t dropped = 0;
};

Desk& desk() {
  static Desk one;
  return one;
}

std::int64_t unix_micros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void count_rule(Desk& d, const std::string& rule) {
  const bool known = d.by_rule.contains(rule) || d.by_rule.size() < kMaxAlertRules;
  ++d.by_rule[known ? rule : std::string(kOthers)];
}

void log_alert(const Alert& alert) {
  log_warning("violation", {{"rule", alert.rule},
                            {"code", pst_label(alert.code)},
                            {"fingerprint", alert.fingerprint},
                            {"database", alert.database},
                            {"login", alert.login},
                            {"tenant", alert.tenant},
                            {"client", alert.address},
                            {"object", alert.object},
                            {"observed", alert.observed ? 1 : 0},
                            {"repeated", alert.repeated}});
}

}  // namespace

Status open_alerts(const config::AlertsOptions* options, std::string instance) {
  Desk& d = desk();
  std::unique_ptr<Webhook> webhook;
  if (!options->webhook.empty()) {
    POSTERN_ASSIGN(webhook, Webhook::open(options));
  }
  const std::lock_guard lock(d.mutex);
  d.dedupe = AlertDedupe(options->repeat_after);
  d.instance = std::move(instance);
  d.webhook = std::move(webhook);
  return ok();
}

void close_alerts() {
  Desk& d = desk();
  std::unique_ptr<Webhook> webhook;
  {
    const std::lock_guard lock(d.mutex);
    webhook = std::move(d.webhook);
    if (webhook == nullptr) return;
    d.sent += webhook->counts().sent;
    d.failed += webhook->counts().failed;
    d.dropped += webhook->counts().dropped;
  }
}

void raise_alert(Alert alert) {
  Desk& d = desk();
  if (alert.time_us == 0) alert.time_us = unix_micros();
  {
    const std::lock_guard lock(d.mutex);
    count_rule(d, alert.rule);
    // One tenant's refusals do not hide another's.
    const std::string who =
        alert.fingerprint + '\n' + alert.database + '\n' + alert.login + '\n' + alert.tenant;
    const auto held = d.dedupe.admit(alert.rule, who, std::chrono::steady_clock::now());
    if (!held) {
      ++d.held_back;
      return;
    }
    alert.repeated = *held;
    if (d.webhook != nullptr) d.webhook->put(alert_json(alert, d.instance));
  }
  log_alert(alert);
}

AlertCounts alert_counts() {
  Desk& d = desk();
  const std::lock_guard lock(d.mutex);
  AlertCounts out;
  out.by_rule = d.by_rule;
  out.held_back = d.held_back;
  out.sent = d.sent;
  out.failed = d.failed;
  out.dropped = d.dropped;
  if (d.webhook != nullptr) {
    out.sent += d.webhook->counts().sent;
    out.failed += d.webhook->counts().failed;
    out.dropped += d.webhook->counts().dropped;
  }
  return out;
}

}  // namespace postern::proxy
