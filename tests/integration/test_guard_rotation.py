"""Exchange of the guard key under load: both keys verify, no transaction fails, one is left."""

from __future__ import annotations

import json
import re
import threading
import time

import psycopg

from protected_base import DATABASE, OWN, ProtectedTest
from psql_client import connect, psql

LIFE, INTERVAL = 4, 0.3
KEYS = "SELECT string_agg(kid, ',' ORDER BY installed) FROM postern.context_key"
ORGANISATIONS = "SELECT count(*), count(DISTINCT tenant_id) FROM users"


class GuardRotation(ProtectedTest):
    @classmethod
    def toml(cls, ports: object) -> str:
        text = super().toml(ports)  # type: ignore[arg-type]
        interval = f'verify_interval = "{int(INTERVAL * 1000)}ms"'
        text = text.replace('mode = "enforce"', f'mode = "enforce"\n{interval}')
        return text.replace("guard_key_file", f'expiry = "{LIFE}s"\nguard_key_file')

    def guard(self, *words: str, ok: bool = True) -> dict[str, object]:
        superuser = self.direct()
        database = () if words[0] in ("new", "promote") else (
            "-d", DATABASE, "--dsn", superuser.public())  # fmt: skip
        done = self.postern.cli("keys", "guard", *words, "-c", "postern.toml", *database, "--json",
                                database=superuser)  # fmt: skip
        self.assertEqual(done.returncode == 0, ok, done.stderr)
        return json.loads(done.stdout) if ok else {"error": done.stderr}

    acme = 0

    def installed(self) -> list[str]:
        return psql(self.direct(), KEYS, flags=("-A", "-t", "-q")).value().split(",")

    def test_rotation_without_a_failed_transaction(self) -> None:
        old = self.installed()
        self.assertEqual(len(old), 1)
        stop = threading.Event()
        failures: list[str] = []
        done = [0, 0]

        def work(slot: int) -> None:
            try:
                while not stop.is_set():
                    with connect(self.login(OWN)) as client:
                        for _ in range(40):
                            with client.transaction():
                                answer = client.execute(ORGANISATIONS).fetchone()
                            if answer != (self.acme, 1):
                                failures.append(f"saw {answer}")
                            done[slot] += 1
                            time.sleep(0.01)
            except psycopg.Error as error:
                failures.append(str(error))

        with connect(self.login(OWN)) as client:
            type(self).acme = client.execute(ORGANISATIONS).fetchone()[0]
        workers = [threading.Thread(target=work, args=(i,)) for i in range(2)]
        for worker in workers:
            worker.start()
        try:
            new = str(self.guard("new")["kid"])
            self.assertNotIn(new, old)
            self.assertIn("PST-1609", str(self.guard("promote", ok=False)["error"]))
            self.guard("install")
            begun = time.monotonic()
            self.assertEqual(self.installed(), [*old, new])
            self.assertIn("PST-1608", str(self.guard("retire", ok=False)["error"]))
            self.wait_for(f"guard_key_signs.*{new}|{new}.*guard_key_signs")
            self.guard("promote")
            if time.monotonic() - begun < LIFE:
                self.assertIn("PST-1608", str(self.guard("retire", ok=False)["error"]))
            time.sleep(max(0.0, begun + LIFE + 2 * INTERVAL + 1.5 - time.monotonic()))
            self.assertEqual(self.guard("retire")["retired"], old)
            self.assertEqual(self.installed(), [new])
            time.sleep(LIFE / 2)
        finally:
            stop.set()
            for worker in workers:
                worker.join()
        self.assertEqual(failures, [])
        self.assertGreater(min(done), 100)
        self.assertEqual(self.guard("retire")["retired"], [])
        # What starts afresh knows the new key only.
        self.postern.stop()
        self.postern.start(self.toml)
        with connect(self.login(OWN)) as client:
            self.assertEqual(client.execute(ORGANISATIONS).fetchone(), (self.acme, 1))

    def wait_for(self, pattern: str) -> None:
        for _ in range(100):
            if re.search(pattern, self.postern.log.since()):
                return
            time.sleep(0.1)
        self.fail(f"{pattern} is not in the log")
