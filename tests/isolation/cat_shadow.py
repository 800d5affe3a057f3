"""Items 12, 15, 45, 126 and 130 to 134 once more, where a name is meant to lead elsewhere.

Schema `shade` of the spoilt copy holds a materialised view and a foreign table under the names of
walled tables: whoever gets Postern to take `cust` for the table, and the server for the view, reads
the rows of all.
"""

from __future__ import annotations

from items import ABSENT, DENIALS, Item, call, done, either, equal, own, refused, steps
from speak import Answer, Ear, ask, ask_sql, open_session
from stage import Stage
from wire import SYNC, bind, execute, parse

PLACE = "bad_shadow"
INTO = "SET search_path = shade, public"
HIDDEN = "SELECT ssn FROM cust"
FOREIGN = "SELECT memo FROM ord"
CODES = DENIALS | ABSENT


def _open(stage: Stage, more: dict[str, str] | None = None) -> tuple[Ear, Answer]:
    ear, login = open_session(stage.world.login("t1", stage.database), more)
    return stage.keep("t1", ear), login


def _foreign(answer: Answer) -> str:
    """Rows beyond the attacker's twenty, or the foreign table's."""
    strange = [row for row in answer.rows() if "T2-" in str(row)]
    return f"LEAK: gave {strange[:2]}" if strange else ""


def _steps(*statements: str) -> list[bytes]:
    return [part for sql in statements for part in (parse(sql), bind(), execute())]


def searched_at_startup(stage: Stage) -> str:
    """A search path of the startup packet counts for Postern as it does for the server."""
    told = []
    for more in ({"search_path": "shade, public"}, {"options": "-c search_path=shade,public"},
                 {"options": "-c search_path=shade"}):  # fmt: skip
        ear, login = _open(stage, more)
        if not login.closed:
            for sql in (HIDDEN, FOREIGN, "TABLE cust"):
                told.append(_foreign(ask_sql(ear, sql)))
        ear.close()
    return "; ".join(filter(None, told))


def in_pipelines(stage: Stage) -> str:
    """Names of a batch are judged under the search path that is in force when they are read."""
    told = []
    for statements in (
        (INTO, HIDDEN), ("BEGIN", INTO, HIDDEN, "COMMIT"),
        ("BEGIN", "SET LOCAL search_path = shade, public", FOREIGN),
        ("SELECT set_config('search_path', 'shade, public', false)", HIDDEN),
        ("BEGIN", "SAVEPOINT s", INTO, "ROLLBACK TO s", INTO, FOREIGN),
    ):  # fmt: skip
        ear, _ = _open(stage)
        told.append(_foreign(ask(ear, *_steps(*statements), SYNC)))
        told.append(_foreign(ask_sql(ear, HIDDEN)))
        ear.close()
    return "; ".join(filter(None, told))


def after_an_error(stage: Stage) -> str:
    """What the server skipped has not changed the search path, what it took back neither."""
    told = []
    for statements in (
        (INTO, "SELECT 1/0", "SET search_path = public"), ("BEGIN", INTO, "SELECT 1/0"),
        ("SELECT 1/0", INTO),
    ):  # fmt: skip
        ear, _ = _open(stage)
        ask(ear, *_steps(*statements), SYNC)
        for sql in (HIDDEN, "ROLLBACK", HIDDEN, FOREIGN):
            told.append(_foreign(ask_sql(ear, sql)))
        ear.close()
    return "; ".join(filter(None, told))


def prepared_before(stage: Stage) -> str:
    """A statement that was judged under one search path is planned anew under another."""
    told = []
    ear, _ = _open(stage)
    ask(ear, parse(HIDDEN, "p"), parse(FOREIGN, "f"), SYNC)
    ask(ear, bind(statement="p"), execute(), SYNC)
    ask_sql(ear, INTO)
    for name in ("p", "f"):
        told.append(_foreign(ask(ear, bind(statement=name), execute(), SYNC)))
    ask_sql(ear, f"PREPARE q AS {HIDDEN}")
    told.append(_foreign(ask_sql(ear, "EXECUTE q")))
    ear.close()
    return "; ".join(filter(None, told))


def by_function(stage: Stage) -> str:
    """A function with its caller's search path and rights reads what lint named: row security
    covers no materialised view, and no gate reads a function's body."""
    ear, _ = _open(stage)
    ask_sql(ear, INTO)
    for sql in ("SELECT ssn FROM all_c()", "SELECT dyn('SELECT ssn FROM cust')"):
        ask_sql(ear, sql)
    ear.close()
    return stage.lint("shade.cust")


ITEMS = [
    Item(15, "a name that the search path takes to a materialised view", steps(
        done(INTO), refused(HIDDEN, FOREIGN, "TABLE cust", "SELECT count(*) FROM cust",
                            "WITH a AS (SELECT * FROM cust) SELECT * FROM a",
                            "SELECT * FROM shade.cust", "SELECT * FROM shade.ord", codes=CODES)),
        steps(done("SET search_path = evil, public"), own("SELECT ssn FROM public.cust"),
              done("SET search_path = public"), own(HIDDEN, FOREIGN)), PLACE),
    Item(45, "functions under such a search path", steps(call(by_function)), steps(
        own("SELECT ssn FROM all_c()")), PLACE),
    Item(126, "such a name behind a SET of the same message", steps(
        either(f"{INTO}; {HIDDEN}", f"SELECT 1; {INTO}; {FOREIGN}",
               f"BEGIN; SET LOCAL search_path = shade; {HIDDEN}; COMMIT",
               f"SELECT set_config('search_path', 'shade', false); {HIDDEN}"),
        done("SET search_path = public"), equal("SELECT count(*) FROM cust", 20)), steps(
        own(f"SELECT 1; {HIDDEN}")), PLACE),
    Item(130, "such a name by the startup packet", steps(call(searched_at_startup)), steps(
        own(HIDDEN)), PLACE),
    Item(132, "such a name in a statement prepared before", steps(call(prepared_before)), steps(
        done(f"PREPARE q AS {HIDDEN}"), own("EXECUTE q")), PLACE),
    Item(133, "such a name in a pipeline", steps(call(in_pipelines)), steps(own(HIDDEN)), PLACE),
    Item(134, "such a name after an error", steps(call(after_an_error)), steps(
        own(FOREIGN)), PLACE),
]  # fmt: skip
