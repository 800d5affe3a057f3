"""Items 112 to 120: what errors, keys and sizes could tell."""

from __future__ import annotations

from items import Item, call, either, equal, none, own, refused, steps
from speak import Answer
from stage import Stage

CONSTRAINT = frozenset({"23505", "23503", "23514", "23502", "23P01"})


def same_answer(*pairs: tuple[str, str]) -> object:
    """Each pair of statements, one on a key of the victim, one on a key of nobody, looks alike."""

    def look_alike(stage: Stage) -> str:
        told = []
        for taken, free in pairs:
            answers = []
            for sql in (taken, free):
                stage.say("BEGIN")
                answers.append(_seen(stage.say(sql)))
                stage.say("ROLLBACK")
            if answers[0] != answers[1]:
                told.append(f"LEAK: {taken!r} is answered with {answers[0]}, {free!r} with"
                            f" {answers[1]}")  # fmt: skip
        return "; ".join(told)

    return look_alike


def _seen(answer: Answer) -> object:
    fields = [{k: v for k, v in m.fields().items() if k in "SCMDH"}
              for m in answer.messages if m.type == "E"]  # fmt: skip
    return fields, answer.rows(), answer.tags()


def no_values_in_errors(stage: Stage) -> str:
    """Messages about a constraint repeat no values of rows, where they fail on one's own either."""
    told = []
    for sql in ("INSERT INTO moved VALUES (1, 1, 'own canary 77')",
                "INSERT INTO moved VALUES (1, 920, NULL), (1, 921, 'bad')",
                "INSERT INTO ord (tenant, cust_id, amt) VALUES (1, 9998, 1)",
                "INSERT INTO cust VALUES (1, 930, 's-1')"):  # fmt: skip
        answer = stage.say(sql)
        for got in answer.messages:
            if got.type == "E":
                fields = got.fields()
                detail = fields.get("D", "") + fields.get("W", "")
                if "Failing row contains" in detail or "Key (" in detail:
                    told.append(f"{sql!r} is told {detail!r}")
    return "; ".join(told)


def honest_error(stage: Stage) -> str:
    """An application still learns which constraint failed, by its SQLSTATE and name."""
    answer = stage.say("INSERT INTO moved VALUES (1, 1, 'again')")
    for got in answer.messages:
        if got.type == "E":
            fields = got.fields()
            named = "moved_pkey" in (fields.get("n", "") + fields.get("M", ""))
            return "" if fields.get("C") == "23505" and named else f"is told {fields}"
    return "was not refused"


def no_pids(stage: Stage) -> str:
    """A wait for another tenant's lock never happens: there is no row to wait for."""
    stage.say("BEGIN", "t2")
    stage.say("UPDATE cust SET name = name", "t2")
    stage.say("BEGIN")
    answer = stage.say("UPDATE cust SET name = name WHERE id IN (1, 501)")
    stage.say("ROLLBACK")
    stage.say("ROLLBACK", "t2")
    return "" if answer.tags() == ["UPDATE 1"] else f"gave {answer.told()}"


ITEMS = [
    Item(112, "taken keys", steps(
        call(same_answer(
            ("INSERT INTO cust VALUES (1, 501, 'y')", "INSERT INTO cust VALUES (1, 888, 'y')"),
            ("INSERT INTO cust VALUES (1, 501, 'y') ON CONFLICT DO NOTHING RETURNING 1",
             "INSERT INTO cust VALUES (1, 888, 'y') ON CONFLICT DO NOTHING RETURNING 1"),
            ("UPDATE cust SET id = 503 WHERE id = 1", "UPDATE cust SET id = 889 WHERE id = 1"),
            ("INSERT INTO cust VALUES (2, 501, 'y')", "INSERT INTO cust VALUES (2, 888, 'y')")),
            "keys of the victim look free")), steps(
        own("INSERT INTO cust VALUES (1, 501, 'y')"),
        own("INSERT INTO cust VALUES (1, 502, 'z') ON CONFLICT DO NOTHING RETURNING id"))),
    Item(113, "foreign keys", steps(
        call(same_answer(
            ("INSERT INTO ord (tenant, id, cust_id, amt) VALUES (1, 700, 501, 1)",
             "INSERT INTO ord (tenant, id, cust_id, amt) VALUES (1, 700, 901, 1)"),
            ("UPDATE ord SET cust_id = 501 WHERE id = 1",
             "UPDATE ord SET cust_id = 901 WHERE id = 1")), "look alike")), steps(
        own("UPDATE ord SET cust_id = 2 WHERE id = 1"))),
    Item(114, "exclusion constraints", steps(
        either("INSERT INTO slot VALUES (1, 90, '[5010,5012)', 'x')"),
        call(lambda s: s.lint("slot_global"), "lint names slot_global")), steps(
        own("INSERT INTO slot VALUES (1, 90, '[9000,9500)', 'x')"),
        refused("INSERT INTO slot VALUES (1, 91, '[9400,9600)', 'x')", codes=CONSTRAINT)),
        "bad_exclusion"),
    Item(115, "values in DETAIL and CONTEXT", steps(call(no_values_in_errors)),
         steps(call(honest_error))),
    Item(116, "notices of installed functions", steps(
        either("SELECT count(*) FROM cust WHERE peek(ssn) AND tenant = 2",
               "SELECT peek(ssn) FROM cust WHERE id > 500")), steps(
        own("SELECT peek('hello')"))),
    Item(117, "deadlocks and waits", steps(call(no_pids)), steps(
        own("UPDATE cust SET name = name WHERE id IN (1, 2)"))),
    Item(118, "timing of a hidden key", steps(
        none("SELECT ssn FROM cust WHERE id = 501"),
        equal("SELECT count(*) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indexrelid"
              " AND a.attnum = 1 WHERE indrelid IN ('cust'::regclass, 'ord'::regclass) AND"
              " a.attname <> 'tenant'", 0),
        call(lambda s: s.lint_elsewhere("bad_unique", "cust_ssn_global"),
             "lint names cust_ssn_global")), steps(own("SELECT ssn FROM cust WHERE id = 5"))),
    Item(119, "caches and limits", steps(
        call(same_answer(("SELECT v FROM part WHERE id = 501", "SELECT v FROM part WHERE id = 999"),
                         ("SELECT v FROM part_2", "SELECT v FROM part_2 WHERE id = 999")),
             "cached answers look alike")), steps(
        own("SELECT v FROM part WHERE id = 5"), own("SELECT v FROM part WHERE id = 5"))),
    Item(120, "serial keys", steps(
        call(lambda s: s.lint("ticket"), "lint names ticket"),
        either("SELECT nextval('ticket_id_seq')")), steps(
        own("INSERT INTO ord (tenant, cust_id, amt) VALUES (1, 1, 1) RETURNING id"),
        own("SELECT gen_random_uuid()")), "bad_serial"),
]  # fmt: skip
