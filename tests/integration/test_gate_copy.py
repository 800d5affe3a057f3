"""COPY FROM STDIN into tenant tables: inserted by Postern, told like PostgreSQL's own."""

from __future__ import annotations

import struct
import time

import psycopg

from protected_base import OWN, VICTIM, ProtectedTest
from psql_client import psql, scalar
from wire import (
    SYNC, Message, Wire, bind, execute, message, parse, query, session, shape,
)  # fmt: skip

TABLE = "detectors (tenant_id, detector_id, name, kind, threshold, config)"
ROWS = 2500

CONTENT = query("SELECT md5(string_agg(d::text, ',' ORDER BY detector_id)) FROM (SELECT tenant_id,"
                " detector_id, name, kind, threshold, config FROM detectors"
                " WHERE detector_id >= 900000) d")  # fmt: skip


def line(number: int, tenant: str = OWN, **changes: str) -> str:
    values = {"id": str(number), "name": f"n{number}", "kind": "pii", "threshold": "0.5",
              "config": '{"a": [1, "b"]}'} | changes  # fmt: skip
    return "\t".join((tenant, *values.values())) + "\n"


def copy(wire: Wire, sql: str, *chunks: bytes, end: bytes = message("c")) -> list[Message]:
    """The whole COPY; its data is sent only where it is asked for."""
    wire.send(query(sql))
    found: list[Message] = []
    while (got := wire.receive()) is not None:
        found.append(got)
        if got.type == "G":
            wire.send(*(message("d", chunk) for chunk in chunks), end)
        if got.type == "Z":
            break
    return found


def told(messages: list[Message]) -> list[tuple[str, ...]]:
    """What is compared with the server's own: tags, states, codes, texts, and the line."""
    out: list[tuple[str, ...]] = []
    for m in messages:
        if m.type == "E":
            fields = m.fields()
            where = fields.get("W", "").split("\n")[-1].split(": ")[0]
            out.append(("E", fields["C"], fields["M"], where, fields.get("n", "")))
        elif m.type == "C":
            out.append(("C", m.tag()))
        elif m.type == "G":
            out.append(("G", m.body.hex()))
        else:
            out.append((m.type, m.body.hex()))
    return out


def sound(prefix: str = "x") -> str:
    return "".join(line(900_000 + i, name=f"{prefix}{i}") for i in range(ROWS))


# SQL, data; run within a transaction here and on the twin.
CASES = (
    (f"COPY {TABLE} FROM STDIN", sound()),
    (f"COPY {TABLE} FROM STDIN", ""),
    (f"COPY {TABLE} FROM STDIN", line(900_001) + line(900_002, name="\\N")),
    (f"COPY {TABLE} FROM STDIN", line(900_001) + line(900_002, threshold="much")),
    (f"COPY {TABLE} FROM STDIN", sound() + line(990_000, threshold="7")),
    (f"COPY {TABLE} FROM STDIN", sound() + line(900_007)),
    (f"COPY {TABLE} FROM STDIN", sound() + line(990_000, config="{")),
    (f"COPY {TABLE} FROM STDIN", line(900_001) + f"{OWN}\t900002\n"),
    (f"COPY {TABLE} FROM STDIN", line(900_001).rstrip("\n") + "\tmore\n"),
    (f"COPY {TABLE} FROM STDIN", line(900_001, name="tab\\tin\\x41\\101\\\\")),
    (f"COPY {TABLE} FROM STDIN", line(900_001, name="nul\\000")),
    (f"COPY {TABLE} FROM STDIN", line(900_001) + "\\.\n" + line(900_002)),
    (f"COPY {TABLE} FROM STDIN WITH (FORMAT csv, HEADER)",
     f'a,b,c,d,e,f\n{OWN},900001,"multi\nline ""x""",pii,0.25,"{{""k"": 1}}"\n'),
    (f"COPY {TABLE} FROM STDIN WITH (FORMAT csv, HEADER match)", "tenant_id,x,y\n"),
    (f"COPY {TABLE} FROM STDIN WITH (FORMAT csv, DELIMITER ';', NULL '~')",
     f"{OWN};900001;a,b;pii;~;{{}}\n"),
    (f"COPY {TABLE} FROM STDIN CSV", f'{OWN},1,"open\n'),
    ("COPY detectors FROM STDIN", f"{OWN}\t900001\tn\tpii\t0.5\t{{}}\t2026-01-01 00:00:00+00\n"),
)  # fmt: skip


class CopyTest(ProtectedTest):
    def count(self) -> int:
        return int(scalar(self.direct(), "SELECT count(*) FROM detectors"))

    def test_told_like_the_server(self) -> None:
        for number, (sql, data) in enumerate(CASES):
            with (self.subTest(case=number, sql=sql), session(self.login(OWN)) as here,
                  session(self.plain_twin().to(sslmode="disable")) as there):  # fmt: skip
                for wire in (here, there):
                    wire.ask(query("BEGIN"))
                encoded = data.encode()
                chunks = [encoded[i : i + 7000] for i in range(0, len(encoded), 7000)]
                got, native = told(copy(here, sql, *chunks)), told(copy(there, sql, *chunks))
                self.assertEqual(got, native)
                kept = [wire.ask(CONTENT)[1 if got[-1][1] == b"T".hex() else 0]
                        for wire in (here, there)]  # fmt: skip
                self.assertEqual(told(kept[:1]), told(kept[1:]))

    def forget(self) -> None:
        """Without looking for rows that refer to them."""
        plain = self.direct().to(options="-c session_replication_role=replica")
        psql(plain, "DELETE FROM detectors WHERE detector_id >= 900000").checked()

    def test_commits_by_itself(self) -> None:
        self.addCleanup(self.forget)
        before = self.count()
        with session(self.login(OWN)) as wire:
            got = copy(wire, f"COPY {TABLE} FROM STDIN", sound().encode())
            self.assertEqual(shape(got), "GCZ")
            self.assertEqual((got[1].tag(), got[2].body), (f"COPY {ROWS}", b"I"))
            self.assertEqual(self.count(), before + ROWS)
            # Nothing of the second one stays, whichever row fails.
            broken = sound("y").replace("900003", "910003") + line(900_007)
            got = copy(wire, f"COPY {TABLE} FROM STDIN", broken.encode())
            self.assertEqual((shape(got), got[1].sqlstate(), got[2].body), ("GEZ", "23505", b"I"))
            self.assertEqual(self.count(), before + ROWS)

    def test_another_tenants_rows_are_not_written(self) -> None:
        before = self.count()
        with session(self.login(OWN)) as wire:
            data = sound() + line(990_000, tenant=VICTIM) + line(990_001)
            got = copy(wire, f"COPY {TABLE} FROM STDIN", data.encode())
            fields = got[1].fields()
            self.assertEqual((fields["C"], fields["W"]),
                             ("42501", f"COPY detectors, line {ROWS + 1}"))  # fmt: skip
            self.assertEqual(self.count(), before)
            self.assertEqual(shape(wire.ask(query("SELECT 1"))), "TDCZ")

    def test_binary(self) -> None:
        def field(value: bytes) -> bytes:
            return struct.pack("!i", len(value)) + value

        header = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
        row = (struct.pack("!h", 6) + field(OWN.encode()) + field(struct.pack("!q", 900_001))
               + field(b"binary") + field(b"bias") + field(struct.pack("!f", 0.25))
               + field(b'\x01{"a": 1}'))  # fmt: skip
        with session(self.login(OWN)) as wire:
            wire.ask(query("BEGIN"))
            sql = f"COPY {TABLE} FROM STDIN (FORMAT binary)"
            whole = header + row + b"\xff\xff"
            got = copy(wire, sql, *(whole[i : i + 5] for i in range(0, len(whole), 5)))
            self.assertEqual((shape(got), got[1].tag()), ("GCZ", "COPY 1"))
            kept = wire.ask(query("SELECT name, threshold, config->>'a' FROM detectors"
                                  " WHERE detector_id = 900001"))  # fmt: skip
            self.assertEqual(kept[1].values(), [b"binary", b"0.25", b"1"])
            wire.ask(query("ROLLBACK"))

    def test_ends_and_what_follows(self) -> None:
        with session(self.login(OWN)) as wire:
            failed = copy(wire, f"COPY {TABLE} FROM STDIN", line(900_001).encode(),
                          end=message("f", b"no more\0"))  # fmt: skip
            fields = failed[1].fields()
            self.assertEqual((fields["C"], fields["M"], fields["W"]),
                             ("57014", "COPY from stdin failed: no more",
                              "COPY detectors, line 2"))  # fmt: skip
            # An error before the end of the data: the rest of it is ignored.
            data = (line(900_001, threshold="x") + sound("z")).encode()
            got = copy(wire, f"COPY {TABLE} FROM STDIN", *(data[i : i + 4000]
                                                           for i in range(0, len(data), 4000)))
            self.assertEqual((shape(got), got[1].sqlstate()), ("GEZ", "22P02"))
            self.assertEqual(shape(wire.ask(query("SELECT 1"))), "TDCZ")
            wire.ask(query("BEGIN"))
            got = copy(wire, f"COPY {TABLE} FROM STDIN", b"1\n")
            self.assertEqual((shape(got), got[-1].body), ("GEZ", b"E"))
            self.assertEqual(copy(wire, f"COPY {TABLE} FROM STDIN")[0].sqlstate(), "25P02")
            self.assertEqual(wire.ask(query("COMMIT"))[0].tag(), "ROLLBACK")
            got = copy(wire, "COPY tenants FROM STDIN", b"evil\tEvil\ttrial\t{}\t2026-01-01\n")
            self.assertEqual((shape(got), got[1].sqlstate()), ("GEZ", "42501"))

    def test_refused(self) -> None:
        with session(self.login(OWN)) as wire:
            for sql in (f"COPY {TABLE} FROM STDIN WHERE detector_id > 1",
                        f"COPY {TABLE} FROM STDIN (FREEZE)", "COPY users FROM STDIN",
                        f"BEGIN; COPY {TABLE} FROM STDIN; COMMIT"):  # fmt: skip
                with self.subTest(sql=sql):
                    self.assertEqual([m.sqlstate() for m in copy(wire, sql)], ["0A000", ""])
            got = wire.ask(parse(f"COPY {TABLE} FROM STDIN"), bind(), execute(), SYNC)
            self.assertEqual((shape(got), got[0].fields()["D"]), ("EZ", "PST-1520"))
            # A shared table is copied by the server itself.
            self.assertEqual(copy(wire, "COPY taxonomy FROM STDIN", b"")[1].tag(), "COPY 0")

    def test_psycopg_and_psql(self) -> None:
        with self.connect(self.login(OWN)) as client:
            with client.transaction(force_rollback=True):
                with client.cursor() as cursor, cursor.copy(f"COPY {TABLE} FROM STDIN") as rows:
                    for i in range(50):
                        rows.write_row((OWN, 920_000 + i, f"p{i}", "pii", 0.5, "{}"))
                kept = client.execute("SELECT count(*) FROM detectors WHERE detector_id >= 920000")
                self.assertEqual(kept.fetchone(), (50,))
            with self.assertRaises(psycopg.errors.UniqueViolation) as raised:
                with client.cursor() as cursor, cursor.copy(f"COPY {TABLE} FROM STDIN") as rows:
                    for number in (1, 2, 3, 2):
                        rows.write_row((OWN, 920_000 + number, f"p{number}", "pii", 0.5, "{}"))
            self.assertEqual(raised.exception.diag.context, "COPY detectors, line 4")
            self.assertEqual(raised.exception.diag.constraint_name, "detectors_pkey")
        script = self.cluster.scratch.folder("copy", 0o755) / "copy.sql"
        script.write_text(f"BEGIN;\nCOPY {TABLE} FROM STDIN;\n{line(930_000)}\\.\nSELECT count(*)"
                          " FROM detectors WHERE detector_id = 930000;\nROLLBACK;\n")  # fmt: skip
        self.assertIn("1", psql(self.login(OWN), file=script, flags=("-qAt",)).checked().stdout)


class CopySilenceTest(ProtectedTest):
    """A COPY whose client says nothing is a transaction that is idle."""

    @classmethod
    def more_toml(cls) -> str:
        return '[limits]\nidle_transaction_timeout = "600ms"\n'

    def kept(self) -> int:
        sql = "SELECT count(*) FROM detectors WHERE detector_id >= 900000"
        return int(scalar(self.direct(), sql))

    def test_silence_ends_it(self) -> None:
        for before in (b"", query("BEGIN")):
            with self.subTest(before=before), session(self.login(OWN)) as wire:
                if before:
                    wire.ask(before)
                wire.send(query(f"COPY {TABLE} FROM STDIN"))
                self.assertEqual(wire.receive().type, "G")
                wire.send(message("d", line(900_001).encode()))
                began = time.monotonic()
                last = wire.until_end()[-1]
                self.assertEqual((last.type, last.sqlstate()), ("E", "25P03"))
                self.assertLess(time.monotonic() - began, 5)
            self.assertEqual(self.kept(), 0)

    def test_data_now_and_then_does_not(self) -> None:
        with session(self.login(OWN)) as wire:
            wire.ask(query("BEGIN"))
            wire.send(query(f"COPY {TABLE} FROM STDIN"))
            self.assertEqual(wire.receive().type, "G")
            for number in range(8):
                time.sleep(0.2)
                wire.send(message("d", line(900_001 + number).encode()))
            got = wire.ask(message("c"))
            self.assertEqual((shape(got), got[0].tag()), ("CZ", "COPY 8"))
            wire.ask(query("ROLLBACK"))
