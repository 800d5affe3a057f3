"""Random scripts from a seed: well-formed messages, legal and where they do not belong."""

from __future__ import annotations

import random
from collections.abc import Callable

from byte_cases import COPY_DONE, COPY_IN, ITEMS, call, close, copy_data, copy_fail, formatted
from byte_replay import Case
from wire import FLUSH, SYNC, bind, describe, execute, parse, query

MESSAGES = (3, 40)
NAMES = ("", "", "a", "b")
# Deterministic, and the same whatever ran before in another session.
TEXTS = (
    "SELECT 1", "SELECT 'text', NULL", ITEMS, "SELECT n FROM generate_series(1, 30) n",
    "SELECT $1::int", "SELECT $1::text, $2::int", "SELECT 1/0", "SELECT nothing", "SELEC", "",
    "BEGIN", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s", "RELEASE s",
    "INSERT INTO copied VALUES (1, 'r')", "DELETE FROM copied", "SELECT count(*) FROM copied",
    "SELECT noisy(7)", "SET TimeZone = 'Asia/Tokyo'", "SET LOCAL DateStyle = 'SQL'", "RESET ALL",
    "SHOW TimeZone", "LISTEN talk", "NOTIFY talk, 'x'", "UNLISTEN *", "DEALLOCATE ALL",
    "DEALLOCATE a", "PREPARE b AS SELECT 2", "EXECUTE b", "DISCARD ALL", "DISCARD PLANS",
    "DECLARE b CURSOR FOR SELECT n FROM generate_series(1,9) n", "FETCH 2 FROM b", "CLOSE b",
    "CREATE TEMP TABLE IF NOT EXISTS mine (n int)", "INSERT INTO mine VALUES (1)",
    "SELECT * FROM mine", "COPY items TO STDOUT", "EXPLAIN (COSTS off) SELECT * FROM items",
    "SET client_min_messages = error", "SELECT 'low'::mood", "VALUES (1), (2)",
    "UPDATE items SET price = price WHERE id = 1 RETURNING name",
)  # fmt: skip
SEVERAL = (
    "SELECT 1; SELECT 2", "SELECT 1; SELECT nothing; SELECT 3", "BEGIN; SELECT 1",
    "COMMIT; SELECT 2", "SELECT 1; BEGIN; SELECT 1/0; COMMIT", "; ;",
)  # fmt: skip
COPY_ROWS = (b"1\ta\n", b"2\tb\n3\tc\n", b"x\ty\n", b"", b"4\thalf", b" row\n", b"\\.\n")


class Generator:
    """One script after the other; the seed decides all."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rng = random.Random(seed)
        self._makers: list[tuple[int, Callable[[], bytes]]] = [
            (10, self._query), (12, self._parse), (14, self._bind), (8, self._describe),
            (16, self._execute), (3, self._close), (14, lambda: SYNC), (4, lambda: FLUSH),
            (5, self._copy), (2, self._copy_message), (2, self._call), (8, self._group),
        ]  # fmt: skip

    def case(self) -> Case:
        weights = [weight for weight, _ in self._makers]
        makers = [maker for _, maker in self._makers]
        count = self._rng.randint(*MESSAGES)
        chosen = self._rng.choices(makers, weights, k=count)
        return Case(f"seed {self._seed}", (b"".join(maker() for maker in chosen),))

    def _name(self) -> str:
        return self._rng.choice(NAMES)

    def _text(self) -> str:
        return self._rng.choice(TEXTS)

    def _query(self) -> bytes:
        texts = TEXTS if self._rng.random() < 0.8 else SEVERAL
        return query(self._rng.choice([text for text in texts if "$1" not in text]))

    def _parse(self) -> bytes:
        oids = self._rng.choice(((), (), (23,), (25, 0), (0,)))
        return parse(self._text(), self._name(), oids)

    def _bind(self) -> bytes:
        values = self._rng.choice(((), (), (b"5",), (None,), (b"t", b"9"), (b"not a number",)))
        if self._rng.random() < 0.15:
            forms = self._rng.choice(([], [0], [1], [0, 1]))
            return formatted([b"\0\0\0\7"], forms, self._rng.choice(([], [1], [0, 1])))
        return bind(*values, portal=self._name(), statement=self._name())

    def _describe(self) -> bytes:
        return describe(self._rng.choice("SP"), self._name())

    def _execute(self) -> bytes:
        return execute(self._name(), self._rng.choice((0, 0, 0, 1, 2, 50)))

    def _close(self) -> bytes:
        return close(self._rng.choice("SP"), self._name())

    def _group(self) -> bytes:
        name = self._name()
        return (parse(self._text()) + bind(portal=name) + describe("P", name) + execute(name)
                + (SYNC if self._rng.random() < 0.7 else b""))  # fmt: skip

    def _copy(self) -> bytes:
        rows = [copy_data(self._rng.choice(COPY_ROWS)) for _ in range(self._rng.randint(0, 5))]
        # Sync behind data stays away: a server that failed the COPY meanwhile answers it, one that
        # did not ignores it, and nobody in between can know which (docs/limits.md).
        if self._rng.random() < 0.3:
            rows.insert(*self._rng.choice(((0, SYNC), (self._rng.randint(0, len(rows)), FLUSH))))
        end = self._rng.choice((COPY_DONE, COPY_DONE, copy_fail()))
        if self._rng.random() < 0.6:
            return query(COPY_IN) + b"".join(rows) + end
        begin = self._rng.choice((SYNC, FLUSH))
        return parse(COPY_IN) + bind() + execute() + begin + b"".join(rows) + end + SYNC

    def _copy_message(self) -> bytes:
        return self._rng.choice((copy_data(b"7\tlost\n"), COPY_DONE, copy_fail()))

    def _call(self) -> bytes:
        return self._rng.choice((call(177, b"1", b"2"), call(177, b"x", b"2"), call(999999)))
