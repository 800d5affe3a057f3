// startup_warnings: what is off, said once.
#include <algorithm>

#include "config/load.hpp"

namespace postern::config {
namespace {

using Lines = std::vector<std::string>;

void warn_about_transport(const Config& config, Lines& out) {
  if (config.listen.tls.mode == ClientTlsMode::kDisable) {
    out.emplace_back("[listen.tls] is off: clients and Postern talk in clear text");
  }
  for (const auto& [name, cluster] : config.clusters) {
    const std::string section = "[cluster." + name + ".tls]";
    if (cluster.tls.mode == UpstreamTlsMode::kDisable) {
      out.push_back(section + " is off: Postern and the servers talk in clear text");
    } else if (cluster.tls.mode == UpstreamTlsMode::kPrefer) {
      out.push_back(section + " mode \"prefer\" falls back to clear text");
    } else if (cluster.tls.mode == UpstreamTlsMode::kAllow) {
      out.push_back(section + " mode \"allow\" prefers clear text");
    }
    if (cluster.nodes.size() > 1 && !config.service) {
      out.push_back("[cluster." + name +
                    "] has several nodes and [service] is absent: roles are not watched, the "
                    "primary is found by logging in");
    }
    if (cluster.allow_cleartext == WeakAuth::kAlways) {
      out.push_back("[cluster." + name + "] allow_cleartext is \"always\": passwords can be read");
    }
  }
}

void warn_about_protection(const Config& config, Lines& out) {
  if (!config.tenant) out.emplace_back("[tenant] is absent: tenants are not separated");
  const bool encrypted = std::any_of(config.columns.begin(), config.columns.end(),
                                     [](const auto& c) { return c.scheme != Scheme::kNone; });
  if (!encrypted) out.emplace_back("no [[column]] has a scheme: nothing is encrypted");
  const bool any = config.tenant || !config.columns.empty() || !config.tables.empty();
  if (any && config.policy.mode == PolicyMode::kObserve) {
    out.emplace_back("[policy] mode is \"observe\": what should be refused is only reported");
  }
}

void warn_about_audit(const Config& config, Lines& out) {
  if (!config.audit) {
    out.emplace_back("[audit] is absent: accesses are not recorded");
    return;
  }
  if (config.audit->anchor_file.empty()) {
    out.emplace_back("[audit] has no anchor_file: a truncated or rolled back log looks whole");
  }
  if (config.audit->on_failure == AuditFailure::kContinueAndCount) {
    out.emplace_back("[audit] on_failure lets statements pass unrecorded");
  }
}

bool needs_tls(const AuthRule& rule) {
  return rule.method == RuleMethod::kMd5 || rule.method == RuleMethod::kPassword;
}

bool can_have_tls(const Config& config, const AuthRule& rule) {
  return config.listen.tls.mode != ClientTlsMode::kDisable && rule.type != RuleType::kLocal &&
         rule.type != RuleType::kHostNoSsl;
}

}  // namespace

std::vector<std::string> startup_warnings(const Config& config) {
  Lines out;
  if (config.auth.method == AuthMethod::kTrust) {
    out.emplace_back("[auth] method is \"trust\": no client proves who it is");
  }
  const auto& rules = config.auth.rules;
  if (std::any_of(rules.begin(), rules.end(),
                  [](const AuthRule& rule) { return rule.method == RuleMethod::kTrust; })) {
    out.emplace_back(
        "an [[auth.rule]] says \"trust\": clients it matches do not prove who they are");
  }
  if (std::any_of(rules.begin(), rules.end(), [&](const AuthRule& rule) {
        return needs_tls(rule) && !can_have_tls(config, rule);
      })) {
    out.emplace_back(
        "an [[auth.rule]] says \"md5\" or \"password\" where there is no TLS: nobody it matches is "
        "let in");
  }
  warn_about_transport(config, out);
  warn_about_protection(config, out);
  warn_about_audit(config, out);
  return out;
}

}  // namespace postern::config
