"""Everything the capabilities play on: servers, data, keys, wall, Postern, connections."""

from __future__ import annotations

import secrets
from pathlib import Path

import people
import settings
from clients import Client, Journal
from cluster import Cluster
from narrator import Narrator
from postern_server import Ports, PosternServer
from psql_client import Dsn, PsqlResult, psql, rows
from settings import DATABASE, RELAY_DATABASE, SERVICE_ROLE, TWIN_DATABASE, UPSTREAM_ROLE, login_of

FIXTURE = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "llama_mapper"
OWNER_ROLE = "mapper_owner"


class Stage:
    """Built once per run by `build`; the capabilities then share it, one after the other."""

    def __init__(self, cluster: Cluster, narrator: Narrator, broken: str | None) -> None:
        self.cluster = cluster
        self.narrator = narrator
        self.broken = broken
        self.journal = Journal()
        self.tenants: list[str] = []
        self.finished: set[str] = set()
        self.postern: PosternServer = cluster.add_postern()
        self.anchor = cluster.scratch.folder("anchor", 0o700) / "postern.anchor"
        self._passwords = {name: secrets.token_hex(12) for name in (UPSTREAM_ROLE, SERVICE_ROLE)}

    # --- connections -----------------------------------------------------------------------------

    def login(self, tenant: str, step: str) -> Dsn:
        """A tenant's application at Postern; `step` becomes its application_name."""
        user = login_of(tenant)
        return self._through(user, DATABASE, step)

    def guest(self, step: str) -> Dsn:
        """A login without tenant, for the database that is only relayed."""
        return self._through("guest", RELAY_DATABASE, step)

    def _through(self, user: str, database: str, step: str) -> Dsn:
        dsn = self.postern.login(user, self._passwords[user], database, f"demo {step}")
        return dsn.to(sslmode="disable")

    def client(self, dsn: Dsn) -> Client:
        """A journalled connection through Postern."""
        return Client(dsn, self.journal)

    def psql(self, dsn: Dsn, command: str, *flags: str) -> PsqlResult:
        """One statement by psql through Postern, journalled."""
        result = psql(dsn, command, flags=flags)
        self.journal.add(dsn, result.rc == 0)
        return result

    def direct(self, database: str = DATABASE) -> Dsn:
        """The primary as superuser, past Postern."""
        return self.cluster.primary.superuser.to(dbname=database, application="other side")

    def direct_replica(self, database: str = DATABASE) -> Dsn:
        return self.cluster.replica.superuser.to(dbname=database, application="other side")

    def direct_application_role(self) -> Dsn:
        """The primary as the role Postern itself uses for applications: a stolen password."""
        return self.direct().to(user=UPSTREAM_ROLE, password=self._passwords[UPSTREAM_ROLE])

    # --- building --------------------------------------------------------------------------------

    def build(self) -> None:
        say = self.narrator
        say.heading("The stage: throw-away servers on free ports")
        say.note(f"folder    {self.cluster.scratch.path}")
        self._servers()
        self._files()
        self._wall()
        self._serve()
        if self.broken == "tenant-wall":
            self._breach()
        self.cluster.replica.wait_for_replay_of(self.cluster.primary)

    def _servers(self) -> None:
        say = self.narrator
        primary = self.cluster.start_primary()
        say.note(f"primary   PostgreSQL 15 on port {primary.port}")
        self._roles()
        self._data()
        replica = self.cluster.start_replica()
        say.note(f"replica   streaming, on port {replica.port}")
        redis = self.cluster.start_redis()
        say.note(f"redis     on port {redis.port}")
        # From here on each server writes down what it is asked.
        primary.log_statements("all")
        replica.log_statements("all")

    def _roles(self) -> None:
        passwords = self._passwords
        for statement in (
            f"CREATE ROLE {OWNER_ROLE} NOLOGIN",
            f"CREATE ROLE {UPSTREAM_ROLE} LOGIN NOSUPERUSER NOBYPASSRLS"
            f" PASSWORD '{passwords[UPSTREAM_ROLE]}'",
            f"CREATE ROLE {SERVICE_ROLE} LOGIN PASSWORD '{passwords[SERVICE_ROLE]}'",
            f"GRANT pg_read_all_stats TO {SERVICE_ROLE}",
            f"CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}",
            f"CREATE DATABASE {RELAY_DATABASE} OWNER {UPSTREAM_ROLE}",
            f"CREATE DATABASE {TWIN_DATABASE} OWNER {UPSTREAM_ROLE}",
        ):
            self.cluster.primary.scalar(statement)

    def _data(self) -> None:
        variables = {"protected": "1", "app_role": UPSTREAM_ROLE}
        if self.broken == "pii-encryption":
            variables[f"pii_{settings.UNPROTECTED_WHEN_BROKEN}"] = "text"
        owner = self.direct().to(options=f"-c role={OWNER_ROLE}")
        for script in ("schema.sql", "data.sql"):
            path = FIXTURE / script
            psql(owner, file=path, variables=variables, flags=("-q",)).checked()
        by_age = "SELECT tenant_id FROM tenants ORDER BY created_at"
        self.tenants = [name for (name,) in rows(self.direct(), by_age)]

    def _files(self) -> None:
        postern = self.postern
        logins = [*map(login_of, self.tenants), "guest"]
        self._passwords.update({name: secrets.token_hex(12) for name in logins})
        postern.write("app.password", self._passwords[UPSTREAM_ROLE] + "\n")
        postern.write("service.password", self._passwords[SERVICE_ROLE] + "\n")
        postern.write("users.toml", settings.users_toml(self.tenants, self._passwords))
        certificate = self.cluster.scratch.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-keyout", postern.folder / "tls.key", "-out", postern.folder / "tls.crt"]
        )  # fmt: skip
        certificate.check_returncode()
        postern.configure(self._render)

    def _render(self, ports: Ports) -> str:
        cluster = self.cluster
        servers = settings.Servers(cluster.primary.port, cluster.replica.port, cluster.redis.port)
        return settings.postern_toml(ports, servers, self.broken)

    def _wall(self) -> None:
        """Keys for every tenant, then the wall in the database."""
        say, postern = self.narrator, self.postern
        postern.cli_checked("keys", "init", "-c", postern.config)
        postern.cli_checked("keys", "tenant", "add", "-c", postern.config, *self.tenants)
        say.command(f"postern keys tenant add -c postern.toml {' '.join(self.tenants[:3])} …", "")
        printed = postern.cli_checked(
            "policy", "apply", "-c", postern.config, "--database", DATABASE,
            "--dsn", self.direct().public(), database=self.direct(),
        )  # fmt: skip
        say.command(f"postern policy apply -c postern.toml --database {DATABASE} --dsn …", printed)

    def _serve(self) -> None:
        self.postern.start(self._render)
        self.narrator.note(f"postern   serves on port {self.postern.ports.clients}")

    def load_people(self) -> int:
        """The users go in through Postern, each tenant's by its own login; how many."""
        written = 0
        for number, tenant in enumerate(self.tenants, start=1):
            with self.client(self.login(tenant, "load")) as client:
                group = people.people_of(tenant, number)
                people.insert(client, group)
                written += len(group)
        # What hangs on the users holds no protected column.
        psql(self.direct(), file=FIXTURE / "data_api_keys.sql", flags=("-q",)).checked()
        self.finished.add("load")
        return written

    def _breach(self) -> None:
        """--break=tenant-wall: somebody with the owner's rights takes one table out of the wall."""
        for action in ("NO FORCE", "DISABLE"):
            psql(self.direct(), f"ALTER TABLE evaluations {action} ROW LEVEL SECURITY").checked()
