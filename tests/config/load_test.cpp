// What a good configuration becomes.
#include <algorithm>

#include <doctest/doctest.h>

#include "base/codes/config.hpp"
#include "tests/config/files.hpp"

using namespace postern;
using namespace postern::config;
using namespace postern::config::testing;

namespace {

constexpr std::string_view kWhole = R"toml(
[listen]
workers = 2
[listen.tls]
mode = "require"
cert_file = "tls/cert.pem"
key_file = "/etc/key.pem"
[cluster.main]
nodes = ["10.0.0.1:5432", "[fe80::1]:5433"]
connect_timeout = "2s"
unacknowledged_timeout = "2s"
[cluster.main.tls]
mode = "verify-full"
ca_file = "ca.pem"
[database.shop]
cluster = "main"
upstream = "shop_prod"
route = "auto"
user = "pool"
password_file = "pw"
pool_mode = "session"
pool_size = 7
profile = "app"
[service]
user = "postern"
password = "a$${b}${SUFFIX}"
[tenant]
column = "org_id"
type = "uuid"
shared = ["public.country", "ref.*"]
guard_key_file = "guard.key"
expiry = "1m"
[[table]]
name = "public.invoice*"
tenant_column = "owner"
policies = [{ name = "own", for = "select", using = "subject = postern.subject()" }]
[[column]]
table = "public.users"
name = "email"
type = "text"
scheme = "deterministic"
key_scope = "global"
uuid = "11111111-2222-3333-4444-555555555555"
link_group = "email"
mask = "email"
roles = { "profile:analyst" = "mask", support = "mask:fixed", "*" = "decrypt" }
[keys]
file = "keys.json"
kek_file = "root.key"
[policy]
mode = "enforce"
verify_interval = "10s"
[auth]
users_file = "users.toml"
[routing]
max_wait = 35
lag_bytes = "1MB"
[cache]
redis = "127.0.0.1:6379"
ttl = "30s"
[[cache.rule]]
tables = ["public.country"]
ttl = "5s"
[audit]
dir = "log"
key_file = "audit.key"
anchor_file = "/mnt/anchor"
mode = "strict-write"
on_failure = "read-only"
[metrics]
port = 0
[log]
format = "json"
level = "warning"
)toml";

}  // namespace

TEST_CASE("the smallest complete file of the documentation loads with its defaults") {
  const Folder folder;
  folder.write("users.toml", "[user.alice]\npassword = \"secret\"\n");
  const auto report = load_text(folder, R"(
[listen]
address = "127.0.0.1"
port = 6432                      # PgBouncer's habit

[cluster.main]
nodes = ["127.0.0.1:5432"]       # roles are detected

[database."*"]
cluster = "main"
pool_mode = "session"
pool_size = 20

[auth]
method = "scram-sha-256"
users_file = "users.toml"
)");
  CAPTURE(messages(report));
  REQUIRE(report.errors.empty());
  const Config& c = report.config;
  CHECK(c.listen.port == 6432);
  CHECK(c.clusters.at("main").nodes == std::vector<HostPort>{{"127.0.0.1", 5432}});
  CHECK(c.clusters.at("main").tls.mode == UpstreamTlsMode::kDisable);
  CHECK(c.databases.at("*").pool_mode == PoolMode::kSession);
  CHECK(c.auth.users_file.path == folder.path() + "/users.toml");
  CHECK(c.users.at("alice").password.reveal() == "secret");
  CHECK_FALSE(c.tenant);
  CHECK_FALSE(c.audit);
  CHECK_FALSE(c.routing);
  CHECK_FALSE(c.cache);
  CHECK_FALSE(c.metrics);
  CHECK_FALSE(is_protected(c, "anything"));
}

TEST_CASE("every section at once") {
  const Folder folder;
  folder.write("pw", "from file\n");
  folder.write("users.toml", R"(
[user.web]
password = "${WEB}"
tenants = ["*"]
[user.acme]
scram = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"
tenant = "acme"
profile = "analyst"
upstream_user = "reader"
)");
  const auto report = load_text(folder, kWhole, {{"WEB", "w"}, {"SUFFIX", "!"}});
  CAPTURE(messages(report));
  REQUIRE(report.errors.empty());
  const Config& c = report.config;
  CHECK(c.listen.tls.cert_file.path == folder.path() + "/tls/cert.pem");
  CHECK(c.listen.tls.key_file.path == "/etc/key.pem");
  CHECK(c.clusters.at("main").nodes[1] == HostPort{"fe80::1", 5433});
  CHECK(c.clusters.at("main").connect_timeout == Millis(2000));
  CHECK(c.clusters.at("main").unacknowledged_timeout == Millis(2000));
  CHECK(c.clusters.at("main").tls.mode == UpstreamTlsMode::kVerifyFull);
  const DatabaseOptions& shop = c.databases.at("shop");
  CHECK(shop.password.reveal() == "from file");
  CHECK(shop.pool_mode == PoolMode::kSession);
  CHECK(shop.route == RouteDefault::kAuto);
  CHECK(c.service->password.reveal() == "a${b}!");
  CHECK(c.tenant->shared == std::vector<std::string>{"public.country", "ref.*"});
  CHECK(c.tenant->expiry == Millis(60'000));
  REQUIRE(c.tables.size() == 1);
  REQUIRE(c.tables[0].policies.size() == 1);
  CHECK(c.tables[0].policies[0].command == PolicyCommand::kSelect);
  CHECK(c.tables[0].policies[0].using_sql == "subject = postern.subject()");
  REQUIRE(c.columns.size() == 1);
  CHECK(c.columns[0].scheme == Scheme::kDeterministic);
  CHECK(c.columns[0].key_scope == KeyScope::kGlobal);
  CHECK(c.columns[0].roles.size() == 3);
  CHECK(c.keys->kek_file.path == folder.path() + "/root.key");
  CHECK(c.routing->max_wait == Millis(35));
  CHECK(c.routing->lag_bytes == mebibytes(1));
  CHECK(c.cache->redis == HostPort{"127.0.0.1", 6379});
  REQUIRE(c.cache->rules.size() == 1);
  CHECK(c.cache->rules[0].ttl == Millis(5000));
  CHECK(c.audit->mode == AuditMode::kStrictWrite);
  CHECK(c.audit->on_failure == AuditFailure::kReadOnly);
  CHECK(c.metrics->port == 0);
  CHECK(c.log.format == LogFormat::kJson);
  CHECK(c.users.at("web").tenants.any);
  CHECK(c.users.at("acme").tenant.text() == "acme");
  CHECK(c.origins.at("database.shop.pool_size").line == 22);
  CHECK(startup_warnings(c).empty());
}

TEST_CASE("enabled = false is an absent section") {
  const auto report = load_more("[routing]\nenabled = false\n[cache]\nenabled = false\n");
  CHECK(report.errors.empty());
  CHECK_FALSE(report.config.routing);
  CHECK_FALSE(report.config.cache);
}

TEST_CASE("includes are merged, relative to the file that names them") {
  const Folder folder;
  std::filesystem::create_directory(folder.path() + "/conf.d");
  folder.write(
      "conf.d/a.toml",
      "include = [\"b.toml\"]\n[database.a]\ncluster = \"main\"\n[log]\nfile = \"x.log\"\n");
  folder.write("conf.d/b.toml", "[[column]]\ntable='s.t'\nname='b'\nmask='fixed'\n");
  const std::string main = "include = [\"conf.d/a.toml\"]\n" + std::string(kBase) +
                           "[[column]]\ntable='s.t'\nname='a'\nmask='fixed'\n[service]\nuser='s'\n";
  const auto report = load_text(folder, main);
  CAPTURE(messages(report));
  REQUIRE(report.errors.empty());
  CHECK(report.config.databases.contains("a"));
  CHECK(report.config.log.file.path == folder.path() + "/conf.d/x.log");
  REQUIRE(report.config.columns.size() == 2);
  CHECK(report.config.columns[1].name == "b");
  CHECK(report.config.origins.at("column[1].name").file == folder.path() + "/conf.d/b.toml");
}

TEST_CASE("a key set in two files is refused with both places") {
  const Folder folder;
  folder.write("more.toml", "[log]\nlevel = \"info\"\n");
  const auto report = load_text(
      folder, "include = [\"more.toml\"]\n" + std::string(kBase) + "[log]\nlevel = \"debug\"\n");
  REQUIRE(report.errors.size() == 1);
  CHECK(report.errors[0].code == pst::kConfigConflict);
  CHECK(report.errors[0].what.find("/more.toml:2: log.level: already set at ") !=
        std::string::npos);
  CHECK(report.errors[0].what.find("/postern.toml:9") != std::string::npos);
}

TEST_CASE("includes that are missing, circular, too deep or too many are refused") {
  const Folder folder;
  const std::string base(kBase);
  auto report = load_text(folder, "include = [\"none.toml\"]\n" + base);
  REQUIRE(report.errors.size() == 1);
  CHECK(report.errors[0].code == pst::kConfigUnreadable);
  CHECK(report.errors[0].what.find("/postern.toml:1: include: ") != std::string::npos);

  report = load_text(folder, "include = [\"postern.toml\"]\n" + base);
  REQUIRE(report.errors.size() == 1);
  CHECK(report.errors[0].what.find("is read twice") != std::string::npos);

  const auto chain = [&](std::size_t depth) {
    for (std::size_t i = 1; i <= depth; ++i) {
      const std::string next =
          i < depth ? "include = ['" + std::to_string(i + 1) + ".toml']\n" : "";
      folder.write(std::to_string(i) + ".toml", next);
    }
    return load_text(folder, "include = ['1.toml']\n" + base);
  };
  CHECK(chain(kMaxIncludeDepth).errors.empty());
  CHECK(chain(kMaxIncludeDepth + 1).errors.size() == 1);

  const auto many = [&](std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) {
      folder.write("m" + std::to_string(i), "");
      list += "'m" + std::to_string(i) + "',";
    }
    return load_text(folder, "include = [" + list + "]\n" + base);
  };
  CHECK(many(kMaxFiles - 1).errors.empty());
  CHECK(many(kMaxFiles).errors.size() == 1);
}

TEST_CASE("a secret file holds at its limit and loses one line end only") {
  const Folder folder;
  const std::string text = std::string(kBase) + "[service]\nuser='s'\npassword_file='pw'\n";
  folder.write("pw", std::string(kMaxSecretFileBytes, 'p'));
  CHECK(load_text(folder, text).config.service->password.size() == kMaxSecretFileBytes);
  folder.write("pw", std::string(kMaxSecretFileBytes + 1, 'p'));
  CHECK(load_text(folder, text).errors.size() == 1);
  folder.write("pw", "a \n\r\n");
  CHECK(load_text(folder, text).config.service->password.reveal() == "a \n");
  folder.write("pw", "\n");
  CHECK(load_text(folder, text).errors.size() == 1);
}

TEST_CASE("one warning for each protection that is off or weak") {
  const auto report = load_more("[audit]\ndir='d'\nkey_file='k'\n[policy]\nmode='observe'\n");
  REQUIRE(report.errors.empty());
  const auto lines = startup_warnings(report.config);
  REQUIRE(lines.size() == 6);
  CHECK(lines[0].starts_with("[auth]"));
  CHECK(lines[1].starts_with("[listen.tls]"));
  CHECK(lines[2].starts_with("[cluster.main.tls]"));
  CHECK(lines[3].starts_with("[tenant]"));
  CHECK(lines[4].starts_with("no [[column]]"));
  CHECK(lines[5].find("anchor_file") != std::string::npos);
}

TEST_CASE("a rule that needs TLS where there is none is warned of") {
  const auto warned = [](const std::string& more) {
    const auto report = load_more(more);
    CAPTURE(messages(report));
    REQUIRE(report.errors.empty());
    const auto lines = startup_warnings(report.config);
    return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
      return line.find("where there is no TLS") != std::string::npos;
    });
  };
  CHECK(warned("[[auth.rule]]\ntype = 'hostssl'\nmethod = 'md5'\n"));
  CHECK(warned("[[auth.rule]]\ntype = 'local'\nmethod = 'password'\n"));
  CHECK_FALSE(warned("[[auth.rule]]\nmethod = 'scram-sha-256'\n"));
}

TEST_CASE("several nodes without [service] are warned of") {
  const std::string nodes = "nodes = ['a:1', 'b:1']";
  std::string text(kBase);
  const std::size_t at = text.find("nodes");
  text.replace(at, text.find('\n', at) - at, nodes);
  const Folder folder;
  const auto warned = [&](const std::string& toml) {
    const auto report = load_text(folder, toml);
    CAPTURE(messages(report));
    REQUIRE(report.errors.empty());
    const auto lines = startup_warnings(report.config);
    return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
      return line.starts_with("[cluster.main] has several nodes");
    });
  };
  CHECK(warned(text));
  CHECK_FALSE(warned(text + "[service]\nuser='s'\n"));
  CHECK_FALSE(warned(std::string(kBase)));
}
