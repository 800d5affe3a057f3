"""The named scripts of the byte oracle: what drivers do, and what they should not do."""

from __future__ import annotations

import struct

from byte_replay import Case, Wait
from wire import FLUSH, SYNC, bind, describe, execute, message, parse, query, text

PRELUDE = (
    "CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, price numeric(8,2))",
    "INSERT INTO items SELECT n, 'item ' || n, n * 1.5 FROM generate_series(1, 5) n",
    "CREATE TABLE copied (id int, name text)",
    "CREATE TYPE mood AS ENUM ('low', 'high')",
    "CREATE FUNCTION noisy(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN"
    " RAISE NOTICE 'heard %', n; RAISE WARNING 'still %', n USING HINT = 'a hint'; RETURN n;"
    " END $$",
    "CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)",
)


def close(kind: str, name: str = "") -> bytes:
    return message("C", kind.encode() + text(name))


def copy_data(data: bytes) -> bytes:
    return message("d", data)


def copy_fail(why: str = "no more") -> bytes:
    return message("f", text(why))


def call(oid: int, *values: bytes | None, form: int = 0) -> bytes:
    body = struct.pack("!IhhH", oid, 1, form, len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message("F", body + struct.pack("!h", form))


def formatted(values: list[bytes], forms: list[int], results: list[int], name: str = "") -> bytes:
    """A Bind with format codes."""
    body = text("") + text(name) + struct.pack(f"!H{len(forms)}h", len(forms), *forms)
    body += struct.pack("!H", len(values))
    for value in values:
        body += struct.pack("!i", len(value)) + value
    return message("B", body + struct.pack(f"!H{len(results)}h", len(results), *results))


COPY_DONE = message("c")
ONE = parse("SELECT 1") + bind() + describe("P") + execute()
BAD = parse("SELECT nothing_there")
ITEMS = "SELECT id, name FROM items ORDER BY id"
COPY_IN = "COPY copied FROM STDIN"
LINES = copy_data(b"1\tone\n2\ttwo\n")
CLEAN = query("TRUNCATE copied")
INT4_ADD, LO_TELL = 177, 958  # int4pl; a function that fails without a descriptor
KNOWN_NAME = "named"


def _batches() -> dict[str, tuple[bytes | Wait, ...]]:
    return {
        "lone batch": (ONE + SYNC,),
        "batch without describe": (parse("SELECT 1") + bind() + execute() + SYNC,),
        "describe statement before bind": (
            parse("SELECT $1::int, $2::text") + describe("S") + SYNC,
            bind(b"7", None) + describe("P") + execute() + SYNC,
        ),
        "error ignores all until sync": (BAD + ONE + query("SELECT 2") + ONE + SYNC, ONE + SYNC),
        "error then several syncs": (BAD + SYNC + SYNC + ONE + SYNC + SYNC,),
        "error with flush": (BAD + FLUSH, Wait("E"), FLUSH + ONE + FLUSH + SYNC),
        "error at execute": (parse("SELECT 1/$1::int") + bind(b"0") + execute() + ONE + SYNC,),
        "error at bind": (parse("SELECT $1::int") + bind(b"x") + execute() + SYNC + ONE + SYNC,),
        "sync alone": (SYNC,),
        "many syncs": (SYNC * 50,),
        "flush alone": (FLUSH * 3 + SYNC,),
        "flush after each message": (
            parse("SELECT 1") + FLUSH, Wait("1"), bind() + FLUSH, Wait("2"),
            describe("P") + FLUSH, Wait("T"), execute() + FLUSH, Wait("C"), SYNC,
        ),
    }  # fmt: skip


def _names() -> dict[str, tuple[bytes | Wait, ...]]:
    named = parse("SELECT $1::int + 1", KNOWN_NAME)
    bad, use = parse("SELECT nothing_there", "bad"), bind() + execute()
    return {
        "parse error then reuse of the name": (
            parse("SELEC", "again") + SYNC + parse("SELECT 'again'", "again")
            + bind(statement="again") + execute() + SYNC,
        ),
        "name in use": (named + SYNC + parse("SELECT 2", KNOWN_NAME) + SYNC,
                        bind(b"1", statement=KNOWN_NAME) + execute() + SYNC),
        "name in use within one batch": (named + parse("SELECT 2", KNOWN_NAME) + SYNC,
                                         bind(b"1", statement=KNOWN_NAME) + execute() + SYNC),
        "name closed and used anew": (
            named + close("S", KNOWN_NAME) + parse("SELECT 'x'", KNOWN_NAME)
            + bind(statement=KNOWN_NAME) + execute() + SYNC,
        ),
        "unknown statement at bind": (bind(statement="nobody") + execute() + SYNC, ONE + SYNC),
        "unknown statement at describe": (describe("S", "nobody") + SYNC, ONE + SYNC),
        "unknown portal at describe": (describe("P", "nobody") + SYNC, ONE + SYNC),
        "unknown portal at execute": (execute("nobody") + SYNC, ONE + SYNC),
        "close of the unknown": (close("S", "nobody") + close("P", "nobody") + SYNC,),
        "unnamed statement gone after query": (
            parse("SELECT 1") + SYNC, query("SELECT 2"), bind() + execute() + SYNC,
        ),
        "unnamed statement stays after sync": (parse("SELECT 1") + SYNC, bind() + execute() + SYNC),
        "unnamed statement replaced": (parse("SELECT 1") + parse("SELECT 'b'") + bind() + execute()
                                       + SYNC,),
        "failed unnamed parse": (parse("SELECT 1") + SYNC + BAD + SYNC, bind() + execute() + SYNC),
        "unnamed statement behind a skipped parse": (
            parse("SELECT 'kept'") + SYNC + bad + parse("SELECT 'lost'") + SYNC + use + SYNC,
            Wait("Z", 3), bad + parse("SELECT 'lost'") + SYNC, Wait("Z", 4), use + SYNC,
        ),
        "unnamed statement gone behind a skipped parse": (
            parse("SELECT 'kept'") + SYNC + bad + parse("SELECT 'lost'") + SYNC, Wait("Z", 2),
            call(INT4_ADD, b"1", b"2") + query("SELECT 1") + use + SYNC,
            parse("SELECT 'kept'") + SYNC + bad + parse("SELECT 'lost'") + SYNC
            + call(INT4_ADD, b"1", b"2") + query("SELECT 1/0") + use + SYNC,
        ),
        "unnamed statement behind skipped queries": (
            parse("SELECT 'kept'") + SYNC + bad + query("SELECT 1") + query("SELECT 2") + SYNC
            + use + SYNC, Wait("Z", 3), use + SYNC,
        ),
        "unnamed statement behind a skipped close": (
            parse("SELECT 'kept'") + SYNC + bad + close("S") + SYNC + use + SYNC,
            Wait("Z", 3), use + SYNC,
        ),
        "name behind a skipped close and parse": (
            parse("SELECT 'kept'", "n") + SYNC + bad + close("S", "n") + parse("SELECT 'lost'", "n")
            + SYNC + bind(statement="n") + execute() + SYNC,
            Wait("Z", 3), bind(statement="n") + execute() + SYNC, parse("SELECT 'new'", "n") + SYNC,
        ),
        "two meanings of one name under way": (
            parse("SELECT 'first'") + use + SYNC + parse("SELECT 'second'") + use + SYNC + use
            + parse("SELECT 'third'") + use + SYNC,
        ),
    }  # fmt: skip


def _values() -> dict[str, tuple[bytes | Wait, ...]]:
    return {
        "too few parameters": (parse("SELECT $1::int, $2::int") + bind(b"1") + SYNC,),
        "too many parameters": (parse("SELECT 1") + bind(b"1") + SYNC,),
        "parameter type unknown": (parse("SELECT $1", oids=(999999,)) + SYNC,),
        "parameter type undetermined": (parse("SELECT $1") + describe("S") + SYNC,),
        "two commands in a parse": (parse("SELECT 1; SELECT 2") + bind() + execute() + SYNC,),
        "empty parse": (parse("") + describe("S") + bind() + describe("P") + execute() + SYNC,),
        "no data statement": (parse("SET extra_float_digits = 1") + describe("S") + bind()
                              + describe("P") + execute() + SYNC,),
        "binary parameters and results": (
            parse("SELECT $1::int8, $2::text", oids=(20, 25))
            + formatted([struct.pack("!q", 5), b"t"], [1, 0], [0, 1]) + describe("P") + execute()
            + SYNC,
        ),
        "one format for all": (parse("SELECT 1, 2::int8, 'x'") + formatted([], [], [1])
                               + describe("P") + execute() + SYNC,),
        "wrong number of formats": (parse("SELECT 1, 2, 3") + formatted([], [], [1, 1]) + SYNC,),
        "malformed binary value": (parse("SELECT $1::int4") + formatted([b"abc"], [1], [])
                                   + execute() + SYNC,),
    }  # fmt: skip


def _mixtures() -> dict[str, tuple[bytes | Wait, ...]]:
    return {
        "query inside a batch": (parse("SELECT 1") + bind() + query("SELECT 'simple'") + execute()
                                 + SYNC,),
        "query after execute without sync": (
            parse("INSERT INTO copied VALUES (1, 'x')") + bind() + execute()
            + query("SELECT count(*) FROM copied") + SYNC, CLEAN,
        ),
        "huge batch": (parse("SELECT $1::int", "many")
                       + (bind(b"2", statement="many") + execute()) * 1000 + SYNC,),
        "many batches at once": (ONE + (ONE + SYNC) * 200,),
        "huge batch with an error within": (
            parse("SELECT 10 / $1::int", "div") + (bind(b"1", statement="div") + execute()) * 300
            + bind(b"0", statement="div") + execute()
            + (bind(b"1", statement="div") + execute()) * 300 + SYNC, ONE + SYNC,
        ),
        "large parameter": (parse("SELECT length($1), md5($1)") + bind(b"x" * 700_000) + execute()
                            + SYNC,),
        "large text of a parse": (parse("SELECT '" + "y" * 400_000 + "'") + bind() + execute()
                                  + SYNC,),
        "cached plan must not change": (
            query("CREATE TABLE shape (a int)") + parse("SELECT * FROM shape", "star")
            + bind(statement="star") + execute() + SYNC,
            query("ALTER TABLE shape ADD b int"),
            bind(statement="star") + execute() + SYNC + query("DROP TABLE shape"),
        ),
        "deferred constraint fails at sync": (
            query("INSERT INTO deferred VALUES (1)")
            + parse("INSERT INTO deferred VALUES (1)") + bind() + execute() + SYNC + ONE + SYNC
            + query("TRUNCATE deferred"),
        ),
        "function call": (call(INT4_ADD, b"20", b"22") + ONE + SYNC,),
        "function call in binary": (call(INT4_ADD, struct.pack("!i", 1), struct.pack("!i", 2),
                                         form=1),),
        "function call that fails": (call(LO_TELL, b"77") + ONE + SYNC,),
        "function call of nothing": (call(999999) + ONE + SYNC,),
        "function call with null": (call(INT4_ADD, b"1", None),),
        "function call inside a batch": (parse("SELECT 1") + call(INT4_ADD, b"1", b"1") + bind()
                                         + execute() + SYNC,),
    }  # fmt: skip


def _portals() -> dict[str, tuple[bytes | Wait, ...]]:
    begin, items = query("BEGIN"), parse(ITEMS)
    step = items + bind(portal="p") + execute("p", 2)
    return {
        "rows in portions": (items + bind() + execute("", 2) + execute("", 2) + execute("", 2)
                             + SYNC,),
        "rows in exact portions": (items + bind() + execute("", 5) + execute("", 5) + SYNC,),
        "portal in a transaction": (begin + step + SYNC, execute("p", 2) + SYNC,
                                    execute("p") + SYNC + query("COMMIT")),
        "portal ends with its transaction": (step + SYNC + execute("p", 2) + SYNC,),
        "portal described while suspended": (begin + step + describe("P", "p") + execute("p")
                                             + SYNC,),
        "portal closed": (begin + step + close("P", "p") + execute("p") + SYNC,),
        "portal in use": (begin + step + bind(portal="p") + SYNC,),
        "portal outlives its statement": (
            begin + parse(ITEMS, "s") + bind(portal="p", statement="s") + close("S", "s")
            + execute("p", 1) + SYNC,
        ),
        "portals side by side": (
            begin + items + bind(portal="p") + bind(portal="q") + execute("p", 1)
            + execute("q", 2) + execute("p") + execute("q") + SYNC,
        ),
        "portal as a cursor": (begin + step + query("FETCH 1 FROM p") + query("CLOSE p")
                               + execute("p") + SYNC,),
        "cursor as a portal": (begin + query("DECLARE c CURSOR FOR " + ITEMS) + execute("c", 2)
                               + SYNC + query("MOVE 1 IN c") + describe("P", "c") + SYNC,),
        "cursor with hold": (query("DECLARE h CURSOR WITH HOLD FOR " + ITEMS)
                             + query("FETCH 2 FROM h") + query("CLOSE h"),),
        "insert with row limit": (
            parse("INSERT INTO copied SELECT n, 'r' FROM generate_series(1,4) n RETURNING id")
            + bind() + execute("", 2) + execute("", 0) + SYNC, CLEAN,
        ),
        "executed twice": (parse("SELECT 5") + bind() + execute() + execute() + SYNC,),
        "negative row limit": (items + bind() + execute("", -1) + SYNC,),
        "transaction by messages": (
            parse("BEGIN") + bind() + execute() + parse("INSERT INTO copied VALUES (1)") + bind()
            + execute() + SYNC + parse("ROLLBACK") + bind() + execute() + SYNC,
            query("SELECT count(*) FROM copied"),
        ),
        "failed transaction": (begin + BAD + SYNC + ONE + SYNC + query("SELECT 1")
                               + parse("ROLLBACK") + bind() + execute() + SYNC,),
        "savepoints": (begin + query("SAVEPOINT a") + query("SELECT 1/0") + query("ROLLBACK TO a")
                       + ONE + SYNC + query("COMMIT"),),
        "commit of a failed transaction": (begin + query("x") + query("COMMIT"),),
    }  # fmt: skip


def _statements() -> dict[str, tuple[bytes | Wait, ...]]:
    prepared = parse("SELECT 1", "one") + parse("SELECT 2", "two") + SYNC
    use = bind(statement="one") + execute() + SYNC
    return {
        "deallocate by query": (prepared + query("DEALLOCATE one") + use,),
        "deallocate all by query": (prepared + query("DEALLOCATE ALL") + use,),
        "deallocate by messages": (prepared + parse("DEALLOCATE one") + bind() + execute() + SYNC
                                   + use,),
        "deallocate all by messages": (prepared + parse("DEALLOCATE ALL") + bind() + execute()
                                       + SYNC + use,),
        "discard all by query": (prepared + query("DISCARD ALL") + use,),
        "discard all by messages": (prepared + parse("DISCARD ALL") + bind() + execute() + SYNC
                                    + use,),
        "discard all in a transaction": (query("BEGIN") + query("DISCARD ALL")
                                         + query("ROLLBACK"),),
        "prepare and execute in SQL": (
            query("PREPARE s(int) AS SELECT $1 + 1") + query("EXECUTE s(4)")
            + describe("S", "s") + bind(b"5", statement="s") + execute() + SYNC,
        ),
        "execute of a message's statement": (prepared + query("EXECUTE one"),),
        "unnamed statement behind deallocate all": (
            prepared + parse("DEALLOCATE ALL") + bind() + execute() + bind() + execute() + SYNC,
            parse("DISCARD ALL") + bind() + execute() + SYNC + bind() + SYNC,
        ),
        "name parsed again behind deallocate all": (
            prepared + parse("DEALLOCATE ALL") + bind() + execute()
            + parse("SELECT 'again'", "one") + SYNC + use,
            query("DEALLOCATE one") + parse("SELECT 'third'", "one") + SYNC + use,
        ),
        "name of a message prepared in SQL": (prepared + query("PREPARE one AS SELECT 'sql'") + use,
                                              query("EXECUTE two")),
        "name of SQL parsed by message": (
            query("PREPARE one AS SELECT 'sql'") + parse("SELECT 'message'", "one") + SYNC + use,
            close("S", "one") + parse("SELECT 'message'", "one") + SYNC + use,
        ),
        "name of SQL freed and parsed by message": (
            query("PREPARE one AS SELECT 'sql'; DEALLOCATE one") + prepared + use,
        ),
        "a statement that names itself, skipped": (
            execute("nowhere") + parse("EXECUTE me", "me", (0,)) + bind(b"1", statement="me")
            + SYNC + parse("EXECUTE me", "other", (25, 0)) + SYNC + describe("S", "me") + SYNC,
            Wait("Z", 3), describe("S", "me") + SYNC,
        ),
        "deallocate of the unknown": (query("DEALLOCATE nobody"),),
        "statements listed": (prepared + query("SELECT name, statement, from_sql"
                                               " FROM pg_prepared_statements ORDER BY 1"),),
        "empty query": (query("") + query(" ; ") + query("-- only words"),),
        "several statements": (query("SELECT 1; SELECT 'b'; SELECT 3 WHERE false"),),
        "several statements with an error": (
            query("INSERT INTO copied VALUES (1,'a'); SELECT 1/0; SELECT 2")
            + query("SELECT count(*) FROM copied"),
        ),
        "several statements with a syntax error": (query("SELECT 1; SELEC 2") + ONE + SYNC,),
        "transaction block within a query": (query("BEGIN; SELECT 1; COMMIT; SELECT 2; BEGIN"),
                                             query("ROLLBACK; SELECT 3")),
        "queries without waiting": (query("SELECT 1") + query("SELECT x") + query("SELECT 3"),),
        "many queries at once": (b"".join(query(f"SELECT {n}") for n in range(300)),),
    }  # fmt: skip


def _talk() -> dict[str, tuple[bytes | Wait, ...]]:
    return {
        "notices": (query("SELECT noisy(1); SELECT noisy(2)") + parse("SELECT noisy(3)") + bind()
                    + execute() + SYNC,),
        "notices before an error": (query("SELECT noisy(1), 1/0"),),
        "notices not wanted": (query("SET client_min_messages = error") + query("SELECT noisy(1)")
                               + query("RESET client_min_messages"),),
        "notify": (query("LISTEN talk") + query("NOTIFY talk, 'said'; SELECT 1")
                   + query("BEGIN; NOTIFY talk; NOTIFY talk, ''") + query("COMMIT")
                   + query("UNLISTEN *") + query("NOTIFY talk"),),
        "notify by messages": (query("LISTEN talk") + parse("NOTIFY talk, 'm'") + bind()
                               + execute() + SYNC,),
        "parameter status": (
            query("SET TimeZone = 'Asia/Tokyo'") + query("SET DateStyle = 'German'")
            + query("SET application_name = 'other'; SELECT now() IS NULL")
            + query("SET IntervalStyle = iso_8601") + query("RESET ALL"),
        ),
        "parameter status of a rollback": (
            query("BEGIN; SET TimeZone = 'Asia/Tokyo'") + query("ROLLBACK")
            + query("BEGIN; SET LOCAL DateStyle = 'SQL'") + query("COMMIT"),
        ),
        "parameter status by messages": (parse("SET TimeZone = 'Asia/Tokyo'") + bind() + execute()
                                         + SYNC + query("RESET TimeZone"),),
        "client encoding": (query("SET client_encoding = LATIN1") + query("SELECT 'caf\u00e9'")
                            + query("RESET client_encoding"),),
        "text that is not UTF-8": (message("Q", b"SELECT '\xff\xfe'\0") + ONE + SYNC,),
        "role and authorization": (query("SET SESSION AUTHORIZATION DEFAULT; SET ROLE NONE"),),
    }  # fmt: skip


def _answers() -> dict[str, tuple[bytes | Wait, ...]]:
    return {
        "error with all fields": (
            query("INSERT INTO items VALUES (1, 'dup', 1)") + query("INSERT INTO items VALUES (9)")
            + query("SELECT 'x'::mood") + query("DO $$ BEGIN RAISE 'm' USING DETAIL = 'd', HINT ="
            " 'h', ERRCODE = 'P0042', COLUMN = 'c', TABLE = 't'; END $$"),
        ),
        "error position": (query("SELECT 1,\n  nothing FROM items"),
                           parse("SELECT  broken FROM items") + SYNC),
        "user types": (query("SELECT 'low'::mood, items FROM items LIMIT 1")
                       + parse("SELECT $1::mood") + describe("S") + bind(b"high") + describe("P")
                       + execute() + SYNC,),
        "wide rows": (query("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(1600))),),
        "many rows": (query("SELECT n, repeat('z', n % 50) FROM generate_series(1, 20000) n"),),
        "large value": (query("SELECT repeat('v', 3000000)"),),
        "row of zero columns": (query("SELECT FROM items") + parse("SELECT") + bind()
                                + describe("P") + execute() + SYNC,),
        "null and empty": (query("SELECT NULL, '', '\\000'::bytea"),),
        "explain": (query("EXPLAIN (COSTS off) SELECT * FROM items"),),
        "temporary table": (query("CREATE TEMP TABLE t(a int)") + query("INSERT INTO t VALUES (1)")
                            + query("SELECT * FROM t"),),
        "vacuum in a batch": (parse("VACUUM items") + bind() + execute() + SYNC
                              + ONE + parse("VACUUM items") + bind() + execute() + SYNC,),
        "do block": (query("DO $$ BEGIN PERFORM noisy(4); END $$"),),
    }  # fmt: skip


def _copies() -> dict[str, tuple[bytes | Wait, ...]]:
    by_messages = parse(COPY_IN) + bind() + execute()
    count = query("SELECT count(*) FROM copied") + CLEAN
    return {
        "copy in": (query(COPY_IN), Wait("G"), LINES + COPY_DONE + count),
        "copy in without waiting": (query(COPY_IN) + LINES + COPY_DONE + count,),
        "copy in that fails at the client": (query(COPY_IN) + LINES + copy_fail() + count,),
        "copy in with bad data": (query(COPY_IN) + copy_data(b"x\ty\n") + LINES * 3 + COPY_DONE
                                  + count,),
        "copy in refused": (query("COPY nothing FROM STDIN") + LINES + COPY_DONE + count,),
        "copy in refused, then failed": (query("COPY nothing FROM STDIN") + copy_fail() + count,),
        "copy in with flush and sync within": (
            query(COPY_IN) + LINES + FLUSH + SYNC + LINES + COPY_DONE + count,
        ),
        "copy in by messages": (by_messages + SYNC, Wait("G"), LINES + COPY_DONE + SYNC + count),
        "copy in by messages without sync": (by_messages + FLUSH, Wait("G"),
                                             LINES + COPY_DONE + SYNC + count),
        "copy in by messages in one piece": (by_messages + LINES + COPY_DONE + SYNC + count,),
        "copy in by messages, flush": (by_messages + FLUSH + LINES + FLUSH + COPY_DONE + FLUSH,
                                       Wait("C"), SYNC + count),
        "copy in by messages, blind sync": (by_messages + SYNC + LINES + COPY_DONE + SYNC + count,),
        "copy in by messages that fails": (by_messages + SYNC, Wait("G"),
                                           LINES + copy_fail() + SYNC + count),
        "copy in by messages with bad data": (
            by_messages + SYNC, Wait("G"), copy_data(b"bad\n"), Wait("E"),
            LINES + COPY_DONE + SYNC + count,
        ),
        "copy in by messages, then more": (by_messages + LINES + COPY_DONE + ONE + SYNC + count,),
        "copy in by messages after an error": (BAD + by_messages + LINES + COPY_DONE + SYNC
                                               + count,),
        "copy in split rows": (query(COPY_IN) + copy_data(b"1\to") + copy_data(b"ne\n2")
                               + copy_data(b"") + copy_data(b"\ttwo\n") + COPY_DONE + count,),
        "copy in end marker": (query(COPY_IN) + LINES + copy_data(b"\\.\n") + COPY_DONE + count,),
        "copy in within several statements": (
            query(f"SELECT 1; {COPY_IN}; SELECT 2; {COPY_IN}; SELECT 3"), Wait("G"),
            LINES + COPY_DONE, Wait("G", 2), LINES + COPY_DONE + count,
        ),
        "copy in binary": (
            query("COPY copied FROM STDIN (FORMAT binary)"), Wait("G"),
            copy_data(b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\0\2\0\0\0\4\0\0\0\7\0\0\0\1x\xff\xff")
            + COPY_DONE + count,
        ),
        "copy in csv of some columns": (query("COPY copied (name) FROM STDIN (FORMAT csv, HEADER)")
                                        + copy_data(b"name\n\"a,b\"\n") + COPY_DONE + count,),
        "copy in a transaction": (query("BEGIN") + query(COPY_IN) + LINES + COPY_DONE
                                  + query("ROLLBACK") + count,),
        "copy in large": (query(COPY_IN) + copy_data(b"5\t" + b"w" * 90_000 + b"\n") * 20
                          + COPY_DONE + count,),
        "copy data out of place": (LINES + COPY_DONE + copy_fail() + ONE + SYNC,),
        "copy out": (query("COPY (" + ITEMS + ") TO STDOUT"),),
        "copy out by messages": (parse("COPY items TO STDOUT") + bind() + describe("P") + execute()
                                 + SYNC,),
        "copy out binary": (query("COPY items TO STDOUT (FORMAT binary)"),),
        "copy out with an error": (query("COPY (SELECT 1/(n-3) FROM generate_series(1,5) n)"
                                         " TO STDOUT"),),
        "copy out in several statements": (query("COPY items TO STDOUT; SELECT 1; COPY items TO"
                                                 " STDOUT (FORMAT csv)"),),
        "copy out large": (query("COPY (SELECT repeat('o', 400000) FROM generate_series(1,4))"
                                 " TO STDOUT"),),
    }  # fmt: skip


def _illegal() -> dict[str, tuple[bytes | Wait, ...]]:
    """What breaks the protocol; the server reports it and goes on."""
    odd = formatted([b"1"], [7], [])
    copying = query(COPY_IN)
    count = query("SELECT count(*) FROM copied") + CLEAN
    return {
        "sync with a body": (ONE + message("S", b"x") + ONE + SYNC,),
        "flush with a body": (ONE + message("H", b"x") + ONE + SYNC,),
        "odd format of a parameter": (parse("SELECT $1::int") + odd + execute() + SYNC, ONE + SYNC),
        "odd format of a result": (parse("SELECT 1") + formatted([], [], [7]) + execute() + SYNC,),
        "odd format, unused": (parse("SELECT 1") + formatted([], [7], []) + execute() + SYNC,),
        "more formats than parameters": (parse("SELECT $1::int")
                                         + formatted([b"1"], [0, 1], []) + SYNC,),
        "truncated bind": (parse("SELECT 1") + message("B", b"\0\0\0\0\0\1") + SYNC, ONE + SYNC),
        "truncated bind of the unknown": (message("B", b"\0nobody\0\0\0\0\1") + SYNC, ONE + SYNC),
        "bind with more behind it": (parse("SELECT 1") + message("B", b"\0\0\0\0\0\0\0\0zz")
                                     + SYNC,),
        "truncated parse": (message("P", b"\0SELECT 1") + SYNC, ONE + SYNC),
        "truncated query": (message("Q", b"SELECT 1"), ONE + SYNC),
        "truncated execute": (parse("SELECT 1") + bind() + message("E", b"\0\0") + SYNC,),
        "describe of neither": (message("D", b"X\0") + SYNC, ONE + SYNC),
        "close of neither": (message("C", b"X\0") + SYNC, ONE + SYNC),
        "query within a copy": (copying, Wait("G"), LINES + query("SELECT 1") + count),
        "parse within a copy": (copying, Wait("G"), LINES + ONE + SYNC + count),
        "query within a copy by messages": (
            parse(COPY_IN) + bind() + execute() + FLUSH, Wait("G"),
            LINES + query("SELECT 1") + SYNC + count,
        ),
        "copy fail without text": (copying, Wait("G"), LINES + message("f", b"") + count),
        "function call cut off": (message("F", b"\0\0") + ONE + SYNC,),
    }  # fmt: skip


def _fatal() -> dict[str, tuple[bytes | Wait, ...]]:
    """What ends the session."""
    return {
        "terminate": (query("SELECT 1") + message("X"),),
        "terminate within a batch": (ONE + message("X"),),
        "unknown type": (ONE + SYNC, Wait("Z"), message("~", b"x")),
        "type of a backend": (ONE + SYNC, Wait("Z"), message("Z", b"I")),
        "length of zero": (ONE + SYNC, Wait("Z"), b"Q\0\0\0\0"),
        "negative length": (ONE + SYNC, Wait("Z"), b"Q\xff\xff\xff\xff"),
        "killed by itself": (query("SELECT pg_terminate_backend(pg_backend_pid())"),),
        "killed by itself in a batch": (
            parse("SELECT pg_terminate_backend(pg_backend_pid())") + bind() + execute() + SYNC,
        ),
    }


def cases() -> list[Case]:
    """All of them; names are unique."""
    lasting = (_batches, _names, _values, _mixtures, _portals, _statements, _talk, _answers,
               _copies, _illegal)  # fmt: skip
    found = [Case(name, steps) for group in lasting for name, steps in group().items()]
    return found + [Case(name, steps, closes=True) for name, steps in _fatal().items()]
