"""pii-encryption: the application reads names, the database holds containers."""

from __future__ import annotations

import datetime
from pathlib import Path

import people
from capability import Capability
from clients import Client, expect
from psql_client import psql, rows, scalar
from raw_files import files_containing
from settings import PII_COLUMNS

TEXT_OID, DATE_OID = 25, 1082
TWIN_NAME = "Kim Lee"


class PiiEncryption(Capability):
    name = "pii-encryption"
    title = "PII encryption: plaintext for the application, containers for PostgreSQL"
    step = "pii"

    def show(self) -> None:
        self.say.explain("An application fills users: INSERT with bound parameters, by tenant.")
        self._written = self.stage.load_people()
        self.say.note(f"{self._written} users of {len(self.stage.tenants)} tenants")
        with self.stage.client(self.stage.login("acme", self.step)) as client:
            self._same_cell_twice(client)
            self._search(client)
            self._constraints(client)
            self._all_come_back(client)

    def _same_cell_twice(self, client: Client) -> None:
        self.say.explain("One row of users, through Postern:")
        sql = "SELECT email, full_name, national_id, birth_date FROM users WHERE user_id = %s"
        answer = client.run(sql, (people.CANARY_ID,))
        self.say.said(answer)
        expected = (people.CANARY_EMAIL, people.CANARY_NAME, people.CANARY_NATIONAL_ID,
                    people.CANARY_BIRTH_DATE)  # fmt: skip
        expect(answer.checked().rows == (expected,), "the row does not come back as it was written")
        types = (TEXT_OID, TEXT_OID, TEXT_OID, DATE_OID)
        expect(answer.type_oids == types, f"the columns are described as {answer.type_oids}")
        binary = client.run(sql, (people.CANARY_ID,), binary=True)
        expect(binary.checked().rows == (expected,), "binary results differ from text results")
        self.say.explain("The same row, psql directly on the primary:")
        cells = ", ".join(f"left({c.name}::text, 22) || '…' AS {c.name}" for c in PII_COLUMNS)
        mine = f"WHERE tenant_id = 'acme' AND user_id = {people.CANARY_ID}"
        raw = psql(self.stage.direct(), f"SELECT {cells} FROM users {mine}").checked()
        self.say.command("psql (direct) -c 'SELECT email, full_name, … FROM users …'", raw.stdout)

    def _search(self, client: Client) -> None:
        self.say.explain("Equality on a deterministic column: a literal, a parameter, a list.")
        literal = client.run(
            f"SELECT user_id, full_name FROM users WHERE email = '{people.CANARY_EMAIL}'"
        )
        bound = client.run(
            "SELECT user_id, full_name FROM users WHERE email = %s", (people.CANARY_EMAIL,)
        )
        listed = client.run(
            "SELECT user_id, full_name FROM users WHERE email IN (%s, %s)",
            (people.CANARY_EMAIL, "nobody@nowhere.example"),
        )
        for answer in (literal, bound, listed):
            self.say.said(answer)
            found = answer.checked().rows
            expect(found == ((people.CANARY_ID, people.CANARY_NAME),), f"found {len(found)} rows")

    def _constraints(self, client: Client) -> None:
        self.say.explain("UNIQUE (tenant_id, national_id) still holds, on ciphertext:")
        columns = "tenant_id, user_id, email, full_name, national_id, birth_date"
        insert = f"INSERT INTO users ({columns}) VALUES ('acme', %s, %s, %s, %s, %s)"
        born = datetime.date(2000, 2, 29)
        double = client.run(
            insert, (9001, "double@acme.example", "Double", people.CANARY_NATIONAL_ID, born)
        )
        self.say.said(double)
        expect(double.error is not None and double.error.sqlstate == "23505", "no 23505")
        told = double.error.message if double.error else ""
        expect(people.CANARY_NATIONAL_ID not in told, "the error repeats the protected value")
        self.say.explain("Two people of one name, and a change of address:")
        for user in (9002, 9003):
            values = (user, f"kim{user}@acme.example", TWIN_NAME, f"KIM-{user}", born)
            client.run(insert, values).checked()
        changed = client.run("UPDATE users SET email = %s WHERE email = %s",
                             ("kim.lee@acme.example", "kim9003@acme.example"))  # fmt: skip
        self.say.said(changed)
        expect(changed.checked().tag == "UPDATE 1", f"the update says {changed.tag}")

    def _all_come_back(self, client: Client) -> None:
        sql = "SELECT user_id, email, full_name, national_id, birth_date FROM users"
        answer = client.run(f"{sql} WHERE user_id < 9000 ORDER BY user_id").checked()
        written = tuple(
            (p.user_id, p.email, p.full_name, p.national_id, p.birth_date)
            for p in people.people_of("acme", 1)
        )
        expect(answer.rows == written, "acme's users do not come back as they were written")
        self.say.note(f"all {len(written)} users of acme come back exactly as they were written")

    def assert_from_other_side(self) -> None:
        self._every_cell_is_a_container()
        self._equal_and_unequal()
        self._database_refuses_plaintext()
        self._canaries_are_nowhere()

    def _every_cell_is_a_container(self) -> None:
        direct = self.stage.direct()
        total = int(scalar(direct, "SELECT count(*) FROM users"))
        expect(total >= self._written, f"{total} users of {self._written} are there")
        for column in PII_COLUMNS:
            sealed = rows(
                direct,
                f"SELECT count(*) FROM users WHERE {column.name} IS NOT NULL"
                f" AND left({column.name}::text, 8) = '\\xf55001'"
                f" AND octet_length({column.name}::text) >= 2 + 2 * 48",
            )[0][0]
            expect(int(sealed) == total, f"{column.name}: {sealed} of {total} cells are containers")
        self.say.asserted(f"psql on the primary: all {4 * total} cells begin with F5 50 01")

    def _equal_and_unequal(self) -> None:
        direct = self.stage.direct()
        both = f"FROM users WHERE user_id = {people.CANARY_ID} AND tenant_id IN ('acme', 'globex')"
        expect(scalar(direct, f"SELECT count(DISTINCT email::text) {both}") == "2",
               "two tenants store the same e-mail as the same bytes")  # fmt: skip
        twins = "SELECT count(DISTINCT full_name::text) FROM users WHERE user_id IN (9002, 9003)"
        expect(scalar(direct, twins) == "2", "a randomized column shows who has the same name")
        self.say.asserted("one person in two tenants, two people of one name: different bytes")

    def _database_refuses_plaintext(self) -> None:
        for column in PII_COLUMNS:
            result = psql(
                self.stage.direct(),
                f"UPDATE users SET {column.name} = 'in clear'"
                f" WHERE tenant_id = 'acme' AND user_id = 9002",
            )
            expect(result.rc != 0 and "pe1" in result.stderr,
                   f"the database lets plaintext into {column.name}")  # fmt: skip
        self.say.asserted("psql as superuser cannot even write plaintext: the domain refuses it")

    def _canaries_are_nowhere(self) -> None:
        stage = self.stage
        psql(stage.direct(), "CHECKPOINT").checked()
        stage.cluster.replica.wait_for_replay_of(stage.cluster.primary)
        psql(stage.direct_replica(), "CHECKPOINT").checked()
        places = self._places()
        phone = files_containing(places, people.CANARY_PHONE)
        expect(any("primary" in str(path) for path in phone), "the search finds nothing at all")
        for canary in (people.CANARY_NAME, people.CANARY_EMAIL, people.CANARY_NATIONAL_ID):
            found = files_containing(places, canary)
            expect(not found, f"plaintext in {found[0] if found else ''}")
        self.say.asserted(
            "raw bytes of heap, WAL, server logs, replica, Postern's log and audit trail: "
            "no name, no e-mail, no national id (the unprotected phone number is found)"
        )

    def _places(self) -> list[Path]:
        cluster = self.stage.cluster
        logs = [cluster.primary.log.path, cluster.replica.log.path, self.stage.postern.log.path]
        return [cluster.primary.data, cluster.replica.data, self.stage.postern.folder, *logs]
