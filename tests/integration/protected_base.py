"""Fixture of the protected tests: Llama Mapper behind wall and encryption, and a plain twin."""

from __future__ import annotations

import secrets
from typing import ClassVar

import psycopg

from base import FIXTURES, ClusterTest, load_llama_mapper
from postern_server import Ports, PosternServer
from psql_client import Dsn, connect, psql, rows

DATABASE, TWIN = "mapper", "twin"
OWNER, APP, SERVICE = "mapper_owner", "app", "postern_service"
OWN, VICTIM = "acme", "globex"
PII = (
    ("email", "text", "deterministic", "9f2b6c1e-3d0a-4a57-8e44-6b1f0c7d2a01"),
    ("full_name", "text", "randomized", "b7c4e8f2-51d6-4c3b-9a70-2e8d5f1b6c02"),
    ("national_id", "text", "deterministic", "4e1d9a73-8b2f-4f60-b5c8-7a3c0e9f1d03"),
    ("birth_date", "date", "randomized", "d05a7f38-6c9e-4b12-a3f1-9c4b8e2d7f04"),
)
USER_COLUMNS = "tenant_id, user_id, email, full_name, phone, national_id, birth_date, role"
USERS = f"SELECT {USER_COLUMNS}, created_at FROM users WHERE tenant_id = %s ORDER BY user_id"


class ProtectedTest(ClusterTest):
    """Two tenants with people, Postern with an audit log, and a twin that holds acme alone."""

    postern: ClassVar[PosternServer]
    passwords: ClassVar[dict[str, str]]
    people: ClassVar[int] = 0

    @classmethod
    def boot(cls) -> None:
        cls.cluster.start_primary()
        logins = (APP, SERVICE, f"{OWN}_app", f"{VICTIM}_app")
        cls.passwords = {name: secrets.token_hex(8) for name in logins}
        for statement in (
            f"CREATE ROLE {OWNER} NOLOGIN",
            f"CREATE ROLE {APP} LOGIN PASSWORD '{cls.passwords[APP]}'",
            f"CREATE ROLE {SERVICE} LOGIN PASSWORD '{cls.passwords[SERVICE]}'",
            f"GRANT pg_read_all_stats TO {SERVICE}",
            f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
            f"CREATE DATABASE {TWIN} OWNER {OWNER}",
        ):
            cls.cluster.primary.scalar(statement)
        for name in (DATABASE, TWIN):
            owner = cls.direct(name).to(options=f"-c role={OWNER}")
            load_llama_mapper(owner, protected=name == DATABASE, app_role=APP)
        cls._serve()
        for tenant in (OWN, VICTIM):
            cls._move_people(tenant)
        psql(cls.direct(), file=FIXTURES / "llama_mapper" / "data_api_keys.sql",
             flags=("-q",)).checked()  # fmt: skip
        cls._leave_acme_alone()

    @classmethod
    def _serve(cls) -> None:
        cls.postern = cls.cluster.add_postern()
        cls.cluster.scratch.folder("anchor", 0o700)
        cls.postern.write("app.password", cls.passwords[APP] + "\n")
        cls.postern.write("service.password", cls.passwords[SERVICE] + "\n")
        cls.postern.write("users.toml", "".join(
            f'[user.{tenant}_app]\npassword = "{cls.passwords[tenant + "_app"]}"\n'
            f'tenant = "{tenant}"\nprofile = "app"\n' for tenant in (OWN, VICTIM)
        ) + cls.more_users())  # fmt: skip
        cls.prepare_files()
        cls.postern.configure(cls.toml)
        for command in (("init",), ("tenant", "add", OWN, VICTIM)):
            cls.postern.cli_checked("keys", *command, "-c", "postern.toml")
        cls.postern.cli_checked(
            "policy", "apply", "-c", "postern.toml", "--database", DATABASE,
            "--dsn", cls.direct().public(), database=cls.direct(),
        )  # fmt: skip
        cls.postern.start(cls.toml)

    # What a class adds to the fixture.
    @classmethod
    def more_users(cls) -> str:
        return ""

    @classmethod
    def more_toml(cls) -> str:
        return ""

    @classmethod
    def prepare_files(cls) -> None:
        """Files the configuration names, beside those of every class."""

    @classmethod
    def toml(cls, ports: Ports) -> str:
        columns = "".join(
            f'[[column]]\ndatabase = "{DATABASE}"\ntable = "public.users"\nname = "{name}"\n'
            f'type = "{kind}"\nscheme = "{scheme}"\nuuid = "{uuid}"\n'
            for name, kind, scheme, uuid in PII
        )
        return f"""\
[listen]
port = {ports.clients}
workers = 2
[cluster.main]
nodes = ["127.0.0.1:{cls.cluster.primary.port}"]
[service]
user = "{SERVICE}"
password_file = "service.password"
[auth]
users_file = "users.toml"
[metrics]
port = {ports.admin}
[database.{DATABASE}]
cluster = "main"
user = "{APP}"
password_file = "app.password"
[policy]
mode = "enforce"
[tenant]
column = "tenant_id"
shared = ["public.frameworks", "public.taxonomy"]
guard_key_file = "guard.key"
[[table]]
database = "{DATABASE}"
name = "public.legacy_exports"
tenant_column = "customer"
[keys]
file = "keys.store"
kek_file = "root.key"
[audit]
dir = "audit"
anchor_file = "../anchor/postern.anchor"
key_file = "audit.key"
[log]
level = "info"
{columns}{cls.more_toml()}"""

    @classmethod
    def _move_people(cls, tenant: str) -> None:
        """The users of the twin go into the protected database, through Postern."""
        with connect(cls.direct(TWIN)) as twin:
            found = twin.execute(USERS, (tenant,)).fetchall()
        names = f"{USER_COLUMNS}, created_at"
        slots = ", ".join(["%s"] * len(names.split(",")))
        with connect(cls.login(tenant)) as client, client.transaction():
            for person in found:
                client.execute(f"INSERT INTO users ({names}) VALUES ({slots})", person)
        cls.people += len(found)

    @classmethod
    def _leave_acme_alone(cls) -> None:
        """What the wall hides from acme is not in the twin at all."""
        tables = rows(
            cls.direct(TWIN),
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND NOT"
            " c.relispartition AND a.attname IN ('tenant_id', 'customer')"
            " UNION ALL SELECT 'events', 'tenant_id'",
        )
        deletes = [f"DELETE FROM {t} WHERE {c} IS DISTINCT FROM '{OWN}'" for t, c in tables]
        as_replica = cls.direct(TWIN).to(options="-c session_replication_role=replica")
        psql(as_replica, *deletes).checked()

    # --- who talks ------------------------------------------------------------------------------

    @classmethod
    def login(cls, tenant: str) -> Dsn:
        user = f"{tenant}_app"
        dsn = cls.postern.login(user, cls.passwords[user], DATABASE, "application")
        return dsn.to(sslmode="disable")

    @classmethod
    def direct(cls, database: str = DATABASE) -> Dsn:
        """The primary as superuser, past Postern."""
        return cls.cluster.primary.superuser.to(dbname=database)

    @classmethod
    def plain_twin(cls) -> Dsn:
        """The plaintext twin as the application's role."""
        return cls.direct(TWIN).to(user=APP, password=cls.passwords[APP])

    def connect(self, dsn: Dsn) -> psycopg.Connection[tuple]:
        connection = connect(dsn)
        self.addCleanup(connection.close)
        return connection
