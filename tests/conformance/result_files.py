"""Running a suite of PostgreSQL's own in a bed, and comparing the result files of two runs."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bed import Bed
from sources import Suites

PG_BIN = Path("/usr/lib/postgresql/15/bin")
DATABASE = "regression"
# As pg_regress makes its database where it is allowed to.
DATABASE_SETTINGS = ("lc_messages", "lc_monetary", "lc_numeric", "lc_time")
MAX_CONNECTIONS = 6
SHOWN_LINES = 14


@dataclass(frozen=True)
class Suite:
    """One of the two suites: its runner, its files, its schedule."""

    name: str
    runner: Path
    folder: Path
    libraries: Path
    schedule: tuple[str, ...]  # lines "test: a b c"; empty: the suite's own
    schedule_file: str
    timeout: float


@dataclass
class Outcome:
    """What a run left behind."""

    results: dict[str, bytes] = field(default_factory=dict)
    statements: int = 0
    report: str = ""


def of_regress(found: Suites, schedule: Sequence[str], runner: Path) -> Suite:
    return Suite("regress", runner, found.regress, found.libraries, tuple(schedule),
                 "parallel_schedule", 1500)  # fmt: skip


def of_isolation(found: Suites, schedule: Sequence[str], runner: Path) -> Suite:
    return Suite("isolation", runner, found.isolation, found.libraries, tuple(schedule),
                 "isolation_schedule", 1500)  # fmt: skip


def run_suite(bed: Bed, suite: Suite, prepare: Callable[[Bed], None] | None = None) -> Outcome:
    """Runs it where the bed's clients go; the server's account must be able to read all files.

    `prepare` is called when the suite's database is made and still empty.
    """
    work = bed.cluster.scratch.folder(suite.name)
    shutil.copytree(suite.folder, work / "in")
    shutil.copytree(suite.libraries, work / "lib")
    for path in work.rglob("*"):
        os.chmod(path, 0o755)
    output = bed.cluster.scratch.folder(f"{suite.name}/out")
    bed.cluster.primary.scalar(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    for setting in DATABASE_SETTINGS:
        bed.cluster.primary.scalar(f"ALTER DATABASE {DATABASE} SET {setting} = 'C'")
    if prepare is not None:
        prepare(bed)
    if suite.schedule:
        schedule = bed.cluster.scratch.write(work / "schedule", "\n".join(suite.schedule) + "\n")
    else:
        schedule = work / "in" / suite.schedule_file
    before = bed.statements()
    done = bed.cluster.scratch.run(
        [suite.runner, f"--bindir={PG_BIN}", "--use-existing", f"--dbname={DATABASE}",
         f"--host={bed.front.host}", f"--port={bed.front.port}", f"--user={bed.front.user}",
         f"--dlpath={work}/lib", f"--inputdir={work}/in", f"--outputdir={output}",
         f"--max-connections={MAX_CONNECTIONS}", f"--schedule={schedule}"],
        cwd=output, env={"PGPASSWORD": bed.front.password, "PGSSLMODE": "disable"},
        timeout=suite.timeout,
    )  # fmt: skip
    results = {
        path.relative_to(output / "results").as_posix(): _normal(path.read_bytes(), bed.folder)
        for path in sorted((output / "results").rglob("*.out"))
    }
    return Outcome(results, bed.statements() - before, done.stdout + done.stderr)


def _normal(text: bytes, folder: Path) -> bytes:
    """The folder of a run bears a random name."""
    return text.replace(str(folder).encode(), b"@folder@")


def told(left: bytes | None, right: bytes | None) -> str:
    """The first lines of a difference."""
    if left is None or right is None:
        return "only direct" if right is None else "only through Postern"
    one, two = (text.decode("utf-8", "replace").splitlines() for text in (left, right))
    lines = list(difflib.unified_diff(one, two, "direct", "through Postern", lineterm="", n=1))
    rest = [f"... {len(lines) - SHOWN_LINES} more lines"] if len(lines) > SHOWN_LINES else []
    return "".join(f"\n      {line}" for line in lines[:SHOWN_LINES] + rest)
