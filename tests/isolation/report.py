"""What a run found: a line per failure, counts per part, and the last line."""

from __future__ import annotations

from collections import Counter


class Report:
    """Rows are printed as they come where they failed, all of them when `verbose`."""

    def __init__(self, *, verbose: bool = False) -> None:
        self.failures: list[tuple[str, str, str]] = []
        self._passed: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._verbose = verbose

    def row(self, part: str, name: str, good: bool, told: str = "") -> None:
        if good:
            self._passed[part] += 1
            if self._verbose:
                print(f"ok   {part} {name}", flush=True)
            return
        self._failed[part] += 1
        self.failures.append((part, name, told))
        print(f"FAIL {part} {name}: {told}", flush=True)

    def note(self, part: str, text: str) -> None:
        print(f"note {part}: {text}", flush=True)

    def leaks(self) -> list[tuple[str, str, str]]:
        return [row for row in self.failures if "LEAK" in row[2]]

    def finish(self) -> int:
        """The summary; the exit code."""
        for part in sorted({*self._passed, *self._failed}):
            print(f"{part}: {self._passed[part]} passed, {self._failed[part]} failed")
        passed, failed = self._passed.total(), self._failed.total()
        print(f"{len(self.leaks())} leaks")
        print(f"{passed} passed, {failed} failed")
        return 0 if passed and not failed else 1
