"""Parts `drivers` and `migrators`: suites of their own, counted with the others."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from report import Report

HERE = Path(__file__).resolve().parent
PROGRAMS = {
    "drivers": HERE / "drivers" / "run",
    "migrators": HERE.parent / "compat" / "run",
}
# Conformance is about databases that nothing is protected in.
MORE = {"migrators": ["--unwalled"]}
COUNT = re.compile(r"(\d+) passed, (\d+) failed")
SECONDS = 3600


def run_part(report: Report, part: str, pool_mode: str, option: str = "") -> None:
    """Shows what the suite prints as it goes; its last line is the count."""
    argv = [str(PROGRAMS[part]), "--mode", pool_mode, *MORE.get(part, [])]
    argv += [option] if option else []
    last = ""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            last = line.strip() or last
    count = COUNT.fullmatch(last)
    passed, failed = (int(count[1]), int(count[2])) if count else (0, 0)
    good = count is not None and failed == 0 and passed > 0 and process.returncode == 0
    report.row(part, PROGRAMS[part].parent.name, good, f"{passed} passed, {failed} failed, exit"
               f" code {process.returncode}")  # fmt: skip
