"""Scripts of an attacker: statements of the catalogue and of a small grammar, disguised."""

from __future__ import annotations

import random
import re

import catalogue_part

TABLES = {
    "cust": ("tenant", "id", "ssn", "name", "amt"),
    "ord": ("tenant", "id", "cust_id", "amt", "memo"),
    "part": ("tenant", "id", "v"), "part_2": ("tenant", "id", "v"), "inh": ("tenant", "id", "v"),
    "moved": ("tenant", "id", "v"), "dflt": ("tenant", "id", "v"), "slot": ("tenant", "id", "v"),
    "v_cust": ("tenant", "id", "ssn", "name"), "inh_child": ("tenant", "id", "v", "more"),
}  # fmt: skip
TEXTS = ("ssn", "name", "memo", "v", "more")
WRITABLE = ("cust", "ord", "part", "inh", "moved", "dflt")
# What answers with something of the moment or of the machine, not of rows.
UNSTEADY = re.compile(
    r"now\(|clock|random|uuid|pid|txid|xact|xmin|ctid|version\(|sleep|tableoid|pg_locks|oid"
    r"|timeofday|current_setting|pg_depend|nextval|COPY \S+ FROM|stat_|PREPARE TRANSACTION"
    r"|LISTEN|NOTIFY|advisory|DISCARD|information_schema|forge|DateStyle"
    r"|BEGIN;", re.IGNORECASE
)
OWN_STATE = (
    "SELECT 'own', (SELECT count(*) FROM cust), (SELECT sum(amt) FROM ord),"
    " (SELECT string_agg(v, ',' ORDER BY id) FROM moved)"
)


def catalogue_statements() -> list[str]:
    """Every single statement that an attacker of the catalogue sends to the shop."""
    return sorted({
        step.sql for item in catalogue_part.ITEMS if not item.database for step in item.attack
        if step.check is None and step.values is None and not step.copy and step.login == "t1"
        and step.sql and not UNSTEADY.search(step.sql)
    })  # fmt: skip


class Generator:
    """Makes scripts; the same seed makes the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._catalogue = catalogue_statements()

    def script(self) -> list[str]:
        """Messages in order; the last shows the attacker's own state."""
        pick = self._random
        found = [self._message() for _ in range(pick.randint(2, 5))]
        if pick.random() < 0.3:
            found = ["BEGIN", *found, pick.choice(("COMMIT", "ROLLBACK"))]
        return [*found, "ROLLBACK", "RESET search_path", OWN_STATE]

    def _message(self) -> str:
        pick = self._random
        if pick.random() < 0.35:
            return self._comment(pick.choice(self._catalogue))
        sql = self._select() if pick.random() < 0.7 else self._write()
        sql = self._disguise(self._wrap(sql))
        if pick.random() < 0.12:
            sql += "; " + self._disguise(self._select())
        return self._comment(sql)

    # --- the grammar ----------------------------------------------------------------------------

    def _table(self, among: tuple[str, ...] = tuple(TABLES)) -> tuple[str, tuple[str, ...]]:
        name = self._random.choice(among)
        return name, TABLES[name]

    def _condition(self, alias: str, columns: tuple[str, ...]) -> str:
        pick = self._random
        column = pick.choice(columns)
        c = f"{alias}.{column}"
        other, others = self._table()
        if column in TEXTS:
            return pick.choice((
                f"{c} LIKE 'T2%'", f"{c} > 'T'", f"{c} IS NOT NULL", f"length({c}) > 5",
                f"{c} ~ '^[Tt]2'", f"peek({c})", f"{c} = (SELECT max({c}) FROM {other} z)",
            ))  # fmt: skip
        return pick.choice((
            f"{alias}.tenant = 2", f"{alias}.tenant <> 1", f"{c} >= 501", f"{c} = 501 OR true",
            f"{c} IN (SELECT {pick.choice(others[:2])} FROM {other})", f"{c} BETWEEN 1 AND 600",
            f"EXISTS (SELECT 1 FROM {other} y WHERE y.id = {alias}.id + 500)",
            f"NOT ({c} < 10)", f"{c} = ANY (ARRAY(SELECT id FROM {other}))",
        ))  # fmt: skip

    def _select(self) -> str:
        pick = self._random
        table, columns = self._table()
        kind = pick.randrange(7)
        where = self._condition("a", columns)
        if kind == 0:
            return f"SELECT count(*), min(a.id), max(a.id) FROM {table} a WHERE {where}"
        if kind == 1:
            return f"SELECT a.* FROM {table} a WHERE {where} ORDER BY a.id LIMIT 7"
        if kind == 2:
            other, _ = self._table()
            join = pick.choice(("JOIN", "LEFT JOIN", "FULL JOIN"))
            return f"SELECT a.id, b.id FROM {table} a {join} {other} b ON a.id = b.id WHERE true"
        if kind == 3:
            return f"SELECT a.tenant, count(*) FROM {table} a GROUP BY a.tenant HAVING count(*) > 0"
        if kind == 4:
            return f"SELECT a, to_jsonb(a) FROM {table} a WHERE {where}"
        if kind == 5:
            return ("SELECT a.id, row_number() OVER (ORDER BY a.id),"
                    f" (SELECT count(*) FROM {table}) FROM {table} a WHERE {where}")  # fmt: skip
        return f"SELECT DISTINCT a.{pick.choice(columns)} FROM {table} a WHERE {where}"

    def _write(self) -> str:
        pick = self._random
        table, columns = self._table(WRITABLE)
        where, text = self._condition("a", columns), next(c for c in columns if c in TEXTS)
        forms = {"cust": "({t}, {i}, 'n{i}')", "ord": "({t}, {i}, 5, 1)"}
        row = forms.get(table, "({t}, {i}, 'n')").format(
            t=pick.choice((1, 1, 2)), i=pick.choice((7, 501, 503, 700, 701)))
        names = {"cust": "tenant, id, ssn", "ord": "tenant, id, cust_id, amt"}.get(
            table, "tenant, id, v")  # fmt: skip
        return pick.choice((
            f"INSERT INTO {table} ({names}) VALUES {row}",
            f"INSERT INTO {table} ({names}) VALUES {row} ON CONFLICT DO NOTHING RETURNING id",
            f"INSERT INTO {table} ({names}) VALUES {row} ON CONFLICT (tenant, id) DO UPDATE SET"
            f" {text} = 'c' RETURNING *",
            f"UPDATE {table} a SET {text} = 'u' WHERE {where} RETURNING a.*",
            f"UPDATE {table} a SET tenant = 2 WHERE {where}",
            f"UPDATE {table} a SET id = a.id + 500 WHERE {where} RETURNING a.id",
            f"DELETE FROM {table} a WHERE {where} RETURNING a.id",
            f"DELETE FROM {table} a USING cust b WHERE b.id = a.id AND {where}",
            f"MERGE INTO {table} a USING (VALUES (3), (503)) s(i) ON a.id = s.i WHEN MATCHED THEN"
            f" UPDATE SET {text} = 'm' WHEN NOT MATCHED THEN INSERT ({names}) VALUES {row}",
        ))  # fmt: skip

    # --- disguises ------------------------------------------------------------------------------

    def _wrap(self, sql: str) -> str:
        pick = self._random
        name = f"n{pick.randrange(1000)}"
        reads = sql.startswith("SELECT")
        forms = [sql, f"EXPLAIN {sql}", f"PREPARE {name} AS {sql}; EXECUTE {name}",
                 f"DO $$BEGIN PERFORM 1; {sql if not reads else 'PERFORM 1'}; END$$"]  # fmt: skip
        if reads:
            forms += [
                f"WITH w AS ({sql}) SELECT * FROM w", f"WITH w AS MATERIALIZED ({sql}) TABLE w",
                f"SELECT w.* FROM (VALUES (1)) o(x), LATERAL ({sql}) w",
                f"({sql}) UNION ALL ({sql})", f"COPY ({sql}) TO STDOUT",
                f"BEGIN; DECLARE {name} CURSOR FOR {sql}; FETCH ALL FROM {name}; COMMIT",
                f"SELECT (SELECT count(*) FROM ({sql}) w)", f"SELECT dyn($q$SELECT w::text FROM"
                f" ({sql}) w$q$)", f"EXPLAIN (ANALYZE, TIMING off, SUMMARY off) {sql}",
            ]  # fmt: skip
        elif "RETURNING" in sql:
            forms += [f"WITH w AS ({sql}) SELECT * FROM w", f"WITH w AS ({sql}) SELECT count(*)"
                      " FROM w, cust"]  # fmt: skip
        return pick.choice(forms)

    def _disguise(self, sql: str) -> str:
        pick = self._random
        kind = pick.randrange(8)
        if kind == 0:
            return re.sub(r"\bcust\b(?! b)", 'public."cust"', sql)
        if kind == 1:
            return re.sub(r"\bcust\b(?! b)", 'U&"c\\\\0075st"', sql)
        if kind == 2:
            return re.sub(r"\b(SELECT|FROM|WHERE|UPDATE|DELETE)\b", lambda m: m[0].lower(), sql)
        if kind == 3:
            return "SET search_path = evil, public; " + sql
        if kind == 4:
            return sql.replace("tenant = 2", "tenant OPERATOR(evil.=) 2")
        return sql

    def _comment(self, sql: str) -> str:
        pick = self._random
        kind = pick.randrange(6)
        if kind == 0:
            return f"/* tenant=2 /* nested */ */ {sql}"
        if kind == 1:
            return f"{sql} -- postern.tenant=2"
        return sql.replace(" FROM ", " FROM/**/", 1) if kind == 2 else sql
