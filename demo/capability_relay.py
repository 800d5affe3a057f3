"""relay: a database without protection; no client can tell Postern from PostgreSQL."""

from __future__ import annotations

import threading
import time

import psycopg

from capability import Capability
from clients import expect
from psql_client import Dsn, connect, psql, scalar
from settings import RELAY_DATABASE, TWIN_DATABASE

# The same command through Postern and directly must print the same bytes.
TWINS = (
    "SELECT 1 AS one, NULL::text AS nothing, 'żółć ☕' AS text, '{1,NULL}'::int[] AS list",
    "SELECT i, md5(i::text) FROM generate_series(1, 20000) AS i",
    "SELECT repeat('x', 3000000) AS large",
    "COPY (SELECT i, i * 2 FROM generate_series(1, 1000) AS i) TO STDOUT",
    "SELECT 1 / 0",
    "SELECT * FROM no_such_table",
    "SELEC 1",
    "CREATE TABLE twin (n int)",
    "INSERT INTO twin SELECT generate_series(1, 10)",
    "UPDATE twin SET n = n + 1 WHERE n > 5",
    "DROP TABLE twin",
)
MARK = "written_by_the_relay"


class Relay(Capability):
    name = "relay"
    title = "Relay: an unprotected database behaves as if Postern were not there"
    step = "relay"

    def show(self) -> None:
        self._same_bytes()
        self._extended_protocol()
        self._cancel()
        self._tls()
        self._refusals()

    def _guest(self) -> Dsn:
        return self.stage.guest(self.step)

    def _direct(self) -> Dsn:
        """A twin of the database, asked as the role Postern uses for the guest."""
        return self.stage.direct_application_role().to(dbname=TWIN_DATABASE)

    def _same_bytes(self) -> None:
        self.say.explain("psql, once through Postern and once directly: the outputs are compared.")
        guest, direct = self._guest(), self._direct()
        shown = self.stage.psql(guest, TWINS[0])
        self.say.command(f'psql -p {guest.port} -c "{TWINS[0][:50]}…"', shown.stdout, 5)
        for command in TWINS:
            ours, theirs = self.stage.psql(guest, command), psql(direct, command)
            expect(ours == theirs, f"psql prints differently for {command[:50]!r}: {ours.stderr}")
        self.say.note(f"{len(TWINS)} commands, errors and 3 MB values included: identical output")

    def _extended_protocol(self) -> None:
        self.say.explain("A Python application: bound parameters, binary results, transactions.")
        with self.stage.client(self._guest()) as client:
            for binary in (False, True):
                sql = "SELECT %s::int8 + 1 AS sum, %s::timestamptz AS at, %s::bytea AS raw"
                parameters = (41, "2025-03-01 12:00+00", b"\x00\xff")
                answer = client.run(sql, parameters, binary=binary).checked()
                expect(answer.rows[0][0] == 42 and answer.rows[0][2] == b"\x00\xff", "wrong values")
            self.say.said(answer)
            client.run("CREATE TABLE IF NOT EXISTS journal (note text)").checked()
            for sql in ("BEGIN", f"INSERT INTO journal VALUES ('{MARK}')", "COMMIT",
                        "BEGIN", "INSERT INTO journal VALUES ('undone')", "ROLLBACK"):  # fmt: skip
                client.run(sql).checked()
            failed = client.run("INSERT INTO journal (nothing) VALUES (1)")
            expect(failed.error is not None and failed.error.sqlstate == "42703", "no 42703")
            self.say.said(client.run("SELECT count(*) AS notes FROM journal"))

    def _cancel(self) -> None:
        self.say.explain("A query that runs too long is cancelled; the session lives on.")
        with self.stage.client(self._guest()) as client:
            # Again and again, because a cancel that comes before the query finds nothing to do.
            over = threading.Event()
            thread = threading.Thread(target=_cancel_until, args=(client.connection, over))
            thread.start()
            try:
                answer = client.run("SELECT pg_sleep(20)")
            finally:
                over.set()
                thread.join()
            expect(answer.error is not None and answer.error.sqlstate == "57014", "not cancelled")
            self.say.said(answer)
            expect(client.run("SELECT 7").value() == 7, "the session did not survive the cancel")

    def _tls(self) -> None:
        with connect(self._guest().to(sslmode="require")) as connection:
            expect(connection.pgconn.ssl_in_use, "sslmode=require gave no TLS")
        self.say.note("sslmode=require: TLS is in use between client and Postern")

    def _refusals(self) -> None:
        for wrong, sqlstate in (
            (self._guest().to(password="wrong"), "28P01"),
            (self._guest().to(dbname="nowhere"), "3D000"),
        ):
            result = psql(wrong, "SELECT 1", flags=("-v", "VERBOSITY=verbose"))
            expect(result.rc == 2, f"a login that must fail ({sqlstate}) ended with {result.rc}")
            self.say.note(result.stderr.strip().splitlines()[-1])

    def assert_from_other_side(self) -> None:
        direct = self.stage.direct(RELAY_DATABASE)
        notes = scalar(direct, "SELECT string_agg(note, ',') FROM journal")
        expect(notes == MARK, f"the primary holds {notes!r} in journal")
        self.say.asserted("psql on the primary finds the committed row, not the rolled back one")
        log = self.stage.cluster.primary.log.since()
        lines = [line for line in log.splitlines() if MARK in line]
        expect(bool(lines), "the primary's log does not know the statement")
        expect(all("user=app " in line for line in lines), f"sent by another role: {lines[0][:99]}")
        self.say.asserted("the primary's log has the client's own text, sent by the role app")


def _cancel_until(connection: psycopg.Connection[tuple], over: threading.Event) -> None:
    while not over.is_set():
        time.sleep(0.3)
        if not over.is_set():
            connection.cancel()
