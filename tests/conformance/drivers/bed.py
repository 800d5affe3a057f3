"""The test bed: one PostgreSQL and one Postern, both with TLS and SCRAM and nothing else."""

from __future__ import annotations

import re
import secrets
import shutil
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from cluster import Cluster
from postern_server import Ports, PosternServer
from psql_client import Dsn, psql
from scratch import HarnessError

HERE = Path(__file__).resolve().parent
DATABASE, USER, SERVICE = "drivers", "driver", "postern_service"
HBA = """\
hostssl all all 127.0.0.1/32 scram-sha-256
hostnossl all postgres 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True)
class Target:
    """Where a client connects: `name` is "direct" or "postern"."""

    name: str
    port: int


class Bed:
    """Servers, certificates and logins; a context manager.

    `mode` is Postern's pool_mode, `served` the database it serves; "*" is any.
    """

    def __init__(self, mode: str, served: str = DATABASE) -> None:
        self.mode = mode
        self.served = served
        self.password = secrets.token_hex(12)
        self.cluster = Cluster("postern-drivers-")
        self.service_password = secrets.token_hex(12)

    def __enter__(self) -> Bed:
        self.cluster.__enter__()
        try:
            self._start()
        except BaseException:
            self.cluster.close()
            raise
        return self

    def __exit__(self, *what: object) -> None:
        self.cluster.__exit__(*what)  # type: ignore[arg-type]

    @property
    def folder(self) -> Path:
        return self.cluster.scratch.path

    @property
    def ca(self) -> Path:
        return self.folder / "tls" / "ca.crt"

    @property
    def wrong_ca(self) -> Path:
        return self.folder / "tls" / "other.crt"

    @property
    def admin(self) -> Dsn:
        """The superuser in the database, directly."""
        return self.cluster.primary.superuser.to(dbname=DATABASE, sslmode="disable")

    def targets(self) -> list[Target]:
        return [
            Target("direct", self.cluster.primary.port),
            Target("postern", self.postern.ports.clients),
        ]

    def reset(self) -> None:
        """Everything the clients find, as new; sessions of others stay."""
        psql(self.admin, file=HERE / "schema.sql", flags=("-q",)).checked()

    def statements(self, postern: PosternServer | None = None) -> int:
        """Postern's count of statements it executed for clients."""
        url = f"http://127.0.0.1:{(postern or self.postern).ports.admin}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            text = answer.read().decode()
        found = re.search(r"^postern_statements_total(?:\{[^}]*\})? ([0-9.e+]+)$", text, re.M)
        if not found:
            raise HarnessError("/metrics has no postern_statements_total")
        return int(float(found.group(1)))

    # --- starting -------------------------------------------------------------------------------

    def _start(self) -> None:
        self._make_certificates()
        tls = self.folder / "tls"
        primary = self.cluster.start_primary({
            "ssl": "on",
            "ssl_cert_file": str(tls / "server.crt"),
            "ssl_key_file": str(tls / "server.key"),
            "timezone": "UTC",
        })  # fmt: skip
        for statement in (
            f"CREATE ROLE {USER} LOGIN REPLICATION PASSWORD '{self.password}'",
            f"CREATE ROLE {SERVICE} LOGIN PASSWORD '{self.service_password}'",
            f"GRANT pg_read_all_stats TO {SERVICE}",
            f"CREATE DATABASE {DATABASE} OWNER {USER}",
        ):
            primary.scalar(statement)
        hba = primary.data / "pg_hba.conf"
        self.cluster.scratch.write(hba, HBA)
        primary.scalar("SELECT pg_reload_conf()")
        self.postern: PosternServer = self.cluster.add_postern()
        self.postern.write("service.password", self.service_password + "\n")
        login = f'[user.{USER}]\npassword = "{self.password}"\nreplication = true\n'
        self.postern.write("users.toml", login)
        self.postern.start(self._toml)

    def _make_certificates(self) -> None:
        """An authority, a certificate for localhost signed by it, and a foreign authority."""
        scratch = self.cluster.scratch
        tls = scratch.folder("tls")
        for name in ("ca", "other"):
            self._openssl(
                "req", "-x509", *_NEW_KEY, "-days", "2", "-subj", f"/CN=drivers {name}",
                "-keyout", tls / f"{name}.key", "-out", tls / f"{name}.crt",
            )  # fmt: skip
        self._openssl(
            "req", *_NEW_KEY, "-subj", "/CN=localhost",
            "-keyout", tls / "server.key", "-out", tls / "server.csr",
        )  # fmt: skip
        names = scratch.write(tls / "names.cnf", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self._openssl(
            "x509", "-req", "-days", "2", "-in", tls / "server.csr", "-CA", tls / "ca.crt",
            "-CAkey", tls / "ca.key", "-CAcreateserial", "-extfile", names,
            "-out", tls / "server.crt",
        )  # fmt: skip
        self._make_client_files(tls)

    def _make_client_files(self, tls: Path) -> None:
        """A client's certificate, its key in clear and locked, and two lists of revoked ones."""
        self._openssl(
            "req", "-x509", *_NEW_KEY, "-days", "2", "-subj", f"/CN={USER}",
            "-keyout", tls / "client.key", "-out", tls / "client.crt",
        )  # fmt: skip
        self._openssl(
            "ec", "-in", tls / "client.key", "-aes256", "-passout", "pass:secret",
            "-out", tls / "locked.key",
        )  # fmt: skip
        scratch = self.cluster.scratch
        scratch.write(tls / "index.txt", "")
        config = scratch.write(
            tls / "ca.cnf",
            "[ca]\ndefault_ca = this\n[this]\ndefault_md = sha256\ndefault_crl_days = 2\n"
            f"database = {tls / 'index.txt'}\n",
        )
        own = ("-config", config, "-cert", tls / "ca.crt", "-keyfile", tls / "ca.key")
        for name in ("empty", "revoked"):
            if name == "revoked":
                self._openssl("ca", *own, "-revoke", tls / "server.crt")
            self._openssl("ca", *own, "-gencrl", "-out", tls / f"{name}.crl")
            folder = scratch.folder(f"tls/crl-{name}")
            shutil.copy2(tls / f"{name}.crl", folder)
            self._openssl("rehash", folder)

    def copy_client_files(self, home: Path) -> None:
        """The files above as the user who runs the clients owns them."""
        tls = self.folder / "tls"
        for name in ("client.crt", "client.key", "locked.key", "empty.crl", "revoked.crl"):
            shutil.copyfile(tls / name, home / name)
            (home / name).chmod(0o600)
        for name in ("crl-empty", "crl-revoked"):
            shutil.copytree(tls / name, home / name, symlinks=True)

    def _openssl(self, *argv: str | Path) -> None:
        done = self.cluster.scratch.run(["openssl", *argv])
        if done.returncode != 0:
            raise HarnessError(f"openssl {argv[0]} failed: {done.stderr.strip()}")

    def _toml(self, ports: Ports) -> str:
        tls = self.folder / "tls"
        return f"""\
[listen]
port = {ports.clients}
workers = 2
[listen.tls]
mode = "require"
cert_file = "{tls / "server.crt"}"
key_file = "{tls / "server.key"}"
[cluster.main]
nodes = ["localhost:{self.cluster.primary.port}"]
[cluster.main.tls]
mode = "verify-full"
ca_file = "{self.ca}"
[service]
user = "{SERVICE}"
password_file = "service.password"
[auth]
users_file = "users.toml"
[metrics]
port = {ports.admin}
[database."{self.served}"]
cluster = "main"
pool_mode = "{self.mode}"
pool_size = 30
"""


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
