"""Part `sqlsmith`: what sqlsmith invents, on the native twin and through Postern."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field

import data
from psql_client import Dsn, psql
from report import Report
from scratch import HarnessError
from speak import Answer, Ear, ask_sql, hear, open_session
from twin import TWIN, make_twin
from wire import query
from world import World

PART = "sqlsmith"
STATEMENTS, SHORT_STATEMENTS = 20000, 1200
LEAST_EXECUTED = 0.70
GENERATE_SECONDS = 1500
# sqlsmith calls functions without arguments all the time, and most of those are of the kind that
# the catalogue wants refused (items 36 to 66): one in seven statements may contain them.
SHARE_OF_ALL = 0.15
KEPT_BACK = (
    "^(pg_stat|txid|pg_(current_)?(xact|snapshot|wal|logfile)|pg_last_|lo_|pg_control"
    "|pg_replication|pg_logical|pg_rotate|pg_reload|pg_switch|pg_get_wal|pg_is_wal|pg_wal"
    "|pg_notification|pg_export|pg_backup|pg_create|pg_.*_size$|pg_relation_file"
    "|pg_prepared_xact|pg_lock_status|pg_ls_"
    "|pg_read|pg_promote|pg_hba|pg_ident|pg_show_all_file|pg_get_shmem|pg_get_backend_mem|brin_"
    "|ts_rewrite|ts_stat|loread|lowrite|gin_clean|pg_import|pg_advisory|pg_try_advisory|setval"
    "|pg_show_repl|pg_get_repl|pg_visible|query_to|table_to|schema_to|database_to|cursor_to"
    "|pg_sleep)"
)
# The same plans on both sides, so that what LIMIT cuts off is the same.
SETTINGS = (
    "SET statement_timeout = '1s'", "SET enable_indexscan = off", "SET enable_bitmapscan = off",
    "SET enable_indexonlyscan = off", "SET max_parallel_workers_per_gather = 0",
    "SET extra_float_digits = 1", "SET jit = off",
)  # fmt: skip
TIMEOUT = "57014"
# Why a statement is not compared: nothing else counts as excluded.
REASONS = (
    ("identity", r"current_user|session_user|\buser\b|current_role|current_database|current_catalog"
                 r"|pg_backend_pid|inet_|has_\w+_privilege|pg_has_role|row_security_active"
                 r"|pg_my_temp_schema|pg_get_userbyid|current_schema|pg_listening_channels"
                 r"|pg_jit_available|acl|application_name"),
    ("clock", r"\bnow\b|timestamp\(|timeofday|localtime|current_date|current_time|\bage\b"
              r"|pg_postmaster_start|pg_conf_load"),
    ("random", r"random|tablesample|uuid|setseed|_cash|hashtext"),
    ("physical", r"ctid|\bxmin\b|\bxmax\b|\bcmin\b|\bcmax\b|tableoid|txid|xact|snapshot|_size"
                 r"|pg_relation|pg_partition|filenode|wal|lsn|tablespace|pg_column|to_reg|::oid"
                 r"|pg_stat|pg_control|pg_index|regclass|pg_sequence|nextval|currval|lastval"),
    ("settings", r"setting|version|pg_tz|timezone|encoding|getdatabase|pg_client|pg_char|obj_desc"
                 r"|col_desc|pg_describe|pg_identify|pg_get|catalog|pg_is_|pg_safe|pg_blocking"
                 r"|trigger|pg_logical|pg_event|pg_config|pg_cursor|pg_prepared|pg_export|pg_notify"
                 r"|pg_notification|advisory|lo_|pg_xact|pg_database|pg_encoding"),
)  # fmt: skip


@dataclass
class Tally:
    executed: int = 0
    same_rows: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)
    different: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)

    @property
    def all(self) -> int:
        return (self.executed + self.refused.total() + self.excluded.total()
                + len(self.different))  # fmt: skip


class Side:
    """A session that is opened again when it ends."""

    def __init__(self, dsn: Dsn) -> None:
        self._dsn = dsn
        self._ear: Ear | None = None

    def try_out(self, sql: str) -> Answer:
        """The answer to a statement whose effects are rolled back."""
        ear = self._ear or self._open()
        ear.heard.clear()
        try:
            ear.send(query("BEGIN"), query(sql), query("ROLLBACK"))
        except OSError:
            self._ear = None
            return Answer([], closed=True)
        for wanted in range(3):
            answer = hear(ear)
            if wanted == 1:
                kept = answer
            if answer.closed:
                self._ear = None
                return answer
        return kept

    @property
    def heard(self) -> bytes:
        return bytes(self._ear.heard) if self._ear else b""

    def _open(self) -> Ear:
        ear, answer = open_session(self._dsn)
        if answer.closed:
            raise HarnessError(f"login refused: {answer.told()}")
        for setting in SETTINGS:
            ask_sql(ear, setting)
        self._ear = ear
        return ear


def make_generators(world: World) -> None:
    """A copy of the twin without its own wall, and one without what the catalogue wants refused."""
    run = world.superuser("postgres").execute
    world.superuser(TWIN).close()
    for name, kept_back in (("all_functions", "^$"), ("free_functions", KEPT_BACK)):
        run(f"CREATE DATABASE {name} TEMPLATE {TWIN}".encode())
        psql(world.superuser_dsn(name), "SET allow_system_table_mods = on",
             "DROP SCHEMA twin CASCADE",
             f"DELETE FROM pg_proc WHERE proname ~ '{kept_back}' AND pronamespace ="
             " 'pg_catalog'::regnamespace OR proname = 'forge'").checked()  # fmt: skip


def generate(world: World, database: str, seed: int, count: int) -> list[str]:
    """Statements over the tables and functions of a database."""
    if shutil.which("sqlsmith") is None:
        raise HarnessError("sqlsmith is not installed: run ./dev deps isolation")
    dsn = world.superuser_dsn(database)
    done = subprocess.run(
        ["sqlsmith", f"--target={dsn.public()} password={dsn.password} sslmode=disable",
         "--dry-run", "--exclude-catalog", f"--seed={seed}", f"--max-queries={count}"],
        capture_output=True, text=True, timeout=GENERATE_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise HarnessError(f"sqlsmith ended with {done.returncode}: {done.stderr[-300:]}")
    return [text for text in re.split(r";\s*\n", done.stdout) if text.strip()]


def run(report: Report, world: World, seed: int, count: int) -> None:
    login = make_twin(world)
    began = time.monotonic()
    make_generators(world)
    every = round(count * SHARE_OF_ALL)
    statements = generate(world, "all_functions", seed, every)
    statements += generate(world, "free_functions", seed + 1, count - every)
    report.note(PART, f"{len(statements)} statements in {time.monotonic() - began:.0f} s")
    tally = Tally()
    native, proxied = Side(login), Side(world.login("t1", "shop"))
    for sql in statements:
        compare(tally, native, proxied, sql)
    tell(report, tally, count)


def compare(tally: Tally, native: Side, proxied: Side, sql: str) -> None:
    answer = proxied.try_out(sql)
    found = data.find_canaries(proxied.heard)
    if found:
        tally.leaks.append(f"{found[:2]} by {shorten(sql)}")
    if answer.codes() and any(code for code in answer.codes()):
        tally.refused[answer.codes()[0]] += 1
        return
    wanted = native.try_out(sql)
    if TIMEOUT in answer.errors() + wanted.errors():
        tally.excluded["timeout"] += 1
    elif seen(answer) == seen(wanted):
        tally.executed += 1
        tally.same_rows += len(answer.rows())
    elif seen(native.try_out(sql)) != seen(wanted):
        tally.excluded["differs natively"] += 1
    else:
        _differing(tally, sql, wanted, answer)


def _differing(tally: Tally, sql: str, wanted: Answer, answer: Answer) -> None:
    for reason, pattern in REASONS:
        if re.search(pattern, sql, re.IGNORECASE):
            tally.excluded[reason] += 1
            return
    tally.different.append(
        f"direct {wanted.told()[:200]}, postern {answer.told()[:200]}: {shorten(sql)}"
    )


def shorten(sql: str) -> str:
    return " ".join(sql.split())[:300]


def seen(answer: Answer) -> object:
    """What is compared: SQLSTATEs, rows without their order, tags."""
    return answer.errors(), sorted(map(str, answer.rows())), answer.tags(), answer.closed


def _told(different: list[str]) -> str:
    return "\n    ".join([f"{len(different)} differ:", *different[:10]])


def tell(report: Report, tally: Tally, count: int) -> None:
    report.note(PART, f"{tally.all} statements: {tally.executed} executed alike with"
                f" {tally.same_rows} rows, {tally.refused.total()} refused"
                f" {dict(tally.refused)}, {tally.excluded.total()} excluded"
                f" {dict(tally.excluded)}")  # fmt: skip
    report.row(PART, "statements generated", tally.all >= count * 0.99, f"{tally.all} of {count}")
    report.row(PART, "no canaries", not tally.leaks, "LEAK: " + "\n    ".join(tally.leaks[:10]))
    report.row(PART, "the same rows and errors as the native twin", not tally.different,
               _told(tally.different))
    share = tally.executed / max(tally.all, 1)
    report.row(PART, "executed", share >= LEAST_EXECUTED,
               f"{share:.1%} executed, {LEAST_EXECUTED:.0%} wanted")  # fmt: skip
    report.row(PART, "rows", tally.same_rows > 0, "no statement gave a row")
