"""Two thousand invented people, the same on every run, written through Postern by tenant."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

from clients import Client

BATCH_ROWS = 70
FIRST_NAMES = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "Ken")
LAST_NAMES = ("Okafor", "Lindqvist", "Moreau", "Tanaka", "Novak", "Castellanos", "Nakamura")

# The person that is looked for everywhere. She works for acme and for globex.
CANARY_ID = 7
CANARY_NAME = "Zerlina Quixotebury"
CANARY_EMAIL = "zerlina@quixotebury.example"
CANARY_NATIONAL_ID = "QX-4711-0815"
CANARY_BIRTH_DATE = datetime.date(1971, 3, 9)
# Not protected, hence to be found: the proof that the search for the others would find them.
CANARY_PHONE = "+49 30 7777 4242 01"

COLUMNS = ("tenant_id", "user_id", "email", "full_name", "phone", "national_id", "birth_date")


@dataclass(frozen=True)
class Person:
    """A row of users, in the order of COLUMNS."""

    tenant_id: str
    user_id: int
    email: str
    full_name: str
    phone: str
    national_id: str
    birth_date: datetime.date


def people_of(tenant: str, number: int) -> list[Person]:
    """The people of the tenant that stands at `number`, counted from 1."""
    size = {1: 140, 2: 100}.get(number, 80)
    return [_person(tenant, number, user) for user in range(1, size + 1)]


def _person(tenant: str, number: int, user: int) -> Person:
    if user == CANARY_ID and number <= 2:
        return Person(
            tenant, user, CANARY_EMAIL, CANARY_NAME, CANARY_PHONE, CANARY_NATIONAL_ID,
            CANARY_BIRTH_DATE,
        )  # fmt: skip
    first = FIRST_NAMES[(user + number) % len(FIRST_NAMES)]
    last = LAST_NAMES[(user * 3 + number) % len(LAST_NAMES)]
    born = datetime.date(1950, 1, 1) + datetime.timedelta(days=(user * 367 + number * 101) % 18000)
    return Person(
        tenant, user, f"user{user}@{tenant}.example", f"{first} {last}",
        f"+49 30 {1000000 + user * 997 + number}", f"{100000000 + number * 1000000 + user}", born,
    )  # fmt: skip


def _batches(people: Sequence[Person]) -> Iterator[Sequence[Person]]:
    for start in range(0, len(people), BATCH_ROWS):
        yield people[start : start + BATCH_ROWS]


def insert(client: Client, people: Sequence[Person]) -> None:
    """Multi-row INSERTs with bound parameters, as an application writes them."""
    row = "(" + ", ".join(["%s"] * len(COLUMNS)) + ")"
    for batch in _batches(people):
        sql = f"INSERT INTO users ({', '.join(COLUMNS)}) VALUES " + ", ".join([row] * len(batch))
        client.run(sql, [value for person in batch for value in astuple(person)]).checked()
