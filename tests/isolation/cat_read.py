"""Items 1 to 35: reading by ordinary SQL."""

from __future__ import annotations

import data
from items import (
    Item,
    absent,
    by,
    call,
    done,
    either,
    equal,
    first,
    none,
    own,
    refused,
    steps,
)

COUNT = "SELECT count(*) FROM cust"
LONG = "c" * 63


ITEMS = [
    Item(1, "subqueries at any place", steps(
        equal("SELECT count(*) FROM (SELECT * FROM (SELECT * FROM cust) y) x", 20),
        equal("SELECT (SELECT count(*) FROM cust)", 20),
        equal("SELECT count(*) FROM generate_series(501, 520) g WHERE EXISTS"
              " (SELECT 1 FROM cust WHERE id = g)", 0),
        equal("SELECT count(*) FROM generate_series(501, 520) g WHERE g IN (SELECT id FROM cust)",
              0),
        equal("SELECT max(ssn) LIKE 's-%' FROM cust ORDER BY (SELECT max(ssn) FROM cust)", "t"),
        none("SELECT 1 LIMIT (SELECT count(*) FROM cust WHERE tenant = 2)"),
        none("SELECT c.ssn FROM country JOIN cust c ON (SELECT true) WHERE c.tenant = 2"),
        own("VALUES ((SELECT min(ssn) FROM cust WHERE tenant <> 7))"),
        own("SELECT count(*) FROM cust GROUP BY (SELECT max(ssn) FROM cust)")), steps(
        own("SELECT * FROM (SELECT * FROM cust WHERE id IN (SELECT cust_id FROM ord)) x"))),
    Item(2, "common table expression", steps(
        none("WITH a AS (SELECT * FROM cust) SELECT * FROM a WHERE tenant = 2")), steps(
        own("WITH a AS (SELECT * FROM cust) SELECT * FROM a"))),
    Item(3, "scope of a CTE's name", steps(
        own("WITH a AS (WITH cust AS (SELECT 1 AS q) SELECT * FROM cust) SELECT * FROM cust"),
        none("WITH a AS (WITH cust AS (SELECT 1 AS q) SELECT * FROM cust) SELECT * FROM cust"
             " WHERE tenant = 2")), steps(
        equal("WITH a AS (WITH cust AS (SELECT 1 AS q) SELECT * FROM cust) SELECT q FROM a", 1))),
    Item(4, "CTE named like its table", steps(
        own("WITH cust AS (SELECT * FROM cust) SELECT * FROM cust"),
        none("WITH cust AS (SELECT * FROM cust) SELECT * FROM cust WHERE tenant = 2")), steps(
        equal("WITH RECURSIVE cust(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM cust WHERE n < 5)"
              " SELECT max(n) FROM cust", 5))),
    Item(5, "CTE's name as target of a DELETE", steps(
        none("WITH cust AS (SELECT 1) DELETE FROM cust WHERE tenant = 2")), steps(
        own("WITH cust AS (SELECT 1) DELETE FROM cust WHERE id = 3"))),
    Item(6, "set operations", steps(
        own("SELECT name FROM cust UNION ALL SELECT ssn FROM cust"),
        none("(SELECT ssn FROM cust WHERE tenant = 2 ORDER BY 1 LIMIT 5) UNION ALL"
             " (SELECT ssn FROM cust WHERE id > 500)"),
        none("SELECT id FROM cust INTERSECT SELECT generate_series(501, 520)"),
        equal("SELECT count(*) FROM (SELECT generate_series(501, 520) EXCEPT SELECT id FROM cust)"
              " x", 20)), steps(
        own("(SELECT name FROM cust ORDER BY 1 LIMIT 2) UNION ALL SELECT 'x'"),
        own("SELECT id FROM cust INTERSECT SELECT cust_id FROM ord"),
        none("SELECT id FROM cust EXCEPT SELECT cust_id FROM ord"))),
    Item(7, "LATERAL", steps(
        own("SELECT s.* FROM cust c, LATERAL (SELECT * FROM cust d WHERE d.id = c.id + 1) s"),
        none("SELECT s.* FROM cust c, LATERAL (SELECT * FROM cust d WHERE d.id = c.id + 500) s")),
        steps(own("SELECT o.memo FROM cust c CROSS JOIN LATERAL (SELECT * FROM ord WHERE"
                  " cust_id = c.id LIMIT 1) o"))),
    Item(8, "TABLE, ONLY, star", steps(
        own("TABLE cust", "SELECT * FROM ONLY cust", "SELECT * FROM cust *", "TABLE ONLY inh"),
        equal("SELECT count(*) FROM inh *", 40)), steps(own("TABLE cust ORDER BY id LIMIT 3"))),
    Item(9, "whole rows", steps(
        own("SELECT cust FROM cust", "SELECT (cust).ssn FROM cust", "SELECT cust::text FROM cust",
            "SELECT to_jsonb(cust) FROM cust",
            "SELECT array_agg(c) FROM cust c"),
        either("SELECT ssn(cust) FROM cust"),
        none("SELECT to_jsonb(cust) FROM cust WHERE (cust).tenant = 2")), steps(
        own("SELECT row_to_json(c) FROM cust c WHERE id = 1", "SELECT ssn(cust) FROM cust"))),
    Item(10, "merged columns of USING and NATURAL", steps(
        own("SELECT * FROM cust JOIN ord USING (tenant)", "SELECT * FROM cust NATURAL JOIN inh",
            "SELECT j.id, j FROM cust JOIN moved USING (tenant, id) AS j"),
        none("SELECT tenant FROM cust JOIN ord USING (tenant) WHERE tenant = 2"),
        none("SELECT tenant FROM cust FULL JOIN ord USING (tenant) WHERE tenant <> 1")), steps(
        own("SELECT id, name, v FROM cust JOIN moved USING (tenant, id)"))),
    Item(11, "aliased columns capture a predicate", steps(
        none("SELECT * FROM cust c(ssn, tenant, id, name) WHERE c.ssn = 2"),
        none("SELECT * FROM cust AS c(id, tenant) WHERE tenant > 500")), steps(
        own("SELECT c.b FROM cust AS c(a, b) WHERE c.a = 1"))),
    Item(12, "operator shadowing", steps(
        first("SET search_path = evil, public, pg_catalog"),
        either("SELECT * FROM public.cust WHERE tenant = 2"),
        either("SELECT * FROM public.cust WHERE tenant OPERATOR(evil.=) 2")), steps(
        own("SELECT * FROM public.cust WHERE tenant OPERATOR(pg_catalog.=) 1"),
        equal("SELECT 1 OPERATOR(evil.=) 2", "t"))),
    Item(13, "function shadowing", steps(
        first("SET search_path = evil, public, pg_catalog"),
        either("SELECT count(*), max(ssn) FROM public.cust"),
        either("SELECT current_setting('postern.ctx', true), tenant(), max(ssn) FROM public.cust"),
        none("SELECT ssn FROM public.cust WHERE id > 500")), steps(
        own("SELECT current_setting('TimeZone', true)"),
        equal("SELECT evil.current_setting('a', true)", 2))),
    Item(14, "type and cast shadowing", steps(
        first("SET search_path = evil, pg_catalog, public"),
        either("SELECT ssn FROM public.cust WHERE tenant = CAST('2' AS pg_catalog.int4)",
               "SELECT ssn FROM public.cust WHERE tenant::text = '2'::int4::text"),
        refused("CREATE CAST (text AS int) WITHOUT FUNCTION",
                "CREATE DOMAIN public.int8 AS text")), steps(
        own("SELECT ssn FROM cust WHERE tenant = '1'::int4 AND amt > '1'::numeric"))),
    Item(15, "relation shadowing", steps(
        refused("CREATE TABLE mine (LIKE cust)", "CREATE TEMP TABLE cust (n int)"),
        first("SET search_path = evil, public"),
        none("SELECT * FROM cust"),
        none("SELECT * FROM public.cust WHERE tenant = 2")), steps(
        done("SET search_path = evil, public"),
        own("INSERT INTO cust VALUES (1)", "SELECT n FROM cust", "DELETE FROM evil.cust"))),
    Item(16, "quoting, Unicode, truncation of names", steps(
        none('SELECT ssn FROM U&"c\\0075st" WHERE tenant = 2'),
        none('SELECT "ssn" FROM "public"."cust" WHERE "tenant" = 2'),
        none("SELECT SSN FROM PUBLIC.CUST WHERE TENANT = 2"),
        none('SELECT ssn FROM U&"c!0075st" UESCAPE \'!\' WHERE tenant = 2'),
        refused('SET "ROLE" = own', 'SET U&"rol\\0065" = own'),
        absent(f'SELECT * FROM "{LONG}x"')), steps(
        own('SELECT ssn FROM U&"c\\0075st"', 'SELECT "ssn" FROM PUBLIC."cust"'))),
    Item(17, "view with its owner's rights", steps(
        either("SELECT * FROM v_old", "SELECT max(ssn) FROM v_old WHERE tenant = 2"),
        call(lambda s: s.lint("v_old"), "lint names v_old")), steps(
        own("SELECT * FROM v_cust", "SELECT * FROM v_sum")), "bad_view"),
    Item(18, "materialised view", steps(
        either("SELECT * FROM mv_cust", "SELECT max(ssn) FROM mv_cust"),
        call(lambda s: s.lint("mv_cust"), "lint names mv_cust")), steps(
        own("SELECT name, count(*) FROM cust GROUP BY name")), "bad_matview"),
    Item(19, "partition named directly, unwalled", steps(
        either("SELECT * FROM part_2", "INSERT INTO part_2 VALUES (2, 9, 'x')",
               "DELETE FROM part_2", "SELECT * FROM part WHERE tenant = 2"),
        call(lambda s: s.lint("part_2"), "lint names part_2")), steps(
        own("SELECT * FROM part_1"), none("SELECT * FROM part_2")), "bad_leaf"),
    Item(20, "inheritance child named directly, unwalled", steps(
        either("SELECT * FROM inh_child", "DELETE FROM inh_child WHERE tenant = 2"),
        call(lambda s: s.lint("inh_child"), "lint names inh_child")), steps(
        own("SELECT * FROM inh_child", "SELECT * FROM inh")), "bad_child"),
    Item(21, "foreign table", steps(
        either("SELECT * FROM f_cust", "SELECT max(ssn) FROM f_cust"),
        call(lambda s: s.lint("f_cust"), "lint names f_cust")), steps(
        own("SELECT ssn FROM cust")), "bad_foreign"),
    Item(22, "cheap leaky function", steps(
        either("SELECT count(*) FROM cust WHERE peek(ssn)",
               "SELECT count(*) FROM cust c JOIN ord o ON peek(c.ssn || o.memo)",
               "SELECT count(*) FROM cust GROUP BY tenant HAVING peek(max(ssn))",
               "SELECT count(*) FROM cust WHERE CASE WHEN peek(ssn) THEN false ELSE true END",
               "SELECT id FROM cust ORDER BY peek(ssn)"),
        refused("CREATE FUNCTION leak(text) RETURNS bool LANGUAGE sql AS 'SELECT true'")), steps(
        own("SELECT id FROM cust WHERE peek(ssn) AND id = 1"))),
    Item(23, "value in an error's text", steps(
        either("SELECT * FROM cust WHERE tenant = 2 AND ssn::int = 1",
               "SELECT * FROM cust WHERE ssn::int = 1 AND id > 500"),
        none("SELECT 1 / (id - 501) FROM cust WHERE id > 500")), steps(
        own("SELECT id FROM cust WHERE substr(ssn, 3)::int = 1"))),
    Item(24, "operators that are not leakproof", steps(
        none("SELECT ssn FROM cust WHERE lower(name) LIKE 't2-%'"),
        none("SELECT ssn FROM cust WHERE ssn ~ '^T2' OR name ~* '^t2'"),
        none("SELECT ssn FROM cust WHERE doc @> '{}' AND tenant = 2"),
        either("SELECT ssn FROM cust WHERE ssn ~ ssn || '('")), steps(
        own("SELECT ssn FROM cust WHERE name LIKE 'name 1%' AND doc @> '{\"k\": 1}'"))),
    Item(25, "leakproof operator ahead of the policy", steps(
        none("SELECT ssn FROM cust WHERE id = 501"),
        refused("EXPLAIN (ANALYZE, TIMING off) SELECT name FROM cust WHERE id = 501")), steps(
        own("SELECT ssn FROM cust WHERE id = 5"))),
    Item(26, "TABLESAMPLE", steps(
        own("SELECT * FROM cust TABLESAMPLE SYSTEM (100)"),
        none("SELECT * FROM cust TABLESAMPLE BERNOULLI (100) WHERE tenant = 2")), steps(
        equal("SELECT count(*) FROM cust TABLESAMPLE SYSTEM (100) REPEATABLE (1)", 20))),
    Item(27, "system columns", steps(
        either("SELECT ctid, xmin, tableoid, ssn FROM cust",
               "SELECT ssn FROM cust WHERE ctid = '(0,25)'"),
        none("SELECT ssn FROM cust WHERE ctid = ANY (ARRAY(SELECT format('(%s,%s)', p, i)::tid FROM"
             " generate_series(0, 3) p, generate_series(1, 90) i)) AND tenant = 2")), steps(
        own("SELECT tableoid::regclass, count(*) FROM part GROUP BY 1",
            "UPDATE cust SET name = 'n' WHERE ctid = (SELECT ctid FROM cust WHERE id = 1)"))),
    Item(28, "large objects", steps(
        refused("SELECT lo_get(424242)", "SELECT loread(lo_open(424242, 262144), 100)",
                "SELECT lo_export(424242, '/tmp/x')", "SELECT * FROM pg_largeobject",
                "SELECT * FROM pg_catalog.pg_largeobject_metadata", "SELECT lo_create(0)")), steps(
        own("SELECT encode(convert_to(name, 'UTF8'), 'hex') FROM cust")), "bad_large"),
    Item(29, "FETCH, MOVE, SKIP LOCKED", steps(
        by("t2", first("BEGIN", "SELECT * FROM cust FOR UPDATE")),
        equal("SELECT count(*) FROM (SELECT 1 FROM cust FOR UPDATE SKIP LOCKED) x", 20),
        none("SELECT ssn FROM cust WHERE id > 500 FOR UPDATE NOWAIT"),
        by("t2", done("ROLLBACK"))), steps(
        own("SELECT id FROM cust WHERE id = 1 FOR UPDATE SKIP LOCKED",
            "SELECT id FROM cust WHERE id = 2 FOR SHARE NOWAIT"))),
    Item(30, "PREPARE and EXECUTE in SQL", steps(
        first("PREPARE p (int) AS SELECT ssn FROM cust WHERE tenant = $1"),
        either("EXECUTE p (2)", "EXPLAIN EXECUTE p (2)"),
        refused("CREATE TABLE x AS EXECUTE p (2)", "PREPARE q AS SELECT lo_get(424242)",
                "PREPARE r AS SELECT set_config('role', 'own', false)")), steps(
        done("PREPARE p (int) AS SELECT ssn FROM cust WHERE id = $1"), own("EXECUTE p (2)"),
        done("DEALLOCATE p"))),
    Item(31, "cursors", steps(
        done("BEGIN", "DECLARE c CURSOR FOR SELECT * FROM cust WHERE tenant = 2"),
        none("FETCH ALL FROM c", "FETCH BACKWARD ALL FROM c"),
        first("ROLLBACK"),
        done("BEGIN", "DECLARE d CURSOR FOR SELECT * FROM cust FOR UPDATE", "FETCH 1 FROM d"),
        either("UPDATE cust SET tenant = 2 WHERE CURRENT OF d"), first("ROLLBACK")), steps(
        done("BEGIN", "DECLARE c SCROLL CURSOR FOR SELECT * FROM cust ORDER BY id"),
        own("FETCH 5 FROM c"), done("MOVE ABSOLUTE 2 IN c"), own("FETCH PRIOR FROM c"),
        done("CLOSE c", "COMMIT"))),
    Item(32, "COPY out", steps(
        own("COPY cust TO STDOUT", "COPY cust (ssn) TO STDOUT (FORMAT csv, HEADER)",
            "COPY (SELECT * FROM cust) TO STDOUT (FORMAT binary)",
            "COPY (DELETE FROM ord RETURNING *) TO STDOUT"),
        none("COPY (SELECT * FROM cust WHERE tenant = 2) TO STDOUT")), steps(
        own("COPY (SELECT id, name FROM cust ORDER BY id) TO STDOUT (FORMAT csv)"))),
    Item(33, "COPY to a program or file", steps(
        refused("COPY cust TO PROGRAM 'cat > /tmp/x'", "COPY cust TO '/tmp/x'",
                "COPY (SELECT 1) TO PROGRAM 'id'", "COPY country FROM PROGRAM 'id'")), steps(
        own("COPY country TO STDOUT"))),
    Item(34, "a copy of rows in a new table", steps(
        refused("SELECT * INTO t2 FROM cust", "CREATE TABLE t2 AS SELECT * FROM cust",
                "CREATE TEMP TABLE t2 AS TABLE cust",
                "CREATE MATERIALIZED VIEW m AS SELECT * FROM cust",
                "CREATE VIEW v AS SELECT * FROM cust")), steps(
        own("INSERT INTO inh (tenant, id, v) SELECT tenant, id + 300, name FROM cust"))),
    Item(35, "enumeration by a correlated subquery", steps(
        equal("SELECT count(s) FROM (SELECT (SELECT ssn FROM cust WHERE id = g) AS s FROM"
              " generate_series(1, 600) g) x", data.OWN_ROWS)), steps(
        own("SELECT g, (SELECT name FROM cust WHERE id = g) FROM generate_series(1, 5) g"))),
]  # fmt: skip
