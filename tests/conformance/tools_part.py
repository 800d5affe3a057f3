"""Part `tools`: psql's commands and completions, dumps, pgbench, maintenance programs, sqitch."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import completions
import psql_commands
from bed import Bed
from psql_client import Dsn, psql
from report import Report
from scratch import clean_environment
from suites_part import told

PG_BIN = Path("/usr/lib/postgresql/15/bin")
FIXTURES = Path(__file__).resolve().parents[1] / "fixtures/llama_mapper"
DATABASE = "tools"
COMPLETIONS_SHORT = 12
UNORDERED = ("vacuumdb", "reindexdb")  # they begin with what is largest at the moment
OBJECTS = (
    "CREATE TABLE kept (id int PRIMARY KEY, name text NOT NULL DEFAULT 'x', CHECK (id > 0))",
    "INSERT INTO kept SELECT n, 'name ' || n FROM generate_series(1, 3) n",
    "CREATE VIEW seen AS SELECT id, name FROM kept",
    "CREATE MATERIALIZED VIEW stored AS SELECT count(*) FROM kept",
    "CREATE FUNCTION conformed(a int, b text DEFAULT 'b') RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TYPE mood AS ENUM ('low', 'high')", "CREATE DOMAIN short AS varchar(5)",
    "CREATE TABLE parts (k int, v text) PARTITION BY LIST (k)",
    "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)",
    "CREATE STATISTICS pair ON id, name FROM kept", "COMMENT ON TABLE kept IS 'said'",
    "CREATE PUBLICATION news FOR TABLE kept", "ALTER DATABASE tools SET work_mem = '5MB'",
    "SELECT lo_from_bytea(4711, 'large')", "SELECT lo_from_bytea(815, 'other')",
)  # fmt: skip


@dataclass(frozen=True)
class Done:
    """What a program left, free of ports, folders and times."""

    code: int
    out: str
    err: str


class Tools:
    """Runs programs as a client of the server or of Postern."""

    def __init__(self, bed: Bed, report: Report) -> None:
        self.bed, self.report = bed, report
        self.folder = bed.cluster.scratch.folder("files", 0o777)

    def ends(self, database: str = DATABASE) -> tuple[Dsn, Dsn]:
        more = {"dbname": database, "sslmode": "disable"}
        return self.bed.direct.to(**more), self.bed.through.to(**more)

    def run(self, dsn: Dsn, program: str, *argv: str, feed: str = "") -> Done:
        done = subprocess.run(
            [shutil.which(program, path=f"{PG_BIN}:/usr/bin") or program, *argv],
            env=clean_environment(self.folder, dsn.environment()), cwd=self.folder, input=feed,
            capture_output=True, text=True, errors="replace", timeout=300, check=False,
        )  # fmt: skip
        out, err = self._plain(done.stdout), self._plain(done.stderr)
        if program in UNORDERED:
            out = "\n".join(sorted(out.splitlines()))
        return Done(done.returncode, out, err)

    def _plain(self, said: str) -> str:
        for port in (self.bed.direct.port, self.bed.through.port):
            said = said.replace(str(port), "PORT")
        said = re.sub(r"\d+[.,]\d+ ms", "N ms", said)
        said = re.sub(r"(lo_import|lo_unlink) \d{5,}", r"\1 N", said)  # the next free number
        return re.sub(r"(?m)^-- (Started|Completed) on .*$|^\\(un)?restrict \S{20,}$", "", said)

    def compare(self, name: str, program: str, *argv: str, feed: str = "", code: int | None = 0,
                database: str = DATABASE) -> None:  # fmt: skip
        """The same call on both ways: exit code (`code` where not None) and output are equal."""
        direct, proxied = (self.run(dsn, program, *argv, feed=feed) for dsn in self.ends(database))
        difference = ""
        if code is not None and direct.code != code:
            difference = f"ended with {direct.code}: {direct.err[-200:]}"
        elif direct != proxied:
            left, right = (f"{d.code}\n{d.out}\n{d.err}".encode() for d in (direct, proxied))
            difference = told(left, right)
        self.report.compared("tools", name, difference)

    def works(self, name: str, dsn: Dsn, program: str, *argv: str, proof: str = "") -> Done:
        """A call that must succeed, and whose output must match `proof`."""
        done = self.run(dsn, program, *argv)
        good = done.code == 0 and re.search(proof, done.out + done.err) is not None
        self.report.row("tools", name, good, "" if good else (done.err or done.out)[-300:])
        return done


def run(report: Report, pool_mode: str, short: bool) -> None:
    with Bed(pool_mode) as bed:
        tools = Tools(bed, report)
        psql(bed.direct, f"CREATE DATABASE {DATABASE}").checked()
        database = bed.direct.to(dbname=DATABASE)
        for script in ("schema.sql", "data.sql"):
            psql(database, file=FIXTURES / script, variables={"protected": "0"},
                 flags=("-q",)).checked()  # fmt: skip
        psql(database, *OBJECTS).checked()
        _commands(tools, short)
        _completions(tools, short)
        _dumps(tools)
        _maintenance(tools)
        _pgbench(tools)
        _sqitch(tools)
        count = bed.statements()
        report.row("tools", "passage", count > 0, f"{count} statements through Postern")


def _commands(tools: Tools, short: bool) -> None:
    help_text = tools.run(tools.ends()[0], "psql", "-X", "--help=commands").out
    found = psql_commands.listed(help_text)
    used = 0
    for name, line in found.items():
        inputs = psql_commands.uses(name, line)
        if not inputs:
            tools.report.row("tools", f"psql \\{name}", False, "is not known to this suite")
        for feed in inputs[:1] if short else inputs:
            used += 1
            text = feed.replace("{folder}", str(tools.folder)) + "\n"
            shown = f"psql {feed.splitlines()[0]} ({used})"
            tools.compare(shown, "psql", "-X", feed=text, code=None)
    unlisted = set(psql_commands.USES) - set(found)
    tools.report.row("tools", "psql's commands", len(found) > 90 and not unlisted,
                     f"{len(found)} in its help, {used} uses; not in its help: {sorted(unlisted)}")


def _completions(tools: Tools, short: bool) -> None:
    lines = completions.LINES[:COMPLETIONS_SHORT] if short else completions.LINES
    direct, proxied = (completions.complete_all(dsn, lines) for dsn in tools.ends())
    for line in lines:
        one, two = direct[line], proxied[line]
        tools.report.compared("tools", f"completion of {line!r}",
                              "" if one == two else told(one.encode(), two.encode()))
    grown = sum(len(direct[line]) > len(line) + 2 for line in lines)
    tools.report.row("tools", "completions", grown > len(lines) * 0.7,
                     f"{grown} of {len(lines)} lines were completed")  # fmt: skip


def _dumps(tools: Tools) -> None:
    direct, through = tools.ends()
    for options in ((), ("--inserts",), ("--schema-only", "-O", "-x"), ("--data-only",)):
        tools.compare(f"pg_dump {' '.join(options)}", "pg_dump", *options)
    tools.compare("pg_dumpall", "pg_dumpall", "--no-role-passwords")
    folder = str(tools.folder / "dump")
    tools.works("pg_dump -Fd -j4", through, "pg_dump", "-Fd", "-j4", "-f", folder, DATABASE)
    for name, dsn in (("restored_d", direct), ("restored_p", through)):
        psql(tools.bed.direct, f"CREATE DATABASE {name} TEMPLATE template0").checked()
        tools.works(f"pg_restore -j4 into {name}", dsn.to(dbname=name), "pg_restore", "-j4",
                    "-d", name, folder)  # fmt: skip
    original = tools.run(direct, "pg_dump", DATABASE)
    for name in ("restored_d", "restored_p"):
        copy = tools.run(direct.to(dbname=name), "pg_dump", name)
        same = original.out == copy.out and len(copy.out) > 10_000
        tools.report.compared("tools", f"dump of {name}",
                              "" if same else told(original.out.encode(), copy.out.encode()))


def _maintenance(tools: Tools) -> None:
    calls: Sequence[tuple[str, ...]] = (
        ("vacuumdb", "-e", "--analyze", DATABASE), ("vacuumdb", "-j4", "-q", DATABASE),
        ("vacuumdb", "--analyze-in-stages", DATABASE), ("vacuumdb", "-e", "--full", "-t", "kept"),
        ("reindexdb", "-e", DATABASE), ("reindexdb", "-j2", "--concurrently", "-t", "kept"),
        ("clusterdb", "-e", DATABASE), ("createdb", "-e", "-T", "template0", "made"),
        ("createuser", "-e", "--no-login", "maker"), ("vacuumlo", "-n", "-v", DATABASE),
    )  # fmt: skip
    undo = {"createdb": ("dropdb", "-e", "made"), "createuser": ("dropuser", "-e", "maker")}
    for program, *argv in calls:
        if program in undo:
            direct, through = tools.ends()
            pairs = [[tools.run(dsn, *call) for call in ((program, *argv), undo[program])]
                     for dsn in (direct, through)]  # fmt: skip
            good = pairs[0] == pairs[1] and all(done.code == 0 for done in pairs[0])
            detail = "" if good else str(pairs[1])[-300:]
            tools.report.compared("tools", f"{program} and {undo[program][0]}", detail)
        else:
            tools.compare(" ".join((program, *argv)), program, *argv)
    tools.compare("pg_isready", "pg_isready")


def _pgbench(tools: Tools) -> None:
    through = tools.ends("bench")[1]
    psql(tools.bed.direct, "CREATE DATABASE bench").checked()
    tools.works("pgbench -i", through, "pgbench", "-i", "-q", "-s", "1", "-I", "dtgvpf", "bench",
                proof="done in")  # fmt: skip
    all_done = r"actually processed: 200/200\n(.*\n)*?number of failed transactions: 0 "
    for mode in ("simple", "extended", "prepared"):
        tools.works(f"pgbench -M {mode}", through, "pgbench", "-n", "-c", "4", "-t", "50", "-M",
                    mode, "bench", proof=all_done)  # fmt: skip
    script = tools.folder / "pipeline.sql"
    script.write_text("\\startpipeline\nSELECT 1;\nSELECT 2;\n\\endpipeline\n")
    tools.works("pgbench in pipelines", through, "pgbench", "-n", "-c", "4", "-t", "50", "-M",
                "prepared", "-f", str(script), "bench", proof=all_done)  # fmt: skip
    tools.works("pgbench -C", through, "pgbench", "-n", "-C", "-c", "2", "-t", "20", "-S", "bench",
                proof="actually processed: 40/40")  # fmt: skip
    total = tools.run(tools.ends("bench")[0], "psql", "-X", "-A", "-t", "-c",
                      "SELECT count(*) FROM pgbench_history").out.strip()  # fmt: skip
    tools.report.row("tools", "pgbench's history", total == "600", f"{total} rows of 600")


def _sqitch(tools: Tools) -> None:
    """The same project deployed, verified, logged and reverted on both ways."""
    seen = []
    for name, dsn in zip(("sqitch_d", "sqitch_p"), tools.ends(), strict=True):
        psql(tools.bed.direct, f"CREATE DATABASE {name}").checked()
        folder = tools.folder / name
        folder.mkdir(mode=0o777)
        seen.append(_sqitch_run(tools, dsn.to(dbname=name), folder))
    same = [[(done.code, done.out) for done in steps] for steps in seen]
    bad = [done for steps in seen for done in steps if done.code != 0]
    detail = bad[0].err[-300:] or bad[0].out[-300:] if bad else ""
    if not bad and same[0] != same[1]:
        detail = told(str(same[0]).encode(), str(same[1]).encode())
    tools.report.compared("tools", "sqitch", detail)


def _sqitch_run(tools: Tools, dsn: Dsn, folder: Path) -> list[Done]:
    target = f"db:pg://{dsn.user}@{dsn.host}:{dsn.port}/{dsn.dbname}"
    (folder / "sqitch.conf").write_text(
        f"[core]\nengine = pg\n[user]\nname = Tester\nemail = tester@example.com\n"
        f"[engine \"pg\"]\nclient = {PG_BIN}/psql\ntarget = {target}\n"
    )
    parts = {"deploy": "CREATE TABLE planned (n int);", "revert": "DROP TABLE planned;",
             "verify": "SELECT n FROM planned WHERE false;"}  # fmt: skip
    for part, sql in parts.items():
        (folder / part).mkdir(mode=0o777)
        (folder / part / "first.sql").write_text(f"BEGIN;\n{sql}\nCOMMIT;\n")
    (folder / "sqitch.plan").write_text(
        "%syntax-version=1.0.0\n%project=conformance\n\n"
        "first 2024-01-01T00:00:00Z Tester <tester@example.com> # a table\n"
    )
    steps = (("deploy", "--verify"), ("verify",), ("revert", "-y"))
    done = [tools.run(dsn, "sqitch", "--chdir", str(folder), *step) for step in steps]
    return [Done(one.code, one.out.replace(dsn.dbname, "DATABASE"), one.err) for one in done]
