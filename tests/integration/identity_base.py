"""Fixture of the identity tests: logins that choose, by SET, comment, token and certificate."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import subprocess
import time
from typing import ClassVar

import psycopg

from protected_base import DATABASE, OWN, VICTIM, ProtectedTest
from psql_client import Dsn
from wire import Message

CHOOSER, PLAIN, TOKEN, MAPPED, STRANGER = "chooser", "plain", "token", "mapped", "stranger"
POOLED = "pooled"
ISSUER, AUDIENCE = "https://issuer.example", "postern"
COUNT = "SELECT count(*)::int, min(tenant_id), max(tenant_id) FROM evaluations"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def errors(messages: list[Message]) -> list[str]:
    return [m.sqlstate() for m in messages if m.type == "E"]


class IdentityTest(ProtectedTest):
    """The protected fixture with [identity], TLS, and a pooled name for the same database."""

    secret: ClassVar[bytes] = secrets.token_bytes(32)

    @classmethod
    def more_users(cls) -> str:
        cls.passwords |= {name: secrets.token_hex(8) for name in (CHOOSER, PLAIN, MAPPED)}
        both = f'tenants = ["{OWN}", "{VICTIM}"]\nprofile = "app"\n'
        return (
            f'[user.{CHOOSER}]\npassword = "{cls.passwords[CHOOSER]}"\ntrusted = true\n{both}'
            f'[user.{PLAIN}]\npassword = "{cls.passwords[PLAIN]}"\n{both}'
            f'[user.{MAPPED}]\npassword = "{cls.passwords[MAPPED]}"\n{both}'
            f'[user.{TOKEN}]\n{both}'
        )

    @classmethod
    def prepare_files(cls) -> None:
        cls.write_keys(cls.secret)
        for name, uri in (("server", "DNS:localhost"), ("client", f"URI:spiffe://{OWN}/app/ann"),
                          ("other", "URI:spiffe://initech/app/eve")):  # fmt: skip
            cls.certificate(name, uri)
        folder = cls.postern.folder
        authorities = (folder / "client.crt").read_text() + (folder / "other.crt").read_text()
        cls.postern.write("ca.crt", authorities)

    @classmethod
    def write_keys(cls, *keys: bytes) -> None:
        jwks = [{"kty": "oct", "kid": f"k{i}", "alg": "HS256", "k": base64url(key)}
                for i, key in enumerate(keys)]  # fmt: skip
        cls.postern.write("jwks.json", json.dumps({"keys": jwks}))

    @classmethod
    def certificate(cls, name: str, alternative: str) -> None:
        folder = cls.postern.folder
        cls.cluster.scratch.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
             f"subjectAltName={alternative}", "-keyout", f"{folder}/{name}.key",
             "-out", f"{folder}/{name}.crt"],
        ).check_returncode()  # fmt: skip

    @classmethod
    def more_toml(cls) -> str:
        return f"""
[listen.tls]
mode = "allow"
cert_file = "server.crt"
key_file = "server.key"
client_ca_file = "ca.crt"
client_cert = "request"
[identity.jwt]
jwks_file = "jwks.json"
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
leeway = "1s"
login_claim = "login"
purpose_claim = "purpose"
[[identity.map]]
field = "uri"
match = "/spiffe://([a-z]+)/app/([a-z]+)"
tenant = '\\1'
subject = '\\2'
[[auth.rule]]
user = ["{TOKEN}", "{STRANGER}"]
method = "jwt"
[[auth.rule]]
method = "scram-sha-256"
[database.{POOLED}]
cluster = "main"
upstream = "{DATABASE}"
user = "app"
password_file = "app.password"
pool_mode = "transaction"
"""

    @classmethod
    def token(cls, key: bytes | None = None, header: dict[str, object] | None = None,
              **claims: object) -> str:  # fmt: skip
        """A token of our issuer for `TOKEN` and acme; None leaves a claim out."""
        body: dict[str, object] = {
            "iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 60, "login": TOKEN,
            "tenant": OWN, "sub": "ann", **claims,
        }  # fmt: skip
        body = {name: value for name, value in body.items() if value is not None}
        parts = [header or {"alg": "HS256", "kid": "k0"}, body]
        message = ".".join(base64url(json.dumps(part).encode()) for part in parts)
        mac = hmac.new(key or cls.secret, message.encode(), hashlib.sha256).digest()
        return f"{message}.{base64url(mac)}"

    @classmethod
    def dsn(cls, user: str, database: str = DATABASE, password: str | None = None) -> Dsn:
        known = cls.passwords.get(user, "") if password is None else password
        return cls.postern.login(user, known, database, "application").to(sslmode="disable")

    def open(self, dsn: Dsn, **more: object) -> psycopg.Connection[tuple]:
        named: dict[str, object] = {
            "host": dsn.host, "port": dsn.port, "dbname": dsn.dbname, "user": dsn.user,
            "password": dsn.password, "sslmode": dsn.sslmode, "connect_timeout": 10,
            "application_name": dsn.application, "autocommit": True, **more,
        }  # fmt: skip
        connection = psycopg.connect(**named)  # type: ignore[arg-type]
        self.addCleanup(connection.close)
        return connection

    def refusal(self, dsn: Dsn, **more: object) -> str:
        """What the client is told when its login fails."""
        with self.assertRaises(psycopg.OperationalError) as caught:
            self.open(dsn, **more)
        return str(caught.exception)

    def sees(self, connection: psycopg.Connection[tuple], tenant: str | None) -> None:
        """Rows of this tenant and of nobody else; None: no rows at all."""
        count, least, most = connection.execute(COUNT).fetchone() or (0, None, None)
        self.assertEqual((least, most), (tenant, tenant))
        self.assertEqual(count > 0, tenant is not None)

    def fails(self, connection: psycopg.Connection[tuple], sql: str, sqlstate: str) -> None:
        with self.assertRaises(psycopg.Error) as caught:
            connection.execute(sql)  # type: ignore[arg-type]
        self.assertEqual(caught.exception.sqlstate, sqlstate, sql)

    @classmethod
    def audit_lines(cls) -> str:
        found = subprocess.run(
            ["grep", "-rhao", '"end_user":"[^"]*"\\|"purpose":"[^"]*"',
             str(cls.postern.folder / "audit")],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        return found.stdout
