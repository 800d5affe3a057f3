"""Items 98 to 111: the tenant context, and what a session leaves behind."""

from __future__ import annotations

from items import Item, by, call, done, either, equal, first, none, own, refused, steps
from speak import Answer, ask_sql, open_session
from stage import CONTEXT_CODES, Stage
from tokens import bad_tokens

FORGED = "v1.16384.00000000.32....1.1.9999999999999999." + "0" * 64


def after_victim(stage: Stage, prepare: tuple[str, ...], then: tuple[str, ...]) -> list[Answer]:
    """The victim works and leaves; the attacker comes to what may be the same connection."""
    for sql in prepare:
        stage.say(sql, "t2")
    stage.leave("t2")
    return [stage.say(sql) for sql in then]


def temp_tables(stage: Stage) -> str:
    """A temporary table of one tenant never takes the rows of another."""
    made = stage.say("CREATE TEMP TABLE ord (tenant int, id int, cust_id int, amt numeric,"
                     " memo text)")  # fmt: skip
    stage.leave("t1")
    stage.say("INSERT INTO ord (tenant, id, cust_id, amt) VALUES (2, 990, 501, 1)", "t2")
    found = stage.world.superuser(stage.database).execute(
        "SELECT count(*) FROM public.ord WHERE id = 990").fetchone()  # fmt: skip
    stage.world.superuser(stage.database).execute("DELETE FROM public.ord WHERE id = 990")
    stage.leave("t2")
    answer = stage.say("SELECT * FROM pg_temp.ord")
    if not made.errors() and answer.rows():
        return "LEAK: the temporary table has rows"
    return "" if found == (1,) else "LEAK: the victim's row went elsewhere"


def held_cursor(stage: Stage) -> str:
    answers = after_victim(
        stage, ("DECLARE h CURSOR WITH HOLD FOR SELECT ssn FROM cust",), ("FETCH ALL FROM h",)
    )
    return "LEAK: the cursor is still there" if not answers[0].errors() else ""


def statement_hijack(stage: Stage) -> str:
    """A statement prepared by the attacker is not what the victim's name stands for."""
    stage.say("PREPARE s1 AS SELECT 'hijacked'")
    stage.leave("t1")
    answer = stage.say("EXECUTE s1", "t2")
    return f"LEAK: s1 gave {answer.rows()}" if answer.rows() else ""


def residue(stage: Stage) -> str:
    """Settings of one session are not those of the next."""
    names = ("search_path", "statement_timeout", "default_transaction_read_only", "work_mem",
             "plan_cache_mode", "DateStyle")  # fmt: skip
    before = [stage.say(f"SHOW {name}").rows() for name in names]
    stage.leave("t1")
    stage.say("SET search_path = evil; SET statement_timeout = 0", "t2")
    for sql in ("SET search_path = evil", "SET statement_timeout = '7s'", "SET work_mem = '7MB'",
                "SET default_transaction_read_only = on", "SET plan_cache_mode ="
                " force_generic_plan", "SET DateStyle = German"):  # fmt: skip
        stage.say(sql, "t2")
        stage.say(sql)
    stage.leave("t2")
    stage.leave("t1")
    after = [stage.say(f"SHOW {name}").rows() for name in names]
    return "" if before == after else f"settings before {before}, after {after}"


def own_context(stage: Stage, login: str) -> str:
    """The context of a login's connection, as an attacker may get at it; empty where he cannot."""
    for sql in ("SELECT current_setting('post' || 'ern.ctx')",
                "SELECT dyn('SELECT current_setting(''postern.'' || ''ctx'')')"):  # fmt: skip
        stage.say("ROLLBACK", login)
        stage.say("BEGIN", login)  # the connection stays the login's, whatever the pooling
        answer = stage.say(sql, login)
        if answer.rows() and str(answer.rows()[0][0]).startswith("pctx1."):
            return str(answer.rows()[0][0])
    return ""


def stolen_token(stage: Stage) -> str:
    """The victim's own context, as far as it can read it, opens nothing elsewhere."""
    token = own_context(stage, "t2")
    if not token:
        return "no context could be read: this item tries nothing"
    told = []
    for sql in (f"SET postern.ctx = '{token}'",
                f"SELECT set_config('postern.ctx', '{token}', false)"):  # fmt: skip
        if not stage.say(sql).errors():
            told.append(f"{sql[:30]} was not refused")
    # By a function, which no gate reads: another connection's context is worth nothing.
    stage.say("BEGIN")
    stage.say(f"SELECT dyn('SELECT set_config(''postern.'' || ''ctx'', ''{token}'', true)')")
    told.append(refusal_or_own(stage.say("SELECT tenant, ssn FROM cust")))
    stage.say("ROLLBACK")
    stage.leave("t1")
    told.append(stage.past_postern(f"SET postern.ctx = '{token}'; SELECT ssn FROM cust"))
    stage.say("ROLLBACK", "t2")
    return "; ".join(filter(None, told))


def refusal_or_own(answer: Answer) -> str:
    """An error of the context, or rows of the attacker's own tenant."""
    if answer.errors():
        strange = [code for code in answer.errors() if code not in CONTEXT_CODES]
        return f"was answered with {answer.told()}" if strange else ""
    foreign = [row for row in answer.rows() if row[0] != "1"]
    return f"LEAK: the victim's context shows {foreign[:2]}" if foreign else ""


def startup_key(stage: Stage) -> str:
    told = []
    for more in ({"postern.ctx": FORGED}, {"options": f"-c postern.ctx={FORGED}"},
                 {"options": "-c postern.tenant=2"}):  # fmt: skip
        ear, answer = open_session(stage.world.login("t1", stage.database), more)
        stage.keep("t1", ear)
        if not answer.closed and ask_sql(ear, "SELECT 1 FROM cust WHERE tenant = 2").rows():
            told.append(f"LEAK: {more} shows rows")
        ear.close()
    return "; ".join(told)


def chosen_tenant(stage: Stage) -> str:
    """A login that may choose gets the rows of its choice, and no others."""
    ear, answer = open_session(stage.world.login("chooser", stage.database),
                               {"postern.tenant": "1"})  # fmt: skip
    if answer.closed:
        return f"login failed: {answer.told()}"
    rows = ask_sql(ear, "SELECT DISTINCT tenant FROM cust").rows()
    ear.close()
    return "" if rows == [("1",)] else f"sees {rows}"


def chosen_by_statement(stage: Stage) -> str:
    """A trusted login names its tenant by SET and by comment, within its own, and no other can."""
    ear, login = open_session(stage.world.login("chooser", stage.database))
    if login.closed:
        return f"login failed: {login.told()}"
    told = []
    seen = "SELECT DISTINCT tenant FROM cust"
    for sql, rows in (
        ("SET postern.tenant = '1'", []), (seen, [("1",)]), ("SET postern.tenant = '2'", []),
        (seen, [("2",)]), ("RESET postern.tenant", []), (f"{seen} /*tenant='1'*/", [("1",)]),
        ("BEGIN", []), ("SET LOCAL postern.tenant = '1'", []), (seen, [("1",)]), ("COMMIT", []),
    ):  # fmt: skip
        answer = ask_sql(ear, sql)
        if answer.errors() or answer.rows() != rows:
            told.append(f"{sql!r} gave {answer.told()}")
            break
    ear.close()
    return "; ".join(told)


def foreign_by_statement(stage: Stage) -> str:
    """A tenant that is not one's own, a second in a transaction, a contradiction: no rows of it."""
    told = []
    for login, script in (
        ("chooser", ("SET postern.tenant = '3'", "SELECT ssn FROM cust")),
        ("chooser", ("SELECT ssn FROM cust /*tenant='3'*/",)),
        ("t1", ("SET postern.tenant = '2'", "SELECT ssn FROM cust WHERE tenant = 2")),
        ("t1", ("SELECT ssn FROM cust WHERE tenant = 2 /*tenant='2'*/",)),
        ("t1", ("SELECT 1 /*tenant='2'*/", "SELECT ssn FROM cust WHERE tenant = 2")),
        ("homeless", ("SELECT ssn FROM cust /*tenant='2'*/", "SELECT ssn FROM cust")),
    ):  # fmt: skip
        ear, _ = open_session(stage.world.login(login, stage.database))
        rows = [row for sql in script for row in ask_sql(ear, sql).rows() if row != ("1",)]
        ear.close()
        if rows:
            told.append(f"LEAK: {login} {script} gave {len(rows)} rows")
    ear, _ = open_session(stage.world.login("chooser", stage.database))
    for sql in ("BEGIN", "SET LOCAL postern.tenant = '1'", "SELECT 1 FROM cust",
                "SET LOCAL postern.tenant = '2'"):  # fmt: skip
        ask_sql(ear, sql)
    if ask_sql(ear, "SELECT ssn FROM cust WHERE tenant = 2").rows():
        told.append("LEAK: the tenant changed within a transaction")
    ear.close()
    return "; ".join(told)


ITEMS = [
    Item(98, "setting the context", steps(
        refused("SET postern.ctx = '2'", "SET LOCAL postern.ctx = '2'", "RESET postern.ctx",
                "SET postern.tenant = '2'",
                "SELECT set_config('postern.ctx', '2', false)",
                "SELECT set_config('postern.tenant', '2', true)"),
        either("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"),
        either("SET app.tenant = '2'"), none("SELECT ssn FROM cust WHERE tenant = 2"),
        call(stolen_token), call(startup_key),
        call(foreign_by_statement)), steps(
        done("SET app.anything = '5'"), equal("SHOW app.anything", 5), call(chosen_tenant),
        call(chosen_by_statement))),
    Item(99, "order within one statement", steps(
        refused("WITH x AS MATERIALIZED (SELECT set_config('postern.ctx', '2', true))"
                " SELECT ssn FROM x, cust",
                "SELECT ssn FROM (SELECT set_config('postern.ctx', '', true) OFFSET 0) x, cust"),
        either("SELECT forge(), c.ssn FROM cust c", "WITH x AS MATERIALIZED (SELECT forge())"
               " SELECT c.ssn FROM x, cust c")), steps(
        own("WITH x AS MATERIALIZED (SELECT random()) SELECT c.ssn FROM x, cust c"))),
    Item(100, "settings by UPDATE of pg_settings", steps(
        refused("UPDATE pg_settings SET setting = 'off' WHERE name ="
                " 'standard_conforming_strings'",
                "UPDATE pg_settings SET setting = 'own' WHERE name = 'role'",
                "UPDATE pg_settings SET setting = '' WHERE name = 'postern.ctx'")), steps(
        own("SELECT setting FROM pg_settings WHERE name = 'TimeZone'"))),
    Item(101, "roles", steps(
        refused("SET ROLE own", "SET ROLE bypasser", "SET SESSION AUTHORIZATION own",
                "SET LOCAL ROLE own", "SELECT set_config('role', 'own', false)",
                "SELECT set_config('session_authorization', 'own', false)",
                "ALTER ROLE app SET role = 'own'"),
        either("RESET ROLE", "RESET SESSION AUTHORIZATION", "SET ROLE NONE"),
        none("SELECT ssn FROM cust WHERE tenant = 2")), steps(
        equal("SELECT current_user = session_user", "t"),
        by("mig", done("SET ROLE own", "RESET ROLE")))),
    Item(102, "RESET ALL and DISCARD", steps(
        either("RESET ALL", "DISCARD ALL", "DISCARD PLANS", "DISCARD TEMP", "DISCARD SEQUENCES"),
        none("SELECT ssn FROM cust WHERE tenant = 2")), steps(
        done("DISCARD ALL"), equal("SELECT count(*) FROM cust", 20), done("RESET ALL"),
        equal("SELECT count(*) FROM cust", 20), done("DISCARD PLANS", "DISCARD TEMP"))),
    Item(103, "ends of transactions within one message", steps(
        either("COMMIT; SELECT ssn FROM cust WHERE tenant = 2", "ABORT; TABLE cust"),
        first("BEGIN", "SAVEPOINT s", "SELECT forge()", "ROLLBACK TO s"),
        either("SELECT ssn FROM cust WHERE tenant = 2"), first("COMMIT AND CHAIN"),
        either("SELECT ssn FROM cust WHERE tenant = 2"), first("ROLLBACK")), steps(
        done("BEGIN"), own("SELECT id FROM cust"), done("COMMIT AND CHAIN"),
        equal("SELECT count(*) FROM cust", 20), done("SAVEPOINT s", "ROLLBACK TO s"),
        equal("SELECT count(*) FROM cust", 20), done("COMMIT"),
        own("BEGIN; SELECT id FROM cust; COMMIT"))),
    Item(104, "empty context and no context", steps(
        by("homeless", equal("SELECT count(*) FROM cust", 0),
           none("UPDATE cust SET name = 'x'", "DELETE FROM ord"),
           refused("INSERT INTO cust VALUES (2, 900, 'x')", "INSERT INTO cust VALUES (1, 9, 'x')")),
        call(lambda s: s.past_postern("SELECT ssn FROM cust"), "no context at all"),
        call(lambda s: s.past_postern("SET postern.ctx = ''; SELECT ssn FROM cust"), "empty"),
        call(lambda s: s.past_postern(f"SET postern.ctx = '{FORGED}'; SELECT ssn FROM cust"),
             "forged"), call(bad_tokens)), steps(
        by("homeless", own("SELECT * FROM country")), own("SELECT * FROM cust"))),
    Item(105, "temporary tables across sessions", steps(call(temp_tables)), steps(
        own("WITH t(a) AS (VALUES (1), (2)) SELECT a FROM t"))),
    Item(106, "cursor WITH HOLD across sessions", steps(call(held_cursor)), steps(
        done("DECLARE h CURSOR WITH HOLD FOR SELECT id FROM cust"), own("FETCH 3 FROM h"),
        done("CLOSE h"))),
    Item(107, "hijacked statement name", steps(call(statement_hijack)), steps(
        done("PREPARE s1 AS SELECT count(*) FROM cust"), equal("EXECUTE s1", 20),
        done("DEALLOCATE s1"))),
    Item(108, "settings across sessions", steps(
        call(residue), refused("SET session_replication_role = replica",
                               "SET row_security = off", "SET lc_messages = 'C'",
                               "SET zero_damaged_pages = on", "SET ignore_system_indexes = on")),
        steps(done("SET DateStyle = German"), equal("SELECT date '2024-02-29'", "29.02.2024"),
              done("SET statement_timeout = '9s'"), equal("SHOW statement_timeout", "9s"))),
    Item(109, "functions in pg_temp", steps(
        refused("CREATE FUNCTION pg_temp.lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1'"),
        first("SET search_path = pg_temp, public"),
        either("SELECT lower(ssn) FROM public.cust WHERE tenant = 2")), steps(
        own("SELECT pg_catalog.lower(ssn) FROM public.cust"))),
    Item(110, "serializable transactions", steps(
        done("BEGIN ISOLATION LEVEL SERIALIZABLE"), equal("SELECT count(*) FROM cust", 20),
        by("t2", done("BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT count(*) FROM cust")),
        none("SELECT ssn FROM cust WHERE tenant = 2"), either("COMMIT"),
        by("t2", first("ROLLBACK"))), steps(
        done("BEGIN ISOLATION LEVEL SERIALIZABLE"), own("UPDATE cust SET name = 'y' WHERE id = 1"),
        done("COMMIT"))),
    Item(111, "open transaction while others work", steps(
        done("BEGIN"), equal("SELECT count(*) FROM cust", 20),
        by("t2", equal("SELECT count(*) FROM cust WHERE tenant = 2", 20)),
        by("t2", done("UPDATE cust SET name = name")),
        equal("SELECT count(*) FROM cust", 20), done("COMMIT")), steps(
        done("BEGIN"), own("SELECT pg_sleep(0.2), id FROM cust"), done("COMMIT"),
        own("SELECT id FROM cust"))),
]  # fmt: skip
