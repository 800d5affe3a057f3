"""What an honest application sends to a protected database: the same answers as without Postern."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from protected_base import OWN, ProtectedTest
from psql_client import rows
from wire import SYNC, bind, describe, execute, parse, query, session, shape


@dataclass(frozen=True)
class Step:
    """A statement; with parameters it goes by the extended protocol."""

    sql: str
    parameters: Sequence[object] | None = None
    prepare: bool = False
    binary: bool = False


DAY = datetime.date(1984, 2, 29)
AT = datetime.datetime(2025, 3, 1, 12, tzinfo=datetime.timezone.utc)
PERSON = ("INSERT INTO users (tenant_id, user_id, email, full_name, phone, national_id, birth_date,"
          " created_at) VALUES")  # fmt: skip
EVALUATION = ("INSERT INTO evaluations (tenant_id, evaluation_id, record_id, reviewer_id, verdict,"
              " score, cost_usd, evaluated_at) VALUES")  # fmt: skip
RECORD = "(SELECT min(record_id) FROM mapping_records)"
MAIL = "user1@example.org"

READS = (
    Step("SELECT 1 AS one, now() IS NOT NULL, current_database() IS NOT NULL"),
    Step("SELECT tenant_id, name, plan, settings, created_at FROM tenants"),
    Step("SELECT count(*) FROM mapping_records"),
    Step("SELECT * FROM detectors ORDER BY detector_id"),
    Step("SELECT * FROM detectors ORDER BY detector_id", binary=True),
    Step("SELECT user_id, email, full_name, national_id, birth_date FROM users ORDER BY user_id"),
    Step("SELECT * FROM users WHERE user_id < %s ORDER BY user_id", (10,)),
    Step("SELECT * FROM users WHERE user_id < %s ORDER BY user_id", (10,), binary=True),
    Step("SELECT u.* FROM users u WHERE u.user_id = %s", (3,), prepare=True),
    Step("SELECT u.* FROM users u WHERE u.user_id = %s", (4,), prepare=True),
    Step("SELECT u.full_name AS name, u.email AS mail FROM users AS u WHERE u.user_id = 5"),
    Step("SELECT full_name FROM users WHERE birth_date IS NULL ORDER BY user_id"),
    Step("SELECT count(*), count(birth_date) FROM users WHERE birth_date IS NOT NULL"),
    Step("SELECT count(DISTINCT email) FROM users"),
    Step("SELECT u.user_id, k.key_prefix FROM users u JOIN api_keys k ON k.tenant_id = u.tenant_id"
         " AND k.created_by = u.user_id ORDER BY k.key_id LIMIT 20"),
    Step("SELECT u.full_name, k.key_prefix FROM users u LEFT JOIN api_keys k ON"
         " k.created_by = u.user_id AND k.tenant_id = u.tenant_id ORDER BY u.user_id, k.key_id"
         " LIMIT 20"),
    Step("SELECT role, count(*) FROM users GROUP BY role ORDER BY role"),
    Step("SELECT label_code, count(*) AS n, round(avg(confidence)::numeric, 6) FROM mapping_records"
         " GROUP BY label_code HAVING count(*) > 10 ORDER BY n DESC, label_code LIMIT 10"),
    Step("SELECT d.kind, count(*) FROM mapping_records m JOIN detectors d USING (tenant_id,"
         " detector_id) GROUP BY d.kind ORDER BY d.kind"),
    Step("SELECT t.code, f.name FROM taxonomy t JOIN frameworks f USING (framework_id)"
         " ORDER BY t.label_id LIMIT 10"),
    Step("SELECT m.record_id, e.verdict, e.score FROM mapping_records m JOIN evaluations e ON"
         " e.record_id = m.record_id AND e.tenant_id = m.tenant_id WHERE e.score > %s"
         " ORDER BY e.evaluation_id LIMIT %s OFFSET %s", (0.5, 10, 5)),
    Step("WITH hot AS (SELECT label_code, count(*) AS n FROM mapping_records GROUP BY 1)"
         " SELECT * FROM hot WHERE n > (SELECT avg(n) FROM hot) ORDER BY n DESC, label_code"),
    Step("WITH RECURSIVE up AS (SELECT label_id, parent_id, 1 AS depth FROM taxonomy WHERE"
         " label_id = 7 UNION ALL SELECT t.label_id, t.parent_id, depth + 1 FROM taxonomy t JOIN up"
         " ON t.label_id = up.parent_id) SELECT * FROM up ORDER BY depth"),
    Step("SELECT record_id, row_number() OVER (PARTITION BY label_code ORDER BY created_at,"
         " record_id) FROM mapping_records ORDER BY record_id LIMIT 10"),
    Step("SELECT payload ->> 'source', payload -> 'scores' FROM mapping_records ORDER BY record_id"
         " LIMIT 5"),
    Step("SELECT record_id FROM mapping_records WHERE payload @> %s::jsonb ORDER BY 1 LIMIT 5",
         ("{}",)),
    Step("SELECT detector_id FROM detectors WHERE detector_id = ANY (%s) ORDER BY 1", ([1, 2, 3],)),
    Step("SELECT kind, count(*) FROM events WHERE occurred_at >= '2025-02-01' AND occurred_at <"
         " '2025-03-01' GROUP BY kind ORDER BY kind"),
    Step("SELECT count(*) FROM events_2025_01"),
    Step("SELECT CASE WHEN score > 0.5 THEN 'high' ELSE 'low' END AS band, count(*) FROM"
         " evaluations GROUP BY 1 ORDER BY 1"),
    Step("SELECT record_id FROM mapping_records WHERE EXISTS (SELECT FROM evaluations e WHERE"
         " e.record_id = mapping_records.record_id) ORDER BY 1 LIMIT 5"),
    Step("SELECT count(*) FROM legacy_exports"),
    Step("SELECT user_id FROM users WHERE email = 'nobody@nowhere.example'"),
    Step("SELECT 'a' UNION SELECT kind FROM detectors ORDER BY 1"),
    Step("SELECT verdict FROM evaluations INTERSECT SELECT 'right' ORDER BY 1"),
    Step("VALUES (1, 'x'), (2, 'y')"),
    Step("SELECT 1 / 0"),
    Step("SHOW server_version"),
)  # fmt: skip

WRITES = (
    Step(f"{PERSON} ('{OWN}', 90001, 'ann@x.example', 'Ann Ünïcode', NULL, 'N-90001', '1984-02-29',"
         " '2025-03-01 12:00+00')"),
    Step(f"{PERSON} (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING user_id, email, full_name,"
         " birth_date", (OWN, 90002, "bob@x.example", "Bob", "+49", "N-90002", DAY, AT)),
    Step(f"{PERSON} (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING *",
         (OWN, 90003, "cyd@x.example", "Cyd", None, "N-90003", None, AT), binary=True),
    Step(f"{PERSON} ('{OWN}', 90004, 'dan@x.example', 'D''an', NULL, 'N-90004', NULL,"
         f" '2025-03-01 12:00+00'), ('{OWN}', 90005, 'eve@x.example', E'E\\u0076e', NULL,"
         " 'N-90005', DATE '2000-01-01', '2025-03-01 12:00+00')"),
    Step("SELECT * FROM users WHERE user_id >= 90000 ORDER BY user_id"),
    Step("SELECT user_id FROM users WHERE email = 'ann@x.example'"),
    Step("SELECT user_id FROM users WHERE email = %s", ("bob@x.example",)),
    Step("SELECT user_id FROM users WHERE email = %s", ("bob@x.example",), binary=True),
    Step("SELECT user_id FROM users WHERE national_id = %s AND email = %s",
         ("N-90002", "bob@x.example"), prepare=True),
    Step("SELECT user_id FROM users WHERE email IN (%s, %s, 'ann@x.example') ORDER BY user_id",
         ("bob@x.example", "cyd@x.example")),
    Step("SELECT user_id FROM users WHERE email <> 'ann@x.example' AND user_id > 90000 ORDER BY 1"),
    Step(f"{PERSON} ('{OWN}', 90009, 'ann@x.example', 'Double', NULL, 'N-90009', NULL, now())"),
    Step("UPDATE users SET full_name = %s, birth_date = %s WHERE email = %s",
         ("Robert", datetime.date(1999, 12, 31), "bob@x.example")),
    Step("UPDATE users SET email = 'robert@x.example' WHERE user_id = 90002 RETURNING email,"
         " full_name, birth_date"),
    Step("UPDATE users SET birth_date = NULL, phone = '1' WHERE user_id IN (90001, 90005)"),
    Step("UPDATE users SET role = 'admin' WHERE national_id = 'N-90004'"),
    Step(f"INSERT INTO users (tenant_id, user_id, email, full_name, national_id) VALUES ('{OWN}',"
         " 90004, 'dan2@x.example', 'Dan', 'N-90004') ON CONFLICT (tenant_id, user_id) DO NOTHING"),
    Step("SELECT user_id, email, full_name, phone, national_id, birth_date, role FROM users WHERE"
         " user_id >= 90000 ORDER BY user_id"),
    Step("DELETE FROM users WHERE email = 'eve@x.example' RETURNING user_id, full_name"),
    Step(f"{EVALUATION} (%s, 990001, {RECORD}, NULL, 'right', 0.75, 0.01, %s) RETURNING *",
         (OWN, AT)),
    Step(f"{EVALUATION} ('{OWN}', 990002, {RECORD}, 1, 'wrong', 0.25, 0, '2025-03-01Z'),"
         f" ('{OWN}', 990003, {RECORD}, 2, 'unsure', 0.5, 0, '2025-03-01Z')"),
    Step("UPDATE evaluations SET score = score / 2 WHERE evaluation_id > 990000 RETURNING score"),
    Step("UPDATE evaluations e SET verdict = 'unsure' FROM mapping_records m WHERE m.record_id ="
         " e.record_id AND m.tenant_id = e.tenant_id AND e.evaluation_id = 990001"),
    Step("INSERT INTO usage_counters VALUES (%s, %s, 1) ON CONFLICT (tenant_id, day) DO UPDATE SET"
         " requests = usage_counters.requests + excluded.requests RETURNING requests", (OWN, DAY)),
    Step("INSERT INTO usage_counters VALUES (%s, %s, 1) ON CONFLICT (tenant_id, day) DO UPDATE SET"
         " requests = usage_counters.requests + excluded.requests RETURNING requests", (OWN, DAY)),
    Step("WITH gone AS (DELETE FROM evaluations WHERE evaluation_id = 990003 RETURNING verdict)"
         " SELECT verdict, (SELECT count(*) FROM gone) FROM gone"),
    Step(f"INSERT INTO review_notes SELECT tenant_id, record_id, 'seen', '{AT.isoformat()}' FROM"
         " mapping_records ORDER BY record_id LIMIT 3"),
    Step("DELETE FROM review_notes n USING mapping_records m WHERE m.record_id = n.record_id AND"
         " m.tenant_id = n.tenant_id AND n.note = 'seen'"),
    Step(f"INSERT INTO events VALUES ('{OWN}', 990001, 'me', 'login', '{{}}', '2025-02-03Z')"),
    Step("UPDATE events SET occurred_at = '2025-03-03Z' WHERE event_id = 990001 RETURNING"
         " tableoid::regclass::text"),
    Step("INSERT INTO webhook_deliveries (tenant_id, url, status, sent_at) VALUES (%s, 'u', 200,"
         " %s) RETURNING delivery_id IS NOT NULL", (OWN, AT)),
    Step(f"{EVALUATION} ('{OWN}', 990009, {RECORD}, NULL, 'maybe', 0.75, 0.01, now())"),
    Step(f"{EVALUATION} ('{OWN}', 990009, {RECORD}, NULL, 'right', 2, 0.01, now())"),
    Step("BEGIN"),
    Step("UPDATE detectors SET threshold = 0.25 WHERE detector_id = 1"),
    Step("SAVEPOINT s"),
    Step("UPDATE detectors SET threshold = 9 WHERE detector_id = 1"),
    Step("SELECT 1"),
    Step("ROLLBACK TO SAVEPOINT s"),
    Step("UPDATE users SET full_name = 'In savepoint' WHERE user_id = 90001"),
    Step("RELEASE SAVEPOINT s"),
    Step("SELECT threshold, (SELECT count(*) FROM users) FROM detectors WHERE detector_id = 1"),
    Step("COMMIT"),
    Step("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
    Step("SELECT full_name FROM users WHERE user_id = 90001"),
    Step("UPDATE detectors SET threshold = 0.5 WHERE detector_id = 1"),
    Step("ROLLBACK"),
    Step("SET LOCAL statement_timeout = 1000"),
    Step("SET statement_timeout = '10s'"),
    Step("SHOW statement_timeout"),
    Step("SET timezone = 'Europe/Berlin'"),
    Step("SELECT evaluated_at FROM evaluations WHERE evaluation_id = 990001"),
    Step("SET datestyle = 'German'"),
    Step("SELECT birth_date FROM users WHERE user_id = 90002"),
    Step("RESET datestyle"),
    Step("RESET timezone"),
    Step("SELECT birth_date FROM users WHERE user_id = 90002"),
    Step("SELECT user_id FROM users WHERE user_id > 90000 ORDER BY user_id FOR UPDATE"),
    Step("DELETE FROM users WHERE user_id > 90000"),
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """All that an application learns from a statement."""

    tag: str | None
    columns: tuple[tuple[str, int], ...]
    rows: tuple[tuple[object, ...], ...]
    sqlstate: str
    message: str
    position: str | None


def run(connection: psycopg.Connection[tuple], step: Step) -> Seen:
    with connection.cursor(binary=step.binary) as cursor:
        try:
            cursor.execute(step.sql, step.parameters, prepare=step.prepare)
        except psycopg.Error as raised:
            diag = raised.diag
            # Of a violated key the values are told in DETAIL, encrypted ones as ciphertext.
            return Seen(None, (), (), diag.sqlstate or "?????", diag.message_primary or "",
                        diag.statement_position)  # fmt: skip
        described = tuple((c.name, c.type_code) for c in cursor.description or ())
        found = tuple(cursor.fetchall()) if cursor.description else ()
        return Seen(cursor.statusmessage, described, found, "", "", None)


class HonestTest(ProtectedTest):
    def same(self, steps: Sequence[Step]) -> None:
        ours, theirs = self.connect(self.login(OWN)), self.connect(self.plain_twin())
        for connection in (ours, theirs):
            connection.prepare_threshold = 5
        for step in steps:
            with self.subTest(sql=step.sql[:70], binary=step.binary):
                self.assertEqual(run(ours, step), run(theirs, step))
                self.assertEqual(ours.info.transaction_status, theirs.info.transaction_status)

    def test_people_came_through(self) -> None:
        self.assertGreater(self.people, 50)
        total = rows(self.direct(), "SELECT count(*), count(*) FILTER (WHERE left(email::text, 8) ="
                     " '\\xf55001') FROM users")[0]  # fmt: skip
        self.assertEqual(total, (str(self.people), str(self.people)))

    def test_reads(self) -> None:
        self.same(READS)

    def test_writes(self) -> None:
        """In order: later ones build on earlier ones."""
        self.same(WRITES)
        self.assertGreaterEqual(len(READS) + len(WRITES), 60)

    def test_what_goes_back_to_defaults_leaves_the_session_usable(self) -> None:
        """What connection pools of applications send between two users."""
        for reset in ("RESET ALL", "DISCARD ALL", "RESET search_path",
                      "BEGIN; SET LOCAL search_path = public; COMMIT",
                      "BEGIN; SET LOCAL search_path = public; ROLLBACK"):  # fmt: skip
            with self.subTest(reset=reset):
                connection = self.connect(self.login(OWN))
                for statement in reset.split("; "):
                    connection.execute(statement)
                found = run(connection, Step("SELECT full_name FROM users WHERE user_id = 1"))
                self.assertEqual(found.sqlstate, "", found.message)

    def test_errors_that_differ_from_the_twin(self) -> None:
        """What cannot be resolved is refused before the server sees it, at the same position."""
        ours, theirs = self.connect(self.login(OWN)), self.connect(self.plain_twin())
        for sql, here, there in (
            ("SELECT nothing FROM detectors", "0A000", "42703"),
            ("SELECT * FROM no_such_table", "0A000", "42P01"),
            ("SELEC 1", "0A000", "42601"),
            ("INSERT INTO evaluations (tenant_id) VALUES (NULL)", "42501", "23502"),
        ):
            got, expected = run(ours, Step(sql)), run(theirs, Step(sql))
            self.assertEqual((got.sqlstate, expected.sqlstate), (here, there), sql)
            self.assertEqual(got.position, expected.position, sql)

    def test_prepared_statement_run_many_times(self) -> None:
        sql = "SELECT email, full_name FROM users WHERE national_id = %s"
        ours, theirs = self.connect(self.login(OWN)), self.connect(self.plain_twin())
        known = theirs.execute("SELECT national_id FROM users ORDER BY user_id LIMIT 20").fetchall()
        for connection in (ours, theirs):
            connection.prepare_threshold = 2
        for (number,) in known:
            answers = [c.execute(sql, (number,)).fetchall() for c in (ours, theirs)]
            self.assertEqual(answers[0], answers[1])

    def test_pipeline(self) -> None:
        answers = []
        for dsn in (self.login(OWN), self.plain_twin()):
            connection = self.connect(dsn)
            with connection.pipeline():
                cursors = [
                    connection.execute("SELECT full_name FROM users WHERE user_id = %s", (i,))
                    for i in range(1, 30)
                ]
            answers.append([cursor.fetchall() for cursor in cursors])
        self.assertEqual(answers[0], answers[1])

    def test_pipeline_with_an_error_in_the_middle(self) -> None:
        answers = []
        for dsn in (self.login(OWN), self.plain_twin()):
            with session(dsn) as wire:
                got = wire.ask(
                    parse("UPDATE detectors SET threshold = 0.1 WHERE detector_id = 1"),
                    bind(), execute(), parse("SELECT 1 / 0"), bind(), execute(),
                    parse("SELECT 1"), bind(), execute(), SYNC,
                )  # fmt: skip
                after = wire.ask(query("SELECT threshold FROM detectors WHERE detector_id = 1"))
                answers.append((shape(got), [m.sqlstate() for m in got if m.type == "E"], after[1]))
        self.assertEqual(answers[0], answers[1])

    def test_described_types_are_those_of_the_application(self) -> None:
        """A driver that asks for the types before it binds."""
        sql = "SELECT email, birth_date FROM users WHERE national_id = $1 AND user_id > $2"
        answers = []
        for dsn in (self.login(OWN), self.plain_twin()):
            with session(dsn) as wire:
                got = wire.ask(parse(sql, "asked"), describe("S", "asked"), SYNC)
                types = next(m.body for m in got if m.type == "t")
                fields = next(m.body for m in got if m.type == "T")
                oids = [fields[at : at + 4] for at in _type_offsets(fields)]
                answers.append((shape(got), types, oids))
        self.assertEqual(answers[0], answers[1])

    def test_simple_query_of_several_statements(self) -> None:
        sql = ("UPDATE detectors SET threshold = 0.4 WHERE detector_id = 2;"
               " SELECT threshold FROM detectors WHERE detector_id = 2;"
               " SELECT full_name FROM users WHERE user_id = 2")  # fmt: skip
        answers = []
        for dsn in (self.login(OWN), self.plain_twin()):
            with session(dsn) as wire:
                got = wire.ask(query(sql))
                answers.append((shape(got), [m.values() for m in got if m.type == "D"]))
        self.assertEqual(answers[0], answers[1])

    def test_portal_with_a_row_limit(self) -> None:
        answers = []
        for dsn in (self.login(OWN), self.plain_twin()):
            with session(dsn) as wire:
                got = wire.ask(parse("SELECT user_id, full_name FROM users ORDER BY user_id"),
                               bind(portal="p"), execute("p", 3), execute("p", 3), SYNC)
                answers.append((shape(got), [m.values() for m in got if m.type == "D"]))
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0][0], "12DDDsDDDsZ")


def _type_offsets(description: bytes) -> list[int]:
    """Where the type oids stand in the body of a RowDescription."""
    found, at = [], 2
    for _ in range(int.from_bytes(description[:2], "big")):
        at = description.index(b"\0", at) + 1
        found.append(at + 6)
        at += 18
    return found
