"""Items 71 to 97: writing, moving, destroying."""

from __future__ import annotations

from items import (
    ABSENT,
    DENIALS,
    Item,
    by,
    call,
    copied,
    done,
    equal,
    none,
    own,
    refused,
    steps,
)
from stage import Stage

# PostgreSQL's own answer where a name is taken, or a row is hidden from an ON CONFLICT.
CHECKED = frozenset({"42501", "0A000"})
AS_MIGRATOR = "mig"


def trigger_in_anothers_session(stage: Stage) -> str:
    """Even with the privilege no trigger can be planted."""
    answer = stage.say("CREATE TRIGGER spy BEFORE INSERT ON cust FOR EACH ROW EXECUTE FUNCTION"
                       " move_row()")  # fmt: skip
    return "" if answer.errors() else "LEAK: a trigger was planted"


def cascade(stage: Stage) -> str:
    """The victim's child of the attacker's parent; where it goes lint must have named the key."""
    owner = stage.world.superuser(stage.database)
    owner.execute("INSERT INTO ord VALUES (2, 995, 1, 1, 'T2-00000000dd')")
    stage.say("DELETE FROM cust WHERE id = 1")
    stage.say("UPDATE cust SET id = 999 WHERE id = 2")
    found = owner.execute("SELECT count(*) FROM ord WHERE id = 995").fetchone()
    owner.execute("DELETE FROM ord WHERE id = 995")
    return stage.lint("ord_global") and f"LEAK: {found} left, and {stage.lint('ord_global')}"


def migrate(stage: Stage) -> str:
    """An honest migration, and back, in a database of its own."""
    with Stage(stage.world, "migrations", stage.number) as place:
        told = _migrate(place)
    clean = stage.world.superuser("migrations")
    clean.execute("DROP VIEW IF EXISTS v_fresh")
    clean.execute("DROP TABLE IF EXISTS fresh")
    return told


def _migrate(stage: Stage) -> str:
    for sql in (
        "SET ROLE own", "CREATE TABLE fresh (tenant int NOT NULL, id int, v text, PRIMARY KEY"
        " (tenant, id))", "CREATE INDEX fresh_v ON fresh (tenant, v)",
        "ALTER TABLE fresh ADD COLUMN w int DEFAULT 3", "CREATE VIEW v_fresh WITH"
        " (security_invoker = true) AS SELECT v FROM fresh", "DROP VIEW v_fresh",
        "DROP TABLE fresh", "RESET ROLE",
    ):  # fmt: skip
        answer = stage.say(sql, "mig")
        if answer.errors() or answer.closed:
            return f"{sql!r} failed: {answer.told()}"
    return ""


ITEMS = [
    Item(71, "insert for another tenant", steps(
        refused("INSERT INTO cust VALUES (2, 900, 'x', 'x')", "INSERT INTO ord VALUES"
                " (2, 900, 501, 1, 'x')", "INSERT INTO part_2 VALUES (2, 9, 'x')",
                "INSERT INTO part VALUES (2, 9, 'x')", codes=CHECKED)), steps(
        own("INSERT INTO cust VALUES (1, 900, 'x', 'x')", "INSERT INTO part VALUES (1, 9001, 'x')"
            ))),
    Item(72, "give a row away", steps(
        refused("UPDATE cust SET tenant = 2 WHERE id = 6",
                "UPDATE moved SET (tenant, v) = (SELECT 2, 'x')",
                "UPDATE dflt SET tenant = DEFAULT", "UPDATE inh SET tenant = tenant + 1",
                "UPDATE part SET tenant = 2 WHERE id = 1", codes=CHECKED)), steps(
        own("UPDATE cust SET (name, amt) = (SELECT 'x', 2) WHERE id = 6",
            "UPDATE dflt SET v = DEFAULT WHERE id = 1"))),
    Item(73, "steal a row", steps(
        none("UPDATE cust SET tenant = 1 WHERE id = 501", "UPDATE moved SET tenant = 1 WHERE"
             " tenant <> 1", "UPDATE part_2 SET v = 'mine'")), steps(
        own("UPDATE moved SET tenant = 1 WHERE id = 5"))),
    Item(74, "insert from queries and defaults", steps(
        refused("INSERT INTO dflt DEFAULT VALUES", "INSERT INTO dflt (id) VALUES (7)",
                "INSERT INTO moved SELECT 2, id + 700, v FROM moved",
                "INSERT INTO ord (tenant, id, cust_id, amt) OVERRIDING SYSTEM VALUE VALUES"
                " (2, 1, 501, 1)", "INSERT INTO inh SELECT 2, 1, 'x' FROM cust LIMIT 1",
                codes=CHECKED),
        none("INSERT INTO moved SELECT * FROM moved WHERE tenant = 2")), steps(
        own("INSERT INTO moved SELECT tenant, id + 700, v FROM moved",
            "INSERT INTO ord (tenant, cust_id, amt) OVERRIDING SYSTEM VALUE VALUES (1, 1, 1)"))),
    Item(74, "default that is another tenant", steps(
        refused("INSERT INTO dflt DEFAULT VALUES", "INSERT INTO dflt (id) VALUES (7)",
                "UPDATE dflt SET tenant = DEFAULT"),
        call(lambda s: s.lint("dflt"), "lint names dflt")), steps(
        own("INSERT INTO dflt (tenant, id) VALUES (1, 907)")), "bad_tenant"),
    Item(75, "trigger changes the tenant", steps(
        refused("INSERT INTO moved VALUES (1, 800, 'move')", codes=CHECKED)), steps(
        own("INSERT INTO moved VALUES (1, 800, 'stay')"))),
    Item(76, "ON CONFLICT DO UPDATE on a hidden row", steps(
        refused("INSERT INTO cust VALUES (2, 501, 'x', 'x') ON CONFLICT (tenant, id) DO UPDATE"
                " SET name = 'pwn'", codes=CHECKED),
        refused("INSERT INTO cust VALUES (2, 501, 'x') ON CONFLICT DO NOTHING", codes=CHECKED)),
        steps(own("INSERT INTO cust VALUES (1, 3, 'x', 'x') ON CONFLICT (tenant, id) DO UPDATE"
                  " SET name = excluded.name RETURNING name"))),
    Item(77, "MERGE", steps(
        none("MERGE INTO cust c USING (VALUES (503)) s(i) ON c.id = s.i WHEN MATCHED THEN UPDATE"
             " SET name = 'pwn'"),
        refused("MERGE INTO cust c USING (VALUES (503)) s(i) ON c.id = s.i WHEN NOT MATCHED THEN"
                " INSERT VALUES (2, s.i, 'x', 'x')", codes=CHECKED),
        none("MERGE INTO moved m USING moved s ON m.id = s.id AND m.tenant = 2 WHEN MATCHED THEN"
             " DELETE")), steps(
        own("MERGE INTO cust c USING (VALUES (3), (903)) s(i) ON c.id = s.i WHEN MATCHED THEN"
            " UPDATE SET name = 'm' WHEN NOT MATCHED THEN INSERT VALUES (1, s.i, 'x' || s.i)"))),
    Item(78, "second table of UPDATE and DELETE", steps(
        none("DELETE FROM ord USING cust c WHERE c.id = ord.cust_id AND c.tenant = 2",
             "UPDATE ord SET memo = c.ssn FROM cust c WHERE c.id = 501",
             "DELETE FROM ord o USING ord p WHERE p.tenant = 2")), steps(
        own("UPDATE ord SET memo = c.name FROM cust c WHERE c.id = ord.cust_id",
            "DELETE FROM ord USING cust c WHERE c.id = ord.cust_id AND c.id = 9"))),
    Item(79, "writing CTE", steps(
        none("WITH d AS (DELETE FROM ord WHERE tenant = 2 RETURNING *) SELECT * FROM d",
             "WITH u AS (UPDATE cust SET name = 'x' WHERE id > 500 RETURNING ssn) TABLE u"),
        refused("WITH i AS (INSERT INTO moved VALUES (2, 1, 'x') RETURNING 1) TABLE i",
                codes=CHECKED)), steps(
        own("WITH d AS (DELETE FROM ord WHERE id = 7 RETURNING *) SELECT * FROM d"))),
    Item(80, "RETURNING", steps(
        none("UPDATE cust SET name = name WHERE tenant = 2 RETURNING *",
             "DELETE FROM part WHERE tenant = 2 RETURNING *"),
        refused("INSERT INTO moved VALUES (2, 1, 'x') RETURNING *",
                "UPDATE cust SET name = 'x' RETURNING old.name", codes=CHECKED | ABSENT)), steps(
        own("UPDATE cust SET name = 'x' WHERE id = 1 RETURNING *, cust"))),
    Item(81, "TRUNCATE", steps(
        refused("TRUNCATE ord", "TRUNCATE ONLY cust CASCADE", "TRUNCATE part_2", "TRUNCATE part",
                "TRUNCATE inh, inh_child RESTART IDENTITY"),
        call(lambda s: s.lint("ord"), "lint names ord")), steps(
        own("DELETE FROM ord"), equal("SELECT count(*) FROM ord", 0)), "bad_truncate"),
    Item(82, "COPY in", steps(
        copied(refused("COPY cust (tenant, id, ssn) FROM STDIN", codes=CHECKED), b"2\t901\tx\n"),
        copied(refused("COPY part_2 FROM STDIN (FORMAT csv)", codes=CHECKED), b"2,901,x\n"),
        copied(refused("COPY cust (tenant, id, ssn) FROM STDIN", codes=CHECKED),
               b"1\t902\ty\n2\t902\tx\n"),
        none("SELECT 1 FROM cust WHERE id BETWEEN 901 AND 902")), steps(
        copied(own("COPY cust (tenant, id, ssn) FROM STDIN"), b"1\t901\tx\n1\t902\ty\n"),
        equal("SELECT count(*) FROM cust WHERE id IN (901, 902)", 2),
        copied(own("COPY moved FROM STDIN (FORMAT csv, HEADER)"),
               b'tenant,id,v\n1,903,"a,b"\n1,904,\n'),
        equal("SELECT v FROM moved WHERE id = 903", "a,b"))),
    Item(83, "COPY from a program or file", steps(
        refused("COPY cust FROM PROGRAM 'echo 1'", "COPY cust FROM '/etc/passwd'",
                "COPY country FROM '/etc/passwd'")), steps(
        copied(own("COPY moved (tenant, id, v) FROM STDIN"), b"1\t905\tx\n"))),
    Item(84, "foreign key that cascades across tenants", steps(
        call(cascade)), steps(
        own("DELETE FROM cust WHERE id = 1"), equal("SELECT count(*) FROM ord", 19)), "bad_key"),
    Item(85, "foreign key to another tenant's row", steps(
        refused("INSERT INTO ord (tenant, cust_id, amt) VALUES (1, 501, 1)",
                codes=frozenset({"23503"})),
        refused("INSERT INTO ord (tenant, cust_id, amt) VALUES (1, 9999, 1)",
                codes=frozenset({"23503"}))), steps(
        own("INSERT INTO ord (tenant, cust_id, amt) VALUES (1, 5, 1)"))),
    Item(86, "REFERENCES", steps(
        refused("CREATE TABLE pin (tenant int, id int, FOREIGN KEY (tenant, id) REFERENCES cust)",
                "ALTER TABLE ord ADD FOREIGN KEY (id) REFERENCES cust (id)"),
        call(lambda s: s.lint("cust"), "lint names cust")), steps(
        own("INSERT INTO ord (tenant, cust_id, amt) VALUES (1, 6, 1)")), "bad_references"),
    Item(87, "TRIGGER privilege", steps(
        call(trigger_in_anothers_session), call(lambda s: s.lint("cust"), "lint names cust")),
        steps(own("INSERT INTO moved VALUES (1, 910, 'x')")), "bad_all"),
    Item(88, "taking the wall down", steps(
        refused("CREATE RULE r AS ON SELECT TO cust DO INSTEAD SELECT 1",
                "CREATE POLICY p ON cust USING (true)", "DROP POLICY postern_tenant ON cust",
                "ALTER TABLE cust DISABLE ROW LEVEL SECURITY",
                "ALTER TABLE cust NO FORCE ROW LEVEL SECURITY", "ALTER TABLE cust OWNER TO app",
                "ALTER TABLE part DETACH PARTITION part_2", "ALTER TABLE cust INHERIT inh",
                "ALTER VIEW v_cust SET (security_invoker = false)",
                "ALTER POLICY postern_tenant ON cust USING (true)",
                "DROP FUNCTION postern.tenant() CASCADE")), steps(call(migrate))),
    Item(89, "expressions evaluated over all rows", steps(
        refused("CREATE INDEX i ON cust (peek(ssn))", "CREATE STATISTICS st ON id, ssn FROM cust",
                "ALTER TABLE cust ADD CHECK (peek(ssn)) NOT VALID", "CLUSTER cust",
                "REINDEX TABLE cust", "ANALYZE VERBOSE cust", "VACUUM FULL cust")), steps(
        own("SELECT count(*) FROM cust WHERE peek(name)"))),
    Item(90, "operators, casts, aggregates", steps(
        refused("CREATE OPERATOR <<< (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)",
                "CREATE CAST (text AS int) WITH INOUT AS IMPLICIT",
                "CREATE AGGREGATE a (text) (SFUNC = textcat, STYPE = text)",
                "CREATE OPERATOR CLASS oc FOR TYPE text USING btree AS OPERATOR 1 <",
                "ALTER FUNCTION peek(text) LEAKPROOF")), steps(
        own("SELECT string_agg(name, ',') FROM cust"))),
    Item(91, "locks on whole tables", steps(
        refused("LOCK TABLE cust IN ACCESS EXCLUSIVE MODE", "LOCK cust", "LOCK v_cust"),
        by("t2", equal("SELECT count(*) FROM cust", 20))), steps(
        done("BEGIN"), own("SELECT id FROM cust WHERE id = 1 FOR UPDATE"), done("COMMIT"))),
    Item(92, "dropping and handing over", steps(
        refused("DROP OWNED BY CURRENT_USER", "REASSIGN OWNED BY own TO app", "DROP TABLE cust",
                "DROP SCHEMA public CASCADE", "DROP DATABASE shop", "DROP VIEW v_cust")), steps(
        own("DELETE FROM cust WHERE id = 2"))),
    Item(93, "password of the pool's login", steps(
        refused("ALTER ROLE app PASSWORD 'pwn'", "ALTER USER CURRENT_USER PASSWORD 'pwn'",
                "ALTER ROLE app SUPERUSER", "CREATE ROLE evil LOGIN"),
        call(lambda s: s.past_postern("SELECT count(*) FROM cust"), "the login alone sees none")),
        steps(own("SELECT current_user"))),
    Item(94, "settings of the pool's login", steps(
        refused("ALTER ROLE app SET search_path = 'evil,public'", "ALTER USER app SET role = 'own'",
                "ALTER ROLE CURRENT_USER SET row_security = off",
                "ALTER ROLE ALL IN DATABASE shop SET work_mem = '1MB'")), steps(
        done("SET search_path = public"), own("SELECT id FROM cust"))),
    Item(95, "settings of database and system, extensions", steps(
        refused("ALTER DATABASE shop SET row_security = off", "ALTER SYSTEM SET fsync = off",
                "SECURITY LABEL ON TABLE cust IS 'x'", "CREATE EXTENSION hstore",
                "IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z", "CREATE SUBSCRIPTION s CONNECTION"
                " 'dbname=x' PUBLICATION p", "CREATE SERVER s FOREIGN DATA WRAPPER w")), steps(
        done("SET work_mem = '5MB'", "SET TIME ZONE 'UTC'"))),
    Item(96, "handing out rights", steps(
        refused("GRANT ALL ON cust TO PUBLIC", "GRANT app TO bypasser",
                "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC",
                "REVOKE ALL ON cust FROM app")), steps(
        own("SELECT has_table_privilege('cust', 'SELECT')"))),
    Item(97, "REFRESH MATERIALIZED VIEW", steps(
        refused("REFRESH MATERIALIZED VIEW mv_cust",
                "REFRESH MATERIALIZED VIEW CONCURRENTLY mv_cust", codes=DENIALS | ABSENT)), steps(
        own("SELECT name, max(ssn) FROM cust GROUP BY name")), "bad_matview"),
]  # fmt: skip
