"""replica-routing: harmless reads go to the replica, and never hide a session's own writes."""

from __future__ import annotations

from capability import Capability
from clients import Client, expect
from managed_process import LogFile
from psql_client import scalar
from scratch import HarnessError, wait_until

READS = 10
DETECTOR = 3


class ReplicaRouting(Capability):
    name = "replica-routing"
    title = "Replica routing: reads leave the primary, own writes are always seen"
    step = "routing"

    def show(self) -> None:
        cluster = self.stage.cluster
        self._marks = (cluster.primary.log.mark(), cluster.replica.log.mark())
        with self.stage.client(self.stage.login("acme", self.step)) as client:
            self._plain_reads(client)
        with self.stage.client(self.stage.login("acme", self.step)) as client:
            self._read_your_write(client)
            self._back_to_the_replica(client)

    def _plain_reads(self, client: Client) -> None:
        self.say.explain(f"{READS} reads of one session, by both protocols:")
        for number in range(READS):
            by_kind = f"SELECT count(*) AS plain_read_{number} FROM detectors WHERE kind = "
            if number % 2:
                answer = client.run(by_kind + "'pii'")
            else:
                answer = client.run(by_kind + "%s", ("pii",))
            expect(answer.value() == 5, f"a read answers {answer.rows}")
        self.say.said(answer)
        self.say.explain("A read that locks is no harmless read:")
        self.say.said(client.run(
            f"SELECT threshold AS locking_read FROM detectors WHERE detector_id = {DETECTOR} "
            "FOR UPDATE").checked())  # fmt: skip

    def _read_your_write(self, client: Client) -> None:
        self.say.explain("The replica stops replaying. A write, and the same session reads again:")
        self.stage.cluster.replica.pause_replay()
        try:
            write = client.run(
                f"UPDATE detectors SET name = 'renamed_write' WHERE detector_id = {DETECTOR}"
            )
            self.say.said(write)
            expect(write.checked().tag == "UPDATE 1", f"the write says {write.tag}")
            read = client.run(
                f"SELECT name AS own_write FROM detectors WHERE detector_id = {DETECTOR}"
            )
            self.say.said(read)
            stale = scalar(self.stage.direct_replica(), self._name_of_it())
            expect(stale != "renamed_write", "the replica was not behind: nothing is proven")
            self.say.note(f"the replica itself still says: {stale}")
            expect(read.value() == "renamed_write", "the session does not see its own write")
        finally:
            self.stage.cluster.replica.resume_replay()

    @staticmethod
    def _name_of_it() -> str:
        return f"SELECT name FROM detectors WHERE tenant_id = 'acme' AND detector_id = {DETECTOR}"

    def _back_to_the_replica(self, client: Client) -> None:
        self.say.explain("Replay goes on; once it has caught up, reads return to the replica:")
        cluster = self.stage.cluster
        cluster.replica.wait_for_replay_of(cluster.primary)
        sql = f"SELECT name AS read_again FROM detectors WHERE detector_id = {DETECTOR}"

        def lands_on_replica() -> bool:
            self._last = client.run(sql)
            expect(self._last.value() == "renamed_write", "a later read lost the write")
            return self._count(cluster.replica.log, 1, "read_again") > 0

        # Postern learns the replica's position by probing.
        try:
            wait_until(lands_on_replica, "a read to return to the replica", timeout=5)
        except HarnessError:
            self.say.note("no read has come back to the replica")
        self.say.said(self._last)

    def _count(self, log: LogFile, which: int, text: str) -> int:
        """Statements in a server's log since the beginning of this capability."""
        lines = log.since(self._marks[which]).splitlines()
        return sum(1 for line in lines if text in line and "user=app " in line)

    def assert_from_other_side(self) -> None:
        primary, replica = self.stage.cluster.primary.log, self.stage.cluster.replica.log
        there, here = self._count(replica, 1, "plain_read_"), self._count(primary, 0, "plain_read_")
        expect((there, here) == (READS, 0), f"{there} reads on the replica, {here} on the primary")
        self.say.asserted(f"server logs: all {READS} reads on the replica, none on the primary")
        for text in ("locking_read", "renamed_write", "own_write"):
            expect(self._count(primary, 0, text) == 1, f"{text} did not reach the primary once")
            expect(self._count(replica, 1, text) == 0, f"{text} reached the replica")
        self.say.asserted("server logs: lock, write and the read after it are the primary's")
        expect(self._count(replica, 1, "read_again") > 0, "reads never returned to the replica")
        self.say.asserted("the replica's log: it serves the session again after catching up")
