"""psql's completion by TAB, typed at a pseudo-terminal: each asks the server behind the scenes."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

from psql_client import Dsn
from scratch import clean_environment

PSQL = "/usr/lib/postgresql/15/bin/psql"
READLINE = Path("/usr/lib/x86_64-linux-gnu/libreadline.so.8")
QUIET_SECONDS, PATIENCE_SECONDS = 0.35, 10.0
PROMPT = b"tools> "
LINES = (
    "SELECT * FROM ke", "TABLE ke", "INSERT INTO ke", "UPDATE ke", "UPDATE kept SET ",
    "DELETE FROM ke", "SELECT * FROM kept WHERE ", "ALTER TABLE ke",
    "ALTER TABLE kept DROP COLUMN ",
    "ALTER TABLE kept ADD CONSTRAINT x ", "ALTER TABLE kept ALTER COLUMN ", "DROP TABLE ke",
    "DROP VIEW s", "DROP INDEX k", "DROP FUNCTION conf", "DROP TRIGGER ", "DROP SEQUENCE ",
    "DROP SCHEMA pub", "DROP TYPE mo", "CREATE INDEX i ON kept (", "CREATE INDEX ON ke",
    "ALTER FUNCTION conf", "ALTER ROLE pg_read_all_d", "ALTER DATABASE too", "GRANT SELECT ON ke",
    "GRANT pg_monitor TO post", "REVOKE SELECT ON ke", "COMMENT ON TABLE ke", "SET TimeZ",
    "SET DateStyle TO ", "SHOW work_m", "RESET work_m", "ANALYZE ke", "VACUUM ke",
    "REINDEX TABLE ke",
    "CLUSTER ke", "TRUNCATE ke", "LOCK TABLE ke", "COPY ke", "EXECUTE pla", "DEALLOCATE pla",
    "LISTEN ", "NOTIFY ", "REFRESH MATERIALIZED VIEW ", "EXPLAIN SELECT * FROM ke", "CALL ",
    "SELECT kept.", "SECURITY LABEL ON ", "ALTER SYSTEM SET work_m", "SET SESSION AUTHORIZATION ",
    "SET ROLE pg_read_all_d", "CREATE EXTENSION plpg", "ALTER TYPE mood RENAME VALUE ",
    r"\d ke", r"\dt ke", r"\df conf", r"\dn pub", r"\c too", r"\dT mo", r"\sf conf", r"\sv se",
    r"\du post", r"\encoding LAT", r"\l too",
)  # fmt: skip
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x07|\r")


class Terminal:
    """psql at a pseudo-terminal."""

    def __init__(self, dsn: Dsn) -> None:
        ours, theirs = pty.openpty()
        environment = clean_environment(Path("/nonexistent"), dsn.environment())
        environment |= {"TERM": "dumb", "INPUTRC": "/dev/null", "PSQL_PAGER": "cat"}
        if READLINE.exists():  # as Debian's wrapper of psql does
            environment["LD_PRELOAD"] = str(READLINE)
        self._process = subprocess.Popen(
            [PSQL, "-X", "-n" if not READLINE.exists() else "-q", "-v", "PROMPT1=tools> "],
            stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self._file = ours
        self._read(lambda seen: PROMPT in seen)
        self._type(b"PREPARE plan_one AS SELECT 1;\n")
        self._read(lambda seen: seen.count(PROMPT) > 0 and b"PREPARE" in seen)

    def _type(self, what: bytes) -> None:
        os.write(self._file, what)

    def _read(self, enough: object) -> bytes:
        """What comes until it is enough and then quiet for a moment."""
        seen, deadline = b"", time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            wait = QUIET_SECONDS if enough(seen) else PATIENCE_SECONDS  # type: ignore[operator]
            if not select.select([self._file], [], [], wait)[0]:
                break
            try:
                seen += os.read(self._file, 65536)
            except OSError:
                break
        return seen

    def complete(self, line: str) -> str:
        """What two TABs show behind the line; the line is taken back."""
        self._type(line.encode() + b"\t\t")
        seen = self._read(lambda got: len(got) > len(line))
        self._type(b"\x15\n")
        self._read(lambda got: PROMPT in got)
        return _CONTROL.sub(b"", seen).decode("utf-8", "replace")

    def close(self) -> None:
        os.close(self._file)
        self._process.kill()
        self._process.wait()


def complete_all(dsn: Dsn, lines: tuple[str, ...]) -> dict[str, str]:
    terminal = Terminal(dsn)
    try:
        return {line: terminal.complete(line) for line in lines}
    finally:
        terminal.close()
