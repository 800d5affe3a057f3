"""The common script with psycopg2."""

from __future__ import annotations

import io
import select
import threading
import time

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from report import (
    CA, DBNAME, HOST, PASSWORD, PORT, USER, WRONG_CA, Type, expect, fails, step, types,
)  # fmt: skip


def connect(**changes: object) -> psycopg2.extensions.connection:
    settings = {
        "host": HOST, "port": PORT, "user": USER, "password": PASSWORD, "dbname": DBNAME,
        "sslmode": "verify-full", "sslrootcert": CA, "application_name": "driver psycopg2",
    }  # fmt: skip
    connection = psycopg2.connect(**{**settings, **changes})
    connection.autocommit = True
    return connection


def run(sql: str, *values: object) -> list[tuple]:
    with db.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall() if cursor.description else []


def one(sql: str, *values: object) -> object:
    return run(sql, *values)[0][0]


def connection_step() -> None:
    expect(run("SELECT current_user, current_database()"), [(USER, DBNAME)])
    expect(db.info.ssl_in_use, True)


def wrong_password() -> None:
    error = fails(psycopg2.OperationalError, lambda: connect(password="wrong"))
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
    expect(one(sql), "driver psycopg2")


def text(kind: Type) -> None:
    expect(one(f"SELECT (%s::text)::{kind.sql}{kind.check}", kind.literal), kind.literal)


def native(kind: Type) -> None:
    value = one(f"SELECT (%s::text)::{kind.sql}", kind.literal)
    if isinstance(value, dict):
        value = psycopg2.extras.Json(value)
    expect(one(f"SELECT CAST(%s AS {kind.sql}){kind.check}", value), kind.literal)


def nulls() -> None:
    expect(run("SELECT %s::text IS NULL, NULL::int4, ''", None), [(True, None, "")])


def prepared() -> None:
    run("PREPARE plus_one (int) AS SELECT $1 + 1")
    run("PREPARE twice (text) AS SELECT $1 || $1")
    for number in range(12):
        expect(one("EXECUTE plus_one (%s)", number), number + 1)
        expect(one("EXECUTE twice (%s)", "a"), "aa")
    run("DEALLOCATE plus_one")
    expect(fails(psycopg2.Error, lambda: run("EXECUTE plus_one (1)")).pgcode, "26000")
    run("DEALLOCATE ALL")


def cursor() -> None:
    db.autocommit = False
    with db.cursor(name="rows") as portal:
        portal.itersize = 100
        portal.execute("SELECT generate_series(1, 1000)")
        expect(sum(value for (value,) in portal), 500500)
    db.commit()
    db.autocommit = True


def copy_in() -> None:
    lines = "".join(f"{n}\tlabel {n}\n" for n in range(10000))
    with db.cursor() as cursor:
        cursor.copy_expert("COPY numbers FROM STDIN", io.StringIO(lines))
    expect(run("SELECT count(*), sum(n) FROM numbers"), [(10000, 49995000)])

    def bad() -> None:
        with db.cursor() as cursor:
            cursor.copy_expert("COPY numbers FROM STDIN", io.StringIO("not a number\tx\n"))

    expect(fails(psycopg2.Error, bad).pgcode, "22P02")
    expect(one("SELECT count(*) FROM numbers"), 10000)


def copy_out() -> None:
    target = io.StringIO()
    with db.cursor() as cursor:
        cursor.copy_expert("COPY (SELECT generate_series(1, 10000)) TO STDOUT", target)
    expect(sum(int(line) for line in target.getvalue().splitlines()), 50005000)


def cancel() -> None:
    timer = threading.Timer(0.5, db.cancel)
    timer.start()
    started = time.monotonic()
    expect(fails(psycopg2.Error, lambda: run("SELECT pg_sleep(20)")).pgcode, "57014")
    timer.join()
    expect(time.monotonic() - started < 10, True)
    expect(one("SELECT 1"), 1)


def error_unique() -> None:
    error = fails(psycopg2.Error, lambda: run("INSERT INTO items VALUES (2, 'one')"))
    diag = error.diag
    expect(
        (error.pgcode, diag.schema_name, diag.table_name, diag.constraint_name),
        ("23505", "public", "items", "items_name_key"),
    )
    expect(diag.message_detail, "Key (name)=(one) already exists.")


def error_syntax() -> None:
    error = fails(psycopg2.Error, lambda: run("SELECT 1 FRM items"))
    expect((error.pgcode, error.diag.statement_position), ("42601", "14"))


def error_in_transaction() -> None:
    run("BEGIN")
    run("INSERT INTO items VALUES (3, 'three')")
    expect(fails(psycopg2.Error, lambda: run("SELECT 1 / 0")).pgcode, "22012")
    expect(fails(psycopg2.Error, lambda: run("SELECT 1")).pgcode, "25P02")
    run("ROLLBACK")
    expect(one("SELECT count(*) FROM items WHERE id = 3"), 0)


def notice() -> None:
    db.notices.clear()
    run("SELECT say('psycopg2')")
    expect(db.notices, ["NOTICE:  heard psycopg2\n"])


def listen_notify() -> None:
    run("LISTEN news")
    other = connect()
    with other.cursor() as cursor:
        cursor.execute("NOTIFY news, 'hello'")
    other.close()
    expect(bool(select.select([db], [], [], 10)[0]), True)
    db.poll()
    expect([(each.channel, each.payload) for each in db.notifies], [("news", "hello")])
    run("UNLISTEN news")


def pipeline() -> None:
    expect(run("SELECT 1; INSERT INTO numbers VALUES (-1); SELECT 3"), [(3,)])
    expect(one("SELECT count(*) FROM numbers WHERE n = -1"), 1)
    bad = "INSERT INTO numbers VALUES (-2); SELECT 1 / 0; SELECT 3"
    expect(fails(psycopg2.Error, lambda: run(bad)).pgcode, "22012")
    expect(one("SELECT count(*) FROM numbers WHERE n = -2"), 0)


def transaction() -> None:
    db.autocommit = False
    run("INSERT INTO items VALUES (10, 'ten')")
    db.rollback()
    run("INSERT INTO items VALUES (11, 'eleven')")
    db.commit()
    db.autocommit = True
    expect(run("SELECT id FROM items WHERE id IN (10, 11)"), [(11,)])


def savepoint() -> None:
    db.autocommit = False
    run("INSERT INTO items VALUES (20, 'twenty')")
    run("SAVEPOINT a")
    expect(fails(psycopg2.Error, lambda: run("INSERT INTO items VALUES (20, 'x')")).pgcode, "23505")
    run("ROLLBACK TO SAVEPOINT a")
    run("INSERT INTO items VALUES (21, 'twenty-one')")
    run("RELEASE SAVEPOINT a")
    db.commit()
    db.autocommit = True
    expect(run("SELECT id FROM items WHERE id IN (20, 21) ORDER BY 1"), [(20,), (21,)])


def settings() -> None:
    run("SET statement_timeout = '54321ms'")
    run("SET DateStyle = 'German'")
    for _ in range(5):
        expect(one("SHOW statement_timeout"), "54321ms")
        expect(one("SELECT '2024-02-29'::date::text"), "29.02.2024")
    expect(db.get_parameter_status("DateStyle").split(",")[0], "German")
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
    expect(run("SELECT length(%s), %s", value, value), [(4_000_000, value)])


def big_bytea() -> None:
    value = bytes(range(256)) * 20480  # 5 MB
    expect(bytes(one("SELECT %s::bytea", value)), value)


def many_rows() -> None:
    found = run("SELECT i, 'row ' || i FROM generate_series(1, 100000) i")
    expect((len(found), found[99999]), (100000, (100000, "row 100000")))
    expect(sum(number for number, _ in found), 5000050000)


db = connect()
step("connect", connection_step)
step("tls_verify", lambda: fails(psycopg2.OperationalError, lambda: connect(sslrootcert=WRONG_CA)))
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
    search_path, big_text, big_bytea, many_rows,
):  # fmt: skip
    step(action.__name__, action)
db.close()
