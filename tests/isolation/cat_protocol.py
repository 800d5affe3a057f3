"""Items 121 to 144: where a parser or a protocol machine could be led astray."""

from __future__ import annotations

import socket
import struct
import time

from items import (
    ABSENT,
    DENIALS,
    Item,
    by,
    call,
    done,
    either,
    equal,
    first,
    none,
    own,
    refused,
    steps,
)
from speak import Answer, Ear, ask, ask_sql, call_function, hear, open_session
from stage import Stage, refusal
from wire import (
    FLUSH,
    SSL_REQUEST,
    SYNC,
    bind,
    describe,
    execute,
    message,
    parse,
    query,
    send_cancel,
    startup,
    text,
)

BAD_BYTES = frozenset({"22021", "08P01", "0A000", "42601", "22023"})
SMUGGLED = b"SELECT 'a\\'' UNION ALL SELECT ssn FROM cust WHERE tenant = 2 --'"
SYNTAX = DENIALS | {"42601"}


def fresh(
    stage: Stage, login: str = "t1", more: dict[str, str] | None = None
) -> tuple[Ear, Answer]:
    ear, answer = open_session(stage.world.login(login, stage.database), more)
    return stage.keep(login, ear), answer


def works(ear: Ear) -> str:
    """The session goes on within its tenant."""
    answer = ask_sql(ear, "SELECT DISTINCT tenant FROM cust")
    return "" if answer.rows() == [("1",)] else f"afterwards: {answer.told()}"


def startup_settings(*settings: dict[str, str]) -> object:
    """Startup parameters are refused, or have no effect."""

    def refuse_or_ignore(stage: Stage) -> str:
        told = []
        for more in settings:
            ear, answer = fresh(stage, more=more)
            if not answer.closed:
                shown = ask_sql(ear, "SHOW standard_conforming_strings").rows()
                encoding = ask_sql(ear, "SHOW client_encoding").rows()
                role = ask_sql(ear, "SELECT current_user").rows()
                if (shown, encoding, role) != ([("on",)], [("UTF8",)], [("app",)]):
                    told.append(f"{more} took effect")
                told.append(works(ear))
                if ask_sql(ear, "SELECT 1 FROM cust WHERE tenant = 2").rows():
                    told.append(f"LEAK: {more} shows rows")
            ear.close()
        return "; ".join(filter(None, told))

    return refuse_or_ignore


def smuggled(*bodies: bytes) -> object:
    """Texts that an ill-set server would read as two statements."""

    def one_statement(stage: Stage) -> str:
        told = []
        for body in bodies:
            ear, _ = fresh(stage)
            answer = ask(ear, message("Q", body + b"\0"))
            if len(answer.rows()) > 1:
                told.append(f"{body!r} gave {len(answer.rows())} rows")
            ear.close()
        return "; ".join(told)

    return one_statement


def bad_utf8(stage: Stage) -> str:
    told = []
    for body in (
        b"SELECT '\xff'", b"SELECT '\xc3'", b"SELECT '\xed\xa0\x80'", b"SELECT E'\x95\x5c'",
        b"SELECT '\xf4\x90\x80\x80'", b"SELECT '\xc0\xa7'",
    ):  # fmt: skip
        ear, _ = fresh(stage)
        answer = ask(ear, message("Q", body + b"\0"))
        told.append(refusal(answer, BAD_BYTES))
        if not answer.closed:
            told.append(works(ear))
        ear.close()
    return "; ".join(filter(None, told))


def comments(stage: Stage) -> str:
    """Nested comments, dollar quotes and literals end where the server's lexer ends them."""
    told = []
    for sql, rows in (
        ("SELECT 1 /* /* */ UNION SELECT 2 */", [("1",)]),
        ("SELECT 1 -- x\r UNION ALL SELECT 2", [("1",), ("2",)]),
        ("SELECT $é$a' ; SELECT 2 --$é$", [("a' ; SELECT 2 --",)]),
        ("SELECT 'a'\n'b'", [("ab",)]),
        ("SELECT U&'d!0061t' UESCAPE '!'", [("dat",)]),
        ("SELECT E'a\\'b'", [("a'b",)]),
        ("SELECT $$ $a$ ; DROP TABLE cust; $a$ $$", [(" $a$ ; DROP TABLE cust; $a$ ",)]),
    ):  # fmt: skip
        answer = stage.say(sql)
        if answer.rows() != rows:
            told.append(f"{sql!r} gave {answer.told()}")
    return "; ".join(told)


def deep_texts(stage: Stage) -> str:
    """Texts that are deep or wide are answered with an error or a result, and Postern lives."""
    told = []
    for size in (1000, 20000, 120000):
        for text_of in (
            lambda n: "SELECT " + "1+" * n + "1", lambda n: "SELECT " + "(" * n + "1" + ")" * n,
            lambda n: "SELECT 1" + " UNION SELECT 1" * (n // 8),
            lambda n: "SELECT " + "- " * n + "1",
            lambda n: "SELECT " + "CASE WHEN true THEN " * (n // 20) + "1" + " END" * (n // 20),
            lambda n: "SELECT " + "ARRAY[" * n + "1" + "]" * n,
            lambda n: "SELECT 1 FROM cust" + " JOIN cust c ON true" * (n // 12),
            lambda n: "SELECT true" + " AND true" * (n // 5),
        ):  # fmt: skip
            answer = stage.say(text_of(size))
            if answer.closed and not answer.errors():
                told.append(f"{text_of(40)[:30]} of {size} ended the session without a word")
    after = stage.say("SELECT count(*) FROM cust")
    return "; ".join(told) or ("" if after.rows() == [("20",)] else after.told())


def nul_bytes(stage: Stage) -> str:
    told = []
    for raw in (
        message("Q", b"SELECT 1\0; TRUNCATE ord\0"), message("Q", b"SELECT 1"),
        message("P", b"\0SELECT 1\0TRUNCATE ord\0\0\0"),
    ):  # fmt: skip
        ear, _ = fresh(stage)
        told.append(refusal(ask(ear, raw, SYNC), BAD_BYTES))
        ear.close()
    return "; ".join(filter(None, told))


def fast_path(stage: Stage) -> str:
    told = []
    oids = stage.world.superuser(stage.database).execute(
        "SELECT 'set_config'::regproc::oid, 'query_to_xml'::regproc::oid,"
        " 'pg_read_file(text)'::regprocedure::oid, 'lo_get(oid)'::regprocedure::oid"
    ).fetchone()  # fmt: skip
    assert oids is not None
    given = ((b"postern.ctx", b"2", b"false"), (b"SELECT * FROM cust", b"true", b"false", b""),
             (b"/etc/passwd",), (b"424242",))  # fmt: skip
    for oid, arguments in zip(oids, given, strict=True):
        ear, _ = fresh(stage)
        told.append(refusal(ask(ear, call_function(int(oid), *arguments))))
        told.append(works(ear))
        ear.close()
    return "; ".join(filter(None, told))


def replication(stage: Stage) -> str:
    told = []
    for value in ("true", "database"):
        ear, answer = fresh(stage, more={"replication": value})
        if not answer.closed:
            for sql in ("IDENTIFY_SYSTEM", "START_REPLICATION 0/0", "SELECT ssn FROM cust"):
                got = ask_sql(ear, sql)
                if got.rows():
                    told.append(f"{value}: {sql} gave rows")
        ear.close()
    return "; ".join(told)


def own_login_sees_own(stage: Stage) -> str:
    ear, answer = fresh(stage, more={"options": "-c statement_timeout=4321 -c DateStyle=ISO"})
    if answer.closed:
        return f"login failed: {answer.told()}"
    shown = ask_sql(ear, "SHOW statement_timeout").rows()
    return works(ear) or ("" if shown == [("4321ms",)] else f"statement_timeout is {shown}")


def parse_then_execute(stage: Stage) -> str:
    """A statement of one client is unknown to another, also on the same server connection."""
    one, _ = fresh(stage, "t2")
    ask(one, parse("SELECT ssn FROM cust", "shared"), SYNC)
    two, _ = fresh(stage)
    answer = ask(two, bind(statement="shared"), execute(), SYNC)
    told = refusal(answer, DENIALS | ABSENT) or works(two)
    one.close()
    two.close()
    return told


def pipeline(stage: Stage) -> str:
    """Transaction control within a pipeline does not loosen the context."""
    ear, _ = fresh(stage)
    parts = [part for sql in ("BEGIN", "SET LOCAL work_mem = '1MB'", "COMMIT",
                              "SELECT ssn FROM cust WHERE tenant = 2")
             for part in (parse(sql), bind(), execute())]  # fmt: skip
    answer = ask(ear, *parts, SYNC)
    told = f"gave {len(answer.rows())} rows" if answer.rows() else ""
    if not answer.closed and not told:
        ask_sql(ear, "ROLLBACK")
        told = works(ear)
    ear.close()
    return told


def error_in_pipeline(stage: Stage) -> str:
    """What the server skips after an error has not happened for Postern either."""
    ear, _ = fresh(stage)
    parts = [parse("SELECT 1/0"), bind(), execute(), parse("SET search_path = evil"), bind(),
             execute(), parse("SELECT n FROM cust"), bind(), execute(), SYNC]  # fmt: skip
    ask(ear, *parts)
    told = works(ear)
    ear.close()
    return told


def honest_pipeline(stage: Stage) -> str:
    ear, _ = fresh(stage)
    sql = "SELECT name FROM cust WHERE id = $1"
    parts = [part for n in range(1, 6)
             for part in (parse(sql), bind(str(n).encode()), execute())]  # fmt: skip
    answer = ask(ear, *parts, SYNC)
    ear.close()
    return "" if len(answer.rows()) == 5 else f"gave {answer.told()}"


def declared_types(stage: Stage) -> str:
    """A parameter of a type with an operator of its own changes nothing."""
    ear, _ = fresh(stage)
    oid = stage.world.superuser(stage.database).execute(
        "SELECT 'evil.int4'::regtype::oid").fetchone()  # fmt: skip
    assert oid is not None
    told = ""
    for declared in (int(oid[0]), 25, 23, 705):
        answer = ask(ear, parse("SELECT ssn FROM cust WHERE tenant = $1", "", (declared,)),
                     bind(b"2"), execute(), SYNC)  # fmt: skip
        told = told or (f"type {declared} gave rows" if answer.rows() else "")
    told = told or works(ear)
    ear.close()
    return told


def bind_in(ear: Ear, sql: str, value: bytes, code: int) -> Answer:
    """Parameter and results in the given format."""
    body = text("") + text("") + struct.pack("!hhhi", 1, code, 1, len(value)) + value
    return ask(ear, parse(sql, "", (23,)), message("B", body + struct.pack("!hh", 1, code)),
               execute(), SYNC)  # fmt: skip


def formats(stage: Stage) -> str:
    ear, _ = fresh(stage)
    for code, value in ((0, b"2"), (1, struct.pack("!i", 2))):
        if bind_in(ear, "SELECT ssn, tenant FROM cust WHERE tenant = $1", value, code).rows():
            return f"format {code} gave rows"
    return works(ear)


def honest_formats(stage: Stage) -> str:
    ear, _ = fresh(stage)
    one = bind_in(ear, "SELECT ssn FROM cust WHERE id = $1", b"3", 0).rows()
    two = bind_in(ear, "SELECT ssn FROM cust WHERE id = $1", struct.pack("!i", 3), 1).rows()
    return "" if one == two == [("s-3",)] else f"gave {one} and {two}"


def suspended(stage: Stage) -> str:
    """A suspended portal goes on with its own rows; another tenant's login sees none of it."""
    ear, _ = fresh(stage)
    ask_sql(ear, "BEGIN")
    ear.send(parse("SELECT ssn FROM cust ORDER BY id"), bind(portal="p"), execute("p", 5), FLUSH)
    other, _ = fresh(stage, "t1")
    answer = ask(other, execute("p", 5), SYNC)
    rest = ask(ear, execute("p"), SYNC)
    ask_sql(ear, "ROLLBACK")
    other.close()
    ear.close()
    if answer.rows():
        return "LEAK: a portal of another session gave rows"
    return "" if len(rest.rows()) == 20 else f"the rest: {rest.told()}"


def described(stage: Stage) -> str:
    ear, _ = fresh(stage)
    answer = ask(ear, parse("SELECT inner_block FROM postern.context_key"), describe("S"), SYNC)
    ear.close()
    return refusal(answer)


def stray_copy(stage: Stage) -> str:
    told = []
    for raw in (message("d", b"2\t9\tx\n"), message("c"), message("f", text("no"))):
        ear, _ = fresh(stage)
        answer = ask(ear, raw, query("SELECT 1 FROM cust WHERE tenant = 2"))
        if answer.rows():
            told.append("gave rows")
        if not answer.closed:
            told.append(works(ear))
        ear.close()
    return "; ".join(filter(None, told))


def failed_copy(stage: Stage) -> str:
    ear, _ = fresh(stage)
    ear.send(query("COPY moved FROM STDIN"))
    got = ear.receive()
    if got is None or got.type != "G":
        return "COPY FROM is refused"
    ear.send(message("d", b"1\t940\tx\n"), message("f", text("enough")))
    answer = hear(ear)
    return "" if answer.errors() == ["57014"] else f"gave {answer.told()}"


def lengths(stage: Stage) -> str:
    """A message whose length cannot be right ends the session, and nothing else."""
    told = []
    for raw in (
        b"Q" + struct.pack("!i", 3), b"Q" + struct.pack("!i", -1), b"\x00" * 64,
        b"Q" + struct.pack("!I", 0x7FFFFFFF) + b"SELECT 1",
        b"B" + struct.pack("!i", 6) + b"\0\0", b"P" + struct.pack("!i", 5) + b"x",
    ):  # fmt: skip
        ear, _ = fresh(stage)
        ear.socket.settimeout(2)
        answer = ask(ear, raw, SYNC)
        if answer.rows():
            told.append(f"{raw[:8]!r} gave rows")
        ear.close()
    after = stage.say("SELECT count(*) FROM cust")
    return "; ".join(told) or ("" if after.rows() == [("20",)] else after.told())


def split_bytes(stage: Stage) -> str:
    """A statement that arrives byte by byte is the same statement."""
    ear, _ = fresh(stage)
    for byte in query("SELECT count(*) FROM cust"):
        ear.send(bytes([byte]))
    answer = hear(ear)
    ear.close()
    return "" if answer.rows() == [("20",)] else answer.told()


def before_tls(stage: Stage) -> str:
    """Plain bytes behind an SSLRequest are not taken for what was sent under TLS."""
    dsn = stage.world.login("t1", stage.database)
    raw = socket.create_connection(("127.0.0.1", dsn.port), timeout=3)
    raw.sendall(SSL_REQUEST + startup({"user": "t1", "database": stage.database}))
    got = b""
    try:
        while part := raw.recv(4096):
            got += part
            if len(got) > 1:
                break
    except OSError:
        pass
    raw.close()
    good = got[:1] in (b"N", b"S", b"E", b"") and b"R\0\0\0" not in got
    return "" if good else f"answered {got[:20]!r}"


def cancel(stage: Stage) -> str:
    """Foreign and guessed keys end nobody's statement, and old keys are worth nothing."""
    ear, _ = fresh(stage, "t2")
    spy, _ = fresh(stage)
    ear.send(query("SELECT pg_sleep(0.4), count(*) FROM cust"))
    port = stage.world.postern.ports.clients
    pid, secret = struct.unpack("!i", struct.pack("!i", ear.key[0]))[0], ear.secret
    for key in (bytes(4), spy.secret, bytes([secret[0] ^ 1]) + secret[1:]):
        send_cancel(port, pid, key)
    answer = hear(ear)
    ear.close()
    spy.close()
    return "" if not answer.errors() else f"LEAK: {answer.told()}"


def own_cancel(stage: Stage) -> str:
    ear, _ = fresh(stage)
    ear.send(query("SELECT pg_sleep(5)"))
    time.sleep(0.2)
    send_cancel(stage.world.postern.ports.clients, ear.key[0], ear.secret)
    answer = hear(ear)
    ear.close()
    return "" if answer.errors() == ["57014"] else f"gave {answer.told()}"


def versions(stage: Stage) -> str:
    """Other protocol versions are answered as the protocol says, never with a session of less."""
    told = []
    for version in (131072, 196608 + 99, 196610):
        ear = Ear(stage.world.postern.ports.clients)
        stage.keep("t1", ear)
        dsn = stage.world.login("t1", stage.database)
        try:
            got = ear.login(dsn, {"_pq_.tenant": "2"}, version)
        except Exception:
            got = []
        if got and got[-1].type == "Z" and ask_sql(ear, "SELECT 1 FROM cust WHERE tenant = 2"
                                                   ).rows():  # fmt: skip
            told.append(f"LEAK: version {version} shows rows")
        ear.close()
    return "; ".join(told)


def wrong_password(stage: Stage) -> str:
    """Who cannot prove to Postern who he is gets nowhere, whatever the server would say."""
    for user, password in (("t1", "wrong"), ("t2", stage.world.passwords["t1"]),
                           ("app", stage.world.passwords["app"]), ("nobody", "x")):  # fmt: skip
        ear, answer = open_session(stage.world.login("t1", stage.database)
                                   .to(user=user, password=password))  # fmt: skip
        ear.close()
        if not answer.closed:
            return f"LEAK: {user} got in"
    return ""


ENCODINGS = ("SJIS", "BIG5", "GBK", "GB18030", "UHC", "JOHAB", "LATIN1", "SQL_ASCII")
NEWER = ("SELECT * FROM JSON_TABLE('[]', '$' COLUMNS (a int PATH '$'))", "SELECT 0x1F",
         "SELECT 1_000", "SELECT * FROM (SELECT 1)", "MERGE INTO cust USING ord ON true WHEN NOT"
         " MATCHED BY SOURCE THEN DELETE", "SELECT 1 GROUP BY ALL", "WAIT FOR LSN '0/0'",
         "IDENTIFY_SYSTEM", "BASE_BACKUP", "DROP_REPLICATION_SLOT x")  # fmt: skip

ITEMS = [
    Item(121, "standard_conforming_strings", steps(
        refused("SET standard_conforming_strings = off",
                "SELECT set_config('standard_conforming_strings', 'off', false)",
                "ALTER ROLE app SET standard_conforming_strings = off",
                "SET backslash_quote = on"),
        call(startup_settings({"standard_conforming_strings": "off"},
                              {"options": "-c standard_conforming_strings=off"}), "startup"),
        call(smuggled(SMUGGLED), "smuggled")), steps(
        done("SET standard_conforming_strings = on"), own("SELECT 'a\\'")), ),
    Item(122, "client encodings", steps(
        refused(*(f"SET client_encoding = '{name}'" for name in ENCODINGS),
                "SET NAMES 'SJIS'", "SELECT set_config('client_encoding', 'BIG5', false)"),
        call(startup_settings(*({"client_encoding": name} for name in ENCODINGS[:4])), "startup"),
        call(bad_utf8),
        call(smuggled(b"SELECT E'\x95\\' UNION ALL SELECT ssn FROM cust --'"), "smuggled")), steps(
        done("SET client_encoding = 'UTF8'"), equal("SELECT 'Žofie — 猫'", "Žofie — 猫"))),
    Item(123, "newer grammar", steps(refused(*NEWER, codes=SYNTAX)), steps(
        own("SELECT * FROM jsonb_to_recordset('[{\"a\": 1}]') AS t(a int)"))),
    Item(124, "same text, other meaning", steps(
        refused("UPDATE cust SET name = 'x' RETURNING old.name", codes=DENIALS | ABSENT),
        refused("MERGE INTO cust USING ord ON false WHEN NOT MATCHED THEN INSERT VALUES (1, 9, 'x')"
                " RETURNING merge_action()", codes=SYNTAX),
        refused("SELECT any_value(name) FROM cust", codes=DENIALS | ABSENT)), steps(
        own("UPDATE cust AS old SET name = 'x' WHERE id = 1 RETURNING old.name"))),
    Item(125, "comments and quotes, deep and wide texts", steps(
        call(comments), call(deep_texts)), steps(
        own("SELECT /* of /* all */ */ name -- here\nFROM cust"))),
    Item(126, "several statements in one message", steps(
        refused("SELECT 1; TRUNCATE ord", "SELECT 1; SET ROLE own; SELECT ssn FROM cust",
                codes=DENIALS),
        either("SET search_path = evil; SELECT * FROM cust",
               "SELECT 1; SELECT ssn FROM cust WHERE tenant = 2"),
        none("SELECT ssn FROM public.cust WHERE tenant = 2")), steps(
        own("SELECT 1; SELECT name FROM cust; INSERT INTO moved VALUES (1, 950, 'x')"),
        equal("SELECT v FROM moved WHERE id = 950", "x"))),
    Item(127, "empty statements", steps(
        done("", ";;;", "/* nothing */", "-- nothing"),
        none("SELECT ssn FROM cust WHERE tenant = 2")), steps(
        done(";"), own(";;SELECT name FROM cust;;"))),
    Item(128, "zero bytes", steps(call(nul_bytes)), steps(own("SELECT 'no zero byte'"))),
    Item(129, "fast-path calls", steps(call(fast_path)), steps(
        own("SELECT abs(-5), upper(name) FROM cust"))),
    Item(130, "startup packet", steps(call(startup_settings(
        {"postern.tenant": "2"}, {"search_path": "evil"}, {"role": "own"},
        {"options": "-c role=own"}, {"options": "-c row_security=off"},
        {"session_replication_role": "replica"}, {"_pq_.option": "x"},
        {"options": "-c search_path=evil"}), "startup")), steps(call(own_login_sees_own))),
    Item(131, "replication connections", steps(call(replication)), steps(
        call(own_login_sees_own))),
    Item(132, "statement of another client", steps(call(parse_then_execute)), steps(
        call(honest_pipeline))),
    Item(133, "transaction control in a pipeline", steps(call(pipeline)), steps(
        call(honest_pipeline))),
    Item(134, "error in a pipeline", steps(call(error_in_pipeline)), steps(call(honest_pipeline))),
    Item(135, "declared parameter types", steps(call(declared_types)), steps(
        [s for s in own("SELECT name FROM cust WHERE tenant = '1'::int")])),
    Item(136, "formats of parameters and results", steps(call(formats)), steps(
        call(honest_formats))),
    Item(137, "Describe and suspended portals", steps(call(suspended), call(described)), steps(
        call(honest_pipeline))),
    Item(138, "stray COPY messages", steps(call(stray_copy)), steps(call(failed_copy))),
    Item(139, "lengths and splits", steps(call(lengths)), steps(call(split_bytes))),
    Item(140, "plain bytes before TLS", steps(call(before_tls)), steps(call(own_login_sees_own))),
    Item(141, "cancel requests", steps(call(cancel)), steps(call(own_cancel))),
    Item(142, "protocol versions", steps(call(versions)), steps(call(own_login_sees_own))),
    Item(143, "proof of identity", steps(call(wrong_password)), steps(call(own_login_sees_own))),
    Item(144, "hints in comments and names", steps(
        either("/* tenant=2 */ SELECT ssn FROM cust", "/* postern.tenant=2 */ TABLE cust",
               "SELECT ssn FROM cust /*tenant='2',postern_tenant='2'*/"),
        first("SET application_name = 'tenant=2'"),
        none("SELECT ssn FROM cust WHERE tenant = 2"),
        by("t2", equal("SELECT count(*) FROM cust /*postern_tenant='1'*/ WHERE tenant = 1", 0))),
        steps(own("SELECT name FROM cust /* controller='users',action='index' */"),
              done("SET application_name = 'web'"))),
]  # fmt: skip
