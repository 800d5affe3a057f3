"""What the parts found: a table per part, a count at the end, and the closed list of reasons."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REASONS_FILE = Path(__file__).resolve().parent / "reasons.toml"
# Why something may differ at all. Everything else is a defect.
REASONS = {
    "temp-object": "temporary tables live on one server connection",
    "session-setting": "a setting outlives its transaction, on one server connection",
    "session-state": "prepared statements, cursors or locks of a session",
    "sequence-value": "currval() and lastval() belong to one server connection",
    "backend-identity": "the process or the age of the server connection shows",
    "pool-age": "a pooled server connection keeps the defaults of the time of its start",
    "statistics": "counters show whose statements ran on which connection",
    "login-text": "Postern refuses a login itself, in words of its own",
    "replanned": "an outdated plan is made anew where a server reports it",
    "stricter": "Postern ends a session that breaks the protocol where the server reports it",
}


# Ends an entry of what differs only on some of the connections that a session may be handed.
AT_TIMES = " at times"


class ReasonError(RuntimeError):
    """The list of reasons is not well-formed."""


def load_reasons(pool_mode: str, path: Path = REASONS_FILE) -> dict[str, dict[str, str]]:
    """By part: what may differ in this pool mode, and why."""
    parts = tomllib.loads(path.read_text()).get(pool_mode, {})
    for part, entries in parts.items():
        for name, reason in entries.items():
            if reason.removesuffix(AT_TIMES) not in REASONS:
                raise ReasonError(f"{part}, {name}: there is no reason {reason!r}")
    return parts


@dataclass
class _Part:
    equal: int = 0
    explained: list[tuple[str, str]] = field(default_factory=list)
    lines: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)


class Report:
    """Collects what one pool mode shows; `show` prints the table of a part."""

    def __init__(self, reasons: Mapping[str, Mapping[str, str]]) -> None:
        self._reasons = reasons
        self._parts: dict[str, _Part] = {}
        self.passed = 0
        self.failed = 0

    def _part(self, part: str) -> _Part:
        return self._parts.setdefault(part, _Part())

    def _count(self, good: bool) -> None:
        self.passed += good
        self.failed += not good

    def compared(self, part: str, name: str, difference: str) -> None:
        """One thing that was compared; `difference` is empty where it is equal."""
        table = self._part(part)
        table.seen.add(name)
        entry = self._reasons.get(part, {}).get(name, "")
        reason = entry.removesuffix(AT_TIMES)
        if reason != entry and not difference:
            reason = ""
        if difference and reason:
            table.explained.append((name, reason))
        elif difference:
            table.lines.append((name, "DIFFERS", difference))
        elif reason:
            table.lines.append((name, "LISTED", f"as {reason}, but does not differ"))
        else:
            table.equal += 1
        self._count(bool(difference) == bool(reason))

    def row(self, part: str, name: str, good: bool, detail: str) -> None:
        """One thing that holds or not."""
        self._part(part).lines.append((name, "ok" if good else "FAIL", detail))
        self._count(good)

    def note(self, part: str, text: str) -> None:
        self._part(part).notes.append(text)

    def show(self, part: str, *, complete: bool = True) -> None:
        """Prints the part's table. `complete`: all that is listed must have been compared."""
        table = self._part(part)
        for name in sorted(set(self._reasons.get(part, {})) - table.seen) if complete else ():
            self.row(part, name, False, "is listed, but was not compared")
        total = table.equal + len(table.explained)
        total += sum(kind in ("DIFFERS", "LISTED") for _, kind, _ in table.lines)
        print(f"\n== {part} ==")
        for text in table.notes:
            print(f"  {text}")
        if total:
            print(f"  compared {total}, equal {table.equal}, differ for a listed reason"
                  f" {len(table.explained)}")  # fmt: skip
        width = max([len(name) for name, *_ in table.lines + table.explained] or [0])
        for name, reason in table.explained:
            print(f"  {name:<{width}}  {reason}: {REASONS[reason]}")
        for name, kind, detail in table.lines:
            print(f"  {name:<{width}}  {kind}  {detail}".rstrip())
        sys.stdout.flush()


def finish(reports: Sequence[Report]) -> int:
    """The count over all, as the last line; the exit code."""
    passed = sum(report.passed for report in reports)
    failed = sum(report.failed for report in reports)
    print(f"\n{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1
