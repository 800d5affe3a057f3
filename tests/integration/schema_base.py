"""Fixture of tenants by schema: two tenants, each with a schema and a role of its own."""

from __future__ import annotations

import re
import secrets
import urllib.request
from typing import ClassVar

import psycopg

from base import ClusterTest, create_database
from postern_server import Ports, PosternServer
from psql_client import Dsn, connect, psql
from wire import Message, Wire, query, session

DATABASE, OWNER, SERVICE, APP = "shop", "shop_owner", "postern_service", "shop_app"
OWN, VICTIM = "acme", "globex"
MIGRATOR, CHOOSER, NOBODY = "migrator", "chooser", "nobody_app"
SECRET = "of-globex-alone"

TENANT_SQL = """
SET check_function_bodies = off;
SET ROLE {owner};
CREATE SCHEMA tenant_{tenant};
CREATE TABLE tenant_{tenant}.orders (id int PRIMARY KEY, note text NOT NULL);
INSERT INTO tenant_{tenant}.orders SELECT i, '{note}-' || i FROM generate_series(1, {count}) i;
CREATE SEQUENCE tenant_{tenant}.numbers;
CREATE VIEW tenant_{tenant}.latest AS SELECT max(id) AS id FROM tenant_{tenant}.orders;
CREATE FUNCTION tenant_{tenant}.total() RETURNS bigint LANGUAGE sql STABLE
  AS 'SELECT count(*) FROM orders';
ANALYZE tenant_{tenant}.orders;
RESET ROLE;
"""
SHARED_SQL = """
SET check_function_bodies = off;
SET ROLE {owner};
CREATE SCHEMA shared;
GRANT USAGE ON SCHEMA shared TO PUBLIC;
CREATE TABLE shared.kinds (kind text PRIMARY KEY);
INSERT INTO shared.kinds VALUES ('book'), ('lamp');
GRANT SELECT ON shared.kinds TO PUBLIC;
CREATE TABLE public.internal (n int);
-- What an attacker finds in a database: code that leaves the caller's schema behind.
CREATE FUNCTION shared.pathless() RETURNS bigint LANGUAGE sql STABLE
  AS 'SELECT count(*) FROM orders';
CREATE FUNCTION shared.leaving(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text; BEGIN
  PERFORM set_config('search_path', name, true);
  EXECUTE 'SELECT string_agg(note, '','') FROM orders' INTO found; RETURN found; END $$;
CREATE FUNCTION shared.named(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text; BEGIN
  EXECUTE format('SELECT string_agg(note, '','') FROM %I.orders', name) INTO found;
  RETURN found; END $$;
CREATE FUNCTION shared.becoming(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN EXECUTE format('SET ROLE %I', name); RETURN current_user; END $$;
CREATE FUNCTION shared.unbecoming() RETURNS text LANGUAGE plpgsql AS $$
BEGIN RESET ROLE; RETURN current_user; END $$;
RESET ROLE;
"""


class SchemaTest(ClusterTest):
    """acme has 3 orders, globex 5. Session pooling, unless a class says otherwise."""

    postern: ClassVar[PosternServer]
    passwords: ClassVar[dict[str, str]]
    pool: ClassVar[str] = "session"

    @classmethod
    def boot(cls) -> None:
        cls.cluster.start_primary()
        names = (SERVICE, APP, f"{OWN}_app", f"{VICTIM}_app", MIGRATOR, CHOOSER, NOBODY, "roles")
        cls.passwords = {name: secrets.token_hex(8) for name in names}
        for statement in (
            f"CREATE ROLE {OWNER} NOLOGIN",
            f"CREATE ROLE {SERVICE} LOGIN PASSWORD '{cls.passwords[SERVICE]}'",
            f"CREATE ROLE {APP} LOGIN PASSWORD '{cls.passwords[APP]}'",
            f"CREATE ROLE {MIGRATOR} LOGIN PASSWORD '{cls.passwords[MIGRATOR]}' IN ROLE {OWNER}",
        ):
            cls.cluster.primary.scalar(statement)
        create_database(cls.cluster, DATABASE)
        cls.sql(f"GRANT CREATE ON DATABASE {DATABASE} TO {OWNER}; GRANT ALL ON SCHEMA public TO"
                f" {OWNER}")  # fmt: skip
        cls.sql(TENANT_SQL.format(owner=OWNER, tenant=OWN, note="of-acme", count=3))
        cls.sql(TENANT_SQL.format(owner=OWNER, tenant=VICTIM, note=SECRET, count=5))
        cls.sql(SHARED_SQL.format(owner=OWNER))
        cls.serve()

    @classmethod
    def serve(cls) -> None:
        cls.postern = cls.cluster.add_postern()
        cls.cluster.scratch.folder("anchor", 0o700)
        cls.postern.write("app.password", cls.passwords[APP] + "\n")
        cls.postern.write("service.password", cls.passwords[SERVICE] + "\n")
        cls.postern.write("roles.password", cls.passwords["roles"] + "\n")
        users = {
            f"{OWN}_app": f'tenant = "{OWN}"\nprofile = "app"\n',
            f"{VICTIM}_app": f'tenant = "{VICTIM}"\nprofile = "app"\n',
            CHOOSER: f'tenants = ["{OWN}", "{VICTIM}"]\ntrusted = true\nprofile = "app"\n',
            MIGRATOR: f'profile = "migrator"\nupstream_user = "{MIGRATOR}"\n',
            NOBODY: 'profile = "app"\n',
        }
        cls.postern.write("users.toml", "".join(
            f'[user.{name}]\npassword = "{cls.passwords[name]}"\n{more}'
            for name, more in users.items()
        ))  # fmt: skip
        cls.postern.configure(cls.toml)
        cls.applied = cls.policy("apply", "--json")
        cls.postern.start(cls.toml)

    @classmethod
    def toml(cls, ports: Ports) -> str:
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
pool_mode = "{cls.pool}"
pool_size = 2
[policy]
mode = "enforce"
verify_interval = "200ms"
[tenant]
schema = "tenant_{{tenant}}"
role_password_file = "roles.password"
shared = ["shared.*"]
[routing]
poll_interval = "100ms"
[cache]
ttl = "60s"
[[cache.rule]]
tables = ["tenant_*.orders"]
[audit]
dir = "audit"
anchor_file = "../anchor/postern.anchor"
key_file = "audit.key"
[log]
level = "info"
"""

    # --- who talks ------------------------------------------------------------------------------

    @classmethod
    def policy(cls, command: str, *more: str) -> str:
        """A policy command as the superuser; its output, also where it found something."""
        done = cls.postern.cli(
            "policy", command, "-c", "postern.toml", "--database", DATABASE,
            "--dsn", cls.direct().public(), *more, database=cls.direct(),
        )  # fmt: skip
        assert done.returncode in (0, 1) and done.stdout, done.stderr
        return done.stdout

    @classmethod
    def login(cls, user: str, **changes: object) -> Dsn:
        dsn = cls.postern.login(user, cls.passwords[user], DATABASE, "application")
        return dsn.to(sslmode="disable", **changes)

    @classmethod
    def direct(cls) -> Dsn:
        return cls.cluster.primary.superuser.to(dbname=DATABASE)

    @classmethod
    def sql(cls, *statements: str) -> None:
        """Past Postern, as the superuser."""
        psql(cls.direct(), *statements, flags=("-q",)).checked()

    def wire(self, user: str) -> Wire:
        opened = session(self.login(user))
        self.addCleanup(opened.close)
        return opened

    def connect(self, user: str, **changes: object) -> psycopg.Connection[tuple]:
        opened = connect(self.login(user, **changes))
        self.addCleanup(opened.close)
        return opened

    def metric(self, pattern: str) -> int:
        url = f"http://127.0.0.1:{self.postern.ports.admin}/metrics"
        with urllib.request.urlopen(url, timeout=5) as page:
            found = re.findall(rf"^{pattern} (\d+)", page.read().decode(), re.MULTILINE)
        return sum(int(value) for value in found)


def ask(wire: Wire, sql: str) -> list[Message]:
    return wire.ask(query(sql))


def rows_of(messages: list[Message]) -> list[list[bytes | None]]:
    return [m.values() for m in messages if m.type == "D"]


def refused(messages: list[Message]) -> str:
    """SQLSTATE and Postern's code of the first error; empty: none."""
    for m in messages:
        if m.type == "E":
            fields = m.fields()
            return f"{fields['C']} {fields.get('D', '')[:8]}".strip()
    return ""
