"""[[auth.rule]] and [[auth.map]]: who proves what, by address, database, login and certificate."""

from __future__ import annotations

import time

from auth_base import AuthTest
from postern_server import PosternServer

RULES = """
failure_burst = 0
[[auth.map]]
map = "people"
certificate = "/([a-z]+)@example\\\\.org"
login = "\\\\1"
[[auth.rule]]
user = ["clear"]
database = ["shop"]
method = "password"
[[auth.rule]]
user = ["old"]
address = "127.0.0.0/8"
method = "md5"
[[auth.rule]]
type = "hostssl"
user = ["carol", "dave"]
method = "cert"
map = "people"
[[auth.rule]]
type = "hostnossl"
user = ["carol"]
method = "reject"
[[auth.rule]]
user = ["erin"]
address = "127.0.0.1"
database = ["shop"]
method = "scram-sha-256"
[[auth.rule]]
user = ["app"]
database = ["shop"]
type = "hostssl"
method = "scram-sha-256"
client_cert = "verify-full"
"""


class RulesTest(AuthTest):
    """Certificates are asked for, not demanded; one authority signs them."""

    postern: PosternServer

    @classmethod
    def boot(cls) -> None:
        super().boot()
        users = "".join(
            f"[user.{name}]\npassword = '{cls.passwords[name]}'\n"
            for name in ("app", "old", "clear", "erin", "carol", "dave")
        )
        cls.folder = cls.cluster.scratch.folder("certs", 0o700)
        cls.certificate("ca", cls.folder, "/CN=authority")
        cls.certificate("stranger_ca", cls.folder, "/CN=authority")
        for name, subject, authority in (
            ("carol", "/O=example/CN=carol@example.org", "ca"),
            ("app", "/CN=app", "ca"),
            ("forged", "/CN=carol@example.org", "stranger_ca"),
        ):
            cls.sign(name, subject, authority)
        listen = f'client_ca_file = "{cls.folder}/ca.crt"\nclient_cert = "request"'
        cls.postern = cls.start_postern(
            "postern", RULES, users, listen=listen,
            cluster='allow_md5 = "always"\nallow_cleartext = "always"',
        )  # fmt: skip

    @classmethod
    def sign(cls, name: str, subject: str, authority: str) -> None:
        base = f"{cls.folder}/{name}"
        cls.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", subject, "-keyout", f"{base}.key", "-out", f"{base}.csr")  # fmt: skip
        cls.openssl("x509", "-req", "-in", f"{base}.csr", "-days", "2", "-CAcreateserial",
                    "-CA", f"{cls.folder}/{authority}.crt", "-out", f"{base}.crt",
                    "-CAkey", f"{cls.folder}/{authority}.key")  # fmt: skip

    def with_certificate(self, name: str) -> dict[str, object]:
        base = f"{self.folder}/{name}"
        return {"sslmode": "require", "sslcert": f"{base}.crt", "sslkey": f"{base}.key"}

    def test_a_mapped_certificate_needs_no_password(self) -> None:
        carol = self.with_certificate("carol")
        dsn = self.dsn(self.postern, "carol", "not asked for")
        self.assertEqual(self.whoami(dsn, **carol), "carol")
        dave = self.dsn(self.postern, "dave", "not asked for")
        self.assertIn("certificate does not admit", self.refusal(dave, **carol))
        self.assertIn("none was presented", self.refusal(dsn, sslmode="require"))
        self.assertIn("rejects", self.refusal(dsn))

    def test_a_certificate_of_another_authority_ends_the_handshake(self) -> None:
        dsn = self.dsn(self.postern, "carol")
        self.assertNotIn("FATAL", self.refusal(dsn, **self.with_certificate("forged")))

    def test_a_certificate_beside_scram(self) -> None:
        dsn = self.dsn(self.postern, "app")
        self.assertEqual(self.whoami(dsn, **self.with_certificate("app")), "app")
        wrong = self.dsn(self.postern, "app", "wrong")
        self.assertIn("failed", self.refusal(wrong, **self.with_certificate("app")))
        told = self.refusal(dsn, **self.with_certificate("carol"))
        self.assertIn("certificate does not admit", told)

    def test_a_password_in_clear_is_taken_over_tls_only(self) -> None:
        dsn = self.dsn(self.postern, "clear")
        self.assertEqual(self.whoami(dsn, sslmode="require"), "clear")
        self.assertIn("over TLS only", self.refusal(dsn))
        wrong = self.dsn(self.postern, "clear", "wrong")
        self.assertIn("authentication failed", self.refusal(wrong, sslmode="require"))

    def test_md5_where_a_rule_names_it_over_tls_only(self) -> None:
        dsn = self.dsn(self.postern, "old")
        self.assertEqual(self.whoami(dsn, sslmode="require"), "old")
        self.assertIn("md5 is taken over TLS only", self.refusal(dsn))
        wrong = self.dsn(self.postern, "old", "wrong")
        self.assertIn("authentication failed", self.refusal(wrong, sslmode="require"))

    def test_no_rule_no_login(self) -> None:
        self.assertEqual(self.whoami(self.dsn(self.postern, "erin")), "erin")
        elsewhere = self.dsn(self.postern, "erin").to(dbname="postgres")
        self.assertIn("no rule admits", self.refusal(elsewhere))
        self.assertIn("no rule admits", self.refusal(self.dsn(self.postern, "app")))


class FailureLimitTest(AuthTest):
    """Five failures in a row, one forgiven per second."""

    def test_guessing_is_slowed_down_and_forgiven(self) -> None:
        users = f"[user.erin]\npassword = '{self.passwords['erin']}'\n"
        limits = 'failure_burst = 5\nfailure_interval = "1s"\n'
        postern = self.start_postern("limited", limits, users)
        good, bad = self.dsn(postern, "erin"), self.dsn(postern, "erin", "wrong")
        begun = time.monotonic()
        for _ in range(5):
            self.assertIn("password authentication failed", self.refusal(bad))
        told = self.refusal(good)
        if time.monotonic() - begun < 1:  # else one was forgiven meanwhile
            self.assertIn("too many failed logins", told)
        time.sleep(1.5)
        self.assertEqual(self.whoami(good), "erin")
        lines = [line for line in postern.log.since().splitlines() if "login_refused" in line]
        self.assertEqual(len([line for line in lines if "PST-1201" in line]), 5)
        self.assertEqual(len([line for line in lines if "PST-1211" in line]), 1)
