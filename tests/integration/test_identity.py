"""Tenants chosen by SET and by comment: who may, when, and that nothing of another is seen."""

from __future__ import annotations

import psycopg

from identity_base import CHOOSER, COUNT, PLAIN, POOLED, IdentityTest, errors
from protected_base import DATABASE, OWN, VICTIM
from wire import SYNC, bind, execute, parse, query, session, shape


class ChoiceTest(IdentityTest):
    """One session after the other acts for two tenants."""

    def test_set_changes_the_tenant_between_statements(self) -> None:
        with self.open(self.dsn(CHOOSER)) as client:
            self.sees(client, None)
            for tenant in (OWN, VICTIM, OWN):
                client.execute(f"SET postern.tenant = '{tenant}'")
                self.sees(client, tenant)
                shown = client.execute("SHOW postern.tenant").fetchone()
                self.assertEqual(shown, (tenant,))
            self.fails(client, "SET postern.tenant = 'initech'", "42501")
            self.fails(client, "SET postern.tenant = 'no tenant'", "22023")
            self.sees(client, OWN)
            client.execute("RESET postern.tenant")
            self.sees(client, None)

    def test_discard_all_forgets_the_tenant(self) -> None:
        with self.open(self.dsn(CHOOSER)) as client:
            client.execute(f"SET postern.tenant = '{OWN}'")
            self.sees(client, OWN)
            client.execute("DISCARD ALL")
            self.sees(client, None)

    def test_a_prepared_statement_serves_both(self) -> None:
        with self.open(self.dsn(CHOOSER), prepare_threshold=0) as client:
            for tenant in (OWN, VICTIM, OWN, VICTIM):
                client.execute(f"SET postern.tenant = '{tenant}'")
                self.sees(client, tenant)
                email = client.execute("SELECT email, tenant_id FROM users LIMIT 1").fetchone()
                self.assertIsNotNone(email)
                self.assertEqual((email or ("", ""))[1], tenant)
                shown = client.execute("SHOW postern.tenant").fetchone()
                self.assertEqual(shown, (tenant,))

    def test_set_local_holds_for_its_transaction(self) -> None:
        with self.open(self.dsn(CHOOSER)) as client:
            client.execute(f"SET postern.tenant = '{OWN}'")
            client.execute("BEGIN")
            client.execute(f"SET LOCAL postern.tenant = '{VICTIM}'")
            self.sees(client, VICTIM)
            client.execute(f"SET LOCAL postern.tenant = '{VICTIM}'")
            self.fails(client, f"SET LOCAL postern.tenant = '{OWN}'", "25001")
            self.fails(client, COUNT, "25P02")
            client.execute("ROLLBACK")
            self.sees(client, OWN)

    def test_drivers_that_begin_by_themselves(self) -> None:
        with self.open(self.dsn(CHOOSER), autocommit=False) as client:
            client.execute(f"SET postern.tenant = '{OWN}'")
            self.sees(client, OWN)
            client.commit()
            self.sees(client, OWN)
            client.rollback()
            client.execute(f"SET postern.tenant = '{VICTIM}'")
            self.sees(client, VICTIM)
            client.rollback()
            self.sees(client, OWN)

    def test_a_comment_names_the_tenant_of_its_statement(self) -> None:
        with self.open(self.dsn(CHOOSER)) as client:
            for tenant in (OWN, VICTIM, OWN):
                row = client.execute(f"{COUNT} /*tenant='{tenant}'*/").fetchone()
                self.assertEqual((row or (0, "", ""))[1:], (tenant, tenant))
            self.sees(client, None)
            client.execute(f"BEGIN /*tenant='{OWN}'*/")
            self.sees(client, OWN)
            client.execute(f"{COUNT} /*tenant='{OWN}',route='x'*/")
            self.fails(client, f"{COUNT} /*tenant='{VICTIM}'*/", "25001")
            client.execute("ROLLBACK")
            self.fails(client, f"{COUNT} /*tenant='{OWN}'*/ /*tenant='{VICTIM}'*/", "22023")
            self.fails(client, f"{COUNT} /*tenant='initech'*/", "42501")
            self.sees(client, None)

    def test_who_is_not_trusted_chooses_at_startup_alone(self) -> None:
        options = f"-c postern.tenant={OWN}"
        with self.open(self.dsn(PLAIN), options=options) as client:
            self.sees(client, OWN)
            self.fails(client, f"SET postern.tenant = '{VICTIM}'", "42501")
            row = client.execute(f"{COUNT} /*tenant='{VICTIM}'*/").fetchone()
            self.assertEqual((row or (0, "", ""))[1:], (OWN, OWN))
        self.assertIn("may not name", self.refusal(
            self.dsn(PLAIN), options=f"{options} -c postern.subject=eve"))  # fmt: skip

    def test_texts_of_several_statements(self) -> None:
        with session(self.dsn(CHOOSER)) as wire:
            text = f"BEGIN; SET LOCAL postern.tenant = '{OWN}'; {COUNT}; COMMIT"
            answers = wire.ask(query(text))
            self.assertEqual(shape(answers), "CCTDCCZ")
            row = next(m for m in answers if m.type == "D").values()
            self.assertEqual(row[1:], [OWN.encode()] * 2)
            self.assertEqual(errors(wire.ask(query(f"{text}; {COUNT}"))), ["0A000"])
            late = f"BEGIN; {COUNT}; SET LOCAL postern.tenant = '{OWN}'"
            self.assertEqual(errors(wire.ask(query(late))), ["25001"])
            nothing = next(m for m in wire.ask(query(COUNT)) if m.type == "D").values()
            self.assertEqual(nothing, [b"0", None, None])

    def test_batches(self) -> None:
        def run(sql: str) -> bytes:
            return parse(sql) + bind() + execute()

        with session(self.dsn(CHOOSER)) as wire:
            chosen = run("BEGIN") + run(f"SET LOCAL postern.tenant = '{OWN}'") + run(COUNT)
            answers = wire.ask(chosen, SYNC)
            self.assertEqual(shape(answers), "12C12C12DCZ")
            row = next(m for m in answers if m.type == "D").values()
            self.assertEqual(row[1:], [OWN.encode()] * 2)
            self.assertEqual(errors(wire.ask(run(f"{COUNT} /*tenant='{VICTIM}'*/"), SYNC)),
                             ["25001"])  # fmt: skip
            wire.ask(run("ROLLBACK"), SYNC)
            commented = wire.ask(run(f"{COUNT} /*tenant='{VICTIM}'*/"), SYNC)
            row = next(m for m in commented if m.type == "D").values()
            self.assertEqual(row[1:], [VICTIM.encode()] * 2)
            both = [run(f"{COUNT} /*tenant='{tenant}'*/") for tenant in (OWN, VICTIM)]
            two = wire.ask(*both, SYNC)
            self.assertEqual(errors(two), ["22023"])
            self.assertNotIn("D", shape(two))
            behind = wire.ask(chosen, run("COMMIT"), run(COUNT), SYNC)
            self.assertEqual(errors(behind), ["0A000"])

    def test_what_the_session_holds_bars_the_change(self) -> None:
        with self.open(self.dsn(CHOOSER)) as client:
            client.execute(f"SET postern.tenant = '{OWN}'")
            client.execute("BEGIN")
            client.execute("DECLARE c CURSOR WITH HOLD FOR SELECT tenant_id FROM evaluations")
            client.execute("COMMIT")
            client.execute(f"SET postern.tenant = '{VICTIM}'")
            with self.assertRaisesRegex(psycopg.OperationalError, "PST-2465"):
                client.execute("FETCH 1 FROM c")
            self.assertTrue(client.closed)

    def test_under_transaction_pooling(self) -> None:
        dsn = self.dsn(CHOOSER, POOLED)
        with self.open(dsn) as one, self.open(dsn) as two:
            for _ in range(3):
                one.execute(f"SET postern.tenant = '{OWN}'")
                two.execute(f"SET postern.tenant = '{VICTIM}'")
                self.sees(one, OWN)
                self.sees(two, VICTIM)
                one.execute("BEGIN")
                one.execute(f"SET LOCAL postern.tenant = '{VICTIM}'")
                self.sees(one, VICTIM)
                self.sees(two, VICTIM)
                one.execute("COMMIT")
                self.sees(one, OWN)
                row = two.execute(f"{COUNT} /*tenant='{OWN}'*/").fetchone()
                self.assertEqual((row or (0, "", ""))[1:], (OWN, OWN))
            one.execute("SET timezone = 'Asia/Tokyo'")
            one.execute(f"SET postern.tenant = '{VICTIM}'")
            self.sees(one, VICTIM)
            self.assertEqual(one.execute("SHOW timezone").fetchone(), ("Asia/Tokyo",))

    def test_subject_and_purpose_reach_the_wall_and_the_access_log(self) -> None:
        with self.open(self.dsn(CHOOSER)) as client:
            client.execute(f"SET postern.tenant = '{OWN}'")
            client.execute("SET postern.subject = 'ann@example.org'")
            client.execute("SET postern.purpose = 'ticket 4711'")
            self.sees(client, OWN)
            client.execute(f"{COUNT} /*subject='bob%40example.org'*/")
            self.fails(client, f"SET postern.subject = '{'x' * 256}'", "22023")
        self.postern.stop()
        logged = self.audit_lines()
        self.postern.start(self.toml)
        for said in ("ann@example.org", "bob@example.org", "ticket 4711"):
            self.assertIn(said, logged)

    def test_writes_go_to_the_tenant_chosen(self) -> None:
        with self.open(self.dsn(CHOOSER)) as client:
            insert = "INSERT INTO usage_counters VALUES (%s, '1999-01-0{}', 1)"
            client.execute(f"SET postern.tenant = '{OWN}'")
            client.execute(insert.format(1), (OWN,))  # type: ignore[arg-type]
            with self.assertRaises(psycopg.errors.InsufficientPrivilege):
                client.execute(insert.format(2), (VICTIM,))  # type: ignore[arg-type]
            client.execute(f"SET postern.tenant = '{VICTIM}'")
            client.execute(insert.format(2), (VICTIM,))  # type: ignore[arg-type]
            gone = client.execute("DELETE FROM usage_counters WHERE day < '2000-01-01'"
                                  " RETURNING tenant_id").fetchall()  # fmt: skip
            self.assertEqual(gone, [(VICTIM,)])

    def test_the_console_and_other_databases_are_as_before(self) -> None:
        with self.open(self.dsn(CHOOSER), dbname=DATABASE) as client:
            self.fails(client, "SHOW postern.ctx", "42501")
            self.fails(client, "SET postern.ctx = 'x'", "42501")
            self.fails(client, "SELECT set_config('postern.tenant', 'acme', false)", "42501")
