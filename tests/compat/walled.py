"""The third target: a Postern whose databases are walled. Migrations go as profile `migrator`,
everything else as a tenant's login of profile `app`; what Postern refuses is listed."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass

from bed import SERVICE, USER, Bed, Target
from postern_server import Ports, PosternServer

MIGRATOR, APP = "migrator", "app"
TENANT = "acme"
MIGRATIONS = ("first", "latest", "back", "empty")
# verify and rebase, which are migrations.
MIGRATING_TRAFFIC = {("sqitch", "traffic")}
FLUSHED_SECONDS = 0.2  # a record is on disk within audit.flush_interval
# Bookkeeping of the tools, which belongs to no tenant.
SHARED = (
    "django_*", "auth_*", "schema_migrations", "ar_internal_metadata", "alembic_version",
    "knex_migrations*",
)  # fmt: skip


@dataclass(frozen=True)
class Refusal:
    """A statement that Postern refused, by its record in the access log."""

    login: str
    code: str
    statement: str


class Walled:
    """A second Postern of the bed, of mode `enforce`."""

    name = "walled"

    def __init__(self, bed: Bed, mode: str = "enforce") -> None:
        self._bed = bed
        self._mode = mode
        self._passwords = {name: secrets.token_hex(12) for name in (MIGRATOR, APP)}
        self.postern: PosternServer = bed.cluster.add_postern(name="walled")
        bed.cluster.scratch.folder("walled-anchor", 0o700)
        self._seen = 0
        self._configure()

    @property
    def target(self) -> Target:
        return Target(self.name, self.postern.ports.clients)

    def login(self, tool: str, phase: str) -> tuple[str, str]:
        """Login and password for a phase."""
        migrates = phase in MIGRATIONS or (tool, phase) in MIGRATING_TRAFFIC
        who = MIGRATOR if migrates else APP
        return who, self._passwords[who]

    def raise_wall(self, database: str) -> None:
        """`postern policy apply`, as its operator runs it once on a new database."""
        dsn = self._bed.cluster.primary.superuser.to(dbname=database, sslmode="disable")
        self.postern.cli_checked(
            "policy", "apply", "-c", "postern.toml", "--database", database,
            "--dsn", dsn.public(), database=dsn,
        )  # fmt: skip

    def refusals(self) -> list[Refusal]:
        """What was refused since the last call."""
        time.sleep(FLUSHED_SECONDS)
        done = self.postern.cli("audit", "search", "-c", "postern.toml", "--kind", "refusal")
        records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        fresh, self._seen = records[self._seen :], len(records)
        return [_refusal(record["record"]["rec"]) for record in fresh]

    def _configure(self) -> None:
        bed, postern = self._bed, self.postern
        for name, password in (("service", bed.service_password), ("upstream", bed.password)):
            postern.write(f"{name}.password", password + "\n")
        tenant = f'tenant = "{TENANT}"\n'
        users = "".join(
            f'[user.{name}]\npassword = "{password}"\nprofile = "{name}"\n{tenant}'
            for name, password in self._passwords.items()
        )
        postern.write("users.toml", users)
        postern.configure(self._toml)
        postern.cli_checked("keys", "init", "-c", "postern.toml")
        postern.start(self._toml)

    def _toml(self, ports: Ports) -> str:
        tls = self._bed.folder / "tls"
        shared = ", ".join(['"sqitch.*"', *(f'"public.{name}"' for name in SHARED)])
        return f"""\
[listen]
port = {ports.clients}
workers = 2
[listen.tls]
mode = "require"
cert_file = "{tls / "server.crt"}"
key_file = "{tls / "server.key"}"
[cluster.main]
nodes = ["localhost:{self._bed.cluster.primary.port}"]
[cluster.main.tls]
mode = "verify-full"
ca_file = "{self._bed.ca}"
[service]
user = "{SERVICE}"
password_file = "service.password"
[auth]
users_file = "users.toml"
[database."*"]
cluster = "main"
pool_mode = "{self._bed.mode}"
user = "{USER}"
password_file = "upstream.password"
[metrics]
port = {ports.admin}
[policy]
mode = "{self._mode}"
[tenant]
column = "tenant_id"
shared = [{shared}]
guard_key_file = "guard.key"
[keys]
file = "keys.store"
kek_file = "root.key"
[audit]
dir = "audit"
anchor_file = "../walled-anchor/postern.anchor"
key_file = "audit.key"
"""


def _refusal(record: dict[str, dict[str, object]]) -> Refusal:
    text = " ".join(str(record["what"].get("text", "?")).split())
    return Refusal(str(record["who"].get("login")), str(record["decision"].get("code")), text)
