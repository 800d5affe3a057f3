// Rules of logins, of rules about connections, and of maps.
#include <algorithm>
#include <regex>

#include "base/codes/config.hpp"
#include "config/address_range.hpp"
#include "config/findings.hpp"
#include "config/validate.hpp"

namespace postern::config {
namespace {

/// pg_authid's form, checked for shape only: SCRAM-SHA-256$iterations:salt$stored:server.
bool looks_like_verifier(ByteView text) {
  constexpr std::string_view kPrefix = "SCRAM-SHA-256$";
  if (!text.starts_with(kPrefix)) return false;
  const std::size_t colon = text.find(':', kPrefix.size());
  const std::size_t dollar = text.find('$', kPrefix.size());
  if (colon == ByteView::npos || dollar == ByteView::npos || colon > dollar) return false;
  const std::size_t second = text.find(':', dollar);
  return second != ByteView::npos && second > dollar + 1 && second + 1 < text.size();
}

void validate_user(Findings& findings, const std::string& name, const UserOptions& user) {
  const Config& config = findings.config();
  const std::string path = "user." + name;
  // A login without secret can still prove itself by a certificate or by what auth.query finds.
  if (!admits_strangers(config) && user.password.empty() && user.scram.empty()) {
    findings.missing(path, "needs password, password_file or scram");
  }
  if (!user.password.empty() && !user.scram.empty()) {
    findings.conflict(path + ".scram", "is given beside a password");
  }
  if (!user.scram.empty() && !looks_like_verifier(user.scram.reveal())) {
    findings.add(pst::kConfigBadValue, path + ".scram",
                 "is not SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey");
  }
  if (!user.tenant.is_none() && !user.tenants.empty()) {
    findings.conflict(path + ".tenants", "is given beside tenant");
  }
  const bool has_tenant = !user.tenant.is_none() || !user.tenants.empty();
  if (has_tenant && !config.tenant) {
    findings.conflict(path + (user.tenant.is_none() ? ".tenants" : ".tenant"),
                      "has no effect without [tenant]");
  }
}

/// What pg_hba.conf gives a meaning that is not served: it must not pass for a plain name.
bool is_special(const std::string& name) {
  return name.empty() || name.front() == '+' || name.front() == '@' || name.front() == '/';
}

void validate_names(Findings& findings, const std::string& path,
                    const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!is_special(name) && name != "samerole" && name != "samegroup") continue;
    findings.add(pst::kConfigBadValue, path, "\"" + name + "\" is not served: give names");
  }
}

bool stays_here(const AuthRule& rule) {
  if (rule.type == RuleType::kLocal) return true;
  const auto range = AddressRange::parse(rule.address);
  return range && range->is_loopback();
}

bool asks_for_certificate(const AuthRule& rule) {
  return rule.method == RuleMethod::kCert || rule.client_cert != RuleCertificate::kNone;
}

void validate_address(Findings& findings, const std::string& path, const AuthRule& rule) {
  const bool any = rule.address.empty() || rule.address == "all";
  if (!any && rule.type == RuleType::kLocal) {
    findings.conflict(path + ".address", "has no meaning for type \"local\"");
  } else if (!any && !AddressRange::parse(rule.address)) {
    findings.add(pst::kConfigBadValue, path + ".address",
                 "is neither \"all\" nor an address nor a block with all host bits zero");
  }
}

void validate_rule(Findings& findings, const std::string& path, const AuthRule& rule) {
  const Config& config = findings.config();
  validate_names(findings, path + ".database", rule.database);
  validate_names(findings, path + ".user", rule.user);
  validate_address(findings, path, rule);
  if (rule.method == RuleMethod::kTrust && !stays_here(rule) &&
      !is_loopback(config.listen.address)) {
    findings.conflict(path + ".method", "\"trust\" needs type \"local\" or a loopback address");
  }
  if (asks_for_certificate(rule) && rule.type != RuleType::kHostSsl) {
    findings.conflict(path + ".type", "certificates need \"hostssl\"");
  }
  if (asks_for_certificate(rule) && config.listen.tls.client_ca_file.empty()) {
    findings.missing("listen.tls.client_ca_file", "a rule asks for client certificates");
  }
  if (rule.map.empty()) return;
  const auto& maps = config.auth.maps;
  if (std::none_of(maps.begin(), maps.end(),
                   [&](const AuthMapEntry& entry) { return entry.map == rule.map; })) {
    findings.conflict(path + ".map", "there is no [[auth.map]] of this name");
  }
}

void validate_map(Findings& findings, const std::string& path, const AuthMapEntry& entry) {
  if (!entry.certificate.starts_with('/')) return;
  try {
    (void)std::regex(entry.certificate.substr(1));
  } catch (const std::regex_error&) {
    findings.add(pst::kConfigBadValue, path + ".certificate", "is not a regular expression");
  }
}

void validate_query(Findings& findings) {
  const Config& config = findings.config();
  const auto& query = config.auth.query;
  if (!query) return;
  if (query->cluster.empty() && config.clusters.size() > 1) {
    findings.missing("auth.query.cluster", "there are several clusters");
  }
  if (!query->cluster.empty() && !config.clusters.contains(query->cluster)) {
    findings.conflict("auth.query.cluster", "there is no [cluster." + query->cluster + "]");
  }
}

}  // namespace

void validate_logins(Findings& findings) {
  const Config& config = findings.config();
  const AuthOptions& auth = config.auth;
  if (auth.method == AuthMethod::kTrust && !is_loopback(config.listen.address)) {
    findings.conflict("auth.method", "\"trust\" needs a loopback listen.address");
  }
  const bool elsewhere = auth.query || !auth.rules.empty();
  if (auth.method == AuthMethod::kScramSha256 && auth.users_file.empty() && !elsewhere) {
    findings.missing("auth.users_file", "\"scram-sha-256\" needs the logins");
  }
  for (const auto& [name, user] : config.users) validate_user(findings, name, user);
  for (std::size_t i = 0; i < auth.rules.size(); ++i) {
    validate_rule(findings, item("auth.rule", i), auth.rules[i]);
  }
  for (std::size_t i = 0; i < auth.maps.size(); ++i) {
    validate_map(findings, item("auth.map", i), auth.maps[i]);
  }
  validate_query(findings);
}

}  // namespace postern::config
