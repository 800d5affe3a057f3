"""Tenant contexts signed with the real guard key, right in everything but one field.

Sent past Postern with the pool's own password: the wall alone has to tell them.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace

import data
from speak import Answer, Ear, ask_sql, open_session
from stage import Stage

HOUR_US = 3600 * 1_000_000


@dataclass(frozen=True)
class Token:
    """The fields of `postern.ctx` (policy/context_token.hpp)."""

    database: int
    kid: str
    inner: bytes
    outer: bytes
    pid: int
    start: int
    expiry: int
    tenant: str = str(data.VICTIM)
    version: str = "pctx1"

    def text(self) -> str:
        fields = (self.version, str(self.database), self.kid, self.tenant.encode().hex(), "", "",
                  str(self.pid), str(self.start), str(self.expiry))  # fmt: skip
        said = ".".join(fields)
        inner = hashlib.sha256(self.inner + said.encode()).digest()
        return f"{said}.{hashlib.sha256(self.outer + inner).hexdigest()}"


def right_token(stage: Stage, ear: Ear) -> Token:
    """What Postern itself would set for the victim on the server connection of `ear`."""
    owner = stage.world.superuser(stage.database)
    found = owner.execute(
        "SELECT d.oid, k.kid, k.inner_block, k.outer_block, a.pid,"
        " (EXTRACT(epoch FROM a.backend_start) * 1000000)::bigint FROM pg_database d,"
        " postern.context_key k, pg_stat_activity a WHERE d.datname = current_database()"
        " AND a.pid = %s ORDER BY k.installed DESC LIMIT 1", (ear.key[0],)
    ).fetchone()  # fmt: skip
    assert found is not None
    database, kid, inner, outer, pid, start = found
    expiry = int(time.time() * 1_000_000) + HOUR_US
    return Token(int(database), str(kid), bytes(inner), bytes(outer), int(pid), int(start), expiry)


def mutations(right: Token) -> dict[str, str]:
    """Contexts that must open nothing."""
    text = right.text()
    body, _, mac = text.rpartition(".")
    return {
        "empty": "", "garbage": "x", "dots": "." * 9, "expired": replace(right, expiry=1).text(),
        "another backend": replace(right, pid=right.pid + 1).text(),
        "a backend before": replace(right, start=right.start - 1).text(),
        "another database": replace(right, database=right.database + 1).text(),
        "another key": replace(right, inner=right.outer, outer=right.inner).text(),
        "an unknown key": replace(right, kid="0123456789abcdef").text(),
        "another version": replace(right, version="pctx2").text(),
        "tenant changed": body.replace(".32.", ".31.") + "." + mac,
        "tenant empty": replace(right, tenant="").text(),
        "mac cut": text[:-1], "mac in capitals": body + "." + mac.upper(),
        "field added": body + ".x." + mac, "blank before": " " + text, "a line more": text + "\n",
    }  # fmt: skip


def opens(ear: Ear, context: str) -> str:
    """What a context lets one see or write; empty where it is nothing."""
    quoted = context.replace("'", "''")
    ask_sql(ear, f"SET postern.ctx = '{quoted}'")
    for table in data.TABLES:
        for sql in (f"SELECT * FROM {table}", f"DELETE FROM {table} RETURNING 1",
                    f"UPDATE {table} SET id = id RETURNING 1"):  # fmt: skip
            seen: Answer = ask_sql(ear, sql)
            if seen.rows():
                return f"{sql} gave {len(seen.rows())} rows"
    written = ask_sql(ear, "INSERT INTO moved VALUES (2, 970, 'x')")
    return "" if written.errors() else "a row was written"


def bad_tokens(stage: Stage) -> str:
    """Every context but the right one opens no table; the right one does, or nothing is proven."""
    ear, login = open_session(stage.world.stolen(stage.database))
    if login.closed:
        return f"login failed: {login.told()}"
    right = right_token(stage, ear)
    told = []
    for name, context in mutations(right).items():
        if seen := opens(ear, context):
            told.append(f"LEAK: {name}: {seen}")
    ask_sql(ear, f"SET postern.ctx = '{right.text()}'")
    control = ask_sql(ear, "SELECT count(*) FROM cust WHERE tenant = 2").rows()
    ear.close()
    if control != [("20",)]:
        told.append(f"the right context opens {control}: this test tests nothing")
    return "; ".join(told)
