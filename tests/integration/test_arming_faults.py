"""A fault at each step of arming and of changing the tenant: refused, and nothing is shown."""

from __future__ import annotations

from typing import ClassVar

import tampering
from identity_base import CHOOSER, COUNT, IdentityTest
from postern_server import Ports
from protected_base import OWN, VICTIM
from tampering import Order, TamperingRelay
from wire import Message, query, session

FAULTS = (tampering.error, tampering.disconnect, tampering.truncate, tampering.repeat,
          tampering.leave_out, tampering.change)  # fmt: skip
#: ParseComplete, BindComplete, the row, CommandComplete, ReadyForQuery.
GROUP = 5
ROW = 2
#: Faults per group that change nothing of meaning.
HARMLESS = 3


class ArmingFaultTest(IdentityTest):
    """Postern's way to the server leads through a relay."""

    relay: ClassVar[TamperingRelay]

    @classmethod
    def toml(cls, ports: Ports) -> str:
        if not hasattr(cls, "relay"):
            cls.relay = TamperingRelay(cls.cluster.primary.port)
            cls.addClassCleanup(cls.relay.close)
        text = super().toml(ports)
        return text.replace(f"127.0.0.1:{cls.cluster.primary.port}", f"127.0.0.1:{cls.relay.port}")

    def ask_both(self, trigger: bytes, step: int, fault: tampering.Fault) -> list[Message]:
        """Two tenants after each other in one session; what the second was answered."""
        with session(self.dsn(CHOOSER)) as wire:
            wire.ask(query(f"SET postern.tenant = '{OWN}'"))
            wire.ask(query(COUNT))
            wire.ask(query(f"SET postern.tenant = '{VICTIM}'"))
            self.relay.order = Order(trigger, step, fault)
            answers = wire.ask(query(COUNT))
            self.assertTrue(self.relay.order.done.wait(5), "the fault was not reached")
            self.relay.order = None
            return answers

    def check_nothing_shown(self, answers: list[Message], what: str) -> None:
        self.assertNotIn("D", [m.type for m in answers], what)
        for told in (m for m in answers if m.type == "E"):
            self.assertIn(told.sqlstate(), ("08006", "08P01", "55006", "57P01"), what)
            self.assertTrue(told.fields().get("H"), what)
            self.assertRegex(told.fields().get("D", ""), r"PST-\d{4}", what)

    def run_all(self, trigger: bytes, first: int) -> int:
        shown = 0
        for step in range(first, first + GROUP):
            for fault in FAULTS:
                # Extra bytes of a message whose body nobody looks at change nothing.
                what = f"{fault.__name__} at step {step}"
                answers = self.ask_both(trigger, step, fault)
                if any(m.type == "D" for m in answers):
                    row = next(m for m in answers if m.type == "D").values()
                    self.assertEqual(row[1:], [VICTIM.encode()] * 2, what)
                    shown += 1
                    continue
                self.check_nothing_shown(answers, what)
        return shown

    def test_a_fault_in_each_answer_to_the_new_context(self) -> None:
        # DISCARD SEQUENCES (tag, ready) and the emptied context come before it.
        shown = self.run_all(b"pctx1.", 2 + GROUP)
        self.assertLessEqual(shown, HARMLESS)

    def test_a_fault_in_each_answer_to_the_emptied_context(self) -> None:
        shown = self.run_all(b"DISCARD SEQUENCES", 2)
        self.assertLessEqual(shown, HARMLESS)

    def test_slow_answers_are_waited_for(self) -> None:
        for step in range(2 + 2 * GROUP):
            answers = self.ask_both(b"pctx1.", step, tampering.slow)
            row = next(m for m in answers if m.type == "D").values()
            self.assertEqual(row[1:], [VICTIM.encode()] * 2)

    def test_the_next_client_is_served(self) -> None:
        self.ask_both(b"pctx1.", 2 + GROUP + ROW, tampering.change)
        with self.open(self.dsn(CHOOSER)) as client:
            client.execute(f"SET postern.tenant = '{OWN}'")
            self.sees(client, OWN)
