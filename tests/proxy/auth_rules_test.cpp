#include <doctest/doctest.h>

#include "base/codes/auth.hpp"
#include "base/codes/config.hpp"
#include "proxy/auth/rules.hpp"

using namespace postern;
using namespace postern::proxy;
using config::AuthRule;
using config::RuleMethod;
using config::RuleType;

namespace {

LoginAttempt attempt(std::string user, std::string database, const char* address,
                     bool encrypted = false) {
  LoginAttempt out;
  out.user = std::move(user);
  out.database = std::move(database);
  if (address != nullptr) out.address = config::parse_net_address(address);
  out.encrypted = encrypted;
  return out;
}

AuthRule rule(RuleType type, RuleMethod method, std::vector<std::string> database = {},
              std::vector<std::string> user = {}, std::string address = {}) {
  AuthRule out;
  out.type = type;
  out.method = method;
  out.database = std::move(database);
  out.user = std::move(user);
  out.address = std::move(address);
  return out;
}

AuthRules rules_of(std::vector<AuthRule> rules, std::vector<config::AuthMapEntry> maps = {}) {
  config::AuthOptions options;
  options.rules = std::move(rules);
  options.maps = std::move(maps);
  AuthRules out;
  REQUIRE(out.open(options));
  return out;
}

/// "reject", "none", "certificate", or the method's name.
std::string verdict(const AuthRules& rules, const LoginAttempt& who) {
  const auto admitted = rules.admit(who);
  if (admitted) return std::string(method_name(admitted->method));
  if (admitted.error().code == pst::kNoAuthRule) return "none";
  if (admitted.error().code == pst::kRejectedByRule) return "reject";
  CHECK(admitted.error().code == pst::kCertificateRefused);
  return "certificate";
}

LoginAttempt with_certificate(std::string user, std::string cn, std::string dn = {}) {
  LoginAttempt out = attempt(std::move(user), "db", "10.0.0.1", true);
  out.certificate = PeerCertificate{std::move(cn), std::move(dn)};
  return out;
}

}  // namespace

TEST_CASE("without rules the method of [auth] is everyone's") {
  config::AuthOptions options;
  AuthRules scram;
  REQUIRE(scram.open(options));
  CHECK(verdict(scram, attempt("a", "d", "10.0.0.1")) == "scram-sha-256");
  options.method = config::AuthMethod::kTrust;
  AuthRules trust;
  REQUIRE(trust.open(options));
  CHECK(verdict(trust, attempt("a", "d", nullptr)) == "trust");
}

TEST_CASE("the first rule that matches decides, and no rule means no") {
  const AuthRules rules = rules_of({
      rule(RuleType::kHost, RuleMethod::kReject, {}, {"mallory"}),
      rule(RuleType::kHostSsl, RuleMethod::kPassword, {"app"}, {"old"}, "10.0.0.0/8"),
      rule(RuleType::kHost, RuleMethod::kMd5, {"app", "sameuser"}, {"all"}, "10.1.2.0/24"),
      rule(RuleType::kHostNoSsl, RuleMethod::kReject, {"all"}),
      rule(RuleType::kHost, RuleMethod::kScramSha256, {"all"}, {"alice"}, "2001:db8::/32"),
      rule(RuleType::kLocal, RuleMethod::kTrust),
  });
  CHECK(verdict(rules, attempt("mallory", "app", "10.1.2.3", true)) == "reject");
  CHECK(verdict(rules, attempt("old", "app", "10.9.9.9", true)) == "password");
  CHECK(verdict(rules, attempt("old", "app", "10.9.9.9", false)) == "reject");
  CHECK(verdict(rules, attempt("old", "app", "11.0.0.1", true)) == "none");
  CHECK(verdict(rules, attempt("bob", "app", "10.1.2.255")) == "md5");
  CHECK(verdict(rules, attempt("bob", "app", "10.1.3.0", true)) == "none");
  CHECK(verdict(rules, attempt("bob", "bob", "10.1.2.0", true)) == "md5");
  CHECK(verdict(rules, attempt("bob", "other", "10.1.2.0", true)) == "none");
  CHECK(verdict(rules, attempt("alice", "x", "2001:db8::7", true)) == "scram-sha-256");
  CHECK(verdict(rules, attempt("alice", "x", "2001:db9::7", true)) == "none");
  CHECK(verdict(rules, attempt("mallory", "app", nullptr)) == "trust");
}

TEST_CASE("replication is its own database, as in pg_hba.conf") {
  const AuthRules rules = rules_of({
      rule(RuleType::kHost, RuleMethod::kScramSha256, {"replication"}, {"backup"}),
      rule(RuleType::kHost, RuleMethod::kMd5, {"all"}),
  });
  LoginAttempt physical = attempt("backup", "anything", "10.0.0.1");
  physical.replication = protocol::Replication::kPhysical;
  const auto admitted = rules.admit(physical);
  REQUIRE(admitted);
  CHECK(admitted->method == RuleMethod::kScramSha256);
  CHECK(admitted->for_replication);
  physical.user = "bob";  // "all" does not cover it
  CHECK(verdict(rules, physical) == "none");
  LoginAttempt logical = attempt("backup", "app", "10.0.0.1");
  logical.replication = protocol::Replication::kLogical;
  REQUIRE(rules.admit(logical));
  CHECK(rules.admit(logical)->method == RuleMethod::kMd5);
  CHECK_FALSE(rules.admit(logical)->for_replication);
  // The keyword is no database of that name.
  CHECK(verdict(rules, attempt("backup", "replication", "10.0.0.1")) == "md5");
}

TEST_CASE("a certificate has to name the login") {
  const AuthRules rules = rules_of({rule(RuleType::kHostSsl, RuleMethod::kCert)});
  CHECK(verdict(rules, with_certificate("alice", "alice")) == "cert");
  CHECK(verdict(rules, with_certificate("alice", "Alice")) == "certificate");
  CHECK(verdict(rules, with_certificate("alice", "")) == "certificate");
  CHECK(verdict(rules, attempt("alice", "db", "10.0.0.1", true)) == "certificate");
  CHECK(verdict(rules, attempt("alice", "db", "10.0.0.1", false)) == "none");
}

TEST_CASE("a certificate beside another method") {
  AuthRule any = rule(RuleType::kHostSsl, RuleMethod::kScramSha256, {"any"});
  any.client_cert = config::RuleCertificate::kVerifyCa;
  AuthRule own = rule(RuleType::kHostSsl, RuleMethod::kScramSha256);
  own.client_cert = config::RuleCertificate::kVerifyFull;
  const AuthRules rules = rules_of({any, own});
  CHECK(verdict(rules, with_certificate("alice", "alice")) == "scram-sha-256");
  CHECK(verdict(rules, with_certificate("alice", "bob")) == "certificate");
  LoginAttempt other = with_certificate("alice", "bob");
  other.database = "any";
  CHECK(verdict(rules, other) == "scram-sha-256");
  other.certificate.reset();
  CHECK(verdict(rules, other) == "certificate");
}

TEST_CASE("maps lead from names of certificates to logins") {
  AuthRule by_cn = rule(RuleType::kHostSsl, RuleMethod::kCert, {"db"});
  by_cn.map = "people";
  AuthRule by_dn = rule(RuleType::kHostSsl, RuleMethod::kCert, {"dn"});
  by_dn.map = "units";
  by_dn.client_name = config::CertificateName::kDn;
  const AuthRules rules =
      rules_of({by_cn, by_dn}, {{"people", "Alice Liddell", "alice"},
                                {"people", "/([a-z]+)@example\\.org", "\\1"},
                                {"people", "/svc-.*", "service"},
                                {"others", "bob", "alice"},
                                {"units", "/CN=([a-z]+),OU=dev,O=example", "dev_\\1"}});
  const auto of = [&](const char* user, const char* cn) {
    return verdict(rules, with_certificate(user, cn));
  };
  CHECK(of("alice", "Alice Liddell") == "cert");
  CHECK(of("alice", "alice") == "certificate");  // with a map, equal names are no entry
  CHECK(of("alice", "bob") == "certificate");    // an entry of another map
  CHECK(of("carol", "carol@example.org") == "cert");
  CHECK(of("dave", "carol@example.org") == "certificate");
  CHECK(of("carol", "carol@example.org.evil.net") == "certificate");
  CHECK(of("carol", "x carol@example.org") == "certificate");
  CHECK(of("service", "svc-7") == "cert");
  CHECK(of("alice", "svc-7") == "certificate");
  const std::string longest = "svc-" + std::string(CertificateMaps::kMaxName - 4, 'x');
  CHECK(of("service", longest.c_str()) == "cert");
  CHECK(of("service", (longest + "x").c_str()) == "certificate");
  LoginAttempt dn = with_certificate("dev_eve", "eve", "CN=eve,OU=dev,O=example");
  dn.database = "dn";
  CHECK(verdict(rules, dn) == "cert");
  dn.user = "eve";
  CHECK(verdict(rules, dn) == "certificate");
}

TEST_CASE("malformed rules are refused") {
  config::AuthOptions options;
  options.maps = {{"m", "/(", "x"}};
  AuthRules rules;
  const auto opened = rules.open(options);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == pst::kConfigBadValue);
  options.maps.clear();
  options.rules = {rule(RuleType::kHost, RuleMethod::kTrust, {}, {}, "10.0.0.1/8")};
  AuthRules address;
  CHECK_FALSE(address.open(options));
}
