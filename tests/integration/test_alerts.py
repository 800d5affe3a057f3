"""Violations become events, counters and signed webhook requests; queries never wait for them."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import psycopg

from protected_base import APP, DATABASE, OWN, VICTIM, ProtectedTest
from psql_client import psql
from scratch import wait_until
from wire import query, session

SECRET = secrets.token_hex(32)
FORBIDDEN = "SET ROLE mapper_owner"


class Receiver(BaseHTTPRequestHandler):
    """What the webhook's server does is set per test."""

    status: ClassVar[int] = 204
    delay: ClassVar[float] = 0
    got: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(type(self).delay)
        self.got.append((self.headers.get("X-Postern-Signature", ""), body))
        try:
            self.send_response(type(self).status)
            self.end_headers()
        except OSError:
            pass  # the request was given up meanwhile

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class AlertsBase(ProtectedTest):
    """A hook on this machine; the queue holds three."""

    hook: ClassVar[ThreadingHTTPServer]

    @classmethod
    def boot(cls) -> None:
        cls.hook = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=cls.hook.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.hook.server_close)
        cls.addClassCleanup(cls.hook.shutdown)
        super().boot()

    @classmethod
    def more_toml(cls) -> str:
        return f"""
[alerts]
webhook = "http://127.0.0.1:{cls.hook.server_address[1]}/alerts"
secret = "{SECRET}"
timeout = "1s"
backoff = "50ms"
attempts = 3
queue = 3
repeat_after = "300ms"
"""

    def setUp(self) -> None:
        super().setUp()
        time.sleep(0.4)  # nothing of the test before is held back any more
        Receiver.status, Receiver.delay = 204, 0
        Receiver.got.clear()

    def metric(self, name: str) -> int:
        url = f"http://127.0.0.1:{self.postern.ports.admin}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            text = answer.read().decode()
        found = re.search(rf"^{re.escape(name)} (\d+)$", text, re.M)
        return int(found.group(1)) if found else 0

    def refuse(self, *statements: str) -> float:
        """Sends what is refused; the seconds it took."""
        begun = time.monotonic()
        with session(self.login(OWN)) as wire:
            for statement in statements:
                answers = wire.ask(query(statement))
                self.assertIn("E", [m.type for m in answers], statement)
        return time.monotonic() - begun

    def told(self, count: int = 1) -> list[dict[str, object]]:
        wait_until(lambda: len(Receiver.got) >= count, f"{count} alerts")
        return [json.loads(body) for _, body in Receiver.got]


class AlertsTest(AlertsBase):
    """Every kind of event, and every kind of hook."""

    def test_a_refusal_is_told_with_rule_and_fingerprint_and_no_values(self) -> None:
        before = self.metric('postern_violations_total{rule="gate.setting"}')
        secret = secrets.token_hex(6)
        self.refuse(f"SET postern.ctx = '{secret}'")
        (alert,) = self.told()
        self.assertEqual(alert["event"], "violation")
        self.assertEqual(alert["rule"], "gate.setting")
        self.assertEqual(alert["code"], "PST-1503")
        self.assertRegex(str(alert["fingerprint"]), "^[0-9a-f]{16}$")
        self.assertEqual((alert["tenant"], alert["login"]), (OWN, f"{OWN}_app"))
        self.assertEqual((alert["database"], alert["observed"]), (DATABASE, False))
        after = self.metric('postern_violations_total{rule="gate.setting"}')
        self.assertEqual(after, before + 1)
        log = self.postern.log.since()
        self.assertIn("violation", log)
        for text in (log, Receiver.got[0][1].decode()):
            self.assertNotIn(secret, text)

    def test_requests_are_signed(self) -> None:
        self.refuse(FORBIDDEN)
        self.told()
        header, body = Receiver.got[0]
        found = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", header)
        assert found is not None
        self.assertLess(abs(int(found.group(1)) - time.time()), 30)
        mac = hmac.new(SECRET.encode(), found.group(1).encode() + b"." + body, hashlib.sha256)
        self.assertEqual(mac.hexdigest(), found.group(2))

    def test_one_tenants_refusals_hide_no_other_tenants(self) -> None:
        self.refuse(*[FORBIDDEN] * 3)
        with session(self.login(VICTIM)) as wire:
            self.assertIn("E", [m.type for m in wire.ask(query(FORBIDDEN))])
        told = self.told(2)
        self.assertEqual([alert["tenant"] for alert in told], [OWN, VICTIM])
        self.assertEqual(told[0]["fingerprint"], told[1]["fingerprint"])

    def test_the_same_again_is_counted_and_told_once(self) -> None:
        held = self.metric("postern_alerts_held_back_total")
        self.refuse(*[FORBIDDEN] * 5)
        self.told()
        self.assertEqual(len(Receiver.got), 1)
        self.assertEqual(self.metric("postern_alerts_held_back_total"), held + 4)
        time.sleep(0.4)
        self.refuse(FORBIDDEN)
        self.assertEqual(self.told(2)[1]["repeated"], 4)

    def test_errors_are_tried_again_and_given_up(self) -> None:
        Receiver.status = 500
        failed = self.metric("postern_alerts_failed_total")
        self.refuse(FORBIDDEN)
        wait_until(lambda: self.metric("postern_alerts_failed_total") > failed, "giving up")
        self.assertEqual(len(Receiver.got), 3)
        # What the server says is wrong with the request stays wrong.
        Receiver.status = 404
        Receiver.got.clear()
        time.sleep(0.4)
        self.refuse(FORBIDDEN)
        wait_until(lambda: self.metric("postern_alerts_failed_total") > failed + 1, "giving up")
        self.assertEqual(len(Receiver.got), 1)

    def test_redirects_are_not_followed(self) -> None:
        Receiver.status = 302
        failed = self.metric("postern_alerts_failed_total")
        self.refuse(FORBIDDEN)
        wait_until(lambda: self.metric("postern_alerts_failed_total") > failed, "giving up")

    def test_a_slow_hook_delays_nobody_and_overflow_is_counted(self) -> None:
        Receiver.delay = 3
        dropped = self.metric("postern_alerts_dropped_total")
        sent = self.metric("postern_alerts_sent_total")
        took = self.refuse(*(f"SET postern.a{i} = 1" for i in range(12)))
        self.assertLess(took, 2.5)
        wait_until(lambda: self.metric("postern_alerts_dropped_total") > dropped, "overflow")
        with psycopg.connect(self.login(OWN).public(), password=self.login(OWN).password,
                             sslmode="disable") as client:  # fmt: skip
            begun = time.monotonic()
            client.execute("SELECT count(*) FROM evaluations")
            self.assertLess(time.monotonic() - begun, 2)
        Receiver.delay = 0
        wait_until(lambda: self.metric("postern_alerts_sent_total") >= sent + 3, "the rest")
        time.sleep(3.2)  # requests that were given up end

    def test_a_role_above_the_wall_is_told(self) -> None:
        psql(self.direct(), f"ALTER ROLE {APP} BYPASSRLS").checked()
        try:
            other = self.login(OWN).to(options="-c application_name=fresh")
            with session(other) as wire:
                wire.ask(query("SELECT 1"))
            with psycopg.connect(other.public(), password=other.password, sslmode="disable",
                                 options="-c statement_timeout=54321") as client:  # fmt: skip
                client.execute("SELECT 1")
            alerts = self.told()
            self.assertIn(("role.bypass", "bypassrls"),
                          [(a["rule"], a.get("object")) for a in alerts])  # fmt: skip
        finally:
            psql(self.direct(), f"ALTER ROLE {APP} NOBYPASSRLS").checked()


class BurstTest(AlertsBase):
    """By itself: the address of all tests is shut out."""

    def test_a_burst_of_wrong_passwords_is_told(self) -> None:
        for _ in range(32):
            with self.assertRaises(psycopg.OperationalError):
                psycopg.connect(self.login(OWN).public(), password="wrong", sslmode="disable",
                                connect_timeout=10).close()  # fmt: skip
        self.assertIn("auth.burst", [a["rule"] for a in self.told()])


class DriftTest(AlertsBase):
    """The wall differs from the configuration: told, with the object that differs."""

    @classmethod
    def toml(cls, ports: object) -> str:
        text = super().toml(ports)  # type: ignore[arg-type]
        return text.replace('mode = "enforce"', 'mode = "enforce"\nverify_interval = "1s"')

    def test_drift_is_told_and_nothing_passes(self) -> None:
        psql(self.direct(), "ALTER TABLE evaluations DISABLE ROW LEVEL SECURITY").checked()
        try:
            wait_until(lambda: any(b'"wall.drift"' in body for _, body in Receiver.got), "drift")
            drift = next(a for a in self.told() if a["rule"] == "wall.drift")
            self.assertIn("evaluations", str(drift["object"]))
            self.assertEqual(drift["code"], "PST-1605")
            self.refuse("SELECT 1 FROM evaluations")
        finally:
            psql(self.direct(), "ALTER TABLE evaluations ENABLE ROW LEVEL SECURITY").checked()
