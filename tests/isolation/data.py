"""The rows of the shop: the attacker's are known, every value of the victim's is a canary."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

OWN, VICTIM = 1, 2
OWN_ROWS = 20
FIRST_VICTIM_ID = 501
TABLES = ("cust", "ord", "part", "inh", "inh_child", "slot", "dflt", "moved")
# Texts of the victim begin so, and its numbers do: nothing else in the world looks like them, but
# for digits within the hexadecimal of one of a log's many hashes.
CANARY = re.compile(
    rb"(?i)T2-[0-9a-f]{10}|54322d(?:3[0-9]|6[1-6])|(?<![0-9a-f])7720[0-9]{8}(?![0-9a-f])"
)
COUNTRIES = "INSERT INTO country VALUES ('cz', 'Czechia'), ('se', 'Sweden'), ('pt', 'Portugal')"


def find_canaries(data: bytes) -> list[str]:
    """Values of the victim in the bytes, plain or in hexadecimal."""
    return sorted({found.group().decode() for found in CANARY.finditer(data)})


class Victim:
    """What the victim's values are; another seed gives other values and another number of rows."""

    def __init__(self, seed: int, rows: int = 20) -> None:
        self.rows = rows
        self._random = random.Random(seed)

    def text(self) -> str:
        return f"T2-{self._random.getrandbits(40):010x}"

    def number(self) -> int:
        return 772000000000 + self._random.randrange(100000000)


def _own_row(table: str, n: int) -> str:
    values = {
        "cust": f"(1, {n}, 's-{n}', 'name {n}', '{{\"k\": {n}}}', {n}.50)",
        "ord": f"(1, {n}, {n}, {n}.25, 'memo {n}')",
        "slot": f"(1, {n}, '[{10 * n},{10 * n + 5})', 'own {n}')",
        "inh_child": f"(1, {n + 100}, 'own {n}', 'more {n}')",
    }
    return values.get(table, f"(1, {n}, 'own {n}')")


def _victim_row(table: str, n: int, victim: Victim) -> str:
    key = FIRST_VICTIM_ID + n
    text = victim.text
    if table == "cust":
        return (f"(2, {key}, '{text()}', '{text()}', '{{\"{text()}\": \"{text()}\"}}',"
                f" {victim.number()})")  # fmt: skip
    if table == "ord":
        return f"(2, {key}, {key}, {victim.number()}, '{text()}')"
    if table == "slot":
        return f"(2, {key}, '[{5000 + 10 * n},{5007 + 10 * n})', '{text()}')"
    if table == "inh_child":
        return f"(2, {key + 500}, '{text()}', '{text()}')"
    return f"(2, {key}, '{text()}')"


def _insert(table: str, rows: Iterable[str]) -> str:
    return f"INSERT INTO {table} VALUES {', '.join(rows)}"


def statements(victim: Victim) -> list[str]:
    """SQL of a superuser that makes the rows anew: the attacker's first, then the victim's."""
    made = [f"DELETE FROM {table}" for table in ("ord", "inh_child", *TABLES) if table != "inh"]
    made.append("DELETE FROM ONLY inh")
    for table in TABLES:
        made.append(_insert(table, (_own_row(table, n) for n in range(1, OWN_ROWS + 1))))
    for table in TABLES:
        made.append(_insert(table, (_victim_row(table, n, victim) for n in range(victim.rows))))
    # Not ALTER SEQUENCE: that is DDL, which Postern's snapshot of the catalog follows.
    made.append("SELECT setval('ord_id_seq', 5000, false)")
    return made


def digest_sql(tenant: int = VICTIM) -> str:
    """One value that stands for every row of a tenant."""
    parts = (
        f"SELECT '{table}' AS t, count(*) AS n, coalesce(sum(hashtextextended(x::text, 0)), 0) AS h"
        f" FROM {'ONLY ' if table == 'inh' else ''}{table} x WHERE tenant = {tenant}"
        for table in TABLES
    )
    return f"SELECT string_agg(t || ':' || n || ':' || h, ' ') FROM ({' UNION ALL '.join(parts)}) q"
