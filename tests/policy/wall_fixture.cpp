#include "tests/policy/wall_fixture.hpp"

#include <chrono>

#include <doctest/doctest.h>

#include "crypto/context_mac.hpp"
#include "policy/arming.hpp"

namespace postern::test {
namespace {

constexpr const char* kSchema = R"(
CREATE TABLE cust (id int, tenant int NOT NULL, ssn text, PRIMARY KEY (tenant, id));
INSERT INTO cust SELECT i, 1 + (i > 100)::int, 'T' || (1 + (i > 100)::int) || '-' || i
  FROM generate_series(1, 200) i;
CREATE TABLE part (id int, tenant int, v text) PARTITION BY LIST (id);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN (1, 2) PARTITION BY LIST (tenant);
CREATE TABLE part_a1 PARTITION OF part_a FOR VALUES IN (1);
CREATE TABLE part_a2 PARTITION OF part_a FOR VALUES IN (2);
CREATE TABLE part_d PARTITION OF part DEFAULT;
INSERT INTO part VALUES (1, 1, 'a'), (1, 2, 'b'), (9, 1, 'c'), (9, 2, 'd');
CREATE TABLE base (id int, tenant int);
CREATE TABLE heir (extra text) INHERITS (base);
INSERT INTO base VALUES (1, 1), (2, 2);
INSERT INTO heir VALUES (3, 1, 'x'), (4, 2, 'y');
CREATE DOMAIN tenant_no AS bigint;
CREATE TABLE t_text (tenant text, v int);
CREATE TABLE t_varchar (tenant varchar(20), v int);
CREATE TABLE t_bpchar (tenant char(8), v int);
CREATE TABLE t_small (tenant smallint, v int);
CREATE TABLE t_domain (tenant tenant_no, v int);
CREATE TABLE "Odd ""name" ("the tenant" int, v int);
INSERT INTO t_text VALUES ('1', 1), ('2', 2);
INSERT INTO t_varchar VALUES ('1', 1), ('2', 2);
INSERT INTO t_bpchar VALUES ('1', 1), ('2', 2);
INSERT INTO t_small VALUES (1, 1), (2, 2), (NULL, 3);
INSERT INTO t_domain VALUES (1, 1), (2, 2);
INSERT INTO "Odd ""name" VALUES (1, 1), (2, 2);
CREATE TABLE t_uuid (tenant_uuid uuid, v int);
INSERT INTO t_uuid VALUES ('00000000-0000-4000-8000-000000000001', 1),
  ('00000000-0000-4000-8000-000000000002', 2);
CREATE TABLE biz (tenant int, region text);
INSERT INTO biz VALUES (1, 'eu'), (1, 'us'), (2, 'eu');
ALTER TABLE biz ENABLE ROW LEVEL SECURITY;
CREATE POLICY region ON biz FOR SELECT TO PUBLIC USING (region = 'eu');
CREATE TABLE plans (name text);
INSERT INTO plans VALUES ('free');
CREATE TABLE kinds (tenant int, kind text);
)";

constexpr const char* kGrants = R"(
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
CREATE VIEW v_cust AS SELECT id, ssn FROM cust;
GRANT SELECT ON v_cust TO app;
)";

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string replace(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

std::string new_database() {
  static int number = 0;
  const std::string name = "wall" + std::to_string(++number);
  Psql admin(WallFixture::cluster(), "postgres", "postgres");
  if (number == 1) {
    REQUIRE(admin.run("CREATE ROLE own LOGIN; CREATE ROLE app LOGIN") == "");
  }
  REQUIRE(admin.run("CREATE DATABASE " + name) == "");
  return name;
}

}  // namespace

PgCluster& WallFixture::cluster() {
  static PgCluster cluster;
  REQUIRE(cluster.running());
  return cluster;
}

WallFixture::WallFixture() : database(new_database()), admin(cluster(), "postgres", database) {
  REQUIRE(admin.run("GRANT ALL ON SCHEMA public TO own") == "");
  REQUIRE(admin.run("SET ROLE own") == "");
  REQUIRE(admin.run(kSchema) == "");
  REQUIRE(admin.run("RESET ROLE") == "");
  REQUIRE(admin.run(kGrants) == "");
  options.app_roles = {"app"};
  policy_options.tenant_column = "tenant";
  policy_options.shared = {"public.kinds"};
  policy_options.tables = {{"public.t_uuid", "tenant_uuid"}, {"public.Odd*", "the tenant"}};
}

std::shared_ptr<const policy::Ruleset> WallFixture::rules() {
  auto compiled = policy::compile_ruleset(policy_options, load_catalog(admin));
  if (!compiled) FAIL(compiled.error().line());
  return *compiled;
}

std::string WallFixture::apply() {
  const auto plan = policy::wall_plan(*rules(), options);
  if (!plan) return plan.error().line();
  std::string answer = admin.run(*plan);
  auto blocks = crypto::mac_key_blocks(key_);
  std::string install(policy::kInstallKeySql);
  install = replace(install, "$1", "'" + kid_ + "'");
  install = replace(install, "$2", "'" + to_hex(blocks.inner.reveal()) + "'");
  install = replace(install, "$3", "'" + to_hex(blocks.outer.reveal()) + "'");
  answer += admin.run(install);
  return answer;
}

std::vector<policy::WallDifference> WallFixture::differences() {
  const auto compiled = rules();
  REQUIRE(admin.run("SET search_path = ''") == "");
  std::vector<policy::WallRow> rows;
  for (const auto& row : admin.rows(policy::wall_verify_sql(*compiled, options))) {
    REQUIRE(row.size() == 4);
    rows.push_back({row[0], row[1], row[2], row[3]});
  }
  REQUIRE(admin.run("RESET search_path") == "");
  CHECK_FALSE(rows.empty());
  return policy::verify_wall(*compiled, options, rows);
}

std::string WallFixture::token(Psql& session, const std::string& tenant,
                               void (*change)(policy::ContextFields&)) {
  const auto learnt = session.rows(policy::kLearnBackendSql);
  REQUIRE(learnt.size() == 1);
  policy::ContextFields fields;
  fields.database = static_cast<Oid>(std::stoul(learnt[0].at(0)));
  fields.kid = kid_;
  fields.tenant = *TenantId::parse(tenant);
  fields.subject = "käthe@example.org";
  fields.roles = {"clerk", "a,b"};
  fields.backend_pid = std::stoi(learnt[0].at(1));
  fields.backend_start_us = std::stoll(learnt[0].at(2));
  fields.expiry_us = now_us() + 300'000'000;
  if (change != nullptr) change(fields);
  const auto message = policy::build_context(fields);
  REQUIRE(message);
  const auto token = policy::attach_mac(*message, crypto::context_mac_hex(key_, *message));
  REQUIRE(token);
  return *token;
}

std::string arm_sql(const std::string& token) {
  return replace(std::string(policy::kArmSql), "$1", "'" + token + "'");
}

std::string WallFixture::arm(Psql& session, const std::string& tenant) {
  return session.run(arm_sql(token(session, tenant)));
}

}  // namespace postern::test
