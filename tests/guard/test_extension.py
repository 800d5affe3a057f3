"""What the extension alone has: its keys, its installation, and that the token stays hidden."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from bed import ROWS, TENANTS, settings_for_workers
from guard_base import EXPIRED, INVALID, GuardTest, Session
from psql_client import connect, psql, rows
from scratch import wait_until
from tokens import ARM, DISARM, FIELDS, Key

SHORT = bool(os.environ.get("POSTERN_GUARD_SHORT"))
MUTATIONS = 20_000 if SHORT else 200_000
BATCH = 2000
ALPHABET = "0123456789abcdef.,-+ xXpctg\tZé\x01'\""
FORM = ("SELECT l.lanname FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang"
        " WHERE p.oid = 'postern.tenant()'::regprocedure")  # fmt: skip


class TestHidden(GuardTest):
    native = True

    def test_token_is_shown_once(self) -> None:
        session = self.session()
        token = session.arm()
        for sql in ("SELECT current_setting('postern.ctx')", "SHOW postern.ctx",
                    "SELECT current_setting('POSTERN.CTX', true)",
                    "SELECT string_agg(t, '') FROM current_setting('postern.ctx') t"):
            with self.subTest(sql=sql):
                self.assertEqual(session.one(sql), "postern_guard")
        mac = token.rsplit(".", 1)[1]
        for sql in ("SHOW ALL", "SELECT s::text FROM pg_settings s",
                    "SELECT unnest(string_to_array(current_query(), ' '))",
                    "SELECT a::text FROM pg_stat_activity a",
                    "SELECT f::text FROM pg_show_all_settings() f"):
            with self.subTest(sql=sql):
                told = session.connection.execute(sql).fetchall()
                self.assertNotIn(mac, str(told))

    def test_token_of_before_stays_hidden(self) -> None:
        session = self.session()
        session.arm("acme")
        globex = session.context("globex").token(self.bed.key)
        session.run("BEGIN")
        session.one("SELECT set_config('postern.ctx', %s, true)", globex)
        session.run("ROLLBACK")
        self.assertEqual(session.one("SHOW postern.ctx"), "postern_guard")
        session.run("BEGIN")
        session.run("SAVEPOINT a")
        session.run("SET LOCAL postern.ctx = ''")
        session.run("ROLLBACK TO a")
        self.assertEqual(session.one("SHOW postern.ctx"), "postern_guard")
        session.run("COMMIT")

    def test_expired_is_refused_when_set(self) -> None:
        session = self.session()
        token = session.context(seconds=-1).token(self.bed.key)
        self.assertEqual(session.state("SELECT set_config('postern.ctx', %s, false)", token),
                         EXPIRED)  # fmt: skip

    def test_who_sees_everybodys_activity_sees_it(self) -> None:
        admin = self.superuser()
        token = admin.context().token(self.bed.key)
        admin.one(ARM, token)
        self.assertEqual(admin.one("SHOW postern.ctx"), token)

    def test_messages_and_log_do_not_hold_it(self) -> None:
        session = self.session()
        token = session.context().token(self.bed.key)
        changed = token[:-1] + ("0" if token[-1] != "0" else "1")
        mark = self.bed.server.log.mark()
        with self.assertRaises(psycopg.Error) as caught:
            session.one("SELECT set_config('postern.ctx', %s, false)", changed)
        self.assertNotIn(changed[-60:], str(caught.exception))
        self.assertNotIn(changed[-60:], self.bed.server.log.since(mark))

    def test_functions_run_in_workers(self) -> None:
        session = self.session()
        for name, value in settings_for_workers().items():
            session.run(f"SET {name} = {value}")
        session.arm("globex")
        sql = "SELECT count(*) FROM orders WHERE tenant = postern.tenant() AND amount >= 0"
        plan = str(session.connection.execute(f"EXPLAIN (ANALYZE, VERBOSE) {sql}").fetchall())
        self.assertRegex(plan, r"Workers Launched: [1-9]")
        self.assertIn("Parallel", plan)
        self.assertEqual(session.one(sql), ROWS)
        # A worker gets the text from its leader; there it may not be read either.
        self.assertEqual(session.one("SELECT min(current_setting('postern.ctx') || left(note, 0))"
                                     " FROM orders"), "postern_guard")

    def test_workers_live_without_the_key_file(self) -> None:
        session = self.session()
        for name, value in settings_for_workers().items():
            session.run(f"SET {name} = {value}")
        session.arm("acme")
        self.bed.key_file.unlink()
        try:
            self.assertEqual(session.one("SELECT count(*) FROM orders"), ROWS)
        finally:
            self.bed.write_keys(self.bed.key)


class TestMutations(GuardTest):
    """Very many wrong texts in one backend: each an error, none a crash, none accepted."""

    native = True

    def mutated(self, token: str, chance: random.Random) -> str:
        text = list(token)
        for _ in range(chance.choice((1, 1, 1, 2, 3, 8, 40))):
            at = chance.randrange(len(text) + 1)
            match chance.randrange(5):
                case 0:
                    text[at:at + 1] = chance.choice(ALPHABET)
                case 1:
                    del text[at:at + chance.randrange(1, 40)]
                case 2:
                    text[at:at] = chance.choice(ALPHABET) * chance.randrange(1, 20)
                case 3:
                    text[at:at] = text[:chance.randrange(60)]
                case _:
                    text[at:at + 1] = "."
        return "".join(text)

    def resigned(self, session: Session, chance: random.Random) -> str:
        """Nonsense with a right MAC reaches what is behind the MAC's check."""
        context = session.context()
        fields = [getattr(context, name) for name in FIELDS]
        at = chance.choice([0, 1, 3, 4, 5, 6, 7, 8])
        fields[at] = self.mutated(fields[at] or "0", chance)
        return self.bed.key.sign(".".join(fields))

    def batches(self, session: Session, token: str) -> Iterator[list[str]]:
        chance = random.Random(20240815)
        done = 0
        while done < MUTATIONS:
            batch = []
            while len(batch) < BATCH:
                text = (self.resigned(session, chance) if len(batch) % 50 == 0
                        else self.mutated(token, chance))  # fmt: skip
                if text and text != token:
                    batch.append(text)
            done += len(batch)
            yield batch

    def test_mutations(self) -> None:
        session = self.session()
        admin = self.superuser()
        admin.run("""
            CREATE FUNCTION attempt(texts text[]) RETURNS text[] LANGUAGE plpgsql AS $$
            DECLARE t text; told text[] := '{}';
            BEGIN
              FOREACH t IN ARRAY texts LOOP
                BEGIN
                  PERFORM set_config('postern.ctx', t, false);
                  told := told || (t || '>' || coalesce(postern.tenant(), ''));
                  PERFORM set_config('postern.ctx', '', false);
                EXCEPTION WHEN SQLSTATE 'ZP002' OR SQLSTATE 'ZP003' THEN
                END;
              END LOOP;
              RETURN told;
            END $$""")
        token = session.arm()
        pid = session.one("SELECT pg_backend_pid()")
        accepted: list[str] = []
        tried = 0
        for batch in self.batches(session, token):
            session.run(DISARM)
            accepted += session.one("SELECT attempt(%s)", batch)  # type: ignore[arg-type]
            tried += len(batch)
        # A signed text with another tenant, subject or role in hex is a right one.
        forged = [one for one in accepted if not self.is_signed(one.rsplit(">", 1)[0])]
        self.assertEqual(forged, [])
        self.assertGreaterEqual(tried, MUTATIONS)
        session.run(DISARM)
        self.assertEqual(session.one(ARM, token), token)
        self.assertEqual(session.one("SELECT pg_backend_pid()"), pid)
        # A setting's texts come from malloc, which the server's own accounts do not show.
        status = Path(f"/proc/{pid}/status").read_text()
        resident = int(status.split("VmRSS:")[1].split()[0])
        self.assertLess(resident, 200 * 1024)
        print(f"{tried} texts tried, {len(accepted)} of them signed and right", flush=True)

    def is_signed(self, text: str) -> bool:
        return self.bed.key.sign(text.rsplit(".", 1)[0]) == text


class TestKeys(GuardTest):
    native = True

    def kids(self) -> str:
        return self.bed.server.scalar("SHOW postern_guard.kids")

    def reload_and_read(self) -> str:
        """What the log says of a reload."""
        mark = self.bed.server.log.mark()
        self.bed.reload()
        wait_until(lambda: "received SIGHUP" in self.bed.server.log.since(mark), "the reload")
        time.sleep(0.3)
        return self.bed.server.log.since(mark)

    def clear(self) -> None:
        path = self.bed.key_file
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)

    def tearDown(self) -> None:
        self.clear()
        self.bed.write_keys(self.bed.key)
        self.bed.reload()

    def test_reload_reaches_sessions(self) -> None:
        session = self.session()
        session.arm("acme")
        new = Key()
        self.bed.write_keys(new, self.bed.key)
        self.bed.reload()
        wait_until(lambda: self.kids() == f"{new.kid},{self.bed.key.kid}", "two keys")
        context = session.context("globex").to(kid=new.kid)
        self.assertEqual(session.try_token(context.token(new)), "globex")
        self.assertEqual(session.try_token(session.context().token(self.bed.key)), "acme")
        session.arm("acme")
        self.bed.write_keys(new)
        self.bed.reload()
        wait_until(lambda: self.kids() == new.kid, "one key")
        # What was verified stays until it expires; it is not verified again.
        self.assertEqual(session.one("SELECT postern.tenant()"), "acme")
        self.assertEqual(session.try_token(session.context().token(self.bed.key)), INVALID)
        self.assertEqual(session.try_token(context.token(new)), "globex")

    def test_bad_files_leave_the_keys(self) -> None:
        path, line = self.bed.key_file, self.bed.key.line

        def write(text: str, mode: int = 0o600) -> None:
            self.clear()
            self.bed.cluster.scratch.write(path, text, mode)

        def link() -> None:
            real = self.bed.cluster.scratch.write(path.with_suffix(".real"), line)
            path.unlink()
            path.symlink_to(real)

        def fifo() -> None:
            path.unlink()
            os.mkfifo(path, 0o600)
            self.bed.cluster.scratch.give(path)

        def folder() -> None:
            path.unlink()
            path.mkdir(0o700)
            self.bed.cluster.scratch.give(path)

        cases = [
            ("does not exist", path.unlink),
            ("may be read by others", lambda: write(line, 0o640)),
            ("may be read by others", lambda: write(line, 0o604)),
            ("holds no key", lambda: write("")),
            ("holds no key", lambda: write("# none\n\n")),
            ("not 64 hexadecimal digits", lambda: write("x" * 64 + "\n")),
            ("not 64 hexadecimal digits", lambda: write(line[:-2] + "\n")),
            ("not 64 hexadecimal digits", lambda: write(line + "0" * 65 + "\n")),
            ("holds more than 8 keys", lambda: write("".join(Key().line for _ in range(9)))),
            ("is longer than 4096 bytes", lambda: write("#" * 4096 + "\n")),
            ("cannot be opened", link),
            ("is not a regular file", fifo),
            ("is not a regular file", folder),
        ]
        if os.geteuid() == 0:
            cases.insert(3, ("cannot be opened", lambda: (write(line), os.chown(path, 0, 0))))
        for told, spoil in cases:
            with self.subTest(told=told):
                spoil()
                said = self.reload_and_read()
                self.assertIn(told, said)
                self.assertNotIn(line[:60], said)
                self.assertEqual(self.kids(), self.bed.key.kid)
                session = self.session()
                self.assertEqual(session.try_token(session.context().token(self.bed.key)), "acme")
                write(line)
        for good in (line.strip(), line.upper(), "\n\n# a\n" + line, line * 8):
            write(good)
            self.assertNotIn("invalid value", self.reload_and_read())

    def test_start_without_keys_is_closed(self) -> None:
        self.bed.key_file.unlink()
        self.bed.restart()
        try:
            self.assertEqual(self.kids(), "")
            session = self.session()
            self.assertEqual(session.try_token(session.context().token(self.bed.key)), INVALID)
            self.assertEqual(session.one("SELECT count(*) FROM orders"), 0)
            done = self.bed.policy("apply")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("postern_guard has no key", done.stderr + done.stdout)
        finally:
            self.bed.write_keys(self.bed.key)
            self.bed.restart()

    def test_settings_are_the_administrators(self) -> None:
        session = self.session()
        for sql in ("SET postern_guard.key_file = '/tmp/x'", "SET postern_guard.kids = 'x'",
                    "SET postern_guard.version = '2'", "SET postern_guard.other = 'x'",
                    "ALTER ROLE app SET postern_guard.key_file = 'x'",
                    "SHOW postern_guard.key_file", "SHOW postern_guard.kids",
                    "ALTER SYSTEM SET postern.ctx = 'x'"):
            with self.subTest(sql=sql):
                self.assertNotEqual(session.state(sql), "")
        self.assertNotEqual(self.superuser().state("ALTER SYSTEM SET postern.ctx = 'x'"), "")


class TestInstallation(GuardTest):
    native = True
    walled = False

    def form(self) -> str:
        return self.bed.server.scalar(FORM, "shop")

    def verify(self) -> tuple[int, str]:
        done = self.bed.policy("verify")
        return done.returncode, done.stdout

    def test_from_sql_to_c_and_back(self) -> None:
        """Every state a cluster passes through on its way, and what stands in it."""
        bed = self.bed
        with self.subTest("SQL form under the library"):
            bed.apply()
            self.assertEqual(self.form(), "plpgsql")
            self.assertEqual(self.verify()[0], 0)
            self.assertIn("guard: sql", self.verify()[1])
            session = self.session()
            session.arm("acme")
            self.assertEqual(session.one("SELECT count(*) FROM orders"), ROWS)
            self.assertEqual(session.one("SHOW postern.ctx"), "postern_guard")
        admin = self.superuser()
        with self.subTest("the extension changes nothing by itself"):
            admin.run("CREATE EXTENSION postern_guard")
            self.assertEqual(self.form(), "plpgsql")
            self.assertEqual(session.state("SELECT postern_guard.install()"), "42501")
            self.assertEqual(self.session("own").state("SELECT postern_guard.install()"), "42501")
        with self.subTest("apply exchanges the functions under armed sessions"):
            bed.apply()
            self.assertEqual(self.form(), "c")
            self.assertEqual(self.verify()[0], 0)
            self.assertIn("guard: extension 1.0", self.verify()[1])
            told = json.loads(bed.postern.cli(
                "policy", "verify", "-c", "postern.toml", "--database", "shop", "--dsn",
                bed.admin().public(), "--json", database=bed.admin()).stdout)  # fmt: skip
            self.assertEqual((told["guard"], told["stands"]), ("extension 1.0", True))
            self.assertEqual(session.one("SELECT count(*) FROM orders"), ROWS)
            owners = rows(bed.admin(), "SELECT DISTINCT pg_get_userbyid(proowner) FROM pg_proc"
                                       " WHERE pronamespace = 'postern'::regnamespace")
            self.assertEqual(owners, [("postern_owner",)])
        self.changed_functions()
        self.library_gone()
        with self.subTest("back"):
            psql(bed.admin(), "DROP EXTENSION postern_guard").checked()
            self.assertEqual(self.form(), "c")
            bed.apply()
            self.assertEqual(self.form(), "plpgsql")
            self.assertIn("guard: sql", self.verify()[1])

    def changed_functions(self) -> None:
        changes = (
            "ALTER FUNCTION postern.tenant() SECURITY DEFINER",
            "ALTER FUNCTION postern.has_role(text) LEAKPROOF",
            "ALTER FUNCTION postern.tenant() SET search_path = public",
            "CREATE OR REPLACE FUNCTION postern.tenant() RETURNS text LANGUAGE c STABLE PARALLEL"
            " SAFE AS '$libdir/postern_guard', 'postern_guard_subject'",
            "CREATE OR REPLACE FUNCTION postern.subject() RETURNS text LANGUAGE sql STABLE PARALLEL"
            " SAFE AS 'SELECT NULL::text'",
        )
        for sql in changes:
            with self.subTest(sql=sql):
                psql(self.bed.admin(), sql).checked()
                code, told = self.verify()
                self.assertEqual(code, 1, told)
                self.assertIn("postern.", told)
                self.bed.apply()
                self.assertEqual(self.verify()[0], 0)

    def library_gone(self) -> None:
        bed = self.bed
        bed.configure_server(loaded=False)
        bed.restart()
        bed.postern.configure(bed.toml)
        try:
            with self.subTest("the library is gone: closed, and verify says so"):
                session = self.session()
                session.run("SET postern.ctx = 'pctx1.1.1'")
                self.assertEqual(session.state("SELECT count(*) FROM orders"), "55000")
                self.assertNotEqual(session.state("LOAD 'postern_guard'"), "")
                code, told = self.verify()
                self.assertEqual(code, 1)
                self.assertIn("guard: extension (not loaded)", told)
                self.assertIn("the library is not loaded", told)
            with self.subTest("apply is refused whole"):
                done = bed.policy("apply")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("shared_preload_libraries", done.stderr + done.stdout)
                self.assertEqual(self.form(), "c")
        finally:
            bed.configure_server()
            bed.restart()
            bed.postern.configure(bed.toml)


class TestThroughPostern(GuardTest):
    native = True

    def test_two_tenants_share_a_connection(self) -> None:
        """Arming, release and re-arming in transaction pooling with one server connection."""
        bed = self.bed
        bed.postern.start(bed.toml)
        clients = {}
        for tenant in TENANTS:
            login = bed.postern.login(tenant, "secret", "shop", "client").to(sslmode="disable")
            clients[tenant] = connect(login)
            self.addCleanup(clients[tenant].close)
        for _ in range(20):
            for tenant, client in clients.items():
                row = client.execute("SELECT min(tenant), max(tenant), count(*) FROM orders")
                self.assertEqual(row.fetchone(), (tenant, tenant, ROWS))
        with self.assertRaises(psycopg.Error) as refused:
            clients["acme"].execute("SET postern.ctx = 'x'")
        self.assertIn("PST-1503", str(refused.exception))
        self.assertEqual(bed.postern.stop(), 0)
