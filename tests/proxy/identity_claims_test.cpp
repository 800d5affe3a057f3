// Comments by the rules of sqlcommenter.
#include <string>

#include <doctest/doctest.h>

#include "base/codes/session.hpp"
#include "proxy/identity/claims.hpp"

using namespace postern;
using namespace postern::proxy;

namespace {

std::string tenant_of(const std::string& sql) {
  const auto claims = read_comments(sql);
  if (!claims) return pst_label(claims.error().code);
  return claims->tenant.value_or("-");
}

}  // namespace

TEST_CASE("a comment names tenant, subject and purpose") {
  const auto claims = read_comments(
      "SELECT 1 /*db_driver='psycopg',tenant='acme', subject='a%20b%27' ,purpose='it\\'s'*/;");
  REQUIRE(claims);
  CHECK(claims->tenant == "acme");
  CHECK(claims->subject == "a b'");
  CHECK(claims->purpose == "it's");
}

TEST_CASE("where a comment counts") {
  struct Case {
    const char* sql;
    const char* tenant;
  };
  const Case cases[] = {
      {"/*tenant='a'*/ SELECT 1", "a"},
      {"SELECT /* tenant = 'a' */ 1", "a"},
      {"SELECT 1", "-"},
      {"SELECT 1 /* a comment */", "-"},
      {"SELECT 1 /*tenants='a'*/", "-"},
      {"SELECT '/*tenant=''a''*/'", "-"},
      {"SELECT $$/*tenant='a'*/$$", "-"},
      {"SELECT \"/*tenant='a'*/\" FROM t", "-"},
      {"SELECT 1 -- /*tenant='a'*/", "-"},
      {"SELECT 1 -- x\n/*tenant='a'*/", "a"},
      {"SELECT 1 /* /*tenant='a'*/ */", "PST-2467"},
      {"SELECT 1 /*tenant='a'*/ /*tenant='a'*/", "a"},
      {"SELECT 1 /*tenant='a'*/ /*tenant='b'*/", "PST-2466"},
      {"SELECT 1 /*tenant='a',tenant='b'*/", "PST-2466"},
      {"SELECT 1 /*tenant=a*/", "PST-2467"},
      {"SELECT 1 /*tenant='a*/", "PST-2467"},
      {"SELECT 1 /*tenant='a' x*/", "PST-2467"},
      {"SELECT 1 /*tenant='%zz'*/", "PST-2467"},
      {"SELECT 1 /*tenant='a',*/", "PST-2467"},
      {"SELECT 1 /*tenant=''*/", ""},
      {"SELECT 1 /* unclosed tenant='a'", "-"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.sql);
    CHECK(tenant_of(c.sql) == c.tenant);
  }
}

TEST_CASE("names and values of claims") {
  CHECK(claim_of_setting("postern.tenant") == "tenant");
  CHECK(claim_of_setting("postern.purpose") == "purpose");
  CHECK(claim_of_setting("postern.ctx").empty());
  CHECK(claim_of_setting("tenant").empty());
  CHECK(check_claim(std::string(kMaxClaimBytes, 'x')));
  CHECK_FALSE(check_claim(std::string(kMaxClaimBytes + 1, 'x')));
  CHECK_FALSE(check_claim("\xff"));
  CHECK_FALSE(check_claim(std::string_view("a\0b", 3)));
}
