"""Tenants proven by token and by client certificate, and what neither proves."""

from __future__ import annotations

import secrets
import signal
import time

import psycopg

from identity_base import COUNT, MAPPED, PLAIN, STRANGER, TOKEN, IdentityTest
from protected_base import OWN, VICTIM
from psql_client import Dsn
from scratch import wait_until


class TokenTest(IdentityTest):
    """A token as the password of a login whose rule says so, or as the option postern.jwt."""

    def tls(self, user: str, token: str) -> Dsn:
        return self.dsn(user, password=token).to(sslmode="require")

    def test_a_token_names_tenant_and_subject(self) -> None:
        for tenant in (OWN, VICTIM):
            with self.open(self.tls(TOKEN, self.token(tenant=tenant))) as client:
                self.sees(client, tenant)

    def test_a_login_that_no_file_lists(self) -> None:
        token = self.token(login=STRANGER, tenant=VICTIM)
        with self.open(self.tls(STRANGER, token)) as client:
            self.sees(client, VICTIM)
        without = self.token(login=STRANGER, tenant=None)
        with self.open(self.tls(STRANGER, without)) as client:
            self.sees(client, None)

    def test_what_is_wrong_is_refused_with_its_reason(self) -> None:
        now = int(time.time())
        none = self.token(header={"alg": "none", "kid": "k0"})
        good = self.token()
        cases = {
            "PST-1218": ["", "x", good[:-20] + ".x", f"{good}.x", good + "a" * 9000],
            "PST-1219": [none, none.rsplit(".", 1)[0] + ".",
                         self.token(header={"alg": "RS256", "kid": "k0"})],
            "PST-1220": [self.token(header={"alg": "HS256", "kid": "k9"})],
            "PST-1221": [self.token(key=secrets.token_bytes(32)), good[:-4] + "AAAA"],
            "PST-1222": [self.token(exp=now - 2)],
            "PST-1223": [self.token(nbf=now + 60), self.token(iat=now + 60)],
            "PST-1224": [self.token(iss="https://evil"), self.token(aud="other")],
            "PST-1225": [self.token(exp=None), self.token(tenant=["acme"]),
                         self.token(exp=now + 10**7)],
            "PST-1226": [self.token(login=PLAIN), self.token(login=None)],
            "PST-2401": [self.token(tenant="initech")],
            "PST-1601": [self.token(tenant="ACME corp")],
        }  # fmt: skip
        for code, tokens in cases.items():
            for token in tokens:
                said = self.refusal(self.tls(TOKEN, token))
                if token:
                    self.assertIn(code, said, token[:60])
                self.assertNotIn(token[:40] or "?", said)
        # Case counts: ACME is not acme.
        self.assertIn("PST-2401", self.refusal(self.tls(TOKEN, self.token(tenant="ACME"))))

    def test_in_clear_no_token_is_taken(self) -> None:
        said = self.refusal(self.dsn(TOKEN, password=self.token()))
        self.assertIn("PST-1227", said)
        said = self.refusal(self.dsn(PLAIN), options=f"-c postern.jwt={self.token()}")
        self.assertIn("PST-1227", said)

    def test_a_token_beside_a_password(self) -> None:
        dsn = self.dsn(PLAIN).to(sslmode="require")
        with self.open(dsn, options=f"-c postern.jwt={self.token()}") as client:
            self.sees(client, OWN)
        both = f"-c postern.jwt={self.token()} -c postern.tenant={VICTIM}"
        self.assertIn("PST-2401", self.refusal(dsn, options=both))
        forged = self.token(key=secrets.token_bytes(32))
        self.assertIn("PST-1221", self.refusal(dsn, options=f"-c postern.jwt={forged}"))

    def test_the_end_of_a_token_is_the_end_between_transactions(self) -> None:
        token = self.token(exp=int(time.time()) + 2)
        with self.open(self.tls(TOKEN, token)) as client:
            client.execute("BEGIN")
            self.sees(client, OWN)
            time.sleep(3.5)
            client.execute("SELECT 1")
            client.execute("COMMIT")
            with self.assertRaisesRegex(psycopg.OperationalError, "PST-2469"):
                client.execute(COUNT)
            self.assertTrue(client.closed)
        self.assertIn("PST-1222", self.refusal(self.tls(TOKEN, token)))

    def test_keys_change_with_a_reload(self) -> None:
        fresh = secrets.token_bytes(32)
        token = self.token(key=fresh, header={"alg": "HS256", "kid": "k1"})
        self.assertIn("PST-1220", self.refusal(self.tls(TOKEN, token)))
        self.write_keys(self.secret, fresh)
        mark = self.postern.log.mark()
        self.postern.process.signal(signal.SIGHUP)
        wait_until(lambda: " reloaded" in self.postern.log.since(mark), "the reload")
        with self.open(self.tls(TOKEN, token)) as client:
            self.sees(client, OWN)

    def test_nothing_of_a_token_is_logged(self) -> None:
        token = self.token()
        with self.open(self.tls(TOKEN, token)) as client:
            self.sees(client, OWN)
        self.refusal(self.tls(TOKEN, token[:-4] + "AAAA"))
        self.assertNotIn(token.split(".")[1][:20], self.postern.log.since())


class CertificateTest(IdentityTest):
    """The alternative name of a client certificate leads to tenant and subject."""

    def with_certificate(self, name: str) -> dict[str, object]:
        folder = self.postern.folder
        copy = self.cluster.scratch.path / f"{name}.client.key"
        copy.write_bytes((folder / f"{name}.key").read_bytes())
        copy.chmod(0o600)
        return {"sslmode": "require", "sslcert": f"{folder}/{name}.crt", "sslkey": str(copy)}

    def test_a_certificate_names_the_tenant(self) -> None:
        with self.open(self.dsn(MAPPED), **self.with_certificate("client")) as client:
            self.sees(client, OWN)
        with self.open(self.dsn(MAPPED)) as client:
            self.sees(client, None)

    def test_it_binds(self) -> None:
        more = self.with_certificate("client")
        said = self.refusal(self.dsn(MAPPED), options=f"-c postern.tenant={VICTIM}", **more)
        self.assertIn("PST-2401", said)
        with self.open(self.dsn(MAPPED), options=f"-c postern.tenant={OWN}", **more) as client:
            self.sees(client, OWN)

    def test_one_of_a_tenant_that_is_not_the_logins(self) -> None:
        said = self.refusal(self.dsn(MAPPED), **self.with_certificate("other"))
        self.assertIn("PST-2401", said)

    def test_a_certificate_and_a_token_have_to_agree(self) -> None:
        more = self.with_certificate("client")
        token = self.token(tenant=VICTIM)
        said = self.refusal(self.dsn(MAPPED), options=f"-c postern.jwt={token}", **more)
        self.assertIn("PST-2472", said)
