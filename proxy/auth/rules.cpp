#include "proxy/auth/rules.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/auth.hpp"
#include "base/codes/config.hpp"

namespace postern::proxy {
namespace {

using config::AuthRule;
using config::CertificateName;
using config::RuleCertificate;
using config::RuleMethod;
using config::RuleType;
using protocol::Replication;

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool type_matches(RuleType type, const LoginAttempt& attempt) {
  const bool local = !attempt.address;
  switch (type) {
    case RuleType::kLocal:
      return local;
    case RuleType::kHost:
      return !local;
    case RuleType::kHostSsl:
      return !local && attempt.encrypted;
    case RuleType::kHostNoSsl:
      return !local && !attempt.encrypted;
  }
  return false;
}

// hba.c, check_db: physical replication is matched by "replication" alone, which nothing else is.
bool database_matches(const std::vector<std::string>& names, const LoginAttempt& attempt) {
  if (attempt.replication == Replication::kPhysical) return contains(names, "replication");
  for (const std::string& name : names) {
    if (name == "all" || (name == "sameuser" && attempt.user == attempt.database)) return true;
    const bool keyword = name == "sameuser" || name == "replication";
    if (!keyword && name == attempt.database) return true;
  }
  return names.empty();
}

bool user_matches(const std::vector<std::string>& names, std::string_view user) {
  return names.empty() || contains(names, "all") || contains(names, user);
}

bool any_address(const AuthRule& rule) {
  return rule.address.empty() || rule.address == "all";
}

}  // namespace

Status CertificateMaps::open(const std::vector<config::AuthMapEntry>& entries) {
  for (const config::AuthMapEntry& written : entries) {
    Entry entry{written.map, written.certificate, {}, written.login};
    if (written.certificate.starts_with('/')) {
      try {
        entry.regex.emplace(written.certificate.substr(1));
      } catch (const std::regex_error&) {
        return make_error(pst::kConfigBadValue, "auth.map " + written.map);
      }
    }
    entries_.push_back(std::move(entry));
  }
  return ok();
}

bool CertificateMaps::permits(std::string_view map, const std::string& name,
                              std::string_view login) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.map == map && leads(entry, name, login);
  });
}

bool CertificateMaps::leads(const Entry& entry, const std::string& name, std::string_view login) {
  if (!entry.regex) return entry.name == name && entry.login == login;
  if (name.size() > kMaxName) return false;
  std::smatch found;
  try {
    if (!std::regex_match(name, found, *entry.regex)) return false;
  } catch (const std::regex_error&) {
    return false;  // too complex to decide
  }
  const std::size_t at = entry.login.find("\\1");
  if (at == std::string::npos) return entry.login == login;
  if (found.size() < 2) return false;
  std::string expected = entry.login;
  expected.replace(at, 2, found[1].str());
  return expected == login;
}

Status AuthRules::open(const config::AuthOptions& options) {
  const bool trust = options.method == config::AuthMethod::kTrust;
  fallback_ = trust ? RuleMethod::kTrust : RuleMethod::kScramSha256;
  for (const AuthRule& rule : options.rules) {
    const auto range = config::AddressRange::parse(rule.address);
    if (!range && !any_address(rule)) return make_error(pst::kConfigBadValue, "auth.rule.address");
    rules_.push_back({rule, range});
  }
  return maps_.open(options.maps);
}

bool AuthRules::matches(const Rule& rule, const LoginAttempt& attempt) {
  const AuthRule& options = rule.options;
  if (!type_matches(options.type, attempt)) return false;
  if (rule.range && (!attempt.address || !rule.range->contains(*attempt.address))) return false;
  return database_matches(options.database, attempt) && user_matches(options.user, attempt.user);
}

Result<Admission> AuthRules::admit(const LoginAttempt& attempt) const {
  if (rules_.empty()) return Admission{fallback_, false};
  const auto rule = std::find_if(rules_.begin(), rules_.end(),
                                 [&](const Rule& r) { return matches(r, attempt); });
  if (rule == rules_.end()) return make_error(pst::kNoAuthRule);
  if (rule->options.method == RuleMethod::kReject) return make_error(pst::kRejectedByRule);
  POSTERN_TRY(check_certificate(rule->options, attempt));
  return Admission{rule->options.method, contains(rule->options.database, "replication")};
}

// Under "cert" the certificate is the proof: it has to name the login. Beside another method it
// does so with verify-full.
Status AuthRules::check_certificate(const AuthRule& rule, const LoginAttempt& attempt) const {
  const bool proof = rule.method == RuleMethod::kCert;
  if (!proof && rule.client_cert == RuleCertificate::kNone) return ok();
  if (!attempt.certificate) return make_error(pst::kCertificateRefused, "none was presented");
  if (!proof && rule.client_cert == RuleCertificate::kVerifyCa) return ok();
  const PeerCertificate& certificate = *attempt.certificate;
  const std::string& name =
      rule.client_name == CertificateName::kDn ? certificate.dn : certificate.cn;
  const bool names_login =
      rule.map.empty() ? name == attempt.user : maps_.permits(rule.map, name, attempt.user);
  if (name.empty() || !names_login) return make_error(pst::kCertificateRefused);
  return ok();
}

std::string_view method_name(RuleMethod method) {
  switch (method) {
    case RuleMethod::kScramSha256:
      return "scram-sha-256";
    case RuleMethod::kCert:
      return "cert";
    case RuleMethod::kTrust:
      return "trust";
    case RuleMethod::kMd5:
      return "md5";
    case RuleMethod::kPassword:
      return "password";
    case RuleMethod::kJwt:
      return "jwt";
    case RuleMethod::kReject:
      break;
  }
  return "reject";
}

}  // namespace postern::proxy
