// Questions that other parts ask a Config.
#include "config/options.hpp"

#include <doctest/doctest.h>

#include "config/values.hpp"
#include "tests/config/files.hpp"

using namespace postern;
using namespace postern::config;

namespace {

Config two_names_for_one_database() {
  Config c;
  c.clusters["main"];
  c.clusters["other"];
  c.databases["shop"].cluster = "main";
  c.databases["alias"].cluster = "main";
  c.databases["alias"].upstream = "shop";
  c.databases["elsewhere"].cluster = "other";
  c.databases["elsewhere"].upstream = "shop";
  c.databases["*"].cluster = "main";
  return c;
}

}  // namespace

TEST_CASE("a database is found by its own name, then by *, else not at all") {
  Config c = two_names_for_one_database();
  CHECK(find_database(c, "shop") == &c.databases.at("shop"));
  CHECK(find_database(c, "unheard") == &c.databases.at("*"));
  c.databases.erase("*");
  CHECK(find_database(c, "unheard") == nullptr);
}

TEST_CASE("an alias cannot escape the rules of the database behind it") {
  Config c = two_names_for_one_database();
  c.columns.emplace_back();
  c.columns[0].database = "shop";
  CHECK(is_protected(c, "shop"));
  CHECK(is_protected(c, "alias"));
  CHECK_FALSE(is_protected(c, "elsewhere"));
  CHECK_FALSE(is_protected(c, "unheard"));
  c.columns[0].database = "alias";
  CHECK(is_protected(c, "shop"));
  c.databases.erase("shop");  // "shop" is now served by "*", under its own name
  CHECK(is_protected(c, "shop"));
  c.columns[0].database = "*";
  CHECK(is_protected(c, "unheard"));
}

TEST_CASE("a tenant section protects every database") {
  Config c = two_names_for_one_database();
  c.tenant.emplace();
  CHECK(is_protected(c, "elsewhere"));
}

TEST_CASE("the profile comes from the login, the database, or from what is protected") {
  Config c = two_names_for_one_database();
  CHECK(effective_profile(c, "bob", "shop") == Profile::kTransparent);
  c.tenant.emplace();
  CHECK(effective_profile(c, "bob", "shop") == Profile::kApp);
  c.databases["shop"].profile = Profile::kAnalyst;
  CHECK(effective_profile(c, "bob", "shop") == Profile::kAnalyst);
  c.users["bob"];
  CHECK(effective_profile(c, "bob", "shop") == Profile::kAnalyst);
  c.users["bob"].profile = Profile::kMigrator;
  CHECK(effective_profile(c, "bob", "shop") == Profile::kMigrator);
}

TEST_CASE("the route comes from the database, then from routing, and is the primary without it") {
  Config c = two_names_for_one_database();
  DatabaseOptions& shop = c.databases["shop"];
  CHECK(effective_route(c, shop) == RouteDefault::kPrimary);
  c.routing.emplace();
  CHECK(effective_route(c, shop) == RouteDefault::kAuto);
  c.routing->route = RouteDefault::kDefault;
  CHECK(effective_route(c, shop) == RouteDefault::kPrimary);
  shop.route = RouteDefault::kReplica;
  CHECK(effective_route(c, shop) == RouteDefault::kReplica);
}

TEST_CASE("who sees what of a column: login, profile, everyone, then the profile's habit") {
  ColumnOptions column;
  column.scheme = Scheme::kRandomized;
  CHECK(column_access(column, "bob", Profile::kApp).access == Access::kDecrypt);
  CHECK(column_access(column, "bob", Profile::kAdmin).access == Access::kCiphertext);
  CHECK(column_access(column, "bob", Profile::kBackup).access == Access::kCiphertext);
  CHECK(column_access(column, "bob", Profile::kAnalyst).access == Access::kDecrypt);
  column.mask = "email";
  CHECK(column_access(column, "bob", Profile::kAnalyst).access == Access::kMask);
  CHECK(column_access(column, "bob", Profile::kAnalyst).mask == "email");
  column.roles = {{"*", Access::kDeny, ""},
                  {"profile:app", Access::kMask, ""},
                  {"profile:analyst", Access::kMask, "fixed"},
                  {"bob", Access::kDecrypt, ""}};
  CHECK(column_access(column, "bob", Profile::kApp).access == Access::kDecrypt);
  CHECK(column_access(column, "eve", Profile::kApp).access == Access::kMask);
  CHECK(column_access(column, "eve", Profile::kApp).mask == "email");
  CHECK(column_access(column, "eve", Profile::kAnalyst).mask == "fixed");
  CHECK(column_access(column, "eve", Profile::kAdmin).access == Access::kDeny);
}

TEST_CASE("a login may choose the tenants it was given, never none") {
  TenantChoice choice;
  const TenantId acme = TenantId::parse("acme").value();
  CHECK(choice.empty());
  CHECK_FALSE(choice.permits(acme));
  choice.allowed.push_back(acme);
  CHECK(choice.permits(acme));
  CHECK_FALSE(choice.permits(TenantId::parse("acm").value()));
  choice = {true, {}};
  CHECK(choice.permits(acme));
  CHECK_FALSE(choice.permits(TenantId::none()));
}

TEST_CASE("globs") {
  CHECK(glob_match("public.*", "public.users"));
  CHECK(glob_match("*", ""));
  CHECK(glob_match("*.log_????", "audit.log_2024"));
  CHECK(glob_match("a*b*c", "a-b-b-c"));
  CHECK_FALSE(glob_match("a*b*c", "a-b-b"));
  CHECK_FALSE(glob_match("public.?", "public."));
  CHECK_FALSE(glob_match("Public.*", "public.x"));
  CHECK_FALSE(glob_match("", "x"));
  // Quadratic at worst: this would not end with a backtracking matcher.
  CHECK_FALSE(glob_match("*a*a*a*a*a*a*a*a*a*a*b", std::string(20'000, 'a')));
}

TEST_CASE("durations and sizes: every unit, and back") {
  CHECK(parse_duration("250ms") == Millis(250));
  CHECK(parse_duration("5s") == Millis(5'000));
  CHECK(parse_duration("2m") == Millis(120'000));
  CHECK(parse_duration("1h") == Millis(3'600'000));
  CHECK(parse_duration("7d") == Millis(604'800'000));
  CHECK(parse_duration("7") == Millis(7));
  for (const char* bad :
       {"", "s", "5 s", "+5s", "5S", "5ss", "1.5s", "0x5", "9223372036854775807s"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_duration(bad));
  }
  CHECK(parse_size("1KB") == ByteSize{1024});
  CHECK(parse_size("3GB") == ByteSize{std::uint64_t{3} << 30});
  for (const char* bad : {"", "1TB", "1kb", "1 MB", "-1", "1.5MB", "9223372036854775807KB"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_size(bad));
  }
  for (const std::int64_t ms : {0, 1, 999, 1'000, 1'500, 60'000, 90'000, 86'400'000}) {
    CHECK(parse_duration(format_duration(Millis(ms))) == Millis(ms));
  }
  for (const std::uint64_t n : {0u, 1u, 1023u, 1024u, 1025u, 1u << 20, 1u << 30}) {
    CHECK(parse_size(format_size({n})) == ByteSize{n});
  }
}

TEST_CASE("host:port") {
  CHECK(parse_host_port("db:5432") == HostPort{"db", 5432});
  CHECK(parse_host_port("[::1]:1") == HostPort{"::1", 1});
  CHECK(parse_host_port("h:65535") == HostPort{"h", 65535});
  for (const char* bad : {"", "h", "h:", ":1", "h:0", "h:65536", "h:1x", "::1:5432", "[]:1",
                          "a b:1", "[h:1", "h]:1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_host_port(bad));
  }
}
