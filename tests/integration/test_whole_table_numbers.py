"""pg_class's numbers of whole tables: a tenant sees those of a table that was never analysed."""

from __future__ import annotations

import struct

import psycopg

from protected_base import OWN, ProtectedTest
from psql_client import connect, scalar
from wire import SYNC, bind, describe, execute, message, parse, query, session

NUMBERS = ("SELECT reltuples, relpages, relallvisible FROM pg_class"
           " WHERE oid = 'evaluations'::regclass")  # fmt: skip
HIDDEN = (-1.0, 0, 0)
# What JDBC's DatabaseMetaData.getIndexInfo sends (pgjdbc 42.7), for one table.
INDEX_INFO = """\
SELECT tmp.TABLE_CAT, tmp.TABLE_SCHEM, tmp.TABLE_NAME, tmp.NON_UNIQUE, tmp.INDEX_QUALIFIER,
 tmp.INDEX_NAME, tmp.TYPE, tmp.ORDINAL_POSITION,
 trim(both '"' from pg_catalog.pg_get_indexdef(tmp.CI_OID, tmp.ORDINAL_POSITION, false))
   AS COLUMN_NAME,
 CASE tmp.AM_NAME WHEN 'btree' THEN CASE tmp.I_INDOPTION[tmp.ORDINAL_POSITION - 1] & 1::smallint
   WHEN 1 THEN 'D' ELSE 'A' END ELSE NULL END AS ASC_OR_DESC,
 tmp.CARDINALITY, tmp.PAGES, tmp.FILTER_CONDITION
FROM (SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME,
 NOT i.indisunique AS NON_UNIQUE, NULL AS INDEX_QUALIFIER, ci.relname AS INDEX_NAME,
 CASE i.indisclustered WHEN true THEN 1 ELSE CASE am.amname WHEN 'hash' THEN 2 ELSE 3 END END
   AS TYPE,
 (information_schema._pg_expandarray(i.indkey)).n AS ORDINAL_POSITION,
 ci.reltuples AS CARDINALITY, ci.relpages AS PAGES,
 pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS FILTER_CONDITION, ci.oid AS CI_OID,
 i.indoption AS I_INDOPTION, am.amname AS AM_NAME
FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid)
 JOIN pg_catalog.pg_index i ON (ct.oid = i.indrelid)
 JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid)
 JOIN pg_catalog.pg_am am ON (ci.relam = am.oid)
WHERE true AND ct.relname = 'evaluations') AS tmp
ORDER BY NON_UNIQUE, TYPE, INDEX_NAME, ORDINAL_POSITION"""
REFUSED = (
    "SELECT 1 FROM pg_class WHERE reltuples > 5",
    "SELECT relname FROM pg_class ORDER BY relpages",
    "SELECT reltuples::bigint FROM pg_class",
    "SELECT sum(relpages) FROM pg_class",
    "SELECT c FROM pg_class c",
    "SELECT row_to_json(c) FROM pg_class c",
    "SELECT CASE WHEN relpages > 0 THEN 1 END FROM pg_class",
    "SELECT a.relname FROM pg_class a JOIN pg_class b USING (reltuples)",
    "COPY (SELECT reltuples FROM pg_class) TO STDOUT",
    "DECLARE c CURSOR WITH HOLD FOR SELECT reltuples FROM pg_class",
    "PREPARE p AS SELECT reltuples FROM pg_class",
)


class WholeTableNumbersTest(ProtectedTest):
    """Two tenants fill `evaluations`; it is analysed."""

    @classmethod
    def boot(cls) -> None:
        super().boot()
        with connect(cls.direct()) as owner:
            owner.execute("VACUUM ANALYZE evaluations")

    def client(self) -> psycopg.Connection[tuple]:
        return self.connect(self.login(OWN))

    def test_there_is_something_to_hide(self) -> None:
        with connect(self.direct()) as owner:
            row = owner.execute(NUMBERS).fetchone()
            assert row is not None
            self.assertGreater(row[0], 0)
            self.assertGreater(row[1], 0)

    def test_text_and_binary(self) -> None:
        client = self.client()
        self.assertEqual(client.execute(NUMBERS).fetchone(), HIDDEN)
        for binary in (False, True):
            with client.cursor(binary=binary) as cursor:
                self.assertEqual(cursor.execute(NUMBERS).fetchone(), HIDDEN)
                found = cursor.execute(
                    "SELECT relname, c.reltuples, relkind FROM pg_class c WHERE relname = %s",
                    ("evaluations",)).fetchone()  # fmt: skip
                self.assertEqual((found or ())[:2], ("evaluations", -1.0))

    def test_no_describe(self) -> None:
        """By the extended protocol without Describe, each format; and a suspended portal."""
        with session(self.login(OWN)) as wire:
            got = wire.ask(parse(NUMBERS), bind(), execute(max_rows=1), execute(), SYNC)
            self.assertEqual([m.values() for m in got if m.type == "D"], [[b"-1", b"0", b"0"]])
            formats = b"\0\0" + struct.pack("!hhhhhh", 0, 0, 3, 1, 0, 1)
            got = wire.ask(parse(NUMBERS), message("B", formats), execute(), SYNC)
            self.assertEqual([m.values() for m in got if m.type == "D"],
                             [[struct.pack("!f", -1.0), b"0", bytes(4)]])  # fmt: skip
            self.assertNotIn("T", [m.type for m in got])
            got = wire.ask(parse(NUMBERS, "named"), describe("S", "named"), SYNC)
            self.assertIn("T", [m.type for m in got])
            for _ in range(2):
                got = wire.ask(bind(statement="named"), execute(), SYNC)
                self.assertEqual([m.values() for m in got if m.type == "D"], [[b"-1", b"0", b"0"]])
            got = wire.ask(query(f"SELECT 5; {NUMBERS}; SELECT 6"))
            self.assertEqual([m.values() for m in got if m.type == "D"],
                             [[b"5"], [b"-1", b"0", b"0"], [b"6"]])  # fmt: skip

    def test_whole_catalog_rows(self) -> None:
        with self.client().cursor() as cursor:
            cursor.execute("SELECT * FROM pg_class ORDER BY oid")
            assert cursor.description is not None
            names = [column.name for column in cursor.description]
            rows = cursor.fetchall()
        self.assertGreater(len(rows), 300)
        at = {name: names.index(name) for name in ("reltuples", "relpages", "relallvisible")}
        seen = {tuple(row[i] for i in at.values()) for row in rows}
        self.assertEqual(seen, {HIDDEN})
        # All other columns are as they are.
        with connect(self.direct()) as owner:
            plain = owner.execute("SELECT * FROM pg_class ORDER BY oid").fetchall()
        others = [i for i in range(len(names)) if i not in at.values()
                  and names[i] not in ("relfrozenxid", "relminmxid", "relacl")]  # fmt: skip
        self.assertEqual([[row[i] for i in others] for row in rows],
                         [[row[i] for i in others] for row in plain])  # fmt: skip

    def test_outer_joins_stay_null(self) -> None:
        found = self.client().execute(
            "SELECT x, c.reltuples FROM (VALUES (1)) v(x) LEFT JOIN pg_class c ON relname = 'none'"
        ).fetchall()  # fmt: skip
        self.assertEqual(found, [(1, None)])

    def test_jdbc(self) -> None:
        found = self.client().execute(INDEX_INFO).fetchall()
        self.assertEqual({row[10:12] for row in found}, {(-1.0, 0)})
        self.assertIn("evaluations_pkey", {row[5] for row in found})

    def test_refused(self) -> None:
        client = self.client()
        for sql in REFUSED:
            with self.subTest(sql), self.assertRaises(psycopg.Error) as caught:
                client.execute(sql)
            self.assertEqual(caught.exception.sqlstate, "0A000", sql)
            self.assertIn("PST-1524", caught.exception.diag.message_detail or "", sql)
            self.assertIn("count(*)", caught.exception.diag.message_hint or "", sql)

    def test_ages(self) -> None:
        """age() of times works in whatever form; of transactions it tells what others do."""
        client = self.client()
        for sql in (
            "SELECT age(now())", "SELECT age(evaluated_at) FROM evaluations LIMIT 1",
            "SELECT age(max(evaluated_at)) FROM evaluations",
            "SELECT age(date_trunc('day', evaluated_at)) FROM evaluations LIMIT 1",
            "SELECT age(now(), evaluated_at) FROM evaluations LIMIT 1",
            "SELECT age(t) FROM (SELECT max(evaluated_at) AS t FROM evaluations) x",
            "SELECT age('2020-01-01'::timestamp), age(date '2020-01-01')",
            "SELECT age(evaluated_at + interval '1 day') FROM evaluations LIMIT 1",
        ):  # fmt: skip
            with self.subTest(sql):
                client.execute(sql)
        for sql in ("SELECT age('3'::xid)", "SELECT age(xmin) FROM evaluations",
                    "SELECT age(relfrozenxid) FROM pg_class",
                    "SELECT mxid_age('3'::xid)"):  # fmt: skip
            with self.subTest(sql), self.assertRaises(psycopg.Error):
                client.execute(sql)

    def test_others_see_them(self) -> None:
        """Past Postern, and so for every profile without a wall, the numbers are as they are."""
        rows = NUMBERS.replace(", relpages, relallvisible", "")
        self.assertGreater(float(scalar(self.direct(), rows)), 0)
