"""The common script with psql: commands typed into one running psql, answers read from it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import tempfile
import termios
import threading
import time
from pathlib import Path

from report import (
    CA, DBNAME, HOST, PASSWORD, PORT, USER, WRONG_CA, Type, expect, step, types,
)  # fmt: skip


class Psql:
    """A psql whose answers to one command end with a line of our own."""

    ARGV = ("psql", "-X", "-q", "-A", "-t", "-v", "VERBOSITY=verbose")

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            self.ARGV, env=environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._in, self._out = self._process.stdin, self._process.stdout
        self._count = 0

    def run(self, text: str) -> list[str]:
        """The lines psql prints for a piece of its input."""
        self._count += 1
        mark = f"-- answer {self._count} --"
        self._in.write(f"{text}\n\\echo '{mark}'\n")
        self._in.flush()
        lines = []
        for line in self._out:
            if line.rstrip("\r\n") == mark:
                return lines
            lines.append(line.rstrip("\r\n"))
        raise AssertionError(f"psql ended: {lines[-3:]}")

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        self._in.close()
        self._process.wait(10)


class TerminalPsql(Psql):
    """A psql at a terminal: only there does it live on after Ctrl-C."""

    def __init__(self) -> None:
        ours, its = pty.openpty()
        mode = termios.tcgetattr(its)
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(its, termios.TCSANOW, mode)
        self._process = subprocess.Popen(
            [*self.ARGV, "-n", "-P", "pager=off", "-v", "PROMPT1=", "-v", "PROMPT2="],
            env=environment(), stdin=its, stdout=its, stderr=its,
        )  # fmt: skip
        os.close(its)
        self._in = os.fdopen(ours, "w", encoding="utf-8")
        self._out = os.fdopen(os.dup(ours), encoding="utf-8")
        self._count = 0

    def quit(self) -> None:
        self._in.write("\\q\n")
        self._in.flush()
        self._process.wait(10)


def environment(**changes: str) -> dict[str, str]:
    return {
        **os.environ, "PGHOST": HOST, "PGPORT": str(PORT), "PGUSER": USER,
        "PGPASSWORD": PASSWORD, "PGDATABASE": DBNAME, "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": CA, "PGAPPNAME": "driver psql", **changes,
    }  # fmt: skip


def once(sql: str, **changes: str) -> str:
    """Output of a psql of its own, standard error included."""
    return subprocess.run(
        ["psql", "-X", "-A", "-t", "-q", "-c", sql], env=environment(**changes),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=60, check=False,
    ).stdout.strip()  # fmt: skip


def said(text: str, *wanted: str) -> None:
    expect(db.run(text), list(wanted))


def fails(text: str, sqlstate: str) -> str:
    """All that psql prints for a text that must fail with this SQLSTATE."""
    lines = db.run(text)
    if not any(line.startswith(("ERROR:", "FATAL:")) and sqlstate in line for line in lines):
        raise AssertionError(f"no error {sqlstate}: {lines}")
    return "\n".join(lines)


def contains(text: str, *parts: str) -> None:
    for part in parts:
        if part not in text:
            raise AssertionError(f"{part!r} is not in {text!r}")


def connection_step() -> None:
    said("SELECT current_user, current_database();", f"{USER}|{DBNAME}")
    contains("\n".join(db.run("\\conninfo")), "SSL connection (protocol: TLS")


def tls_verify() -> None:
    contains(once("SELECT 1", PGSSLROOTCERT=WRONG_CA), "certificate verify failed")


def wrong_password() -> None:
    contains(once("SELECT 1", PGPASSWORD="wrong"), "password authentication failed")


def connections() -> None:
    many = [Psql() for _ in range(8)]
    for number, each in enumerate(many):
        expect(each.run(f"SELECT {number};"), [str(number)])
    for each in many:
        each.close()


def application_name() -> None:
    sql = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid();"
    said(sql, "driver psql")


def text(kind: Type) -> None:
    Path("types.value").write_text(kind.literal, encoding="utf-8")
    db.run("\\set value `cat types.value`")
    said(f"SELECT (:'value'::text)::{kind.sql}{kind.check};", kind.literal)


def native(kind: Type) -> None:
    # psql's own form of a value is the text it prints; \gset keeps it, and it is sent back.
    Path("types.value").write_text(kind.literal, encoding="utf-8")
    db.run("\\set value `cat types.value`")
    db.run(f"SELECT :'value'::{kind.sql} AS value \\gset")
    said(f"SELECT (:'value'::{kind.sql}){kind.check};", kind.literal)


def nulls() -> None:
    said("SELECT NULL::text IS NULL, NULL::int4, '';", "t||")


def prepared() -> None:
    db.run("PREPARE plus_one (int) AS SELECT $1 + 1;")
    db.run("PREPARE twice (text) AS SELECT $1 || $1;")
    for number in range(12):
        said(f"EXECUTE plus_one ({number});", str(number + 1))
        said("EXECUTE twice ('a');", "aa")
    # \gdesc and \bind's forerunner: the extended protocol without a name.
    said("SELECT 1::int4 AS a, 'x'::text AS b \\gdesc", "a|integer", "b|text")
    db.run("DEALLOCATE plus_one;")
    fails("EXECUTE plus_one (1);", "26000")
    db.run("DEALLOCATE ALL;")


def cursor() -> None:
    db.run("\\set FETCH_COUNT 100")
    found = db.run("SELECT generate_series(1, 1000);")
    db.run("\\unset FETCH_COUNT")
    expect(sum(int(line) for line in found), 500500)


def copy_in() -> None:
    lines = "".join(f"{n}\tlabel {n}\n" for n in range(10000))
    said(f"\\copy numbers FROM STDIN\n{lines}\\.")
    said("SELECT count(*), sum(n) FROM numbers;", "10000|49995000")
    fails("COPY numbers FROM STDIN;\nnot a number\tx\n\\.", "22P02")
    said("SELECT count(*) FROM numbers;", "10000")


def copy_out() -> None:
    found = db.run("COPY (SELECT generate_series(1, 10000)) TO STDOUT;")
    expect(sum(int(line) for line in found), 50005000)
    db.run("\\copy (SELECT generate_series(1, 10)) TO 'copy.out'")
    expect(len(Path("copy.out").read_text(encoding="utf-8").splitlines()), 10)


def interrupt_at_work(terminal: TerminalPsql) -> None:
    """Not before the server runs its statement: psql may take a while to get there."""
    asleep = ("SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
              " AND query ~ '^SELECT pg_sleep';")  # fmt: skip
    deadline = time.monotonic() + 15
    while db.run(asleep) != ["1"] and time.monotonic() < deadline:
        time.sleep(0.1)
    terminal.interrupt()


def cancel() -> None:
    terminal = TerminalPsql()
    interrupter = threading.Thread(target=interrupt_at_work, args=(terminal,))
    interrupter.start()
    started = time.monotonic()
    lines = "\n".join(terminal.run("SELECT pg_sleep(30);"))
    interrupter.join()
    expect(time.monotonic() - started < 25, True)
    contains(lines, "Cancel request sent", "ERROR:  57014:")
    expect(terminal.run("SELECT 1;"), ["1"])
    terminal.quit()


def error_unique() -> None:
    lines = fails("INSERT INTO items VALUES (2, 'one');", "23505")
    contains(lines, "DETAIL:  Key (name)=(one) already exists.", "SCHEMA NAME:  public",
             "TABLE NAME:  items", "CONSTRAINT NAME:  items_name_key")  # fmt: skip


def error_syntax() -> None:
    lines = fails("SELECT 1 FRM items;", "42601").splitlines()
    expect(lines[1:3], ["LINE 1: SELECT 1 FRM items;", " " * 21 + "^"])


def error_in_transaction() -> None:
    db.run("BEGIN;\nINSERT INTO items VALUES (3, 'three');")
    fails("SELECT 1 / 0;", "22012")
    fails("SELECT 1;", "25P02")
    db.run("ROLLBACK;")
    said("SELECT count(*) FROM items WHERE id = 3;", "0")


def notice() -> None:
    contains("\n".join(db.run("SELECT say('psql');")), "NOTICE:  00000: heard psql")


def listen_notify() -> None:
    db.run("LISTEN news;")
    once("NOTIFY news, 'hello'")
    for _ in range(100):
        lines = "\n".join(db.run("SELECT 1;"))
        if "Asynchronous notification" in lines:
            break
        time.sleep(0.1)
    contains(lines, '"news" with payload "hello"')
    db.run("UNLISTEN news;")


def pipeline() -> None:
    said("SELECT 1 \\; INSERT INTO numbers VALUES (-1) \\; SELECT 3;", "1", "3")
    said("SELECT count(*) FROM numbers WHERE n = -1;", "1")
    fails("INSERT INTO numbers VALUES (-2) \\; SELECT 1 / 0 \\; SELECT 3;", "22012")
    said("SELECT count(*) FROM numbers WHERE n = -2;", "0")


def transaction() -> None:
    db.run("BEGIN;\nINSERT INTO items VALUES (10, 'ten');\nROLLBACK;")
    db.run("BEGIN;\nINSERT INTO items VALUES (11, 'eleven');\nCOMMIT;")
    said("SELECT id FROM items WHERE id IN (10, 11);", "11")


def savepoint() -> None:
    db.run("BEGIN;\nINSERT INTO items VALUES (20, 'twenty');\nSAVEPOINT a;")
    fails("INSERT INTO items VALUES (20, 'x');", "23505")
    db.run("ROLLBACK TO SAVEPOINT a;\nINSERT INTO items VALUES (21, 'twenty-one');")
    db.run("RELEASE SAVEPOINT a;\nCOMMIT;")
    said("SELECT id FROM items WHERE id IN (20, 21) ORDER BY 1;", "20", "21")


def settings() -> None:
    db.run("SET statement_timeout = '54321ms';\nSET DateStyle = 'German';")
    for _ in range(5):
        said("SHOW statement_timeout;", "54321ms")
        said("SELECT '2024-02-29'::date;", "29.02.2024")
    db.run("\\encoding LATIN1")
    said("SELECT octet_length(convert_to('x', 'UTF8')), getdatabaseencoding();", "1|UTF8")
    said("\\echo :ENCODING", "LATIN1")
    db.run("\\encoding UTF8")
    db.run("RESET statement_timeout;\nRESET DateStyle;")
    said("SHOW statement_timeout;", "0")


def search_path() -> None:
    said("SELECT place FROM marker;", "public")
    db.run("SET search_path = other, public;")
    for _ in range(5):
        said("SELECT place FROM marker;", "other")
    db.run("RESET search_path;")
    said("SELECT place FROM marker;", "public")


def big_text() -> None:
    value = "žluť" * 1_000_000
    said(f"SELECT '{value}', length('{value}');", f"{value}|4000000")


def big_bytea() -> None:
    value = (bytes(range(256)) * 20480).hex()
    said(f"SELECT '\\x{value}'::bytea;", f"\\x{value}")


def many_rows() -> None:
    found = db.run("SELECT i, 'row ' || i FROM generate_series(1, 100000) i;")
    expect((len(found), found[99999]), (100000, "100000|row 100000"))
    expect(sum(int(line.split("|")[0]) for line in found), 5000050000)


os.chdir(tempfile.mkdtemp(dir=os.environ["HOME"]))
db = Psql()
step("connect", connection_step)
for action in (tls_verify, wrong_password, connections, application_name):
    step(action.__name__, action)
for each_type in types():
    step(f"text_{each_type.name}", lambda kind=each_type: text(kind))
for each_type in types():
    step(f"native_{each_type.name}", lambda kind=each_type: native(kind))
for action in (
    nulls, prepared, cursor, copy_in, copy_out, cancel, error_unique, error_syntax,
    error_in_transaction, notice, listen_notify, pipeline, transaction, savepoint, settings,
    search_path, big_text, big_bytea, many_rows,
):  # fmt: skip
    step(action.__name__, action)
db.close()
