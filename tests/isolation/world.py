"""The world of the suite: a cluster, the walled shop with its spoilt copies, Postern in front."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

import cat_tokens
import data
import psycopg
from cluster import Cluster
from postern_server import Ports, PosternServer
from psql_client import Dsn, connect, psql
from scratch import HarnessError, wait_until
from spoilt import SPOILT

HERE = Path(__file__).resolve().parent
SHOP = "shop"
BY_TRANSACTION = "_tx"  # ends the name under which a database is pooled by transaction
# login: (tenant lines of the users file, profile, whether it logs in upstream under its own name)
LOGINS = {
    "t1": ('tenant = "1"', "app", False),
    "chosen": ('tenant = "1"', "app", False),  # a second login of the attacker's tenant
    "t2": ('tenant = "2"', "app", False),
    "analyst": ('tenant = "1"', "analyst", False),
    "chooser": ('tenants = ["1", "2"]', "app", False),
    "homeless": ("", "app", False),
    "mig": ("", "migrator", True),
    "bak": ("", "backup", True),
    "postgres": ("", "admin", True),
}
ROLES = ("app", "mig", "bak", "svc")



def _event_triggers(state: str) -> str:
    return f"""\
DO $$
DECLARE t name;
BEGIN
  FOR t IN SELECT evtname FROM pg_event_trigger LOOP
    EXECUTE format('ALTER EVENT TRIGGER %I {state}', t);
  END LOOP;
END $$"""


# Behind the mistake they are as before: else the disabled triggers alone would close the database,
# and no attack would come as far as the gate.
AROUND_TRIGGERS, BACK_AGAIN = _event_triggers("DISABLE"), _event_triggers("ENABLE ALWAYS")


class World:
    """A context manager. Databases: `shop` (pools by session), `shop_tx` (by transaction; the same
    database), the spoilt copies, `migrations`, and `other`, a shop with other rows of the victim.
    """

    def __init__(self, mode: str = "enforce", *, spoilt: bool = True, seed: int = 7) -> None:
        self.mode = mode
        self.seed = seed
        self.cluster = Cluster("postern-isolation-")
        self.passwords = {name: secrets.token_hex(8) for name in {*LOGINS, *ROLES}}
        self.victim_rows = 20
        self.sockets = self.cluster.scratch.path / "sockets"  # where clients may send tokens
        self.heard = 0  # bytes that attackers received
        self._spoilt = spoilt
        self._superusers: dict[str, psycopg.Connection[tuple]] = {}

    def __enter__(self) -> World:
        self.cluster.__enter__()
        try:
            self._boot()
        except BaseException:
            self.cluster.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._superusers.values():
            connection.close()
        self.cluster.__exit__(None, None, None)

    # --- building it ----------------------------------------------------------------------------

    def _boot(self) -> None:
        self.cluster.start_primary({
            "max_prepared_transactions": "4", "max_connections": "150",
            "track_functions": "all", "jit": "off", "autovacuum": "off",
        })  # fmt: skip
        self.passwords["postgres"] = self.cluster.password
        self.cluster.start_redis()
        self._make_roles()
        self._make_shop()
        self._write_postern()
        self._raise_wall()
        self._make_copies()
        self.postern.start(self.toml)

    def _make_roles(self) -> None:
        run = self.cluster.primary.scalar
        run("CREATE ROLE own NOLOGIN")
        for name in ROLES:
            run(f"CREATE ROLE {name} LOGIN PASSWORD '{self.passwords[name]}'")
        run("GRANT pg_read_all_stats TO svc")
        run("GRANT own TO mig")
        run("CREATE ROLE bypasser NOLOGIN BYPASSRLS")

    def _make_shop(self) -> None:
        run = self.cluster.primary.scalar
        run(f"CREATE DATABASE {SHOP} OWNER own")
        run(f"REVOKE ALL ON DATABASE {SHOP} FROM PUBLIC")
        run(f"GRANT CONNECT ON DATABASE {SHOP} TO app, mig, bak, svc")
        run(f"GRANT CREATE ON DATABASE {SHOP} TO own")
        shop = self.superuser_dsn(SHOP)
        psql(shop, "CREATE EXTENSION btree_gist", "ALTER SCHEMA public OWNER TO own").checked()
        psql(shop, file=HERE / "schema.sql", flags=("-q",)).checked()
        psql(shop, data.COUNTRIES).checked()
        self.fill(SHOP, self.seed)

    def _write_postern(self) -> None:
        self.postern: PosternServer = self.cluster.add_postern()
        self.cluster.scratch.folder("anchor", 0o700)
        for role in ("app", "svc"):
            self.postern.write(f"{role}.password", self.passwords[role] + "\n")
        # Who may name a tenant among its own has to be declared so, where that key is known.
        known = "`trusted`" in self.postern.cli_checked("explain", "config")
        users = "".join(
            f'[user.{name}]\n' + ("trusted = true\n" if known and name == "chooser" else "")
            + f'password = "{self.passwords[name]}"\n{tenant}\n'
            f'profile = "{profile}"\n' + (f'upstream_user = "{name}"\n' if own_name else "")
            for name, (tenant, profile, own_name) in LOGINS.items()
        )
        users += f'[user.{cat_tokens.LOGIN}]\ntenants = ["1", "2"]\nprofile = "app"\n'
        self.postern.write("users.toml", users)
        self.cluster.scratch.folder("sockets")
        self.keys = cat_tokens.Keys.make(self)
        self.postern.configure(self.toml)
        self.postern.cli_checked("keys", "init", "-c", "postern.toml")
        self.postern.cli_checked("keys", "tenant", "add", "1", "2", "-c", "postern.toml")

    def _raise_wall(self) -> None:
        shop = self.superuser_dsn(SHOP)
        self.postern.cli_checked(
            "policy", "apply", "-c", "postern.toml", "--database", SHOP,
            "--dsn", shop.public(), database=shop,
        )  # fmt: skip

    def _make_copies(self) -> None:
        wanted = ["migrations", "other"]
        wanted += [*SPOILT] if self._spoilt else []
        for name in wanted:
            self.copy(name)
            if name in SPOILT:
                # A careless administrator goes around the wall's event triggers, too.
                psql(self.superuser_dsn(name), AROUND_TRIGGERS, *SPOILT[name].sql, "RESET ROLE",
                     BACK_AGAIN).checked()  # fmt: skip

    def copy(self, name: str) -> None:
        """A further database like the shop, its wall included."""
        held = self._superusers.pop(SHOP, None)
        if held is not None:
            held.close()
        psql(self.superuser_dsn("postgres"), f"CREATE DATABASE {name} TEMPLATE {SHOP} OWNER own",
             f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
             f"GRANT CONNECT ON DATABASE {name} TO app, mig, bak, svc").checked()  # fmt: skip

    def toml(self, ports: Ports) -> str:
        by_transaction = "".join(
            f'[database.{name}{BY_TRANSACTION}]\nupstream = "{name}"\nuser = "app"\n'
            'password_file = "app.password"\ncluster = "main"\npool_mode = "transaction"\n'
            "pool_size = 4\n"
            for name in (SHOP, "other")
        )
        app = 'cluster = "main"\nuser = "app"\npassword_file = "app.password"\npool_size = 4\n'
        return f"""\
[listen]
port = {ports.clients}
unix_socket_dir = "{self.sockets}"
workers = 2
[cluster.main]
nodes = ["127.0.0.1:{self.cluster.primary.port}"]
[service]
user = "svc"
password_file = "svc.password"
[auth]
users_file = "users.toml"
failure_burst = 0
[metrics]
port = {ports.admin}
[admin]
admin_users = ["postgres"]
{by_transaction}[database."*"]
{app}[policy]
mode = "{self.mode}"
verify_interval = "2s"
[tenant]
column = "tenant"
type = "int4"
shared = ["public.country", "evil.*"]
guard_key_file = "guard.key"
[cache]
redis = "127.0.0.1:{self.cluster.redis.port}"
[[cache.rule]]
tables = ["public.part*", "public.country"]
[keys]
file = "keys.store"
kek_file = "root.key"
[audit]
dir = "audit"
anchor_file = "../anchor/postern.anchor"
key_file = "audit.key"
[log]
level = "info"
{cat_tokens.toml()}"""

    # --- rows -----------------------------------------------------------------------------------

    def superuser_dsn(self, database: str) -> Dsn:
        name = database.removesuffix(BY_TRANSACTION)
        return self.cluster.primary.superuser.to(dbname=name, sslmode="disable")

    def superuser(self, database: str) -> psycopg.Connection[tuple]:
        """A kept connection past Postern."""
        name = database.removesuffix(BY_TRANSACTION)
        if name not in self._superusers or self._superusers[name].closed:
            self._superusers[name] = connect(self.superuser_dsn(name))
            self._superusers[name].execute("SET session_replication_role = replica")
        return self._superusers[name]

    def fill(self, database: str, seed: int, rows: int = 20) -> None:
        """All rows anew."""
        connection = self.superuser(database)
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '10s'")
            for statement in data.statements(data.Victim(seed, rows)):
                connection.execute(statement.encode())

    def end_server_connections(self) -> None:
        """Pooled connections end; new ones are made when they are needed."""
        self.superuser("postgres").execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"
        )

    def digest(self, database: str, tenant: int = data.VICTIM) -> str:
        found = self.superuser(database).execute(data.digest_sql(tenant)).fetchone()
        assert found is not None
        return str(found[0])

    # --- who talks ------------------------------------------------------------------------------

    def login(self, name: str, database: str) -> Dsn:
        dsn = self.postern.login(name, self.passwords[name], database, "isolation")
        return dsn.to(sslmode="disable")

    def stolen(self, database: str, role: str = "app") -> Dsn:
        """The pool's own login, past Postern."""
        return self.superuser_dsn(database).to(user=role, password=self.passwords[role])

    def policy(self, word: str, database: str, *more: str) -> subprocess.CompletedProcess[str]:
        """`postern policy WORD` against a database."""
        dsn = self.superuser_dsn(database)
        return self.postern.cli("policy", word, "-c", "postern.toml", "--database", database,
                                "--dsn", dsn.public(), *more, database=dsn)  # fmt: skip

    def wait_until_served(self, database: str) -> None:
        """Returns once the wall of the database is verified and a tenant may work there."""

        def served() -> bool:
            try:
                with connect(self.login("t1", database)) as client:
                    return client.execute("SELECT count(*) FROM cust").fetchone() == (20,)
            except psycopg.Error:
                return False

        try:
            wait_until(served, f"{database} to be served", 20)
        except HarnessError as error:
            raise HarnessError(f"{error}\n{self.postern.log.tail(8)}") from error
