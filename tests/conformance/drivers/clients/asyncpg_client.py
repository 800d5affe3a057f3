"""The common script with asyncpg: everything prepared, everything binary."""

from __future__ import annotations

import asyncio
import io
import ssl
import time
from collections.abc import Awaitable, Callable

import asyncpg
from report import (
    CA, DBNAME, HOST, PASSWORD, PORT, USER, WRONG_CA, Type, expect, step, types,
)  # fmt: skip


def connect(ca: str = CA, **changes: object) -> Awaitable[asyncpg.Connection]:
    settings = {
        "host": HOST, "port": PORT, "user": USER, "password": PASSWORD, "database": DBNAME,
        "ssl": ssl.create_default_context(cafile=ca),
        "server_settings": {"application_name": "driver asyncpg"},
    }  # fmt: skip
    return asyncpg.connect(**{**settings, **changes})


async def fails(kind: type[BaseException], action: Awaitable[object]) -> BaseException:
    """The exception of this kind that the action must raise."""
    try:
        await action
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


async def connection_step() -> None:
    expect(tuple(await db.fetchrow("SELECT current_user, current_database()")), (USER, DBNAME))
    expect(db._transport.get_extra_info("ssl_object") is not None, True)


async def tls_verify() -> None:
    await fails(ssl.SSLError, connect(WRONG_CA))


async def wrong_password() -> None:
    error = await fails(asyncpg.PostgresError, connect(password="wrong"))
    expect(error.sqlstate, "28P01")


async def connections() -> None:
    many = await asyncio.gather(*(connect() for _ in range(8)))
    found = await asyncio.gather(*(c.fetchval("SELECT $1::int4", n) for n, c in enumerate(many)))
    expect(found, list(range(8)))
    for each in many:
        await each.close()


async def application_name() -> None:
    sql = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    expect(await db.fetchval(sql), "driver asyncpg")


async def text(kind: Type) -> None:
    sql = f"SELECT ($1::text)::{kind.sql}{kind.check}"
    expect(await db.fetchval(sql, kind.literal), kind.literal)


async def native(kind: Type) -> None:
    value = await db.fetchval(f"SELECT ($1::text)::{kind.sql}", kind.literal)
    expect(await db.fetchval(f"SELECT ($1::{kind.sql}){kind.check}", value), kind.literal)


async def nulls() -> None:
    found = await db.fetchrow("SELECT $1::text IS NULL, NULL::int4, ''", None)
    expect(tuple(found), (True, None, ""))


async def prepared() -> None:
    plus_one = await db.prepare("SELECT $1::int4 + 1")
    twice = await db.prepare("SELECT $1::text || $1")
    for number in range(12):
        expect(await plus_one.fetchval(number), number + 1)
        expect(await twice.fetchval("a"), "aa")


async def cursor() -> None:
    async with db.transaction():
        total = 0
        async for record in db.cursor("SELECT generate_series(1, $1::int4)", 1000, prefetch=100):
            total += record[0]
        expect(total, 500500)
        portal = await db.cursor("SELECT generate_series(1, 1000)")
        expect(len(await portal.fetch(100)), 100)
        expect(await db.fetchval("SELECT 7"), 7)
        expect((await portal.fetchrow())[0], 101)
        expect(await portal.forward(99), 99)
        expect((await portal.fetchrow())[0], 201)


async def copy_in() -> None:
    lines = "".join(f"{n}\tlabel {n}\n" for n in range(10000)).encode()
    await db.copy_to_table("numbers", source=io.BytesIO(lines))
    expect(tuple(await db.fetchrow("SELECT count(*), sum(n) FROM numbers")), (10000, 49995000))
    bad = db.copy_to_table("numbers", source=io.BytesIO(b"not a number\tx\n"))
    expect((await fails(asyncpg.PostgresError, bad)).sqlstate, "22P02")
    await db.copy_records_to_table("numbers", records=[(-7, "binary")])
    expect(await db.fetchval("SELECT count(*) FROM numbers"), 10001)


async def copy_out() -> None:
    target = io.BytesIO()
    await db.copy_from_query("SELECT generate_series(1, $1)", 10000, output=target)
    expect(sum(int(line) for line in target.getvalue().splitlines()), 50005000)


async def cancel() -> None:
    started = time.monotonic()
    await fails(asyncio.TimeoutError, db.fetchval("SELECT pg_sleep(20)", timeout=0.5))
    expect(time.monotonic() - started < 10, True)
    expect(await db.fetchval("SELECT 1"), 1)


async def error_unique() -> None:
    action = db.execute("INSERT INTO items VALUES ($1, $2)", 2, "one")
    error = await fails(asyncpg.PostgresError, action)
    expect(
        (error.sqlstate, error.schema_name, error.table_name, error.constraint_name, error.detail),
        ("23505", "public", "items", "items_name_key", "Key (name)=(one) already exists."),
    )


async def error_syntax() -> None:
    error = await fails(asyncpg.PostgresError, db.fetch("SELECT 1 FRM items"))
    expect((error.sqlstate, error.position), ("42601", "14"))


async def error_in_transaction() -> None:
    await db.execute("BEGIN")
    await db.execute("INSERT INTO items VALUES (3, 'three')")
    error = await fails(asyncpg.PostgresError, db.fetch("SELECT 1 / $1", 0))
    expect(error.sqlstate, "22012")
    expect((await fails(asyncpg.PostgresError, db.fetch("SELECT 1"))).sqlstate, "25P02")
    await db.execute("ROLLBACK")
    expect(await db.fetchval("SELECT count(*) FROM items WHERE id = 3"), 0)


async def notice() -> None:
    heard: list[object] = []
    db.add_log_listener(lambda _, message: heard.append(message.message))
    await db.fetchval("SELECT say($1)", "asyncpg")
    await asyncio.sleep(0.05)
    expect(heard, ["heard asyncpg"])


async def listen_notify() -> None:
    heard: asyncio.Queue[tuple] = asyncio.Queue()

    def note(_: object, pid: int, channel: str, payload: str) -> None:
        heard.put_nowait((channel, payload))

    await db.add_listener("news", note)
    other = await connect()
    await other.execute("SELECT pg_notify($1, $2)", "news", "hello")
    await other.close()
    expect(await asyncio.wait_for(heard.get(), 10), ("news", "hello"))
    await db.remove_listener("news", note)


async def pipeline() -> None:
    await db.executemany("INSERT INTO numbers VALUES ($1)", [(-1,)] * 500)
    expect(await db.fetchval("SELECT count(*) FROM numbers WHERE n = -1"), 500)
    values = [(1,), (1,), (0,), (1,)]
    bad = db.executemany("INSERT INTO numbers VALUES (-2 / $1)", values)
    expect((await fails(asyncpg.PostgresError, bad)).sqlstate, "22012")
    expect(await db.fetchval("SELECT count(*) FROM numbers WHERE n = -2"), 0)


async def transaction() -> None:
    rolled_back = db.transaction()
    await rolled_back.start()
    await db.execute("INSERT INTO items VALUES (10, 'ten')")
    await rolled_back.rollback()
    async with db.transaction(isolation="serializable"):
        await db.execute("INSERT INTO items VALUES (11, 'eleven')")
    found = await db.fetch("SELECT id FROM items WHERE id IN (10, 11)")
    expect([record["id"] for record in found], [11])


async def savepoint() -> None:
    async def inner() -> None:
        async with db.transaction():
            await db.execute("INSERT INTO items VALUES (20, 'x')")

    async with db.transaction():
        await db.execute("INSERT INTO items VALUES (20, 'twenty')")
        expect((await fails(asyncpg.PostgresError, inner())).sqlstate, "23505")
        await db.execute("INSERT INTO items VALUES (21, 'twenty-one')")
    found = await db.fetch("SELECT id FROM items WHERE id IN (20, 21) ORDER BY 1")
    expect([record["id"] for record in found], [20, 21])


async def settings() -> None:
    await db.execute("SET statement_timeout = '54321ms'")
    await db.execute("SET DateStyle = 'German'")
    for _ in range(5):
        expect(await db.fetchval("SHOW statement_timeout"), "54321ms")
        expect(await db.fetchval("SELECT '2024-02-29'::date::text"), "29.02.2024")
    expect(db.get_settings().DateStyle.split(",")[0], "German")
    await db.execute("RESET statement_timeout")
    await db.execute("RESET DateStyle")
    expect(await db.fetchval("SHOW statement_timeout"), "0")


async def search_path() -> None:
    sql = "SELECT place FROM marker"
    expect(await db.fetchval(sql), "public")
    await db.execute("SET search_path = other, public")
    for _ in range(5):
        expect(await db.fetchval(sql), "other")
    await db.execute("RESET search_path")
    expect(await db.fetchval(sql), "public")


async def big_text() -> None:
    value = "žluť" * 1_000_000
    found = await db.fetchrow("SELECT length($1::text), $1::text", value)
    expect(tuple(found), (4_000_000, value))


async def big_bytea() -> None:
    value = bytes(range(256)) * 20480
    expect(await db.fetchval("SELECT $1::bytea", value), value)


async def many_rows() -> None:
    found = await db.fetch("SELECT i, 'row ' || i FROM generate_series(1, 100000) i")
    expect((len(found), tuple(found[99999])), (100000, (100000, "row 100000")))
    expect(sum(record[0] for record in found), 5000050000)


async def variants() -> None:
    for changes in (
        {"statement_cache_size": 0}, {"max_cached_statement_lifetime": 0},
        {"server_settings": {"search_path": "other", "jit": "off"}}, {"direct_tls": False},
    ):  # fmt: skip
        other = await connect(**changes)
        for number in range(7):
            found = await other.fetchrow("SELECT $1::int4 + 1, place FROM marker", number)
            place = "other" if "server_settings" in changes else "public"
            expect(tuple(found), (number + 1, place))
        await other.reset()
        await other.close()
    async with asyncpg.create_pool(
        host=HOST, port=PORT, user=USER, password=PASSWORD, database=DBNAME, min_size=2, max_size=4,
        ssl=ssl.create_default_context(cafile=CA),
    ) as pool:  # fmt: skip
        found = await asyncio.gather(*(pool.fetchval("SELECT $1::int4", n) for n in range(20)))
        expect(found, list(range(20)))


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)


def run_step(name: str, action: Callable[..., Awaitable[object]], *arguments: object) -> None:
    step(name, lambda: loop.run_until_complete(action(*arguments)))


db = loop.run_until_complete(connect())
run_step("connect", connection_step)
for action in (tls_verify, wrong_password, connections, application_name):
    run_step(action.__name__, action)
for each_type in types():
    run_step(f"text_{each_type.name}", text, each_type)
for each_type in types():
    run_step(f"native_{each_type.name}", native, each_type)
for action in (
    nulls, prepared, cursor, copy_in, copy_out, cancel, error_unique, error_syntax,
    error_in_transaction, notice, listen_notify, pipeline, transaction, savepoint, settings,
    search_path, big_text, big_bytea, many_rows, variants,
):  # fmt: skip
    run_step(action.__name__, action)
loop.run_until_complete(db.close())
