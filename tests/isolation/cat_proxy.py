"""Items 145 to 154: Postern's own features as a way round."""

from __future__ import annotations

import json
import time
import urllib.request

import data
from cat_protocol import fresh, works
from items import Item, by, call, done, either, equal, first, none, own, refused, steps
from scratch import wait_until
from speak import ask_sql, open_session
from stage import Stage

DDL_SECONDS = 3.0
# What a migrator, as the owner of the tables, could open the wall with.
OPENINGS = (
    "ALTER TABLE public.cust DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE public.cust NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY postern_tenant ON public.cust",
    "ALTER POLICY postern_tenant ON public.cust USING (true)",
    "ALTER POLICY postern_tenant ON public.cust RENAME TO former",
    "ALTER TABLE public.cust DROP COLUMN tenant CASCADE",
)
CACHED = "SELECT v FROM part ORDER BY id"


def cached_answers(stage: Stage) -> str:
    """The victim's cached answer is not the attacker's; text and parameters are the same."""
    for _ in range(3):
        stage.say(CACHED, "t2")
        stage.say_bound("SELECT v FROM part WHERE id > $1", ("0",), "t2")
    mine = stage.say(CACHED)
    bound = stage.say_bound("SELECT v FROM part WHERE id > $1", ("0",))
    if (len(mine.rows()), len(bound.rows())) != (20, 20):
        return f"gave {len(mine.rows())} and {len(bound.rows())} rows"
    found = data.find_canaries(stage.world.cluster.redis.dump())
    return f"LEAK: Redis holds {found[:3]}" if found else ""


def cache_follows_writes(stage: Stage) -> str:
    stage.say(CACHED)
    stage.say("UPDATE part SET v = 'changed' WHERE id = 1")
    answer = stage.say(CACHED)
    return "" if ("changed",) in answer.rows() else "an old answer was given"


def audit_export(stage: Stage) -> str:
    """The log of accesses and the metrics hold no values of rows."""
    stage.say("SELECT ssn FROM cust WHERE name = 'x'", "t2")
    world = stage.world
    url = f"http://127.0.0.1:{world.postern.ports.admin}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read()
    export = world.postern.cli("audit", "search", "-c", "postern.toml", "--json")
    found = data.find_canaries(text) + data.find_canaries(world.postern.log.since().encode())
    found += data.find_canaries(export.stdout.encode())
    return f"LEAK: {found[:3]}" if found else ""


def audit_knows(stage: Stage) -> str:
    """What a tenant did is found in the log under its login."""
    stage.say("SELECT name FROM cust WHERE id = 1")
    wanted = ("audit", "search", "-c", "postern.toml", "--json")

    def recorded() -> bool:
        return "t1" in stage.world.postern.cli(*wanted).stdout

    wait_until(recorded, "the access to be in the log", 10)
    return ""


def console(stage: Stage) -> str:
    ear, answer = open_session(stage.world.login("t1", "postern"))
    stage.keep("t1", ear)
    rows = [] if answer.closed else ask_sql(ear, "SHOW CLIENTS").rows()
    ear.close()
    return "" if not rows else "LEAK: the console answers a tenant"


def console_of_admin(stage: Stage) -> str:
    ear, answer = open_session(stage.world.login("postgres", "postern"))
    rows = [] if answer.closed else ask_sql(ear, "SHOW DATABASES").rows()
    ear.close()
    return "" if rows else f"the console gave {answer.told()}"


def lost_server(stage: Stage) -> str:
    """A server connection that dies takes its session along; its rows go to nobody else."""
    ear, _ = fresh(stage, "t2")
    ear.send(b"Q" + (len(b"SELECT ssn, pg_sleep(0.02) FROM cust\0") + 4).to_bytes(4, "big")
             + b"SELECT ssn, pg_sleep(0.02) FROM cust\0")  # fmt: skip
    stage.world.superuser(stage.database).execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")  # fmt: skip
    told = []
    for _ in range(4):
        spy, answer = fresh(stage)
        told.append(answer.told() if answer.closed else works(spy))
        spy.close()
    ear.close()
    return "; ".join(filter(None, told))


def drift(stage: Stage) -> str:
    """A wall that an administrator opened closes the database, until it is whole again."""
    shop = stage.world.superuser("other")
    stage.world.wait_until_served("other")
    shop.execute("ALTER TABLE cust NO FORCE ROW LEVEL SECURITY")

    def closed() -> bool:
        ear, answer = open_session(stage.world.login("t1", "other"))
        stage.keep("t1", ear)
        got = answer if answer.closed else ask_sql(ear, "SELECT ssn FROM cust")
        ear.close()
        return "PST-1605" in got.codes()

    try:
        wait_until(closed, "the opened wall to be noticed", 15)
    finally:
        shop.execute("ALTER TABLE cust FORCE ROW LEVEL SECURITY")
    stage.world.wait_until_served("other")
    return ""


def odd_tenants(stage: Stage) -> str:
    """Names that look like a tenant's are not that tenant."""
    told = []
    for name in ("2", "1 ", "01", "1\u0000", "１", "1;2", "-", "", "*", "+1", "1.0"):
        if "\0" in name:
            continue
        ear, answer = open_session(stage.world.login("t1", stage.database),
                                   {"postern.tenant": name})  # fmt: skip
        stage.keep("t1", ear)
        if not answer.closed:
            rows = ask_sql(ear, "SELECT DISTINCT tenant FROM cust").rows()
            if rows not in ([("1",)], []):
                told.append(f"LEAK: {name!r} sees {rows}")
        ear.close()
    for name in ("3", "01", "*", "１"):
        ear, answer = open_session(stage.world.login("chooser", stage.database),
                                   {"postern.tenant": name})  # fmt: skip
        if not answer.closed and ask_sql(ear, "SELECT 1 FROM cust").rows():
            told.append(f"LEAK: chooser as {name!r} sees rows")
        ear.close()
    return "; ".join(told)


def choose(stage: Stage) -> str:
    for tenant in ("1", "2"):
        ear, answer = open_session(stage.world.login("chooser", stage.database),
                                   {"postern.tenant": tenant})  # fmt: skip
        rows = [] if answer.closed else ask_sql(ear, "SELECT DISTINCT tenant FROM cust").rows()
        ear.close()
        if rows != [(tenant,)]:
            return f"tenant {tenant} sees {rows or answer.told()}"
    return ""


def reload_race(stage: Stage) -> str:
    """Statements under way while the schema changes stay within their tenant."""
    ear, _ = fresh(stage)
    told = []
    with_owner = stage.world.superuser(stage.database)
    for n in range(6):
        with_owner.execute(f"COMMENT ON TABLE cust IS 'round {n}'".encode())
        answer = ask_sql(ear, "SELECT DISTINCT tenant FROM cust")
        if answer.rows() not in ([("1",)], []):
            told.append(f"LEAK: sees {answer.rows()}")
    ear.close()
    return "; ".join(told)


def works_under_ddl(stage: Stage) -> str:
    """Statements under way while a migration runs are decided anew, not refused."""
    told: set[str] = set()
    stage.say("SET ROLE own", "mig")
    ended = time.monotonic() + DDL_SECONDS
    while time.monotonic() < ended:
        for login, sql in (
            ("mig", "ALTER TABLE country ADD COLUMN IF NOT EXISTS extra int"),
            ("mig", "SELECT code FROM country"), ("t1", "SELECT count(*) FROM cust"),
            ("mig", "ALTER TABLE country DROP COLUMN IF EXISTS extra"),
            ("mig", "SELECT 1"), ("t1", "RESET work_mem"), ("t1", "SELECT count(*) FROM ord"),
        ):  # fmt: skip
            answer = stage.say(sql, login)
            if answer.errors():
                told.add(f"{login} {sql!r}: {answer.told()}")
        stage.leave("t1")  # a session's first statement waits longest for its connection
    return "; ".join(sorted(told))


def jobs_have_own_login(stage: Stage) -> str:
    """The service's login and the migrator's see no tenant's rows either."""
    told = [stage.past_postern("SELECT count(*) FROM cust", role) for role in ("mig", "bak")]
    # The service's login has no right to the table at all.
    told.append(stage.past_postern("SELECT count(*) FROM cust", "svc", frozenset({"42501"})))
    return "; ".join(filter(None, told))


def explained(stage: Stage) -> str:
    """`policy explain` tells for a tenant's login what is refused, as JSON."""
    done = stage.world.policy("explain", "shop", "--as", "t1", "--json", "SET ROLE own")
    try:
        told = json.loads(done.stdout)
    except ValueError:
        return f"policy explain ended with {done.returncode}: {done.stderr.strip()[-200:]}"
    return "" if told else "policy explain told nothing"


ITEMS = [
    Item(145, "result cache", steps(call(cached_answers)), steps(
        own(CACHED), own(CACHED), call(cache_follows_writes))),
    Item(146, "replica routing", steps(
        refused("SET postern.route = 'replica'"),
        none("SELECT ssn FROM cust WHERE tenant = 2")), steps(
        done("BEGIN READ ONLY"), equal("SELECT count(*) FROM cust", 20), done("COMMIT"))),
    Item(147, "ciphertext of another in an own row", steps(
        either("SELECT 'x'::bytea::postern.pe1", "INSERT INTO moved SELECT 1, 960, ssn FROM cust"
               " WHERE tenant = 2"),
        none("SELECT v FROM moved WHERE id = 960")), steps(
        own("INSERT INTO moved SELECT 1, 961, ssn FROM cust WHERE id = 1"))),
    Item(148, "equality across tenants", steps(
        none("SELECT a.id FROM cust a JOIN cust b ON a.ssn = b.ssn WHERE a.tenant <> b.tenant")),
        steps(own("SELECT a.id FROM cust a JOIN cust b ON a.ssn = b.ssn"))),
    Item(149, "audit log and metrics", steps(call(audit_export)), steps(call(audit_knows))),
    Item(150, "migrations and jobs", steps(
        call(jobs_have_own_login),
        by("mig", none("SELECT ssn FROM cust"), done("SET ROLE own"),
           none("SELECT ssn FROM cust"), refused(*OPENINGS, *(
               f"DO $$BEGIN {sql}; END$$" for sql in OPENINGS),
               f"BEGIN; {OPENINGS[0]}; SELECT ssn FROM cust; ROLLBACK"),
           first("ROLLBACK"), none("SELECT ssn FROM cust"), first("RESET ROLE"))), steps(
        by("mig", done("SET ROLE own", "CREATE TABLE evil.job (n int)", "DROP TABLE evil.job",
                       "ALTER TABLE dflt ADD COLUMN w int", "ALTER TABLE dflt DROP COLUMN w",
                       "DO $$BEGIN PERFORM 1; END$$", "RESET ROLE")))),
    Item(151, "admin console", steps(call(console)), steps(call(console_of_admin))),
    Item(152, "loss of a server connection", steps(call(lost_server)), steps(
        equal("SELECT count(*) FROM cust", 20))),
    Item(153, "change of policy under way", steps(call(reload_race), call(drift)), steps(
        equal("SELECT count(*) FROM cust", 20), call(explained), call(works_under_ddl))),
    Item(154, "names of tenants", steps(call(odd_tenants)), steps(call(choose))),
]  # fmt: skip
