"""Planted faults: a relay between client and Postern spoils answers; the comparison must see it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import byte_cases
import programs_part
import sources
from bed import Bed
from byte_part import Oracle
from byte_replay import whole
from report import Report
from result_files import Outcome, of_regress, run_suite
from suites_part import compare

Frames = Iterator[tuple[bytes, bytes]]
Fault = Callable[[Frames], Iterator[bytes]]
CASES = ("lone batch", "notices", "many rows", "several statements", "copy out", "savepoints")
SCHEDULE = ("test: boolean", "test: drop_if_exists")  # rows, and many notices


def untouched(frames: Frames) -> Iterator[bytes]:
    for head, body in frames:
        yield head + body


def flipped_byte(frames: Frames) -> Iterator[bytes]:
    """One bit of the last byte of every tenth row."""
    rows = 0
    for head, body in frames:
        if head[:1] == b"D" and len(body) > 6:
            rows += 1
            if rows % 10 == 1:
                body = body[:-1] + bytes((body[-1] ^ 1,))
        yield head + body


def dropped_notice(frames: Frames) -> Iterator[bytes]:
    for head, body in frames:
        if head[:1] != b"N":
            yield head + body


def early_completion(frames: Frames) -> Iterator[bytes]:
    """A CommandComplete overtakes the row before it."""
    row = b""
    for head, body in frames:
        if head[:1] == b"D":
            yield row
            row = head + body
        elif head[:1] == b"C":
            yield head + body + row
            row = b""
        else:
            yield row + head + body
            row = b""


FAULTS: dict[str, Fault] = {
    "flipped byte": flipped_byte,
    "dropped notice": dropped_notice,
    "early completion": early_completion,
}


class EvilRelay:
    """A listener that passes everything on, but what comes back through a fault."""

    def __init__(self, port: int, fault: Fault) -> None:
        self._upstream, self._fault = port, fault
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._upstream))
            for target in (self._forward, self._backward):
                threading.Thread(target=target, args=(client, server), daemon=True).start()

    @staticmethod
    def _forward(client: socket.socket, server: socket.socket) -> None:
        try:
            while got := client.recv(65536):
                server.sendall(got)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _backward(self, client: socket.socket, server: socket.socket) -> None:
        try:
            for spoilt in self._fault(_frames(server)):
                client.sendall(spoilt)
        except OSError:
            pass
        finally:
            for side in (client, server):
                side.close()

    def close(self) -> None:
        self._listener.close()


def _frames(server: socket.socket) -> Frames:
    stream = server.makefile("rb")
    while len(head := stream.read(5)) == 5:
        yield head, stream.read(struct.unpack("!I", head[1:])[0] - 4)


def run(pool_mode: str) -> Report:
    report = Report({})
    _reasons(report)
    _bytes(report, pool_mode)
    _regress(report, pool_mode)
    for part in programs_part.PROGRAMS:
        programs_part.run_part(report, part, pool_mode, "--self-test")
    report.show("self-test")
    return report


def _caught(report: Report, name: str, differing: int, wanted: bool) -> None:
    detail = f"{differing} differences seen"
    report.row("self-test", name, (differing > 0) == wanted, detail)


def _bytes(report: Report, pool_mode: str) -> None:
    chosen = [case for case in byte_cases.cases() if case.name in CASES]
    with Bed(pool_mode) as bed:
        oracle = Oracle(bed, pool_mode)
        for name, fault in {"no fault": untouched, **FAULTS}.items():
            relay = EvilRelay(bed.through.port, fault)
            oracle.through = bed.through.to(dbname="oracle_p", port=relay.port)
            differing = sum(bool(oracle.compare(case, whole)) for case in chosen)
            relay.close()
            _caught(report, f"bytes: {name}", differing, fault is not untouched)


def _regress(report: Report, pool_mode: str) -> None:
    suite = of_regress(sources.suites(), SCHEDULE, sources.PG_REGRESS)
    with Bed() as bed:
        direct = run_suite(bed, suite)
    missing = dict(direct.results)
    missing.pop(next(iter(missing)))
    _caught(report, "regress: a missing file", _differences(direct, Outcome(missing)), True)
    for name, fault in {"no fault": untouched, **FAULTS}.items():
        with Bed(pool_mode) as bed:
            relay = EvilRelay(bed.through.port, fault)
            bed.divert(relay.port)
            spoilt = run_suite(bed, suite)
            relay.close()
        differing = _differences(direct, spoilt)
        _caught(report, f"regress: {name}", differing, fault is not untouched)


def _differences(direct: Outcome, other: Outcome) -> int:
    judged = Report({})
    compare(judged, "regress", direct, other)
    return judged.failed


def _reasons(report: Report) -> None:
    """The closed list is closed on both sides."""
    listed = Report({"part": {"a": "temp-object", "gone": "temp-object"}})
    listed.compared("part", "a", "")
    listed.compared("part", "b", "differs")
    _caught(report, "reasons: listed but equal, differs but not listed", listed.failed - 1, True)
    fair = Report({"part": {"a": "temp-object"}})
    fair.compared("part", "a", "differs")
    _caught(report, "reasons: listed and differs", fair.failed, False)
