// Rules across keys, each with the place it blames.
#include <doctest/doctest.h>

#include "base/codes/config.hpp"
#include "base/codes/wall.hpp"
#include "tests/config/files.hpp"

using namespace postern;
using namespace postern::config;
using namespace postern::config::testing;

namespace {

struct Case {
  const char* text;
  Pst code;
  std::uint32_t line;
  const char* part;
};

// Two lines of their own so that line numbers below start at 5.
constexpr std::string_view kService = "[service]\nuser = 's'\n[policy]\nmode = 'observe'\n";

const Case kCases[] = {
    {"[database.a]\ncluster = 'other'\n", pst::kConfigConflict, 2,
     "database.a.cluster: there is no [cluster.other]"},
    {"[database.a]\ncluster = 'main'\nroute = 'auto'\n", pst::kConfigConflict, 3,
     "needs [routing]"},
    {"[database.a]\ncluster = 'main'\nroute = 'replica'\n", pst::kConfigNotHandled, 3,
     "not served yet"},
    {"[database.a]\ncluster = 'main'\npassword = 'p'\n", pst::kConfigConflict, 3, "without user"},
    {"[listen]\naddress = '0.0.0.0'\n", pst::kConfigConflict, 0, "needs a loopback"},
    {"[listen.tls]\nmode = 'require'\nkey_file = 'k'\n", pst::kConfigMissingKey, 1, "cert_file"},
    {"[listen.tls]\nmode = 'allow'\ncert_file = 'k'\n", pst::kConfigMissingKey, 1, "key_file"},
    {"[listen.tls]\nclient_ca_file = 'k'\n", pst::kConfigConflict, 2, "needs mode"},
    {"[cluster.main.tls]\nmode = 'verify-full'\n", pst::kConfigMissingKey, 1, "ca_file"},
    {"[cluster.main.tls]\nmode = 'require'\nca_file = 'c'\n", pst::kConfigConflict, 3, "ca_file"},
    {"[metrics]\nport = 6432\n", pst::kConfigConflict, 2, "is the port of [listen]"},
    {"[database.postern]\ncluster = 'main'\n", pst::kConfigConflict, 1,
     "database.postern: is the console's name"},
    {"[limits]\nmessage_bytes = '512KB'\nencrypted_value_bytes = '1KB'\n", pst::kConfigConflict, 1,
     "limits.query_bytes: is larger"},
    {"[limits]\nmessage_bytes = '8MB'\n", pst::kConfigConflict, 1, "encrypted_value_bytes"},
    {"[audit]\ndir = 'log'\nkey_file = 'k'\nanchor_file = 'log/anchor'\n", pst::kConfigConflict, 4,
     "lies inside audit.dir"},
    {"[audit]\ndir = 'log'\nkey_file = 'log/k'\n", pst::kConfigConflict, 3, "inside audit.dir"},
    {"[audit]\ndir = 'log'\n", pst::kConfigMissingKey, 1, "audit.key_file"},
    {"[policy]\nallow_functions = ['pg_catalog.lo_get']\n", pst::kConfigBadValue, 2,
     "cannot be allowed"},
    {"[policy]\nallow_settings = ['role']\n", pst::kConfigBadValue, 2, "cannot be allowed"},
    {"[policy.profile.app]\nallow_settings = ['postern.ctx']\n", pst::kConfigBadValue, 2,
     "policy.profile.app.allow_settings"},
    {"[policy.profile.guest]\nerror_detail = 'full'\n", pst::kConfigBadValue, 1,
     "there is no profile"},
    {"[policy]\nmode = 'pinned'\n", pst::kConfigMissingKey, 1, "policy.pins_file"},
    {"[keys]\nfile = 'k'\n", pst::kConfigMissingKey, 1, "kek_file or passphrase_file"},
    {"[keys]\nfile = 'k'\nkek_file = 'a'\npassphrase_file = 'b'\n", pst::kConfigConflict, 4,
     "beside kek_file"},
    {"[identity]\nsources = ['login', 'cookie']\n", pst::kConfigBadValue, 2, "no source"},
    {"[identity]\nsources = ['jwt', 'jwt']\n", pst::kConfigConflict, 2, "stands twice"},
    {"[database.a]\ncluster = 'main'\nidentity_sources = ['x']\n", pst::kConfigBadValue, 3,
     "database.a.identity_sources"},
    {"[[identity.map]]\nfield = 'uri'\nmatch = 'x'\n", pst::kConfigMissingKey, 1,
     "neither tenant nor subject"},
    {"[[identity.map]]\nfield = 'uri'\nmatch = '/('\ntenant = 'a'\n", pst::kConfigBadValue, 3,
     "not a regular expression"},
    {"[[identity.map]]\nfield = 'uri'\nmatch = '/(a)'\ntenant = '\\2'\n", pst::kConfigConflict, 4,
     "a group that match does not have"},
    {"[identity.jwt]\njwks_file = 'k'\nissuer = ''\naudience = 'a'\n", pst::kConfigConflict, 3,
     "is empty"},
    {"[identity.jwt]\njwks_file = 'k'\nissuer = 'i'\n", pst::kConfigMissingKey, 1, "audience"},
    {"[[auth.rule]]\nmethod = 'jwt'\n", pst::kConfigConflict, 2, "no [identity.jwt]"},
    {"[alerts]\nwebhook = 'ftp://x'\n", pst::kConfigBadValue, 2, "neither an http"},
    {"[alerts]\nwebhook = 'https://me@x'\n", pst::kConfigBadValue, 2, "holds a user"},
    {"[alerts]\nwebhook = 'https://x'\nsecret = '0123456789abcdef0123456789abcde'\n",
     pst::kConfigBadValue, 3, "less than 32 bytes"},
    {"[alerts]\nca_file = 'c'\n", pst::kConfigConflict, 2, "without an https webhook"},
    {"[routing]\n", pst::kConfigMissingKey, 1, "[service] is needed"},
    {"[cache]\n", pst::kConfigMissingKey, 1, "[service] is needed"},
};

const Case kProtectionCases[] = {
    {"[tenant]\ntype = 'jsonb'\n", pst::kConfigBadValue, 6, "tenant.type"},
    {"[tenant]\nshared = ['x']\n", pst::kConfigBadValue, 6, "is not schema.table"},
    {"[[table]]\nname = 'a.b'\n", pst::kConfigConflict, 5, "no effect without [tenant]"},
    {"[tenant]\n[[table]]\nname = 'ab'\n", pst::kConfigBadValue, 7, "schema.table"},
    {"[tenant]\n[[table]]\nname = 'a.b'\n[[table.policies]]\nname = 'p'\n", pst::kConfigMissingKey,
     8, "neither using nor check"},
    {"[tenant]\nschema = 'tenant'\n", pst::kBadTenantTemplate, 6, "lacks {tenant}"},
    {"[tenant]\nschema = 't_{tenant}'\nrole = 'postgres{tenant}'\n", pst::kBadTenantTemplate, 7,
     "to Postern"},
    {"[tenant]\nschema = 't_{tenant}'\ncolumn = 'tenant_id'\n", pst::kConfigConflict, 7,
     "rows or schemas"},
    {"[tenant]\nschema = 't_{tenant}'\nguard_key_file = 'k'\n", pst::kConfigConflict, 7,
     "rows or schemas"},
    {"[tenant]\nschema = 't_{tenant}'\ntrusted = ['f']\n", pst::kConfigBadValue, 7,
     "is not schema.name"},
    {"[tenant]\nschema = 't_{tenant}'\nshared = ['t_common.*']\n", pst::kConfigConflict, 7,
     "would be a tenant's schema"},
    {"[tenant]\nrole = 't_{tenant}'\n", pst::kConfigConflict, 6, "without tenant.schema"},
    {"[tenant]\nrole_password = 'p'\n", pst::kConfigConflict, 6, "without tenant.schema"},
    {"[tenant]\ntrusted = ['a.f']\n", pst::kConfigConflict, 6, "without tenant.schema"},
    {"[tenant]\nschema = 't_{tenant}'\n[[table]]\nname = 'a.b'\n", pst::kConfigConflict, 7,
     "beside tenant.schema"},
    {"[tenant]\nschema = 't_{tenant}'\nrole = 's{tenant}x'\n[database.sox]\ncluster = 'main'\n"
     "user = 'sox'\n",
     pst::kConfigConflict, 10, "would also be the login of a tenant"},
    {"[[column]]\ntable = 'a.b'\nname = 'c'\n", pst::kConfigMissingKey, 5, "neither scheme"},
    {"[[column]]\ntable = 'a.*'\nname = 'c'\nmask = 'fixed'\n", pst::kConfigBadValue, 6,
     "is not one"},
    {"[[column]]\ntable = 'a.b'\nname = 'c'\nmask = 'zorro'\n", pst::kConfigBadValue, 8, "mask"},
    {"[[column]]\ntable = 'a.b'\nname = 'c'\nroles = { bob = 'mask' }\n", pst::kConfigConflict, 8,
     "mask is not given"},
    {"[[column]]\ntable = 'a.b'\nname = 'c'\nroles = { bob = 'ciphertext' }\n",
     pst::kConfigConflict, 8, "plain column"},
    {"[[column]]\ntable = 'a.b'\nname = 'c'\nmask = 'fixed'\nlink_group = 'g'\n",
     pst::kConfigConflict, 9, "for deterministic"},
    {"[[column]]\ntable='a.b'\nname='c'\nmask='fixed'\n[[column]]\ntable='a.b'\nname='c'\n"
     "mask='null'\n",
     pst::kConfigConflict, 11, "described twice"},
};

// An encrypted column that is whole, with one line replaced.
std::string encrypted(std::string_view replaced = {}, std::string_view with = {}) {
  std::string text =
      "[keys]\nfile = 'k'\nkek_file = 'r'\n"
      "[tenant]\n[[column]]\ntable = 'a.b'\nname = 'c'\ntype = 'text'\n"
      "scheme = 'deterministic'\nuuid = '11111111-2222-3333-4444-555555555555'\n";
  if (!replaced.empty()) text.replace(text.find(replaced), replaced.size(), with);
  return std::string(kService) + text;
}

}  // namespace

TEST_CASE("rules of network, logins and services") {
  for (const Case& c : kCases) {
    const LoadReport report = load_more(c.text);
    CAPTURE(std::string(c.text));
    CAPTURE(messages(report));
    CHECK(only_error(report, c.code, c.line, c.part));
  }
}

TEST_CASE("rules of tenants, tables and columns") {
  for (const Case& c : kProtectionCases) {
    const LoadReport report = load_more(std::string(kService) + c.text);
    CAPTURE(c.text);
    CAPTURE(messages(report));
    CHECK(only_error(report, c.code, c.line, c.part));
  }
}

TEST_CASE("tenants that have schemas need no key, and their columns no tenant column") {
  const std::string tenants =
      std::string(kService) +
      "[tenant]\nschema = 't_{tenant}'\nrole = 'r_{tenant}'\nrole_password = 'p'\n"
      "trusted = ['shared.*']\nshared = ['shared.*']\n";
  const LoadReport report = load_more(tenants);
  CAPTURE(messages(report));
  CHECK(report.errors.empty());
}

TEST_CASE("an encrypted column needs keys, type, uuid and a type its scheme can hold") {
  CAPTURE(messages(load_more(encrypted())));
  CHECK(load_more(encrypted()).errors.empty());
  const auto breaks = [](std::string_view replaced, std::string_view with, Pst code,
                         std::uint32_t line, std::string_view part) {
    const auto report = load_more(encrypted(replaced, with));
    CAPTURE(messages(report));
    CHECK(only_error(report, code, line, part));
  };
  breaks("[keys]\nfile = 'k'\nkek_file = 'r'\n", "", pst::kConfigMissingKey, 6, "needs [keys]");
  breaks("type = 'text'\n", "", pst::kConfigMissingKey, 9, "column[0].type");
  breaks("'text'", "'point'", pst::kConfigBadValue, 12, "can be encrypted");
  breaks("'text'", "'varchar(x)'", pst::kConfigBadValue, 12, "can be encrypted");
  breaks("'text'", "'jsonb'", pst::kConfigConflict, 12, "not for deterministic");
  breaks("'text'", "'numeric'", pst::kConfigConflict, 12, "not for deterministic");
  breaks("-555555555555", "", pst::kConfigBadValue, 14, "is not a uuid");
  breaks("[tenant]\n", "", pst::kConfigConflict, 8, "\"tenant\" needs [tenant]");
  CHECK(load_more(encrypted("'text'", "'numeric(10,2)'")).errors.empty());
  CHECK(load_more(encrypted("'text'", "'varchar(80)'")).errors.empty());
  CHECK(load_more(encrypted("'deterministic'", "'randomized'")).errors.empty());
  const std::string second =
      "[[column]]\ntable = 'a.b'\nname = 'd'\ntype = 'text'\nscheme = 'randomized'\n"
      "uuid = '11111111-2222-3333-4444-555555555555'\n";
  CHECK(only_error(load_more(encrypted() + second), pst::kConfigConflict, 20,
                   "is also the uuid of column[0]"));
}

TEST_CASE("the tenant context needs its key except in observe mode") {
  const std::string text = "[service]\nuser = 's'\n[tenant]\n";
  CHECK(only_error(load_more(text), pst::kConfigMissingKey, 3, "tenant.guard_key_file"));
  CHECK(load_more(text + "guard_key_file = 'g'\n").errors.empty());
  CHECK(load_more(text + "[policy]\nmode = 'observe'\n").errors.empty());
  CHECK(only_error(load_more(text + "[policy]\nmode = 'gate'\n"), pst::kConfigMissingKey, 3,
                   "guard_key_file"));
}

TEST_CASE("protection needs the service login") {
  const auto report = load_more("[tenant]\nguard_key_file = 'g'\n");
  CAPTURE(messages(report));
  CHECK(only_error(report, pst::kConfigMissingKey, 1, "[service] is needed"));
}

TEST_CASE("an empty file says what is missing") {
  const Folder folder;
  const auto report = load_text(folder, "");
  CAPTURE(messages(report));
  REQUIRE(report.errors.size() == 3);
  CHECK(report.errors[0].what.find("postern.toml:1: cluster: there is no [cluster.NAME]") !=
        std::string::npos);
  CHECK(report.errors[1].what.find("database: there is no") != std::string::npos);
  CHECK(report.errors[2].what.find("auth.users_file") != std::string::npos);
}

TEST_CASE("rules of logins") {
  const Folder folder;
  const std::string base =
      "[cluster.main]\nnodes = ['h:1']\n[database.'*']\ncluster = 'main'\n"
      "[auth]\nusers_file = 'users.toml'\n";
  const auto expect = [&](const char* users, Pst code, const char* part) {
    folder.write("users.toml", users);
    const auto report = load_text(folder, base);
    CAPTURE(messages(report));
    REQUIRE(report.errors.size() == 1);
    CHECK(report.errors[0].code == code);
    CHECK(report.errors[0].what.find(part) != std::string::npos);
  };
  expect("[user.bob]\n", pst::kConfigMissingKey, "users.toml:1: user.bob: needs password");
  expect("[user.bob]\npassword='p'\nscram='SCRAM-SHA-256$1:a$b:c'\n", pst::kConfigConflict,
         "users.toml:3: user.bob.scram: is given beside");
  expect("[user.bob]\nscram='md5abc'\n", pst::kConfigBadValue, "users.toml:2: user.bob.scram");
  expect("[user.bob]\npassword='p'\ntenant='acme'\n", pst::kConfigConflict,
         "users.toml:3: user.bob.tenant: has no effect");
  expect("[user.bob]\npassword='p'\ntenant='a b'\n", pst::kConfigBadValue, "is not a tenant");
  expect("[user.bob]\npassword='p'\ntenants=['*','a']\n", pst::kConfigBadValue, "stands alone");
  expect("[user.bob]\npassword='p'\ntenants=[]\n", pst::kConfigBadValue, "empty list");
  expect("[user.bob]\npassword='p'\npassword_file='users.toml'\n", pst::kConfigConflict,
         "users.toml:3: user.bob.password_file: \"password\" is given too");
}

TEST_CASE("the console's lists name logins that exist, and its name is free without it") {
  // Under trust, which load_more() has, anybody may be a login.
  CHECK(load_more("[admin]\nadmin_users = ['anybody']\n").errors.empty());
  CHECK(
      load_more("[admin]\nconsole = false\n[database.postern]\ncluster = 'main'\n").errors.empty());
  const Folder folder;
  folder.write("users.toml", "[user.op]\npassword = 'p'\n");
  const std::string base =
      "[cluster.main]\nnodes = ['h:1']\n[database.a]\ncluster = 'main'\n"
      "[auth]\nusers_file = 'users.toml'\n[admin]\n";
  const auto load_admin = [&](const std::string& text) { return load_text(folder, base + text); };
  CHECK(load_admin("admin_users = ['op']\nstats_users = ['op']\n").errors.empty());
  CHECK(only_error(load_admin("admin_users = ['op', 'gone']\n"), pst::kConfigConflict, 2,
                   "there is no [user.gone]"));
  CHECK(only_error(load_admin("stats_users = ['gone']\n"), pst::kConfigConflict, 2,
                   "admin.stats_users"));
  CHECK(
      only_error(load_admin("stats_period = '999ms'\n"), pst::kConfigBadValue, 2, "stats_period"));
  CHECK(load_admin("stats_period = '1s'\n").errors.empty());
}
