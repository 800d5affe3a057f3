#include <doctest/doctest.h>

#include "tests/policy/policy_fixture.hpp"

using namespace postern;
using namespace postern::test;
using policy::Principal;
using policy::Profile;

namespace {

/// Ops as text: literals "'a':0s" (token, column, stored/operand), params "$1:0o", outputs "#0:1".
std::string ops_of(const char* text, const Principal& principal = kTenantApp) {
  const auto decision = decide_sql(text, *rules(), principal);
  if (decision.refusal) return refusal_of(decision);
  const std::string_view view(text);
  const auto cut = [&](sql::Span s) { return std::string(view.substr(s.begin, s.end - s.begin)); };
  std::string out;
  const auto add = [&](const std::string& item) { out += (out.empty() ? "" : " ") + item; };
  for (const auto& op : decision.literals) {
    const bool cast = !(op.span == op.token);
    add(cut(op.token) + ":" + std::to_string(op.column.index) + (op.operand ? "o" : "s") +
        (cast ? "<" + cut(op.span) + ">" : ""));
  }
  for (const auto& op : decision.params) {
    std::string item = "$" + std::to_string(op.number) + ":" + std::to_string(op.column.index) +
                       (op.operand ? "o" : "s") + (op.array ? "[]" : "");
    if (op.cast_span.begin != op.cast_span.end) item += "<" + cut(op.cast_span) + ">";
    for (const auto& span : op.further_casts) item += "<" + cut(span) + ">";
    add(item);
  }
  for (const auto& statement : decision.statements) {
    for (const auto& op : statement.outputs) {
      add("#" + std::to_string(op.output) + ":" + std::to_string(op.column.index));
    }
  }
  return out;
}

struct Case {
  const char* text;
  const char* expected;
};

void check(std::initializer_list<Case> cases, const Principal& principal = kTenantApp) {
  for (const Case& c : cases) {
    CAPTURE(std::string(c.text));
    CHECK(ops_of(c.text, principal) == std::string(c.expected));
  }
}

}  // namespace

TEST_CASE("values stored") {
  check({{"INSERT INTO users (id, email, ssn) VALUES (1, 'a@b', '123')", "'a@b':0s '123':1s"},
         {"INSERT INTO users (email, ssn) VALUES ('a', '1'), ('b', NULL)", "'a':0s '1':1s 'b':0s"},
         {"INSERT INTO users VALUES (1, 2, 'e', 's', 'name')", "'e':0s 's':1s"},
         {"INSERT INTO users (email) VALUES (E'a\\'b')", "E'a\\'b':0s"},
         {"INSERT INTO users (email) VALUES ($$x$$)", "$$x$$:0s"},
         {"INSERT INTO users (email) VALUES ('a'::text)", "'a':0s<'a'::text>"},
         {"INSERT INTO users (age) VALUES (42)", "42:4s"},
         {"INSERT INTO users (age) VALUES ('42')", "'42':4s"},
         {"INSERT INTO users (email, ssn) VALUES ($1, $2)", "$1:0s $2:1s"},
         {"INSERT INTO users (email) VALUES ($1::text)", "$1:0s<$1::text>"},
         {"INSERT INTO users (email) SELECT 'x'", "'x':0s"},
         {"UPDATE users SET email = 'n', name = 'm' WHERE id = 1", "'n':0s"},
         {"UPDATE users SET (email, ssn) = ('n', $1)", "'n':0s $1:1s"},
         {"UPDATE users SET email = DEFAULT", ""},
         {"UPDATE users SET email = NULL", ""},
         {"INSERT INTO users (id, email) VALUES (1, 'a') ON CONFLICT (email) DO UPDATE SET email = "
          "EXCLUDED.email RETURNING email, ssn",
          "'a':0s #0:0 #1:1"},
         {"INSERT INTO users (email, name) VALUES ($1, 'x') ON CONFLICT DO NOTHING", "$1:0s"},
         {"INSERT INTO events_1 (email) VALUES ('a')", "'a':5s"},
         {"UPDATE users SET ssn = ssn", ""},
         {"UPDATE users u SET email = a.user_email FROM accounts a WHERE a.id = u.id", ""},
         {"INSERT INTO users (email) VALUES (upper('a'))", "PST-1511 encrypt.use"},
         {"INSERT INTO users (email) VALUES (lower('a'))", "PST-1511 encrypt.use"},
         {"INSERT INTO users (email) VALUES ('a' || 'b')", "PST-1511 encrypt.use"},
         {"INSERT INTO users (email) VALUES ('ab'::varchar(1))", "PST-1511 encrypt.use"},
         {"INSERT INTO users (email) VALUES ('1'::int)", "PST-1512 encrypt.value"},
         {"INSERT INTO users (ssn) VALUES (00123)", "PST-1512 encrypt.value"},
         {"INSERT INTO users (age) VALUES (4.0)", "PST-1512 encrypt.value"},
         {"INSERT INTO users (age) VALUES ('4'::text)", "PST-1512 encrypt.value"},
         {"INSERT INTO users (email) SELECT name FROM users", "PST-1512 encrypt.pair"},
         {"UPDATE users SET name = email", "PST-1512 encrypt.pair"},
         {"UPDATE users SET email = ssn", "PST-1513 encrypt.pair"},
         {"UPDATE users SET ssn = email", "PST-1513 encrypt.pair"}});
}

TEST_CASE("values compared") {
  check({{"SELECT id FROM users WHERE email = 'a'", "'a':0o"},
         {"SELECT id FROM users WHERE 'a' <> email", "'a':0o"},
         {"SELECT id FROM users WHERE email IN ('a', 'b', $1)", "'a':0o 'b':0o $1:0o"},
         {"SELECT id FROM users WHERE email NOT IN ('a')", "'a':0o"},
         {"SELECT id FROM users WHERE email = ANY($1)", "$1:0o[]"},
         {"SELECT id FROM users WHERE email = ANY($1::text[])", "$1:0o[]<$1::text[]>"},
         {"SELECT id FROM users WHERE (tenant_id, email) = (1, 'a')", "'a':0o"},
         {"SELECT id FROM users WHERE age = 5 OR age = $1", "5:4o $1:4o"},
         {"SELECT id FROM users WHERE ssn IS NOT NULL AND email IS NULL", ""},
         {"DELETE FROM users WHERE email = $1 RETURNING email", "$1:0o #0:0"},
         {"UPDATE users SET email = $1 WHERE email = $1", "$1:0s"},
         {"UPDATE users SET email = $1::text WHERE email = $1::varchar",
          "$1:0s<$1::text><$1::varchar>"},
         {"SELECT u.id FROM users u JOIN accounts a ON u.email = a.user_email", ""},
         {"SELECT id FROM users WHERE email IN (SELECT user_email FROM accounts)", ""},
         {"SELECT id FROM events WHERE email = 'x'", "'x':5o"},
         {"SELECT id FROM users WHERE email = ANY('{a,b}')", "PST-1512 encrypt.value"},
         {"SELECT id FROM users WHERE email = ANY($1::int[])", "PST-1512 encrypt.value"},
         {"SELECT id FROM users WHERE ssn = '1'", "PST-1511 encrypt.use"},
         {"SELECT id FROM users WHERE ssn = $1", "PST-1511 encrypt.use"},
         {"SELECT id FROM users WHERE email LIKE 'a%'", "PST-1511 encrypt.use"},
         {"SELECT id FROM users WHERE lower(email) = 'a'", "PST-1511 encrypt.use"},
         {"SELECT id FROM users WHERE email > 'a'", "PST-1511 encrypt.use"},
         {"SELECT id FROM users WHERE age BETWEEN 1 AND 2", "PST-1511 encrypt.use"},
         {"SELECT id FROM users WHERE email = lower('A')", "PST-1511 encrypt.use"},
         {"SELECT id FROM users WHERE email = name", "PST-1512 encrypt.pair"},
         {"SELECT id FROM users WHERE name = email", "PST-1512 encrypt.pair"},
         {"SELECT u.id FROM users u JOIN events e ON u.email = e.email", "PST-1513 encrypt.pair"},
         {"SELECT u.id FROM users u JOIN logins l ON u.email = l.name", "PST-1513 encrypt.pair"},
         {"SELECT a.id FROM users a JOIN users b ON a.ssn = b.ssn", "PST-1511 encrypt.use"},
         {"SELECT id FROM users WHERE email = $1 AND name = $1", "PST-1516 encrypt.param"},
         {"SELECT id FROM users WHERE $1 IS NULL OR email = $1", "PST-1516 encrypt.param"},
         {"SELECT id FROM users WHERE email = $1 AND age = $1", "PST-1516 encrypt.param"},
         {"SELECT id FROM users WHERE email = $1 OR email = ANY($1)", "PST-1516 encrypt.param"}});
}

TEST_CASE("columns that come out, are grouped and ordered") {
  check({{"SELECT * FROM users", "#2:0 #3:1 #5:4"},
         {"SELECT name, email FROM users", "#1:0"},
         {"SELECT e FROM (SELECT email AS e FROM users) x", "#0:0"},
         {"WITH x AS (SELECT email FROM users) SELECT email, email FROM x", "#0:0 #1:0"},
         {"SELECT email FROM events_2", "#0:5"},
         {"SELECT DISTINCT email FROM users", "#0:0"},
         {"SELECT email, count(*) FROM users GROUP BY email", "#0:0"},
         {"SELECT email, count(email), count(ssn) FROM users GROUP BY 1", "#0:0"},
         {"SELECT count(DISTINCT email) FROM users", ""},
         {"SELECT email FROM users UNION SELECT email FROM users WHERE id = 1", "#0:0"},
         {"SELECT email FROM users UNION ALL SELECT NULL", "#0:0"},
         {"SELECT ssn FROM users UNION ALL SELECT ssn FROM users", "#0:1"},
         {"SELECT EXISTS (SELECT ssn FROM users)", ""},
         {"SELECT email FROM users; SELECT ssn FROM users", "#0:0 #0:1"},
         {"SELECT DISTINCT ssn FROM users", "PST-1511 encrypt.use"},
         {"SELECT count(DISTINCT ssn) FROM users", "PST-1511 encrypt.use"},
         {"SELECT ssn FROM users UNION SELECT ssn FROM users", "PST-1511 encrypt.use"},
         {"SELECT email FROM users UNION ALL SELECT name FROM users", "PST-1511 encrypt.use"},
         {"SELECT email FROM users UNION ALL SELECT 'x'", "PST-1511 encrypt.use"},
         {"SELECT email FROM users UNION ALL SELECT user_email FROM accounts",
          "PST-1511 encrypt.use"},
         {"SELECT email FROM users ORDER BY email", "PST-1511 encrypt.use"},
         {"SELECT max(email) FROM users", "PST-1511 encrypt.use"},
         {"SELECT email || 'x' FROM users", "PST-1511 encrypt.use"},
         {"SELECT users FROM users", "PST-1511 encrypt.use"},
         {"SELECT email::text FROM users", "PST-1511 encrypt.use"},
         {"SELECT coalesce(email, 'x') FROM users", "PST-1511 encrypt.use"},
         {"SELECT CASE WHEN id = 1 THEN email END FROM users", "PST-1511 encrypt.use"}});
}

TEST_CASE("statements and views that are not followed into protected columns") {
  check({{"COPY users TO STDOUT", "PST-1518 encrypt.statement"},
         {"COPY users (id, name) TO STDOUT", ""},
         {"COPY orders TO STDOUT", ""},
         {"COPY (SELECT email FROM users) TO STDOUT", "PST-1518 encrypt.statement"},
         {"PREPARE p AS SELECT email FROM users", "PST-1518 encrypt.statement"},
         {"PREPARE p AS SELECT name FROM users WHERE id = $1", ""},
         {"EXECUTE p", ""},
         {"EXECUTE p('secret')", "PST-1518 encrypt.statement"},
         {"DECLARE c CURSOR FOR SELECT * FROM users", "PST-1518 encrypt.statement"},
         {"DECLARE c CURSOR FOR SELECT id, name FROM users", ""},
         {"SELECT id FROM v_users", "PST-1518 encrypt.view"},
         {"SELECT id FROM v_orders", ""}});
  const Principal migrator{Profile::kMigrator, true, true};
  check({{"ALTER TABLE users ADD COLUMN z int DEFAULT 7", ""},
         {"ALTER TABLE users ADD COLUMN z text DEFAULT 'x'", ""},
         {"ALTER TABLE users ALTER COLUMN ssn SET DEFAULT '123'", "PST-1518 encrypt.statement"},
         {"ALTER TABLE users ALTER COLUMN U&\"\\0073sn\" SET DEFAULT '1'",
          "PST-1518 encrypt.statement"},
         {"CREATE INDEX ON users (lower(email))", "PST-1518 encrypt.statement"},
         {"CREATE INDEX ON users (name)", ""},
         {"CREATE TABLE x AS SELECT ssn FROM users", "PST-1518 encrypt.statement"},
         {"CREATE VIEW x AS SELECT name FROM users", ""},
         {"CREATE TABLE x (a text DEFAULT 'y')", ""},
         {"TRUNCATE users", ""},
         {"DROP TABLE users", ""}},
        migrator);
}

TEST_CASE("defaults of protected columns") {
  check({{"INSERT INTO notes (id, body) VALUES (1, 'x')", "'x':6s"},
         {"INSERT INTO notes (id) VALUES (1)", "PST-1519 encrypt.default"},
         {"INSERT INTO notes (id, body) VALUES (1, DEFAULT)", "PST-1519 encrypt.default"},
         {"INSERT INTO notes (id, body) VALUES (1, 'x'), (2, DEFAULT)", "PST-1519 encrypt.default"},
         {"INSERT INTO notes DEFAULT VALUES", "PST-1519 encrypt.default"},
         {"UPDATE notes SET body = DEFAULT", "PST-1519 encrypt.default"},
         {"INSERT INTO notes VALUES (1, 2)", "PST-1519 encrypt.default"},
         {"INSERT INTO notes (id, body) VALUES (1, 'the default')", "'the default':6s"},
         {"UPDATE notes SET body = 'y'", "'y':6s"},
         {"UPDATE notes SET id = DEFAULT", ""},
         {"DELETE FROM notes", ""},
         {"SELECT id FROM notes", ""}});
}

TEST_CASE("a tenant must be in force where the key is a tenant's") {
  check({{"SELECT email, ssn FROM users", "#0:0 #1:1"},
         {"SELECT id FROM users WHERE name = 'x'", ""},
         {"INSERT INTO users (ssn) VALUES ('1')", "PST-1514 encrypt.tenant"},
         {"UPDATE users SET email = $1", "PST-1514 encrypt.tenant"},
         {"SELECT id FROM users WHERE email = 'a'", "PST-1515 encrypt.tenant"},
         {"SELECT email FROM users GROUP BY email", "PST-1515 encrypt.tenant"},
         {"SELECT u.id FROM users u JOIN accounts a ON u.email = a.user_email",
          "PST-1515 encrypt.tenant"},
         {"SELECT shown FROM logins WHERE name = 'a'", "'a':3o"},
         {"INSERT INTO logins (name, hint) VALUES ('a', 'h')", "'a':3s 'h':7s"}},
        kTenantless);
}

TEST_CASE("principals that see ciphertext have nothing done") {
  const Principal raw{Profile::kApp, true, false};
  check({{"SELECT * FROM users WHERE email = 'x' ORDER BY ssn", ""},
         {"INSERT INTO users (email) VALUES ('x')", ""},
         {"COPY users TO STDOUT", ""}},
        raw);
  check({{"COPY users TO STDOUT", ""}}, {Profile::kBackup, false, true});
  check({{"SELECT * FROM users", ""}}, {Profile::kAdmin, false, true});
}

TEST_CASE("a column that is not over bytea on the server is not used") {
  auto changed = options();
  changed.columns.push_back({"public.plans", "name", "text", policy::Scheme::kRandomized,
                             policy::KeyScope::kGlobal, std::string(32, '9'), ""});
  const auto ruleset = *policy::compile_ruleset(changed, catalog());
  CHECK(refusal_of(decide_sql("SELECT name FROM plans", *ruleset)) == "PST-1511 encrypt.use");
  CHECK(refusal_of(decide_sql("INSERT INTO plans VALUES (1, 'x')", *ruleset)) ==
        "PST-1511 encrypt.use");
  CHECK(refusal_of(decide_sql("SELECT id FROM plans", *ruleset)) == "");
}

TEST_CASE("facts that list a column as leaving without an output of its own are refused") {
  sql::Facts facts;
  auto& statement = facts.statements.emplace_back();
  statement.kind = sql::StatementKind::kSelect;
  statement.relations.push_back({kUsers, {3, 5}, {}, true, false, false, kInvalidOid});
  statement.uses.push_back({{kUsers, 3}, sql::Use::kProjected, std::nullopt, 7});
  statement.outputs.push_back({"mixed", std::nullopt, {{kUsers, 3}, {kUsers, 5}}});
  const auto decision = policy::decide(facts, "SELECT email", *rules(), kTenantApp);
  CHECK(refusal_of(decision) == "PST-1517 encrypt.output");
}

TEST_CASE("no refusal carries a value") {
  for (const char* text :
       {"SELECT id FROM users WHERE ssn = 'hunter2'", "INSERT INTO users (ssn) VALUES (hunter2())",
        "INSERT INTO users (age) VALUES ('hunter2'::text)",
        "INSERT INTO users (email) VALUES (lower('hunter2'))", "EXECUTE p('hunter2')"}) {
    CAPTURE(text);
    const auto decision = decide_sql(text);
    REQUIRE(decision.refusal);
    CHECK(decision.refusal->error.line().find("'hunter2") == std::string::npos);
  }
}
