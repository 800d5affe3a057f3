"""Where an item is played: sessions by login, the bytes they heard, the victim watched."""

from __future__ import annotations

import data
from items import CALL, DENIALS, PREPARE, REFUSED, Step, judge
from speak import Answer, Ear, ask_bound, ask_sql, open_session
from world import World

SHOWN = 110
# What the wall says of a context that is none of this connection's.
CONTEXT_CODES = frozenset({"ZP002", "ZP003"})


class Stage:
    """One play of steps on one database. Sessions are opened when a step needs them."""

    def __init__(self, world: World, database: str, number: int) -> None:
        self.world = world
        self.database = database
        self.number = number
        self.linted = False  # lint named what is spoilt here
        self._sessions: dict[str, Ear] = {}
        self._attackers: list[Ear] = []

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        for ear in self._sessions.values():
            ear.close()
        self._sessions.clear()

    def session(self, login: str) -> Ear | Answer:
        """The session of a login, or the answer that refused it."""
        if login not in self._sessions:
            ear, answer = open_session(self.world.login(login, self.database))
            self.keep(login, ear)
            if answer.closed:
                ear.close()
                return answer
            self._sessions[login] = ear
        return self._sessions[login]

    def keep(self, login: str, ear: Ear) -> Ear:
        """A session whose bytes are searched; the victim's own and an administrator's are not."""
        if login not in ("t2", "postgres", "bak"):
            self._attackers.append(ear)
        return ear

    def leave(self, login: str) -> None:
        """Ends the session of a login."""
        ear = self._sessions.pop(login, None)
        if ear is not None:
            ear.close()

    def say(self, sql: str, login: str = "t1", copy: bytes = b"") -> Answer:
        talks = self.session(login)
        return talks if isinstance(talks, Answer) else self._heard(login, ask_sql(talks, sql, copy))

    def say_bound(self, sql: str, values: tuple[str | None, ...], login: str = "t1") -> Answer:
        talks = self.session(login)
        if isinstance(talks, Answer):
            return talks
        return self._heard(login, ask_bound(talks, sql, values))

    def _heard(self, login: str, answer: Answer) -> Answer:
        if answer.closed:
            self.leave(login)
        return answer

    def play(self, steps: tuple[Step, ...]) -> list[str]:
        """Everything that is wrong, with the step it was seen at."""
        wrong: list[str] = []
        for step in steps:
            said = self._play_one(step)
            if said:
                wrong.append(f"{step.sql[:SHOWN]!r} {said}")
                if step.expect not in (REFUSED, PREPARE):
                    break  # what follows would only repeat it
        return wrong

    def _play_one(self, step: Step) -> str:
        if step.expect == CALL:
            assert step.check is not None
            return step.check(self)
        if step.values is not None:
            answer = self.say_bound(step.sql, step.values, step.login)
        else:
            answer = self.say(step.sql, step.login, step.copy)
        return judge(step, answer)

    def lint(self, name: str) -> str:
        return self.lint_elsewhere(self.database, name)

    def lint_elsewhere(self, database: str, name: str) -> str:
        """`postern policy lint` of a database names an object in a finding."""
        done = self.world.policy("lint", database)
        self.linted = self.linted or (done.returncode == 1 and name in done.stdout)
        if done.returncode != 1:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            return f"lint ended with {done.returncode}: {said[-1] if said else 'silent'}"
        return "" if name in done.stdout else f"lint does not name {name}"

    def past_postern(
        self, sql: str, role: str = "app", codes: frozenset[str] = CONTEXT_CODES
    ) -> str:
        """With the pool's own password, past Postern, there are no rows at all.

        The login has to succeed, and what is asked has to be answered: by no row, a count of zero,
        or an error that `codes` names.
        """
        ear, login = open_session(self.world.stolen(self.database, role))
        self._attackers.append(ear)
        told = login if login.closed else ask_sql(ear, sql)
        ear.close()
        if login.closed or told.closed:
            return f"past Postern {role} was not answered: {told.told()}"
        strange = [code for code in told.errors() if code not in codes]
        if strange:
            return f"past Postern {sql!r} failed otherwise: {told.told()}"
        if told.rows() in ([], [("0",)]):
            return ""
        return f"LEAK: past Postern {sql!r} gave {told.rows()[:3]}"

    def canaries(self) -> list[str]:
        """Values of the victim among all that the attackers of this play were sent."""
        found: set[str] = set()
        for ear in self._attackers:
            self.world.heard += len(ear.heard)
            found.update(data.find_canaries(bytes(ear.heard)))
        return sorted(found)


def refusal(answer: Answer, codes: frozenset[str] = DENIALS) -> str:
    """For functions of items: what is wrong where a refusal is due."""
    if answer.rows():
        return f"gave {len(answer.rows())} rows"
    errors = answer.errors()
    if not errors and not answer.closed:
        return "was not refused"
    return "" if all(code in codes for code in errors) else f"was answered with {answer.told()}"
