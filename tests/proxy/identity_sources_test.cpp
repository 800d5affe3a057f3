// Proofs and wishes, in every combination that matters.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/codes/session.hpp"
#include "proxy/identity/sources.hpp"

using namespace postern;
using namespace postern::proxy;
using Source = config::IdentitySource;

namespace {

const std::vector<Source> kAll = {Source::kLogin,   Source::kCertificate, Source::kJwt,
                                  Source::kStartup, Source::kSet,         Source::kComment};

TenantId tenant(const std::string& text) {
  return TenantId::parse(text).value();
}

struct Login {
  config::UserOptions user;
  TokenIdentity token;
  Evidence evidence;
  Login() { evidence.listed = true; }
  Login& fixed(const std::string& name) {
    user.tenant = tenant(name);
    return *this;
  }
  Login& may(const std::string& name) {
    user.tenants.allowed.push_back(tenant(name));
    return *this;
  }
  Login& shows(const std::string& name, std::int64_t until = 0) {
    evidence.certificate = CertificateIdentity{name, ""};
    evidence.certificate_until_us = until;
    return *this;
  }
  Login& sends(const std::string& name, std::int64_t until = 1) {
    token.tenant = name;
    token.valid_until_us = until;
    evidence.token = &token;
    return *this;
  }
  Login& asks(const std::string& name) {
    evidence.asked_tenant = name;
    return *this;
  }
  Login& stranger() {
    evidence.listed = false;
    return *this;
  }
  std::string resolve(const std::vector<Source>& sources = kAll) {
    evidence.user = &user;
    const auto found = resolve_identity(sources, evidence);
    if (!found) return pst_label(found.error().code);
    const TenantId& now = found->acts_for.tenant;
    return (now.is_none() ? "" : now.text()) + std::string(found->rights.tenant_bound ? "!" : "");
  }
};

}  // namespace

TEST_CASE("which tenant a login acts for") {
  CHECK(Login().resolve().empty());
  CHECK(Login().fixed("a").resolve() == "a!");
  CHECK(Login().fixed("a").asks("a").resolve() == "a!");
  CHECK(Login().fixed("a").asks("b").resolve() == "PST-2401");
  CHECK(Login().asks("a").resolve() == "PST-2401");
  CHECK(Login().may("a").asks("a").resolve() == "a");
  CHECK(Login().may("a").asks("A").resolve() == "PST-2401");
  CHECK(Login().may("a").asks("b").resolve() == "PST-2401");
  CHECK(Login().may("a").asks("a b").resolve() == "PST-1601");
  CHECK(Login().may("a").resolve().empty());
  CHECK(Login().may("a").shows("a").resolve() == "a!");
  CHECK(Login().may("a").shows("b").resolve() == "PST-2401");
  CHECK(Login().fixed("a").shows("b").resolve() == "PST-2401");
  CHECK(Login().shows("a").resolve() == "PST-2401");
  CHECK(Login().may("a").may("b").sends("b").resolve() == "b!");
  CHECK(Login().may("a").may("b").sends("b").asks("a").resolve() == "PST-2401");
  CHECK(Login().may("a").may("b").shows("a").sends("b").resolve() == "PST-2472");
  CHECK(Login().may("a").may("b").shows("b").sends("b").resolve() == "b!");
  CHECK(Login().stranger().sends("z").resolve() == "z!");
  CHECK(Login().stranger().shows("z").resolve() == "z!");
  CHECK(Login().stranger().asks("z").resolve() == "PST-2401");
}

TEST_CASE("only sources in force count, and a wish that does not is refused") {
  CHECK(Login().may("a").shows("a").resolve({Source::kLogin}).empty());
  CHECK(Login().may("a").sends("a").resolve({Source::kLogin}) == "PST-2470");
  CHECK(Login().may("a").asks("a").resolve({Source::kLogin}) == "PST-2470");
  CHECK(Login().fixed("a").resolve({Source::kStartup}).empty());
  CHECK(Login().fixed("a").sends("b").resolve({Source::kJwt}) == "PST-2401");
}

TEST_CASE("the earliest end counts") {
  Login login;
  login.may("a").shows("a", 20).sends("a", 10);
  login.evidence.user = &login.user;
  CHECK(resolve_identity(kAll, login.evidence)->valid_until_us == 10);
  CHECK(resolve_identity(std::vector{Source::kCertificate, Source::kJwt}, login.evidence)
            ->valid_until_us == 10);
}

TEST_CASE("subject and purpose are a trusted login's to name, a proven subject nobody's") {
  Login login;
  login.may("a").asks("a");
  login.evidence.user = &login.user;
  login.evidence.asked_subject = "ann";
  CHECK(resolve_identity(kAll, login.evidence).error().code == pst::kClaimNotTrusted);
  login.user.trusted = true;
  const auto named = resolve_identity(kAll, login.evidence);
  REQUIRE(named);
  CHECK(named->acts_for.subject == "ann");
  CHECK(named->rights.by_set);
  CHECK_FALSE(named->rights.subject_bound);
  login.sends("a");
  login.token.subject = "bob";
  CHECK(resolve_identity(kAll, login.evidence).error().code == pst::kIdentityDisagrees);
  login.evidence.asked_subject = "bob";
  CHECK(resolve_identity(kAll, login.evidence)->rights.subject_bound);
}

TEST_CASE("maps of certificates") {
  IdentityMaps maps;
  REQUIRE(
      maps.open({{config::CertificateField::kUri, "/spiffe://x/([a-z]+)/(.*)", "\\1", "\\2"},
                 {config::CertificateField::kDns, "db.acme.example", "acme", ""},
                 {config::CertificateField::kEmail, "/(.*)@([a-z]+)\\.example", "\\2", "\\1"}}));
  PeerCertificate certificate;
  CHECK_FALSE(maps.find(certificate));
  certificate.emails = {"ann@globex.example"};
  CHECK(maps.find(certificate)->tenant == "globex");
  CHECK(maps.find(certificate)->subject == "ann");
  certificate.dns = {"other", "db.acme.example"};
  CHECK(maps.find(certificate)->tenant == "acme");
  certificate.uris = {"https://x", "spiffe://x/first/\\1"};
  CHECK(maps.find(certificate)->tenant == "first");
  CHECK(maps.find(certificate)->subject == "\\1");
  certificate.uris = {"spiffe://x/a/" + std::string(IdentityMaps::kMaxName, 'x')};
  CHECK(maps.find(certificate)->tenant == "acme");
  CHECK_FALSE(IdentityMaps().open({{config::CertificateField::kUri, "/(", "", ""}}));
}
