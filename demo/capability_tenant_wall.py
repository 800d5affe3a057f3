"""tenant-wall: a tenant sees its own rows and cannot reach another's, whatever it sends."""

from __future__ import annotations

from dataclasses import dataclass

from capability import Capability
from clients import Answer, expect
from psql_client import psql, rows, scalar

OWN, VICTIM = "acme", "globex"

# Tables that hold rows of the victim that acme attacks: their content must not change.
TARGETS = ("evaluations", "mapping_records", "events", "users", "tenants")


@dataclass(frozen=True)
class Attack:
    """SQL that acme sends; `refused`: an error is demanded, otherwise nothing must be reached."""

    idea: str
    sql: str
    refused: bool


ATTACKS = (
    Attack("ask for them by name",
           f"SELECT tenant_id, score FROM evaluations WHERE tenant_id = '{VICTIM}'", False),
    Attack("hide the question in a UNION",
           f"SELECT tenant_id, name FROM tenants WHERE tenant_id = '{OWN}' UNION ALL "
           f"SELECT tenant_id, verdict FROM evaluations WHERE tenant_id <> '{OWN}'", False),
    Attack("walk in through a partition",
           "SELECT tenant_id, count(*) FROM events_2025_01 "
           f"WHERE tenant_id <> '{OWN}' GROUP BY tenant_id", False),
    Attack("leave a row in their account",
           "INSERT INTO evaluations (tenant_id, evaluation_id, record_id, verdict, score, "
           f"evaluated_at) VALUES ('{VICTIM}', 900001, 2, 'wrong', 0, now())", True),
    Attack("move an own row over to them",
           f"UPDATE evaluations SET tenant_id = '{VICTIM}' WHERE tenant_id = '{OWN}'", True),
    Attack("spoil theirs",
           f"UPDATE evaluations SET score = 0 WHERE tenant_id = '{VICTIM}'", False),
    Attack("delete theirs",
           f"DELETE FROM events_2025_02 WHERE tenant_id = '{VICTIM}'", False),
    Attack("forge the tenant's context",
           f"SELECT set_config('postern.ctx', 'v1:{VICTIM}:forged', false)", True),
    Attack("become the owner of the tables", "SET ROLE mapper_owner", True),
    Attack("switch row security off", "SET row_security = off", True),
)  # fmt: skip


class TenantWall(Capability):
    name = "tenant-wall"
    title = "Tenant wall: native row security, armed with a context nobody can forge"
    step = "wall"

    def show(self) -> None:
        self._before = self._fingerprints()
        self._seen: dict[str, int] = {}
        with self.stage.client(self.stage.login(OWN, self.step)) as client:
            self.say.explain("acme asks for everything and gets what is acme's.")
            own = "SELECT tenant_id, count(*) AS rows FROM mapping_records GROUP BY tenant_id"
            answer = client.run(own)
            self.say.said(answer)
            tenants = {row[0] for row in answer.checked().rows}
            expect(tenants == {OWN}, f"acme sees {sorted(map(str, tenants))}")
            self.say.explain(f"Now acme tries to reach {VICTIM}, in {len(ATTACKS)} ways.")
            for attack in ATTACKS:
                answer = client.run(attack.sql)
                self.say.note(f"- {attack.idea}:")
                self.say.said(answer)
                _judge(attack, answer)
            for table in self._tenant_tables():
                self._seen[table] = int(str(client.run(f"SELECT count(*) FROM {table}").value()))
        with self.stage.client(self.stage.login(VICTIM, self.step)) as client:
            self.say.explain(f"{VICTIM} itself, with the same statement as the first attack:")
            answer = client.run(ATTACKS[0].sql)
            self.say.said(answer)
            expect(len(answer.checked().rows) > 0, f"{VICTIM} does not see its own rows")

    def _tenant_tables(self) -> list[str]:
        """Every ordinary or partitioned table with the tenant column, from the catalog."""
        sql = (
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p') "
            "AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        return [name for (name,) in rows(self.stage.direct(), sql)]

    def _fingerprints(self) -> dict[str, str]:
        """A digest of all that other tenants own, read as superuser."""
        found = {}
        for table in TARGETS:
            sql = (
                "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text COLLATE \"C\"), ''))"
                f" FROM {table} AS t WHERE tenant_id <> '{OWN}'"
            )
            found[table] = scalar(self.stage.direct(), sql)
        return found

    def assert_from_other_side(self) -> None:
        after = self._fingerprints()
        changed = [table for table in TARGETS if after[table] != self._before[table]]
        expect(not changed, f"rows of other tenants changed in {changed}")
        self.say.asserted("psql as superuser: not one row of another tenant was changed or added")
        self._counts_agree()
        self._no_context_no_rows()
        self._every_table_is_walled()

    def _counts_agree(self) -> None:
        for table, seen in self._seen.items():
            own = f"SELECT count(*) FROM {table} WHERE tenant_id = '{OWN}'"
            there = int(scalar(self.stage.direct(), own))
            expect(seen == there, f"{table}: acme sees {seen} rows and owns {there}")
        self.say.asserted(
            f"in each of {len(self._seen)} tables acme sees exactly the rows the superuser counts"
        )

    def _no_context_no_rows(self) -> None:
        stolen = self.stage.direct_application_role()
        for table in self._seen:
            count = scalar(stolen, f"SELECT count(*) FROM {table}")
            expect(count == "0", f"past Postern the role app reads {count} rows of {table}")
        forged = f"SET postern.ctx = 'v1:{VICTIM}:forged'"
        result = psql(stolen, forged, "SELECT count(*) FROM evaluations", flags=("-A", "-t", "-q"))
        expect(result.rc != 0, "a forged context is not noticed by the database")
        self.say.asserted("psql as the role app, past Postern: 0 rows; a forged context: an error")

    def _every_table_is_walled(self) -> None:
        sql = (
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p') "
            "AND c.relnamespace = 'public'::regnamespace "
            "AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
        )
        bare = [name for (name,) in rows(self.stage.direct(), sql)]
        expect(not bare, f"tables outside the wall: {bare}")
        self.say.asserted("pg_class: row security is on and forced for every table and partition")


def _judge(attack: Attack, answer: Answer) -> None:
    """CapabilityError where the attack reached anything."""
    if answer.error is not None:
        return
    expect(not attack.refused, f"not refused: {attack.idea}")
    foreign = [row for row in answer.rows if row[0] != OWN]
    expect(not foreign, f"{attack.idea}: {len(foreign)} rows of other tenants")
    if not answer.columns:
        count = answer.tag.rsplit(" ", 1)[-1]
        expect(count == "0", f"{attack.idea}: {answer.tag}")
