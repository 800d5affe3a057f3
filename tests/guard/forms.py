"""What holds of the context in either form: the script both are put through."""

from __future__ import annotations

import time

import psycopg

from guard_base import EXPIRED, INVALID, GuardTest, Session
from bed import OWNER, ROWS, settings_for_workers
from tokens import ARM, DISARM, FIELDS, Key, in_seconds, words

COUNT = "SELECT count(*) FROM orders"
GARBAGE = (
    "x", ".", " ", "........." , ".........x", "pctx1", "pctx1.", "pctx1.........", "null", "käse",
    "pctx1" + ".1" * 9, "pctx1.-1.0.0.0.0.0.0.0.0", "\x01", "'; DROP TABLE orders; --", "\\x00",
    "pctx1." * 10, "." * 5000, "a" * 20000, "pctx1.1.x" + ".00" * 6 + "." + "0" * 64,
)  # fmt: skip


class RightTokens(GuardTest):
    def test_says_who(self) -> None:
        session = self.session()
        session.arm()
        self.assertEqual(session.one("SELECT postern.tenant()"), "acme")
        self.assertEqual(session.one("SELECT postern.subject()"), "käthe@example.org")
        for role, held in (("clerk", True), ("a,b", True), ("prüfer", True), ("a", False),
                           ("", False), ("Clerk", False), ("clerk ", False), ("boss", False)):
            with self.subTest(role=role):
                self.assertIs(session.one("SELECT postern.has_role(%s)", role), held)
        self.assertIs(session.one("SELECT postern.has_role(NULL)"), False)

    def test_nothing_said_is_null(self) -> None:
        session = self.session()
        for name, sql in (("tenant", "postern.tenant()"), ("subject", "postern.subject()")):
            empty = session.context().to(**{name: ""}).token(self.bed.key)
            session.run(DISARM)
            self.assertEqual(session.one(ARM, empty), empty)
            self.assertIsNone(session.one(f"SELECT {sql}"))
        session.run(DISARM)
        session.one(ARM, session.context().to(roles="").token(self.bed.key))
        self.assertIs(session.one("SELECT postern.has_role('clerk')"), False)

    def test_absent_is_no_rows(self) -> None:
        session = self.session()
        for clear in ("SELECT 1", DISARM, "SET postern.ctx = ''", "SET postern.ctx TO DEFAULT"):
            session.run(clear)
            self.assertIsNone(session.one("SELECT postern.tenant()"))
            self.assertIsNone(session.one("SELECT postern.subject()"))
            self.assertIs(session.one("SELECT postern.has_role('clerk')"), False)
            self.assertEqual(session.one(COUNT), 0)
            self.assertEqual(session.state("INSERT INTO orders VALUES ('acme', 0)"), "42501")

    def test_largest_token(self) -> None:
        session = self.session()
        roles = [f"{i:02}".ljust(63, "x") for i in range(64)]
        token = session.context().to(
            tenant=words("t" * 63), subject=words("s" * 255), roles=words(*roles)
        ).token(self.bed.key)  # fmt: skip
        session.run(DISARM)
        self.assertEqual(session.one(ARM, token), token)
        self.assertEqual(session.one("SELECT postern.tenant()"), "t" * 63)
        self.assertEqual(session.one("SELECT postern.subject()"), "s" * 255)
        self.assertIs(session.one("SELECT postern.has_role(%s)", roles[63]), True)

    def test_rows_of_one_tenant(self) -> None:
        session = self.session()
        for tenant in ("acme", "globex", "nobody"):
            session.arm(tenant)
            seen = session.one("SELECT array_agg(DISTINCT tenant) FROM orders")
            self.assertEqual(seen, None if tenant == "nobody" else [tenant])
        session.arm("acme")
        self.assertEqual(session.state("INSERT INTO orders VALUES ('globex', 0)"), "42501")
        self.assertEqual(session.state("UPDATE orders SET tenant = 'globex' WHERE id = 1"), "42501")
        self.assertEqual(session.one("SELECT count(*) FROM orders WHERE tenant = 'globex'"), 0)
        session.arm("1")
        self.assertEqual(session.one("SELECT string_agg(v, ',') FROM numbered"), "one")

    def test_owner_of_tables_is_bound(self) -> None:
        session = self.session(OWNER)
        self.assertEqual(session.one(COUNT), 0)
        session.arm("globex")
        self.assertEqual(session.one(COUNT), ROWS)

    def test_index_serves(self) -> None:
        session = self.session()
        session.arm()
        plan = session.connection.execute("EXPLAIN SELECT note FROM orders WHERE id = 7").fetchall()
        self.assertIn("Index Cond: ((tenant = $0) AND (id = 7))", "".join(str(r) for r in plan))

    def test_arms_from_empty_alone(self) -> None:
        session = self.session()
        token = session.arm("acme")
        other = session.context("globex").token(self.bed.key)
        self.assertIsNone(session.one(ARM, other))
        self.assertIsNone(session.one(ARM, token))
        self.assertEqual(session.one("SELECT postern.tenant()"), "acme")
        self.assertEqual(session.one(DISARM), "")
        self.assertEqual(session.one(ARM, other), other)


class WrongTokens(GuardTest):
    def test_each_field_altered(self) -> None:
        """The MAC of the right text below another one."""
        session = self.session()
        right = session.context().token(self.bed.key)
        self.assertEqual(session.try_token(right), "acme")
        parts = right.split(".")
        for i, part in enumerate(parts):
            altered = {part + "0", part[:-1], part.upper(), "0" + part, "", "-" + part, "x", " " +
                       part, part + " ", part + ".", part[:-1] + ("0" if part[-1:] != "0" else "1")}
            for text in altered - {part}:
                token = ".".join([*parts[:i], text, *parts[i + 1:]])
                with self.subTest(field=i, text=text[:20]):
                    self.assertEqual(session.try_token(token), INVALID)

    def test_each_field_signed_wrong(self) -> None:
        """Right MACs over fields that Postern would not write, or not for this backend."""
        session = self.session()
        right = session.context()
        wrong = [
            {name: f"{int(getattr(right, name)) + change}"}
            for name in ("database", "pid", "start") for change in (-1, 1, 4096)
        ]  # fmt: skip
        wrong += [{name: ""} for name in FIELDS if name not in ("tenant", "subject", "roles")]
        wrong += [{name: "0" + getattr(right, name)} for name in ("database", "pid", "start")]
        wrong += [{name: "-" + getattr(right, name)} for name in ("database", "pid", "start")]
        wrong += [{"version": "pctx2"}, {"version": "PCTX1"}, {"kid": right.kid + "00"},
                  {"kid": right.kid.upper() + "A"}, {"kid": right.kid[:8]}, {"tenant": "61.62"}]
        for change in wrong:
            with self.subTest(change=change):
                token = right.to(**change).token(self.bed.key)
                # SQL's own cast refuses an expiry that is no number.
                wanted = (INVALID, "22P02") if change == {"expiry": ""} else (INVALID,)
                self.assertIn(session.try_token(token), wanted)

    def test_truncated_at_every_byte(self) -> None:
        session = self.session()
        token = session.context().token(self.bed.key)
        for size in range(1, len(token)):
            self.assertEqual(session.try_token(token[:size]), INVALID, size)
            self.assertEqual(session.try_token(token[size:]), INVALID, size)
        self.assertEqual(session.try_token(""), "none")
        self.assertEqual(session.try_token(token), "acme")

    def test_garbage(self) -> None:
        session = self.session()
        for text in GARBAGE:
            with self.subTest(text=text[:30]):
                self.assertEqual(session.try_token(text), INVALID)

    def test_of_another_backend(self) -> None:
        one, two = self.session(), self.session()
        token = one.arm("globex")
        self.assertEqual(two.try_token(token), INVALID)
        self.assertEqual(one.one("SELECT postern.tenant()"), "globex")

    def test_of_another_database(self) -> None:
        here, there = self.session(), self.session(database="other")
        database = there.context().database
        self.assertEqual(here.try_token(here.context().to(database=database).token(self.bed.key)),
                         INVALID)  # fmt: skip
        self.assertEqual(there.try_token(there.context().token(self.bed.key)), "acme")

    def test_after_failure_no_rows(self) -> None:
        session = self.session()
        token = session.arm()
        session.state("SELECT set_config('postern.ctx', %s, false)", token[:-1] + "x")
        tail = session.state(COUNT) or session.one("SELECT array_agg(DISTINCT tenant) FROM orders")
        self.assertIn(tail, (INVALID, ["acme"]))

    def test_keys(self) -> None:
        session = self.session()
        further, unknown = Key(), Key()
        right = session.context()
        stolen_name = right.token(unknown)
        self.assertEqual(session.try_token(right.to(kid=unknown.kid).token(unknown)), INVALID)
        self.assertEqual(session.try_token(stolen_name), INVALID)
        self.assertEqual(session.try_token(right.to(kid=further.kid).token(further)), INVALID)
        self.bed.add_key(further)
        self.assertEqual(session.try_token(right.to(kid=further.kid).token(further)), "acme")
        self.assertEqual(session.try_token(right.token(self.bed.key)), "acme")
        self.assertEqual(session.try_token(right.to(kid=further.kid).token(self.bed.key)), INVALID)
        self.assertEqual(session.try_token(right.token(further)), INVALID)

    def test_expiry(self) -> None:
        session = self.session()
        key = self.bed.key
        self.assertEqual(session.try_token(session.context(seconds=-1).token(key)), EXPIRED)
        far = session.context().to(expiry=str(2**63 - 1))
        self.assertEqual(session.try_token(far.token(key)), "acme")
        over = session.context().to(expiry=str(2**63))
        self.assertNotEqual(session.try_token(over.token(key)), "acme")
        short = session.context().to(expiry=in_seconds(0.7)).token(key)
        session.run(DISARM)
        session.one(ARM, short)
        session.run("BEGIN")
        self.assertEqual(session.one("SELECT postern.tenant()"), "acme")
        time.sleep(0.9)
        self.assertEqual(session.one(COUNT), ROWS)  # the transaction began in time
        session.run("COMMIT")
        for sql in ("SELECT postern.tenant()", "SELECT postern.subject()", COUNT,
                    "SELECT postern.has_role('clerk')", "SELECT postern.has_role(NULL)"):
            with self.subTest(sql=sql):
                self.assertEqual(session.state(sql), EXPIRED)
        session.run("RESET postern.ctx")
        self.assertEqual(session.one(COUNT), 0)

    def test_errors_say_the_same(self) -> None:
        session = self.session()
        told = (
            (in_seconds(300), "x", "tenant context is not valid on this connection", "PST-1602",
             "The setting postern.ctx was changed by hand, or belongs to another session; "
             "reconnect."),
            (in_seconds(-5), "", "tenant context has expired", "PST-1603",
             "Reconnect; Postern renews contexts between transactions."),
        )  # fmt: skip
        for expiry, more, message, detail, hint in told:
            token = session.context().to(expiry=expiry).token(self.bed.key) + more
            with self.assertRaises(psycopg.Error) as caught, session.connection.transaction():
                session.one("SELECT set_config('postern.ctx', %s, false)", token)
                session.one("SELECT postern.tenant()")
            diagnosis = caught.exception.diag
            said = (diagnosis.message_primary, diagnosis.message_detail, diagnosis.message_hint)
            self.assertEqual(said, (message, detail, hint))
            self.assertNotIn(token, str(vars(caught.exception)))

    def test_at_login_and_of_a_role(self) -> None:
        token = self.session().context().token(self.bed.key)
        login = self.bed.login().to(options=f"-c postern.ctx={token}")
        try:
            with psycopg.connect(host=login.host, port=login.port, dbname=login.dbname,
                                 user=login.user, password=login.password,
                                 options=login.options) as late:  # fmt: skip
                held = Session(late, self.bed.key)
                self.assertEqual(held.state(COUNT), INVALID)
        except psycopg.OperationalError as refused:
            self.assertIn("tenant context is not valid", str(refused))
        session = self.session()
        for sql in (f"ALTER ROLE app SET postern.ctx = '{token}'",
                    f"CREATE FUNCTION f() RETURNS bigint LANGUAGE sql SET postern.ctx = '{token}x'"
                    " AS 'SELECT count(*) FROM orders'"):
            if session.state(sql) == "":
                self.assertNotEqual(self.session().state("SELECT f()"), "")
        session.state("ALTER ROLE app RESET postern.ctx")


class Transactions(GuardTest):
    def tenant(self, session: Session) -> object:
        return session.one("SELECT postern.tenant()")

    def test_set_local_and_rollback(self) -> None:
        session = self.session()
        globex = session.context("globex").token(self.bed.key)
        session.arm("acme")
        session.run("BEGIN")
        session.one("SELECT set_config('postern.ctx', %s, true)", globex)
        self.assertEqual(self.tenant(session), "globex")
        session.run("COMMIT")
        self.assertEqual(self.tenant(session), "acme")
        session.run("BEGIN")
        session.one("SELECT set_config('postern.ctx', %s, false)", globex)
        self.assertEqual(self.tenant(session), "globex")
        session.run("ROLLBACK")
        self.assertEqual(self.tenant(session), "acme")
        session.run("BEGIN")
        session.run("SET LOCAL postern.ctx = ''")
        self.assertEqual(session.one(COUNT), 0)
        session.run("COMMIT")
        self.assertEqual(session.one(COUNT), ROWS)

    def test_savepoints(self) -> None:
        session = self.session()
        tokens = {t: session.context(t).token(self.bed.key) for t in ("a", "b", "c")}
        session.arm("acme")
        session.run("BEGIN")
        for name in tokens:
            session.run(f"SAVEPOINT {name}")
            session.one("SELECT set_config('postern.ctx', %s, %s)", tokens[name], name == "b")
            self.assertEqual(self.tenant(session), name)
        session.run("ROLLBACK TO c")
        self.assertEqual(self.tenant(session), "b")
        session.run("RELEASE b")
        self.assertEqual(self.tenant(session), "b")
        session.run("ROLLBACK TO a")
        self.assertEqual(self.tenant(session), "acme")
        session.one("SELECT set_config('postern.ctx', %s, true)", tokens["c"])
        self.assertNotEqual(session.state("SELECT 1/0"), "")
        session.run("ROLLBACK TO a")
        self.assertEqual(self.tenant(session), "acme")
        session.run("COMMIT")
        self.assertEqual(self.tenant(session), "acme")

    def test_reset(self) -> None:
        session = self.session()
        for sql in ("RESET postern.ctx", "RESET ALL", "DISCARD ALL", "SET postern.ctx TO DEFAULT",
                    "SET postern.ctx = ''"):
            with self.subTest(sql=sql):
                session.arm("acme")
                self.assertEqual(session.one(COUNT), ROWS)
                session.run(sql)
                self.assertIsNone(self.tenant(session))
                self.assertEqual(session.one(COUNT), 0)

    def test_many_changes_in_one_transaction(self) -> None:
        session = self.session()
        tokens = [session.context(t).token(self.bed.key) for t in ("acme", "globex", "nobody")]
        session.arm("acme")
        session.run("BEGIN")
        for i in range(300):
            if i % 3 == 0:
                session.run("SAVEPOINT s")
            session.one("SELECT set_config('postern.ctx', %s, %s)", tokens[i % 3], i % 2 == 0)
            if i % 3 == 2:
                session.run("ROLLBACK TO s" if i % 2 else "RELEASE s")
        session.run("ROLLBACK")
        self.assertEqual(self.tenant(session), "acme")

    def test_within_one_statement(self) -> None:
        session = self.session()
        globex = session.context("globex").token(self.bed.key)
        session.arm("acme")
        sql = ("SELECT postern.tenant() || set_config('postern.ctx', %s, false) || "
               "postern.tenant() || set_config('postern.ctx', '', false)")  # fmt: skip
        self.assertEqual(session.one(sql, globex), f"acme{globex}globex")
        self.assertIsNone(self.tenant(session))

    def test_prepared_plans_follow(self) -> None:
        for mode in ("auto", "force_generic_plan", "force_custom_plan"):
            session = self.session()
            session.run(f"SET plan_cache_mode = {mode}")
            session.run("PREPARE seen AS SELECT min(tenant), count(*) FROM orders WHERE id > $1")
            for round_ in range(8):
                tenant = ("acme", "globex")[round_ % 2]
                session.arm(tenant)
                row = session.connection.execute("EXECUTE seen(0)").fetchone()
                self.assertEqual(row, (tenant, ROWS))
            session.run(DISARM)
            self.assertEqual(session.connection.execute("EXECUTE seen(0)").fetchone(), (None, 0))


class Surroundings(GuardTest):
    def test_parallel_workers(self) -> None:
        serial, parallel = self.session(), self.session()
        for name, value in settings_for_workers().items():
            parallel.run(f"SET {name} = {value}")
        serial.run("SET max_parallel_workers_per_gather = 0")
        queries = (
            "SELECT count(*), sum(amount), min(note), max(id) FROM orders",
            "SELECT amount, count(*) FROM orders GROUP BY amount ORDER BY amount",
            "SELECT count(*) FROM orders a JOIN orders b ON a.id = b.amount",
            "SELECT count(*) FROM orders WHERE tenant = postern.tenant()",
            "SELECT count(*) FROM orders WHERE postern.has_role('clerk') AND amount > 3",
            "SELECT postern.tenant(), postern.subject(), postern.has_role('a,b')",
        )
        for tenant in ("acme", "globex", ""):
            for session in (serial, parallel):
                session.run(DISARM)
                if tenant:
                    session.arm(tenant)
            for sql in queries:
                for force in ("on", "regress", "off"):
                    parallel.run(f"SET force_parallel_mode = {force}")
                    with self.subTest(tenant=tenant, sql=sql, force=force):
                        self.assertEqual(parallel.connection.execute(sql).fetchall(),
                                         serial.connection.execute(sql).fetchall())  # fmt: skip
        parallel.run("SET force_parallel_mode = on")
        parallel.run(DISARM)
        parallel.arm("acme")
        plan = str(parallel.connection.execute(f"EXPLAIN ANALYZE {queries[0]}").fetchall())
        self.assertRegex(plan, r"Workers Launched: [1-9]")

    def test_expired_in_workers(self) -> None:
        session = self.session()
        for name, value in settings_for_workers().items():
            session.run(f"SET {name} = {value}")
        short = session.context().to(expiry=in_seconds(0.5)).token(self.bed.key)
        session.one(ARM, short)
        self.assertEqual(session.one(COUNT), ROWS)
        time.sleep(0.7)
        self.assertEqual(session.state(COUNT), EXPIRED)

    def test_security_definer(self) -> None:
        admin = self.superuser()
        admin.run(f"""
            CREATE OR REPLACE FUNCTION whole() RETURNS text LANGUAGE sql SECURITY DEFINER
              SET search_path = public AS 'SELECT postern.tenant() || count(*) FROM orders';
            ALTER FUNCTION whole() OWNER TO {OWNER}""")
        session = self.session()
        session.arm("globex")
        self.assertEqual(session.one("SELECT whole()"), f"globex{ROWS}")
        session.run(DISARM)
        self.assertIsNone(session.one("SELECT whole()"))

    def test_copy_and_cursors(self) -> None:
        session = self.session()
        session.arm("acme")
        for sql in ("COPY orders TO STDOUT", "COPY (SELECT * FROM orders) TO STDOUT"):
            with session.connection.cursor() as cursor, cursor.copy(sql) as copy:
                lines = b"".join(bytes(chunk) for chunk in copy).splitlines()
            self.assertEqual(len(lines), ROWS)
            self.assertTrue(all(line.startswith(b"acme\t") for line in lines))
        session.run("BEGIN")
        session.run("DECLARE c CURSOR FOR SELECT DISTINCT tenant FROM orders")
        session.run("DECLARE h CURSOR WITH HOLD FOR SELECT DISTINCT tenant FROM orders")
        self.assertEqual(session.one("FETCH c"), "acme")
        session.run("COMMIT")
        session.run(DISARM)
        self.assertEqual(session.one("FETCH h"), "acme")  # materialised at COMMIT

    def test_own_functions_in_front_change_nothing(self) -> None:
        session = self.session()
        session.run("SET search_path = pg_temp, public, pg_catalog")
        session.run("""CREATE FUNCTION pg_temp.current_setting(text, boolean) RETURNS text
                       LANGUAGE sql AS 'SELECT NULL::text'""")
        session.run("""CREATE FUNCTION pg_temp.transaction_timestamp() RETURNS timestamptz
                       LANGUAGE sql AS $$SELECT 'epoch'::timestamptz$$""")
        session.arm("acme")
        self.assertEqual(session.one("SELECT postern.tenant()"), "acme")
        self.assertEqual(session.one("SELECT count(*) FROM public.orders"), ROWS)

    def test_functions_are_nobodys_to_change(self) -> None:
        for role in ("app", "own"):
            session = self.session(role)
            for sql in ("DROP FUNCTION postern.tenant() CASCADE", "CREATE FUNCTION postern.x()"
                        " RETURNS int LANGUAGE sql AS 'SELECT 1'",
                        "ALTER FUNCTION postern.tenant() SECURITY INVOKER",
                        "SELECT * FROM postern.context_key", "SELECT postern.context()"):
                with self.subTest(role=role, sql=sql):
                    self.assertEqual(session.state(sql), "42501")
