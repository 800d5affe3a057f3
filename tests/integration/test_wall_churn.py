"""Tables come and go beside the wall: it is never taken for another one."""

from __future__ import annotations

import threading
import time

from postern_server import Ports
from protected_base import OWN, ProtectedTest
from psql_client import connect, psql
from scratch import wait_until

SECONDS = 12


class WallChurnTest(ProtectedTest):
    @classmethod
    def toml(cls, ports: Ports) -> str:
        text = super().toml(ports)
        return text.replace('mode = "enforce"', 'mode = "enforce"\nverify_interval = "100ms"')

    def churn(self, until: float) -> None:
        owner = self.direct().to(options="-c role=mapper_owner")
        with connect(owner) as connection:
            for number in range(100_000):
                if time.monotonic() > until:
                    return
                name = f"churn_{number % 20}"
                connection.execute(f"CREATE TABLE {name} (tenant_id text, n int)")
                connection.execute(f"DROP TABLE {name}")

    def test_tables_that_come_and_go(self) -> None:
        mark = self.postern.log.mark()
        until = time.monotonic() + SECONDS
        threads = [threading.Thread(target=self.churn, args=(until,)) for _ in range(1)]
        for thread in threads:
            thread.start()
        asked = 0
        with connect(self.login(OWN)) as client:
            while time.monotonic() < until:
                client.execute("SELECT count(*) FROM detectors")
                asked += 1
        for thread in threads:
            thread.join()
        self.assertGreater(asked, 20)
        self.assertNotIn("wall_drift", self.postern.log.since(mark))

    def test_what_is_really_gone_is_missed(self) -> None:
        mark = self.postern.log.mark()
        psql(self.direct(), "ALTER TABLE detectors NO FORCE ROW LEVEL SECURITY").checked()
        self.addCleanup(psql, self.direct(), "ALTER TABLE detectors FORCE ROW LEVEL SECURITY")
        wait_until(lambda: "wall_drift" in self.postern.log.since(mark), "the drift", 10)
        refused = psql(self.login(OWN), "SELECT count(*) FROM detectors")
        self.assertIn("PST-1605", refused.stderr)
        psql(self.direct(), "ALTER TABLE detectors FORCE ROW LEVEL SECURITY").checked()
        wait_until(lambda: psql(self.login(OWN), "SELECT 1").rc == 0, "the wall", 10)


if __name__ == "__main__":
    import unittest

    unittest.main()
