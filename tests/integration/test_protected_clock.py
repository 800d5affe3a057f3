"""Postern's clock differs from the server's: contexts are signed by one and read by the other."""

from __future__ import annotations

from typing import ClassVar

import psycopg

from protected_base import OWN, VICTIM, ProtectedTest
from psql_client import rows

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
COUNT = "SELECT count(*) FROM detectors"


class SkewTest(ProtectedTest):
    """The five minutes of tenant.expiry, and a clock that is that far off."""

    offset: ClassVar[str]

    @classmethod
    def _serve(cls) -> None:
        super()._serve()
        cls.postern.stop()
        cls.postern.under = (
            "env", f"LD_PRELOAD={FAKETIME}", f"FAKETIME={cls.offset}", "DONT_FAKE_MONOTONIC=1",
        )  # fmt: skip
        cls.postern.start(cls.toml)

    @classmethod
    def _move_people(cls, tenant: str) -> None:
        """Nothing has to get through here."""

    def counted(self, tenant: str = OWN) -> object:
        row = self.connect(self.login(tenant)).execute(COUNT).fetchone()
        assert row is not None
        return row[0]

    def wanted(self, tenant: str = OWN) -> int:
        found = rows(self.direct(), f"{COUNT} WHERE tenant_id = '{tenant}'")
        return int(str(found[0][0]))


class FarBehindTest(SkewTest):
    offset = "-1h"

    def test_refused_by_a_code_that_names_the_clocks(self) -> None:
        for text in (COUNT, "UPDATE detectors SET threshold = 0"):
            for prepare in (False, True):
                with self.assertRaises(psycopg.Error) as caught:
                    self.connect(self.login(OWN)).execute(text, prepare=prepare)
                diag = caught.exception.diag
                self.assertEqual(diag.sqlstate, "ZP003")
                self.assertEqual(diag.message_detail, "PST-2457")
                self.assertIn("clocks", diag.message_hint or "")

    def test_what_needs_no_context_goes_on(self) -> None:
        self.assertEqual(self.connect(self.login(OWN)).execute("SELECT 1").fetchone(), (1,))


class LittleBehindTest(SkewTest):
    offset = "-60s"

    def test_served(self) -> None:
        for tenant in (OWN, VICTIM):
            self.assertEqual(self.counted(tenant), self.wanted(tenant))


class FarAheadTest(SkewTest):
    offset = "+1h"

    def test_served_and_no_more_is_seen(self) -> None:
        for tenant in (OWN, VICTIM):
            self.assertEqual(self.counted(tenant), self.wanted(tenant))


del SkewTest

if __name__ == "__main__":
    import unittest

    unittest.main()
