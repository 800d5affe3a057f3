"""The common script with psycopg 3: server-side statements, binary values, pipeline mode."""

from __future__ import annotations

import select
import threading
import time

import psycopg
from psycopg.types.json import Json
from report import (
    CA, DBNAME, HOST, OWN_SERVER, PASSWORD, PORT, USER, WRONG_CA, Type, expect, fails, step, types,
)  # fmt: skip

# psycopg sends these in text only.
TEXT_ONLY = ("enum", "varchar")


def connect(**changes: object) -> psycopg.Connection:
    settings = {
        "host": HOST, "port": PORT, "user": USER, "password": PASSWORD, "dbname": DBNAME,
        "sslmode": "verify-full", "sslrootcert": CA, "application_name": "driver psycopg3",
    }  # fmt: skip
    return psycopg.connect(**{**settings, **changes}, autocommit=True)


def run(sql: str, *values: object, binary: bool = False) -> list[tuple]:
    with db.cursor(binary=binary) as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall() if cursor.description else []


def one(sql: str, *values: object, binary: bool = False) -> object:
    return run(sql, *values, binary=binary)[0][0]


def connection_step() -> None:
    expect(run("SELECT current_user, current_database()"), [(USER, DBNAME)])
    expect(db.pgconn.ssl_in_use, True)


def wrong_password() -> None:
    error = fails(psycopg.OperationalError, lambda: connect(password="wrong"))
    expect("password authentication failed" in str(error), True)


def connections() -> None:
    many = [connect() for _ in range(8)]
    for number, each in enumerate(many):
        with each.cursor() as cursor:
            cursor.execute("SELECT %s", (number,))
            expect(cursor.fetchone(), (number,))
    for each in many:
        each.close()


def application_name() -> None:
    sql = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    expect(one(sql), "driver psycopg3")


def text(kind: Type) -> None:
    expect(one(f"SELECT (%s::text)::{kind.sql}{kind.check}", kind.literal), kind.literal)


def native(kind: Type) -> None:
    for binary in (False, True):
        value = one(f"SELECT (%s::text)::{kind.sql}", kind.literal, binary=binary)
        if isinstance(value, dict):
            value = Json(value)
        if isinstance(value, bytes) and kind.name == "enum":
            value = value.decode()
        mark = "%b" if binary and kind.name not in TEXT_ONLY else "%s"
        expect(one(f"SELECT ({mark}::{kind.sql}){kind.check}", value), kind.literal)


def nulls() -> None:
    expect(run("SELECT %s::text IS NULL, NULL::int4, ''", None), [(True, None, "")])


def prepared() -> None:
    # The sixth use of a text makes it a named statement of the server.
    for number in range(12):
        expect(one("SELECT %s::int4 + 1", number), number + 1)
        expect(one("SELECT %s::text || 'a'", "a"), "aa")
    with db.cursor() as cursor:
        for number in range(3):
            cursor.execute("SELECT %s::int4 * 2", (number,), prepare=True)
            expect(cursor.fetchone(), (number * 2,))
    if OWN_SERVER:
        expect(one("SELECT count(*) >= 3 FROM pg_prepared_statements"), True)


def cursor() -> None:
    with db.transaction(), db.cursor(name="rows") as portal:
        portal.itersize = 100
        portal.execute("SELECT generate_series(1, 1000)")
        expect(sum(value for (value,) in portal), 500500)
    with db.cursor() as streamed:
        rows = streamed.stream("SELECT generate_series(1, %s::int4)", (1000,))
        expect(sum(value for (value,) in rows), 500500)


def copy_in() -> None:
    with db.cursor() as cursor, cursor.copy("COPY numbers FROM STDIN") as copy:
        for number in range(10000):
            copy.write_row((number, f"label {number}"))
    expect(run("SELECT count(*), sum(n) FROM numbers"), [(10000, 49995000)])

    def bad() -> None:
        with db.cursor() as cursor, cursor.copy("COPY numbers FROM STDIN") as copy:
            copy.write("not a number\tx\n")

    expect(fails(psycopg.Error, bad).sqlstate, "22P02")
    with db.cursor() as cursor, cursor.copy("COPY numbers FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int4", "text"])
        copy.write_row((-7, "binary"))
    expect(one("SELECT count(*) FROM numbers"), 10001)


def copy_out() -> None:
    sql = "COPY (SELECT generate_series(1, 10000)) TO STDOUT"
    with db.cursor() as cursor, cursor.copy(sql) as copy:
        expect(sum(int(bytes(line)) for line in copy), 50005000)


def cancel() -> None:
    timer = threading.Timer(0.5, db.cancel)
    timer.start()
    started = time.monotonic()
    expect(fails(psycopg.Error, lambda: run("SELECT pg_sleep(20)")).sqlstate, "57014")
    timer.join()
    expect(time.monotonic() - started < 10, True)
    expect(one("SELECT 1"), 1)


def error_unique() -> None:
    error = fails(psycopg.Error, lambda: run("INSERT INTO items VALUES (2, 'one')"))
    diag = error.diag
    expect(
        (error.sqlstate, diag.schema_name, diag.table_name, diag.constraint_name),
        ("23505", "public", "items", "items_name_key"),
    )
    expect(diag.message_detail, "Key (name)=(one) already exists.")


def error_syntax() -> None:
    error = fails(psycopg.Error, lambda: run("SELECT 1 FRM items"))
    expect((error.sqlstate, error.diag.statement_position), ("42601", "14"))


def error_in_transaction() -> None:
    run("BEGIN")
    run("INSERT INTO items VALUES (3, 'three')")
    expect(fails(psycopg.Error, lambda: run("SELECT 1 / 0")).sqlstate, "22012")
    expect(fails(psycopg.Error, lambda: run("SELECT 1")).sqlstate, "25P02")
    run("ROLLBACK")
    expect(one("SELECT count(*) FROM items WHERE id = 3"), 0)


def notice() -> None:
    heard: list[tuple] = []
    db.add_notice_handler(lambda diag: heard.append((diag.severity, diag.message_primary)))
    run("SELECT say(%s)", "psycopg3")
    expect(heard, [("NOTICE", "heard psycopg3")])


def listen_notify() -> None:
    heard: list[tuple] = []
    db.add_notify_handler(lambda note: heard.append((note.channel, note.payload)))
    run("LISTEN news")
    with connect() as other:
        other.execute("SELECT pg_notify(%s, %s)", ("news", "hello"))
    expect(bool(select.select([db], [], [], 10)[0]), True)
    run("SELECT 1")
    expect(heard, [("news", "hello")])
    run("UNLISTEN news")


def pipeline() -> None:
    with db.pipeline() as pipe:
        cursors = [db.execute("SELECT %s::int4", (number,)) for number in range(200)]
        db.execute("INSERT INTO numbers VALUES (-1)")
        pipe.sync()
        expect([each.fetchone()[0] for each in cursors], list(range(200)))
    expect(one("SELECT count(*) FROM numbers WHERE n = -1"), 1)

    def bad() -> None:
        with db.pipeline():
            db.execute("INSERT INTO numbers VALUES (-2)")
            db.execute("SELECT 1 / %s", (0,))
            db.execute("SELECT 3")

    expect(fails(psycopg.Error, bad).sqlstate, "22012")
    expect(one("SELECT count(*) FROM numbers WHERE n = -2"), 0)


def transaction() -> None:
    with db.transaction(force_rollback=True):
        run("INSERT INTO items VALUES (10, 'ten')")
    with db.transaction():
        run("INSERT INTO items VALUES (11, 'eleven')")
    expect(run("SELECT id FROM items WHERE id IN (10, 11)"), [(11,)])


def savepoint() -> None:
    with db.transaction():
        run("INSERT INTO items VALUES (20, 'twenty')")

        def inner() -> None:
            with db.transaction():
                run("INSERT INTO items VALUES (20, 'x')")

        expect(fails(psycopg.Error, inner).sqlstate, "23505")
        run("INSERT INTO items VALUES (21, 'twenty-one')")
    expect(run("SELECT id FROM items WHERE id IN (20, 21) ORDER BY 1"), [(20,), (21,)])


def settings() -> None:
    run("SET statement_timeout = '54321ms'")
    run("SET DateStyle = 'German'")
    for _ in range(5):
        expect(one("SHOW statement_timeout"), "54321ms")
        expect(one("SELECT '2024-02-29'::date::text"), "29.02.2024")
    expect(db.info.parameter_status("DateStyle").split(",")[0], "German")
    run("RESET statement_timeout")
    run("RESET DateStyle")
    expect(one("SHOW statement_timeout"), "0")


def search_path() -> None:
    expect(one("SELECT place FROM marker"), "public")
    run("SET search_path = other, public")
    for _ in range(5):
        expect(one("SELECT place FROM marker"), "other")
    run("RESET search_path")
    expect(one("SELECT place FROM marker"), "public")


def big_text() -> None:
    value = "žluť" * 1_000_000  # 6 MB in UTF-8
    expect(run("SELECT length(%s::text), %s::text", value, value), [(4_000_000, value)])


def big_bytea() -> None:
    value = bytes(range(256)) * 20480  # 5 MB
    expect(bytes(one("SELECT %b::bytea", value, binary=True)), value)


def many_rows() -> None:
    found = run("SELECT i, 'row ' || i FROM generate_series(1, 100000) i")
    expect((len(found), found[99999]), (100000, (100000, "row 100000")))
    expect(sum(number for number, _ in found), 5000050000)


def variants() -> None:
    for changes in (
        {"prepare_threshold": 0}, {"prepare_threshold": None},
        {"cursor_factory": psycopg.ClientCursor}, {"options": "-c search_path=other"},
    ):  # fmt: skip
        with connect(**changes) as other:
            for number in range(7):
                found = other.execute("SELECT %s::int4 + 1, place FROM marker", (number,))
                place = "other" if "options" in changes else "public"
                expect(found.fetchone(), (number + 1, place))


db = connect()
step("connect", connection_step)
step("tls_verify", lambda: fails(psycopg.OperationalError, lambda: connect(sslrootcert=WRONG_CA)))
step("wrong_password", wrong_password)
step("connections", connections)
step("application_name", application_name)
for each_type in types():
    step(f"text_{each_type.name}", lambda kind=each_type: text(kind))
for each_type in types():
    step(f"native_{each_type.name}", lambda kind=each_type: native(kind))
for action in (
    nulls, prepared, cursor, copy_in, copy_out, cancel, error_unique, error_syntax,
    error_in_transaction, notice, listen_notify, pipeline, transaction, savepoint, settings,
    search_path, big_text, big_bytea, many_rows, variants,
):  # fmt: skip
    step(action.__name__, action)
db.close()
