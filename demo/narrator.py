"""What the audience sees: numbered headings, the real SQL, the real answer."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence

from clients import Answer

MAX_ROWS = 6
MAX_CELL = 46
WIDTH = 110

_STYLES = {"heading": "1;36", "sql": "33", "proof": "32", "bad": "1;31", "dim": "2"}


class Narrator:
    """Prints to standard output, in colour only on a terminal."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty()
        self._number = 0

    def _styled(self, text: str, style: str) -> str:
        return f"\033[{_STYLES[style]}m{text}\033[0m" if self._colour else text

    def _line(self, text: str = "") -> None:
        print(text, flush=True)

    def heading(self, title: str) -> None:
        self._number += 1
        self._line()
        self._line(self._styled(f"{self._number}. {title}", "heading"))

    def explain(self, text: str) -> None:
        """A short explanation before a step."""
        self._line()
        self._line(f"   {text}")

    def note(self, text: str) -> None:
        self._line(f"     {text}")

    def said(self, answer: Answer) -> None:
        """A statement with who sent it, and what came back."""
        for line in textwrap.wrap(
            f"{answer.login}> {answer.sql}", WIDTH, initial_indent=" " * 5,
            subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False,
        ):  # fmt: skip
            self._line(self._styled(line, "sql"))
        for line in _render(answer):
            self._line("       " + line)

    def command(self, command: str, output: str, lines: int = MAX_ROWS) -> None:
        """A command line of a tool and the first lines it printed."""
        self._line("     " + self._styled(f"$ {command}", "sql"))
        printed = output.rstrip().splitlines()
        for line in printed[:lines]:
            self._line("       " + line[:WIDTH])
        if len(printed) > lines:
            self._line(self._styled(f"       … {len(printed) - lines} more lines", "dim"))

    def asserted(self, text: str) -> None:
        self._line(self._styled(f"   => asserted from the other side: {text}", "proof"))

    def failed(self, name: str, reason: str) -> None:
        self._line(self._styled(f"   !! {name}: {reason}", "bad"))

    def plain(self, text: str = "") -> None:
        self._line(text)


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    text = "\\x" + value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def _render(answer: Answer) -> list[str]:
    took = f"({answer.milliseconds:.1f} ms)"
    if answer.error is not None:
        hint = [f"HINT: {answer.error.hint}"] if answer.error.hint else []
        return [f"ERROR {answer.error.sqlstate}: {answer.error.message} {took}", *hint]
    if not answer.columns:
        return [f"{answer.tag} {took}"]
    shown = [[_cell(value) for value in row] for row in answer.rows[:MAX_ROWS]]
    lines = _table(answer.columns, shown)
    if len(answer.rows) > MAX_ROWS:
        lines.append(f"… {len(answer.rows) - MAX_ROWS} more rows")
    count = "1 row" if len(answer.rows) == 1 else f"{len(answer.rows)} rows"
    return [*lines, f"({count}, {answer.milliseconds:.1f} ms)"]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [
        max(len(columns[i]), *(len(row[i]) for row in rows)) if rows else len(columns[i])
        for i in range(len(columns))
    ]
    head = " | ".join(name.ljust(width) for name, width in zip(columns, widths))
    rule = "-+-".join("-" * width for width in widths)
    body = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    return [line.rstrip() for line in (head, rule, *body)]
