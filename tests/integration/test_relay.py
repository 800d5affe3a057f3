"""An unprotected database through Postern: statement by statement what PostgreSQL answers."""

from __future__ import annotations

import hashlib
import socket
import threading
import time

import psycopg

from psql_client import connect, psql
from relay_base import APP, DATABASE, RelayTest
from wire import (
    FLUSH,
    SYNC,
    Message,
    Wire,
    bind,
    describe,
    execute,
    message,
    parse,
    query,
    session,
    shape,
)

# Printed by psql through Postern and directly: the same bytes. In order; some build on others.
TWINS = (
    "SELECT 1 AS one, NULL::text AS nothing, 'żółć ☕' AS text, '{1,NULL}'::int[] AS list",
    "SELECT i, md5(i::text) FROM generate_series(1, 5000) AS i",
    "SELECT repeat('x', 300000) AS large",
    "SELECT 1 WHERE false",
    "SELECT",
    "",
    "SELECT 1; SELECT 2; SELECT 3",
    "SELECT 1; SELECT 1 / 0; SELECT 3",
    "COPY (SELECT i, i * 2 FROM generate_series(1, 1000) AS i) TO STDOUT",
    "COPY (SELECT i, 'a;\"b' FROM generate_series(1, 3) AS i) TO STDOUT (FORMAT csv, HEADER)",
    "SELECT 1 / 0",
    "SELECT * FROM no_such_table",
    "SELECT 'ż', nothing FROM pg_class",
    "SELEC 1",
    "SELECT 'unclosed",
    "CREATE TABLE twin (n int PRIMARY KEY, note text)",
    "INSERT INTO twin SELECT i, 'n' || i FROM generate_series(1, 10) AS i",
    "INSERT INTO twin VALUES (3, 'again')",
    "INSERT INTO twin VALUES (11, 'new') RETURNING *",
    "INSERT INTO twin VALUES (3, 'other') ON CONFLICT (n) DO UPDATE SET note = excluded.note",
    "UPDATE twin SET n = n + 100 WHERE n > 5",
    "WITH gone AS (DELETE FROM twin WHERE n < 3 RETURNING *) SELECT count(*) FROM gone",
    "MERGE INTO twin USING (VALUES (3), (4)) AS v (n) ON v.n = twin.n WHEN MATCHED THEN DELETE",
    "BEGIN; SAVEPOINT s; SELECT 1 / 0",
    "BEGIN; DECLARE c CURSOR FOR SELECT * FROM twin ORDER BY n; FETCH 2 FROM c; COMMIT",
    "DO $$ BEGIN RAISE NOTICE 'from %', 'a block'; END $$",
    "DO $$ BEGIN RAISE EXCEPTION 'told' USING ERRCODE = 'P7777', HINT = 'a hint'; END $$",
    "SET datestyle = 'German'; SELECT date '2025-03-01'",
    "SHOW datestyle",
    "PREPARE p AS SELECT $1::int + 1; EXECUTE p (41)",
    "EXPLAIN (COSTS off) SELECT * FROM twin WHERE n = 4",
    "VACUUM twin",
    "BEGIN; VACUUM twin",
    "COMMIT",
    "SELECT current_user, session_user",
    "DROP TABLE IF EXISTS was_never_there",
    "DROP TABLE twin",
)  # fmt: skip
NOTICE = "DO $$ BEGIN RAISE NOTICE 'ahem'; END $$"


def errors(messages: list[Message]) -> list[str]:
    return [got.sqlstate() for got in messages if got.type == "E"]


class StatementsTest(RelayTest):
    def test_psql_prints_the_same_bytes(self) -> None:
        verbose = ("-v", "VERBOSITY=verbose")
        for command in TWINS:
            with self.subTest(command=command[:50]):
                ours = psql(self.client(), command, flags=verbose)
                theirs = psql(self.direct(), command, flags=verbose)
                self.assertEqual(ours, theirs)

    def test_wire_answers_are_the_same_messages(self) -> None:
        """Not only what a client prints: type, order and body of every message."""
        batches = (
            (query("SELECT 1, 'a', NULL"),),
            (query(""),),
            (query(" ; ; "),),
            (query("SELECT 1; SELECT 1/0; SELECT 2"),),
            (parse("SELECT $1::int, $2"), describe("S"), bind(b"1", None), describe("P"),
             execute(), SYNC),
            (parse(""), bind(), describe("P"), execute(), SYNC),
            (parse("SELECT 1", "named"), SYNC),
            (bind(statement="named"), execute(), bind(statement="missing"), execute(), SYNC),
            (bind(b"too", b"many", statement="named"), execute(), SYNC),
            (message("C", b"Snamed\0"), message("C", b"Pnone\0"), SYNC),
            (describe("S", "named"), SYNC),
            (parse("SELECT $1::int"), bind(b"no number"), execute(), SYNC),
            (execute("no portal"), SYNC),
            (parse("SELECT 3"), SYNC), (query("SELECT 4"),), (bind(), execute(), SYNC),
            (query("BEGIN"),), (query("SELEC"),), (parse("SELECT 1", "lost"), SYNC),
            (query("ROLLBACK"),), (bind(statement="lost"), execute(), SYNC),
            (query("BEGIN"),), (parse("SELECT generate_series(1, 3)"), bind(portal="q"), SYNC),
            (query("FETCH 2 FROM q"),), (execute("q"), SYNC), (query("COMMIT"),),
            (execute("q"), SYNC),
            (query("DEALLOCATE named; PREPARE named AS SELECT 7"),),
            (bind(statement="named"), describe("P"), execute(), SYNC),
            (query("DISCARD ALL"),), (bind(statement="named"), execute(), SYNC),
            (query(NOTICE),),
            (query("SET application_name = 'renamed'"),),
        )  # fmt: skip
        with session(self.client()) as ours, session(self.direct()) as theirs:
            for number, batch in enumerate(batches):
                with self.subTest(batch=number):
                    self.assertEqual(ours.ask(*batch), theirs.ask(*batch))

    def _same_answers(self, *batches: tuple[bytes, ...]) -> None:
        with session(self.client()) as ours, session(self.direct()) as theirs:
            for number, batch in enumerate(batches):
                self.assertEqual(ours.ask(*batch), theirs.ask(*batch), number)

    def test_two_syncs_at_once(self) -> None:
        with session(self.client()) as wire:
            wire.send(SYNC, SYNC, SYNC)
            self.assertEqual([shape(wire.until_ready()) for _ in range(3)], ["Z"] * 3)

    def test_parse_of_a_name_that_is_taken(self) -> None:
        self._same_answers(
            (parse("SELECT 1", "taken"), SYNC), (parse("SELECT 2", "taken"), SYNC),
            (bind(statement="taken"), execute(), SYNC),
        )  # fmt: skip

    def test_statement_prepared_by_sql_executed_by_protocol(self) -> None:
        self._same_answers(
            (query("PREPARE by_sql AS SELECT 1"),),
            (bind(statement="by_sql"), describe("P"), execute(), SYNC),
        )

    def test_cursor_declared_by_sql_executed_by_protocol(self) -> None:
        self._same_answers(
            (query("BEGIN"),), (query("DECLARE c CURSOR FOR SELECT 1"),),
            (describe("P", "c"), execute("c"), SYNC),
        )  # fmt: skip

    def test_prepared_statements_and_binary_both_ways(self) -> None:
        values = (41, "ż", b"\x00\xff", None, 1.5, [1, 2, None])
        sql = "SELECT %b::int8 + 1, %b::text, %b::bytea, %b::text, %b::float8, %b::int8[]"
        connection = self.connect()
        connection.prepare_threshold = 1
        for _ in range(3):
            for binary in (False, True):
                with connection.cursor(binary=binary) as cursor:
                    cursor.execute(sql, values, prepare=True)
                    self.assertEqual(
                        cursor.fetchone(), (42, "ż", b"\x00\xff", None, 1.5, [1, 2, None])
                    )
        named = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
        self.assertEqual(named, (1,))

    def test_pipeline_with_an_error_in_the_middle(self) -> None:
        connection = self.connect()
        connection.execute("CREATE TEMP TABLE seen (n int)")
        with self.assertRaises(psycopg.errors.DivisionByZero), connection.pipeline():
            connection.execute("INSERT INTO seen VALUES (1)")
            connection.execute("SELECT 1 / 0")
            connection.execute("INSERT INTO seen VALUES (2)")
        with connection.pipeline():
            connection.execute("INSERT INTO seen VALUES (3)")
        self.assertEqual(connection.execute("SELECT n FROM seen").fetchall(), [(3,)])

    def test_pipeline_that_arrives_in_pieces(self) -> None:
        connection = self.connect()
        with connection.pipeline():
            cursors = [connection.execute("SELECT %s::int", (i,)) for i in range(100)]
        self.assertEqual([c.fetchone() for c in cursors], [(i,) for i in range(100)])
        parts = [parse("SELECT 1"), bind(), describe("P"), execute()] * 30
        with session(self.client()) as wire:
            wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in parts:
                wire.send(part)
                time.sleep(0.001)
            self.assertEqual(shape(wire.ask(SYNC)), "12TDC" * 30 + "Z")

    def test_error_position_and_fields(self) -> None:
        with self.assertRaises(psycopg.Error) as caught:
            self.connect().execute("SELECT 'żółć', nothing")
        diag = caught.exception.diag
        self.assertEqual((diag.sqlstate, diag.statement_position), ("42703", "16"))
        self.assertEqual(diag.severity_nonlocalized, "ERROR")

    def test_notices_arrive(self) -> None:
        connection, heard = self.connect(), []
        connection.add_notice_handler(lambda diag: heard.append(diag.message_primary))
        connection.execute(NOTICE)
        self.assertEqual(heard, ["ahem"])

    def test_multiple_statements_are_one_transaction(self) -> None:
        connection = self.connect()
        connection.execute("CREATE TEMP TABLE seen (n int)")
        failing = "INSERT INTO seen VALUES (1); SELECT 1 / 0; INSERT INTO seen VALUES (2)"
        self.assertEqual(self.sqlstate(lambda: connection.execute(failing)), "22012")
        cursor = connection.execute("INSERT INTO seen VALUES (3); SELECT n FROM seen")
        self.assertEqual(cursor.statusmessage, "INSERT 0 1")
        self.assertTrue(cursor.nextset())
        self.assertEqual(cursor.fetchall(), [(3,)])

    def test_copy_both_ways(self) -> None:
        connection = self.connect()
        connection.execute("CREATE TEMP TABLE copied (n int, note text)")
        with connection.cursor() as cursor:
            with cursor.copy("COPY copied FROM STDIN") as copy:
                for number in range(20000):
                    copy.write_row((number, "ż" * (number % 7)))
            self.assertEqual(cursor.rowcount, 20000)
            with cursor.copy("COPY (SELECT * FROM copied ORDER BY n) TO STDOUT") as copy:
                copy.set_types(["int4", "text"])
                back = list(copy.rows())
            self.assertEqual(back, [(n, "ż" * (n % 7)) for n in range(20000)])
            with cursor.copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["int4", "text"])
                copy.write_row((-1, "binary"))
        self.assertEqual(
            connection.execute("SELECT note FROM copied WHERE n = -1").fetchone(), ("binary",)
        )

    def test_copy_that_fails(self) -> None:
        connection = self.connect()
        connection.execute("CREATE TEMP TABLE copied (n int)")

        def bad_row() -> None:
            with connection.cursor().copy("COPY copied FROM STDIN") as copy:
                for _ in range(5000):
                    copy.write("1\n")
                copy.write("no number\n")
                for _ in range(5000):
                    copy.write("2\n")

        self.assertEqual(self.sqlstate(bad_row), "22P02")
        with self.assertRaises(psycopg.errors.QueryCanceled):
            with connection.cursor().copy("COPY copied FROM STDIN") as copy:
                copy.write("1\n")
                raise ZeroDivisionError  # psycopg sends CopyFail
        self.assertEqual(self.sqlstate(
            lambda: connection.execute("COPY (SELECT 1 / 0) TO STDOUT")), "22012")  # fmt: skip
        self.assertEqual(connection.execute("SELECT count(*) FROM copied").fetchone(), (0,))

    def test_copy_by_extended_protocol(self) -> None:
        """As libpq does it: a Sync before the data, which the server ignores, and one behind."""
        with session(self.client()) as ours, session(self.direct()) as theirs:
            for each in (ours, theirs):
                each.ask(query("CREATE TEMP TABLE copied (n int)"))
            for end in (message("c"), message("f", b"no more\0")):
                for early in (SYNC, FLUSH):
                    copied = [self._copy_in(each, early, end) for each in (ours, theirs)]
                    self.assertEqual(copied[0], copied[1])
            for each in (ours, theirs):
                copied = each.ask(query("SELECT n FROM copied"))
                rows = [m.values() for m in copied if m.type == "D"]
                self.assertEqual(rows, [[b"1"], [b"2"]] * 2)

    def _copy_in(self, wire: Wire, early: bytes, end: bytes) -> list[Message]:
        wire.send(parse("COPY copied FROM STDIN"), bind(), execute(), early)
        got = [wire.receive() for _ in range(3)]
        self.assertEqual("".join(m.type for m in got if m), "12G")
        return wire.ask(message("d", b"1\n2\n"), end, SYNC)

    def test_copy_data_sent_without_waiting(self) -> None:
        for dsn in (self.direct(), self.client()):
            with session(dsn) as wire:
                wire.ask(query("CREATE TEMP TABLE copied (n int)"))
                got = wire.ask(query("COPY copied FROM STDIN"), message("d", b"1\n"), message("c"))
                self.assertEqual(shape(got), "GCZ")

    def test_cursors(self) -> None:
        connection = self.connect()
        with connection.transaction(), connection.cursor("walker") as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT i FROM generate_series(1, 1000) AS i")
            self.assertEqual([row[0] for row in cursor], list(range(1, 1001)))
        connection.execute("DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 5)")
        self.assertEqual(connection.execute("FETCH 2 FROM held").fetchall(), [(1,), (2,)])
        self.assertEqual(connection.execute("FETCH 9 FROM held").fetchall(), [(3,), (4,), (5,)])

    def test_portals_with_a_row_limit(self) -> None:
        with session(self.client()) as wire:
            rows = wire.ask(
                parse("SELECT generate_series(1, 5)"), bind(portal="p"),
                execute("p", 2), execute("p", 2), execute("p", 2), execute("p", 2), SYNC,
            )  # fmt: skip
            self.assertEqual(shape(rows), "12DDsDDsDCCZ")
            self.assertEqual([m.tag() for m in rows if m.type == "C"], ["SELECT 1", "SELECT 0"])
            interleaved = wire.ask(
                parse("SELECT generate_series(1, 4)"), bind(portal="a"), bind(portal="b"),
                execute("a", 1), execute("b", 3), execute("a", 1), SYNC,
            )  # fmt: skip
            values = [m.values()[0] for m in interleaved if m.type == "D"]
            self.assertEqual(values, [b"1", b"1", b"2", b"3", b"2"])

    def test_notifications_while_idle(self) -> None:
        listener, speaker = self.connect(), self.connect()
        listener.execute("LISTEN news")
        speaker.execute("NOTIFY news, 'first'")
        speaker.execute("SELECT pg_notify('news', 'second')")
        heard = []
        for notice in listener.notifies():
            heard.append((notice.channel, notice.payload))
            if len(heard) == 2:
                break
        self.assertEqual(heard, [("news", "first"), ("news", "second")])

    def test_large_results(self) -> None:
        connection = self.connect()
        started, length, count = time.monotonic(), 0, 0
        with connection.cursor("large") as cursor, connection.transaction():
            cursor.itersize = 25000
            cursor.execute("SELECT repeat('x', 1000) FROM generate_series(1, 50000)")
            for (value,) in cursor:
                length, count = length + len(value), count + 1
        self.assertEqual((count, length), (50000, 50_000_000))
        with session(self.client()) as wire:
            got = wire.ask(query("SELECT repeat('y', 1000) FROM generate_series(1, 50000)"))
        self.assertEqual(len(got), 50003)
        self.assertLess(time.monotonic() - started, 20)

    def test_large_values_both_ways(self) -> None:
        value = hashlib.shake_128(b"seed").digest(20 << 20)
        connection = self.connect()
        with connection.cursor(binary=True) as cursor:
            cursor.execute("SELECT %b::bytea", (value,))
            row = cursor.fetchone()
        assert row is not None
        self.assertEqual(hashlib.sha256(row[0]).digest(), hashlib.sha256(value).digest())
        echoed = connection.execute("SELECT repeat('z', 20000000)").fetchone()
        self.assertEqual(echoed, ("z" * 20_000_000,))

    def test_cancel_of_a_running_statement(self) -> None:
        connection = self.connect()
        other = self.connect()
        failed: list[str] = []

        def run() -> None:
            failed.append(self.sqlstate(lambda: connection.execute("SELECT pg_sleep(20)")))

        thread = threading.Thread(target=run)
        started = time.monotonic()
        thread.start()
        self.wait_for_active(1)
        connection.cancel()
        thread.join(10)
        self.assertEqual(failed, ["57014"])
        self.assertLess(time.monotonic() - started, 10)
        self.assertEqual(connection.execute("SELECT 1").fetchone(), (1,))
        # Idle: a cancel finds nothing to do, and hits nobody else.
        connection.cancel()
        self.assertEqual(other.execute("SELECT 2").fetchone(), (2,))
        self.assertEqual(connection.execute("SELECT 3").fetchone(), (3,))

    def test_transaction_status(self) -> None:
        with session(self.client()) as wire:
            states = [
                wire.ask(query(sql))[-1].body.decode()
                for sql in ("SELECT 1", "BEGIN", "SELECT 1", "SELEC", "SELECT 1", "ROLLBACK")
            ]
        self.assertEqual(states, ["I", "T", "T", "E", "E", "I"])

    def test_parameter_status_at_login_and_after_set(self) -> None:
        with session(self.client()) as ours, session(self.direct()) as theirs:
            named = set(theirs.parameters)
            self.assertEqual(set(ours.parameters), named)
            for name in named - {"application_name", "session_authorization"}:
                self.assertEqual(ours.parameters[name], theirs.parameters[name], name)
            for sql in ("SET timezone = 'Asia/Tokyo'", "SET client_encoding = 'LATIN1'",
                        "SET LOCAL datestyle = 'SQL'", "RESET ALL"):  # fmt: skip
                with self.subTest(sql=sql):
                    self.assertEqual(
                        [m for m in ours.ask(query(sql)) if m.type == "S"],
                        [m for m in theirs.ask(query(sql)) if m.type == "S"],
                    )

    def test_startup_options_and_settings_of_the_client(self) -> None:
        dsn = self.client(application="my program", options="-c statement_timeout=12345")
        connection = self.connect(dsn)
        self.assertEqual(connection.execute("SHOW statement_timeout").fetchone(), ("12345ms",))
        sql = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        self.assertEqual(connection.execute(sql).fetchone(), ("my program",))
        seen = self.cluster.primary.scalar(
            "SELECT string_agg(DISTINCT usename, ',') FROM pg_stat_activity"
            " WHERE application_name = 'my program'"
        )
        self.assertEqual(seen, APP)

    def test_tls_on_the_client_leg(self) -> None:
        connection = self.connect(self.client(sslmode="require"))
        self.assertTrue(connection.pgconn.ssl_in_use)
        long = connection.execute("SELECT repeat('t', 3000000)").fetchone()
        self.assertEqual(long, ("t" * 3_000_000,))
        value = b"\x01\x00" * 1_500_000
        self.assertEqual(connection.execute("SELECT %b::bytea", (value,)).fetchone(), (value,))
        plain = self.connect(self.client(sslmode="disable"))
        self.assertFalse(plain.pgconn.ssl_in_use)

    def test_flush_answers_before_sync(self) -> None:
        with session(self.client()) as wire:
            wire.send(parse("SELECT 7"), bind(), describe("P"), execute(), message("H"))
            got = [wire.receive() for _ in range(5)]
            self.assertEqual("".join(m.type for m in got if m), "12TDC")
            self.assertEqual(shape(wire.ask(SYNC)), "Z")

    def test_fast_path_call(self) -> None:
        with session(self.client()) as wire, session(self.direct()) as twin:
            oid = int(self.cluster.primary.scalar("SELECT 'int4abs(int4)'::regprocedure::oid"))
            call = message("F", oid.to_bytes(4, "big") + b"\0\1\0\0" + b"\0\1" + b"\0\0\0\2-7\0\0")
            self.assertEqual(wire.ask(call), twin.ask(call))

    def test_many_clients_at_once(self) -> None:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                with connect(self.client()) as connection:
                    for i in range(30):
                        got = connection.execute("SELECT %s::int * 1000 + %s", (number, i))
                        if got.fetchone() != (number * 1000 + i,):
                            raise AssertionError(f"client {number} got another's answer")
            except BaseException as raised:  # told in the main thread
                failures.append(raised)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual(failures, [])
        self.assertLessEqual(len(self.backends()), 20)
        self.assertIn(DATABASE, self.cluster.primary.scalar("SELECT string_agg(datname, ',')"
                      " FROM pg_stat_activity"))  # fmt: skip
