// Rules of identity and alerts.
#include <algorithm>
#include <regex>
#include <set>

#include "base/codes/config.hpp"
#include "config/findings.hpp"
#include "config/key.hpp"

namespace postern::config {
namespace {

constexpr std::size_t kLeastSecret = 32;

void validate_sources(Findings& findings, const std::string& path,
                      const std::vector<std::string>& sources) {
  const auto names = identity_source_names();
  std::set<std::string> seen;
  for (const std::string& source : sources) {
    if (std::find(names.begin(), names.end(), source) == names.end()) {
      findings.add(pst::kConfigBadValue, path, "\"" + source + "\" is no source of identity");
    }
    if (!seen.insert(source).second) findings.conflict(path, "\"" + source + "\" stands twice");
  }
}

// Highest group a replacement names.
unsigned highest_group(std::string_view text) {
  unsigned highest = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '\\' || text[i + 1] < '1' || text[i + 1] > '9') continue;
    highest = std::max(highest, static_cast<unsigned>(text[i + 1] - '0'));
  }
  return highest;
}

void validate_map(Findings& findings, const std::string& path, const IdentityMapEntry& entry) {
  if (entry.tenant.empty() && entry.subject.empty()) {
    findings.missing(path, "names neither tenant nor subject");
  }
  unsigned groups = 0;
  if (entry.match.starts_with('/')) {
    try {
      groups = std::regex(entry.match.substr(1)).mark_count();
    } catch (const std::regex_error&) {
      findings.add(pst::kConfigBadValue, path + ".match", "is not a regular expression");
      return;
    }
  }
  const std::string_view names[] = {"tenant", "subject"};
  const std::string_view texts[] = {entry.tenant, entry.subject};
  for (std::size_t i = 0; i < std::size(names); ++i) {
    if (highest_group(texts[i]) <= groups) continue;
    findings.conflict(path + "." + std::string(names[i]), "names a group that match does not have");
  }
}

/// Rules that ask for tokens nobody could verify.
void refuse_token_rules(Findings& findings) {
  const auto& rules = findings.config().auth.rules;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].method != RuleMethod::kJwt) continue;
    findings.conflict(item("auth.rule", i) + ".method", "there is no [identity.jwt]");
  }
}

void validate_jwt(Findings& findings) {
  const Config& config = findings.config();
  const auto& jwt = config.identity.jwt;
  if (!jwt) return refuse_token_rules(findings);
  if (jwt->issuer.empty()) findings.conflict("identity.jwt.issuer", "is empty");
  if (jwt->audience.empty()) findings.conflict("identity.jwt.audience", "is empty");
}

void validate_alerts(Findings& findings) {
  const AlertsOptions& alerts = findings.config().alerts;
  if (!alerts.webhook.empty() && !alerts.webhook.starts_with("https://") &&
      !alerts.webhook.starts_with("http://")) {
    findings.add(pst::kConfigBadValue, "alerts.webhook", "is neither an http nor an https URL");
  }
  if (alerts.webhook.find('@') != std::string::npos) {
    findings.add(pst::kConfigBadValue, "alerts.webhook", "holds a user: use secret instead");
  }
  if (!alerts.secret.empty() && alerts.secret.size() < kLeastSecret) {
    findings.add(pst::kConfigBadValue, "alerts.secret", "has less than 32 bytes");
  }
  if (alerts.webhook.empty() && !alerts.secret.empty()) {
    findings.conflict("alerts.secret", "is given without alerts.webhook");
  }
  if (!alerts.ca_file.empty() && !alerts.webhook.starts_with("https://")) {
    findings.conflict("alerts.ca_file", "has no meaning without an https webhook");
  }
}

}  // namespace

void validate_identity(Findings& findings) {
  const Config& config = findings.config();
  validate_sources(findings, "identity.sources", config.identity.sources);
  for (const auto& [name, database] : config.databases) {
    validate_sources(findings, "database." + name + ".identity_sources", database.identity_sources);
  }
  for (std::size_t i = 0; i < config.identity.maps.size(); ++i) {
    validate_map(findings, "identity.map[" + std::to_string(i) + "]", config.identity.maps[i]);
  }
  validate_jwt(findings);
  validate_alerts(findings);
}

std::vector<IdentitySource> identity_sources(const Config& config,
                                             const DatabaseOptions& database) {
  const auto names = identity_source_names();
  const auto& written =
      database.identity_sources.empty() ? config.identity.sources : database.identity_sources;
  std::vector<IdentitySource> sources;
  for (const std::string& source : written) {
    const auto at = std::find(names.begin(), names.end(), source);
    if (at != names.end()) sources.push_back(static_cast<IdentitySource>(at - names.begin()));
  }
  return sources;
}

}  // namespace postern::config
