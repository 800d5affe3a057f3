// The wall of privileges between schemas on a real PostgreSQL 15: plan, verification, rollback.
#include <doctest/doctest.h>

#include "base/codes/wall.hpp"
#include "tests/policy/wall_fixture.hpp"

using namespace postern;
using namespace postern::test;
using policy::NameTemplate;

namespace {

constexpr const char* kSchemas = R"(
CREATE SCHEMA tenant_a AUTHORIZATION own;
CREATE SCHEMA tenant_b AUTHORIZATION own;
CREATE SCHEMA "tenant_Odd-1" AUTHORIZATION own;
CREATE SCHEMA shared AUTHORIZATION own;
SET ROLE own;
CREATE TABLE tenant_a.orders (id int PRIMARY KEY, note text);
CREATE TABLE tenant_b.orders (id int PRIMARY KEY, note text);
CREATE TABLE "tenant_Odd-1".orders (id int PRIMARY KEY, note text);
CREATE SEQUENCE tenant_a.numbers;
CREATE TABLE shared.kinds (kind text);
INSERT INTO tenant_a.orders VALUES (1, 'of a');
INSERT INTO tenant_b.orders VALUES (1, 'of b');
GRANT USAGE ON SCHEMA shared TO PUBLIC;
GRANT SELECT ON shared.kinds TO PUBLIC;
RESET ROLE;
)";

/// As the fixture of the other wall, with tenants that have schemas. Roles belong to the cluster:
/// they go with the rollback that every test ends with.
struct SchemaFixture : WallFixture {
  SchemaFixture() {
    policy_options = {};
    policy_options.shared = {"shared.*"};
    policy::SchemaTenants tenants;
    tenants.schema = *NameTemplate::parse("tenant_{tenant}");
    tenants.role = *NameTemplate::parse("tenant_{tenant}");
    tenants.trusted = {"shared.trusted_*"};
    policy_options.schemas = tenants;
    REQUIRE(admin.run(kSchemas).find("ERROR") == std::string::npos);
  }
  ~SchemaFixture() { admin.run(policy::wall_rollback(options)); }
  SchemaFixture(const SchemaFixture&) = delete;
  SchemaFixture& operator=(const SchemaFixture&) = delete;

  std::string raise() {
    const auto plan = policy::wall_plan(*rules(), options);
    if (!plan) return plan.error().line();
    return admin.run(*plan);
  }
  std::vector<policy::WallDifference> found() {
    const auto compiled = rules();
    REQUIRE(admin.run("SET search_path = ''") == "");
    std::vector<policy::WallRow> rows;
    for (const auto& row : admin.rows(policy::wall_verify_sql(*compiled, options))) {
      REQUIRE(row.size() == 4);
      rows.push_back({row[0], row[1], row[2], row[3]});
    }
    REQUIRE(admin.run("RESET search_path") == "");
    return policy::verify_wall(*compiled, options, rows);
  }
};

std::string listed(const std::vector<policy::WallDifference>& differences) {
  std::string out;
  for (const auto& d : differences) out += d.object + ": " + d.problem + " | " + d.repair + "\n";
  return out;
}

bool names(const std::vector<policy::WallDifference>& differences, const std::string& object,
           const std::string& problem) {
  return std::any_of(differences.begin(), differences.end(), [&](const auto& d) {
    return d.object == object && d.problem.find(problem) != std::string::npos;
  });
}

/// Rights and not their spelling: an absent list means the same as the default one.
constexpr const char* kAcls = R"sql(
SELECT n.nspname, a.grantee, a.privilege_type, a.is_grantable FROM pg_namespace n,
  aclexplode(COALESCE(n.nspacl, acldefault('n', n.nspowner))) a
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'postern'
UNION ALL SELECT c.oid::regclass::text, a.grantee, a.privilege_type, a.is_grantable FROM pg_class c,
  aclexplode(COALESCE(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char",
  c.relowner))) a WHERE c.relnamespace::regnamespace::text ~ 'tenant|shared'
UNION ALL SELECT 'role ' || rolname, 0, '', false FROM pg_roles
UNION ALL SELECT 'default', defaclrole, defaclacl::text, false FROM pg_default_acl
ORDER BY 1, 2, 3, 4)sql";

struct Drift {
  const char* sql;
  const char* object;
  const char* problem;
  const char* after = "";  ///< what takes away what a repair leaves
};

constexpr Drift kDrifts[] = {
    {"GRANT USAGE ON SCHEMA tenant_a TO PUBLIC", "tenant_a", "everybody has USAGE"},
    {"GRANT CREATE ON SCHEMA tenant_a TO tenant_b", "tenant_a", "tenant_b has CREATE"},
    {"GRANT USAGE ON SCHEMA tenant_a TO app", "tenant_a", "app has USAGE"},
    {"GRANT SELECT ON tenant_a.orders TO tenant_b", "tenant_a.orders", "tenant_b has SELECT"},
    {"GRANT ALL ON tenant_a.orders TO PUBLIC", "tenant_a.orders", "everybody has"},
    {"GRANT USAGE ON tenant_a.numbers TO tenant_b", "tenant_a.numbers", "tenant_b has USAGE"},
    {"GRANT SELECT (id) ON tenant_a.orders TO tenant_b", "tenant_a.orders.id", "on the column"},
    {"CREATE ROLE crew; GRANT USAGE ON SCHEMA tenant_a TO crew; GRANT crew TO tenant_b", "tenant_a",
     "crew has USAGE, and tenant_b is a member of it", "DROP ROLE crew"},
    {"CREATE ROLE crew; GRANT SELECT ON tenant_a.orders TO crew; CREATE ROLE inner_crew; "
     "GRANT crew TO inner_crew; GRANT inner_crew TO app",
     "tenant_a.orders", "crew has SELECT, and app is a member of it",
     "DROP ROLE inner_crew; DROP ROLE crew"},
    {"GRANT tenant_a TO tenant_b", "tenant_b", "member of tenant_a, another tenant's"},
    {"GRANT tenant_a TO app", "app", "member of tenant_a, another tenant's"},
    {"GRANT tenant_a TO tenant_b WITH ADMIN OPTION; ALTER ROLE tenant_b NOINHERIT", "tenant_b",
     "member of tenant_a", "ALTER ROLE tenant_b INHERIT"},
    {"ALTER ROLE tenant_a SUPERUSER", "tenant_a", "superuser"},
    {"ALTER ROLE tenant_a BYPASSRLS", "tenant_a", "BYPASSRLS"},
    {"ALTER ROLE tenant_a CREATEROLE", "tenant_a", "CREATEROLE"},
    {"ALTER ROLE tenant_a CREATEDB", "tenant_a", "CREATEDB"},
    {"ALTER ROLE tenant_a REPLICATION", "tenant_a", "REPLICATION"},
    {"GRANT pg_read_all_data TO tenant_a", "tenant_a", "member of pg_read_all_data"},
    {"GRANT pg_execute_server_program TO tenant_a", "tenant_a", "pg_execute_server_program"},
    {"GRANT pg_write_all_data TO app", "app", "pg_write_all_data"},
    {"CREATE ROLE boss SUPERUSER; GRANT boss TO tenant_a", "tenant_a", "member of boss",
     "DROP ROLE boss"},
    {"ALTER SCHEMA tenant_a OWNER TO tenant_b", "tenant_a", "belongs to tenant_b",
     "ALTER SCHEMA tenant_a OWNER TO own"},
    {"ALTER TABLE tenant_a.orders OWNER TO tenant_b", "tenant_a.orders", "belongs to tenant_b",
     "ALTER TABLE tenant_a.orders OWNER TO own"},
    {"GRANT own TO tenant_a", "tenant_b", "belongs to own, which tenant_a is a member of",
     "REVOKE own FROM tenant_a; ALTER SCHEMA tenant_b OWNER TO own; ALTER SCHEMA shared OWNER TO "
     "own; ALTER SCHEMA \"tenant_Odd-1\" OWNER TO own; ALTER TABLE tenant_b.orders OWNER TO own; "
     "ALTER TABLE \"tenant_Odd-1\".orders OWNER TO own"},
    {"GRANT CREATE ON SCHEMA shared TO PUBLIC", "shared", "everybody has CREATE"},
    {"GRANT CREATE ON SCHEMA shared TO tenant_a", "shared", "tenant_a has CREATE"},
    {"ALTER DEFAULT PRIVILEGES FOR ROLE own GRANT SELECT ON TABLES TO PUBLIC",
     "default privileges of own", "PUBLIC has SELECT on new TABLES"},
    {"ALTER DEFAULT PRIVILEGES FOR ROLE own GRANT USAGE ON SCHEMAS TO app",
     "default privileges of own", "app has USAGE on new SCHEMAS"},
    {"ALTER DEFAULT PRIVILEGES FOR ROLE own IN SCHEMA tenant_a GRANT SELECT ON TABLES TO tenant_b",
     "default privileges of own", "tenant_b has SELECT on new TABLES of tenant_a"},
    {"CREATE FUNCTION shared.sum_all() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT "
     "count(*) FROM tenant_b.orders'",
     "shared.sum_all()", "SECURITY DEFINER", "DROP FUNCTION shared.sum_all()"},
    {"CREATE PROCEDURE shared.wipe() LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM "
     "tenant_b.orders'",
     "shared.wipe()", "SECURITY DEFINER", "DROP PROCEDURE shared.wipe()"},
    {"CREATE FUNCTION tenant_a.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN "
     "RETURN NEW; END'; REVOKE ALL ON FUNCTION tenant_a.note() FROM PUBLIC; CREATE TRIGGER note "
     "BEFORE INSERT ON tenant_a.orders FOR EACH ROW EXECUTE FUNCTION tenant_a.note()",
     "tenant_a.note()", "SECURITY DEFINER",
     "DROP TRIGGER note ON tenant_a.orders; DROP FUNCTION tenant_a.note()"},
    {"CREATE VIEW shared.every AS SELECT * FROM tenant_b.orders; GRANT SELECT ON shared.every TO "
     "tenant_a",
     "shared.every", "view with its owner's rights over tenant_b", "DROP VIEW shared.every"},
    {"CREATE TABLE tenant_a.child (id int REFERENCES tenant_b.orders)", "tenant_a.child",
     "foreign key child_id_fkey refers to a table of tenant_b", "DROP TABLE tenant_a.child"},
    {"CREATE TABLE shared.points (id int REFERENCES tenant_b.orders)", "shared.points",
     "refers to a table of tenant_b", "DROP TABLE shared.points"},
    {"CREATE TABLE shared.parent (id int); CREATE TABLE tenant_a.kid () INHERITS (shared.parent)",
     "tenant_a.kid", "is a partition or child of shared.parent",
     "DROP TABLE tenant_a.kid; DROP TABLE shared.parent"},
};

}  // namespace

TEST_CASE("schemas: roles and grants once, the same again, and back") {
  SchemaFixture f;
  const auto before = f.admin.rows(kAcls);
  CHECK(f.admin
            .run("GRANT USAGE ON SCHEMA tenant_a TO PUBLIC; GRANT SELECT ON tenant_a.orders TO "
                 "app WITH GRANT OPTION")
            .find("ERROR") == std::string::npos);
  const auto open = f.admin.rows(kAcls);
  CHECK(f.found().size() == 2);
  CHECK(f.raise().find("ERROR") == std::string::npos);
  CHECK(listed(f.found()).empty());
  const auto raised = f.admin.rows(kAcls);
  CHECK(raised != open);
  CHECK(f.raise().find("ERROR") == std::string::npos);
  CHECK(f.admin.rows(kAcls) == raised);
  // Each role has its own rows, and no other's.
  for (const char* own : {"a", "b"}) {
    const std::string other = *own == 'a' ? "b" : "a";
    Psql session = f.session(std::string("tenant_") + own);
    CHECK(session.run(std::string("SELECT note FROM tenant_") + own + ".orders") ==
          std::string("of ") + own);
    CHECK(session.run("SELECT note FROM tenant_" + other + ".orders").find("42501") !=
          std::string::npos);
    CHECK(session.run("SELECT kind FROM shared.kinds") == "");
  }
  CHECK(f.admin.run(policy::wall_rollback(f.options)).find("ERROR") == std::string::npos);
  CHECK(f.admin.rows(kAcls) == open);
  CHECK(f.admin.rows("SELECT 1 FROM pg_namespace WHERE nspname = 'postern'").empty());
  CHECK(before != open);
}

TEST_CASE("schemas: what was taken from a tenant's role stays taken") {
  SchemaFixture f;
  CHECK(f.raise().find("ERROR") == std::string::npos);
  f.admin.run("REVOKE DELETE ON tenant_a.orders FROM tenant_a");
  CHECK(f.raise().find("ERROR") == std::string::npos);
  CHECK(f.admin.run("SELECT has_table_privilege('tenant_a', 'tenant_a.orders', 'DELETE')") == "f");
  // A table made later is the tenant's too, one made for a new tenant with the next plan.
  f.admin.run(
      "SET ROLE own; CREATE TABLE tenant_a.later (id int); RESET ROLE; CREATE SCHEMA "
      "tenant_c");
  CHECK(f.admin.run("SELECT has_table_privilege('tenant_a', 'tenant_a.later', 'DELETE')") == "t");
  CHECK(f.raise().find("ERROR") == std::string::npos);
  CHECK(f.admin.run("SELECT has_schema_privilege('tenant_c', 'tenant_c', 'USAGE')") == "t");
  CHECK(listed(f.found()).empty());
}

TEST_CASE("schemas: each drift is named, and its repair mends it") {
  SchemaFixture f;
  REQUIRE(f.raise().find("ERROR") == std::string::npos);
  const std::string hash = f.admin.run("SET search_path = ''") +
                           f.admin.run(policy::wall_hash_sql(*f.rules(), f.options));
  f.admin.run("RESET search_path");
  REQUIRE(hash.size() == 64);
  for (const Drift& drift : kDrifts) {
    CAPTURE(drift.sql);
    REQUIRE(f.admin.run(drift.sql).find("ERROR") == std::string::npos);
    const auto found = f.found();
    INFO(listed(found));
    CHECK(names(found, drift.object, drift.problem));
    for (const auto& difference : found) {
      CHECK(f.admin.run(difference.repair).find("ERROR") == std::string::npos);
    }
    CHECK(f.admin.run(drift.after).find("ERROR") == std::string::npos);
    CHECK(listed(f.found()) == "");
  }
}

TEST_CASE("schemas: what is harmless, or declared, is no drift") {
  SchemaFixture f;
  REQUIRE(f.raise().find("ERROR") == std::string::npos);
  const char* const harmless =
      "CREATE FUNCTION shared.trusted_sum() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS "
      "'SELECT "
      "count(*) FROM tenant_b.orders';"
      "CREATE FUNCTION tenant_a.own_rights() RETURNS int LANGUAGE sql AS 'SELECT 1';"
      "CREATE VIEW shared.trusted_all AS SELECT * FROM tenant_b.orders;"
      "GRANT SELECT ON shared.trusted_all TO PUBLIC;"
      "CREATE VIEW shared.inside WITH (security_invoker) AS SELECT * FROM tenant_b.orders;"
      "GRANT SELECT ON shared.inside TO PUBLIC;"
      "CREATE VIEW tenant_a.v AS SELECT * FROM tenant_a.orders;"
      "CREATE TABLE tenant_a.refers (id int REFERENCES tenant_a.orders);"
      "CREATE ROLE staff; GRANT USAGE ON SCHEMA tenant_a TO staff;"
      "GRANT SELECT ON tenant_a.orders TO staff;"
      "CREATE VIEW shared.staff_only AS SELECT * FROM tenant_b.orders;"
      "ALTER TABLE tenant_a.orders OWNER TO tenant_a";
  REQUIRE(f.admin.run(harmless).find("ERROR") == std::string::npos);
  CHECK(listed(f.found()) == "");
  f.admin.run("ALTER TABLE tenant_a.orders OWNER TO own; DROP OWNED BY staff; DROP ROLE staff");
}
