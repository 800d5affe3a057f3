"""The bed of PostgreSQL's own suites: a walled database, and an administrator's login."""

from __future__ import annotations

from bed import Bed
from postern_server import Ports
from psql_client import psql
from result_files import DATABASE

# A tenant table makes the suite's database a protected one.
TENANT_TABLE = (
    "CREATE SCHEMA shop", "CREATE TABLE shop.kept (tenant_id text NOT NULL, v text)",
    "INSERT INTO shop.kept VALUES ('1', 'x'), ('2', 'y')",
)  # fmt: skip


class ProtectedBed(Bed):
    """`protected` false: the same rows and no Postern."""

    def __init__(self, protected: bool) -> None:
        super().__init__("session" if protected else "")
        self._new_tables = ""

    def prepare(self, _: Bed) -> None:
        """Run when the suite's database is there and still empty."""
        dsn = self.direct.to(dbname=DATABASE, sslmode="disable")
        psql(dsn, *TENANT_TABLE).checked()
        if self.pool_mode:
            self.postern.cli_checked(
                "policy", "apply", "-c", "postern.toml", "--database", DATABASE,
                "--dsn", dsn.public(), database=dsn,
            )  # fmt: skip

    def _start_postern(self) -> None:
        postern = self._postern = self._cluster.add_postern()
        login = f'[user.{self.direct.user}]\npassword = "{self._cluster.password}"\n'
        postern.write("users.toml", f'{login}profile = "admin"\n')
        # The suite's own tables have no tenant column, and are not shared.
        knows = "`new_tables`" in postern.cli_checked("explain", "config")
        self._new_tables = 'new_tables = "allow"\n' if knows else ""
        postern.write("service.password", self._cluster.password + "\n")
        postern.configure(self._toml)
        postern.cli_checked("keys", "init", "-c", "postern.toml")
        postern.start(self._toml)

    def _toml(self, ports: Ports) -> str:
        return super()._toml(ports) + f"""\
[service]
user = "{self.direct.user}"
password_file = "service.password"
[policy]
mode = "enforce"
{self._new_tables}[tenant]
column = "tenant_id"
guard_key_file = "guard.key"
[keys]
file = "keys.store"
kek_file = "root.key"
"""
