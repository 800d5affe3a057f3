"""Logins: what a client is told before its first ReadyForQuery, and when it is refused."""

from __future__ import annotations

import struct

from bed import Bed
from psql_client import Dsn
from report import Report
from wire import Message, Wire, message, query

STARTUPS: dict[str, dict[str, str]] = {
    "plain": {},
    "settings": {"TimeZone": "Asia/Tokyo", "DateStyle": "SQL, DMY", "extra_float_digits": "0"},
    "options": {"options": "-c search_path=pg_catalog --statement_timeout=5000 -c geqo=off"},
    "options with a blank": {"options": "-c application_name=two\\ words"},
    "client encoding": {"client_encoding": "LATIN1"},
    "long application name": {"application_name": "n" * 200},
    "unknown setting": {"nothing_there": "1"},
    "bad value": {"TimeZone": "Nowhere/Never"},
    "bad options": {"options": "-z"},
    "custom setting": {"my.setting": "x"},
    "unknown database": {"database": "nowhere"},
}
SHOWN = ("search_path", "statement_timeout", "geqo", "application_name", "TimeZone",
         "extra_float_digits", "client_encoding")  # fmt: skip
ERROR_FIELDS = ("S", "V", "C", "M")


def logins(report: Report, bed: Bed, through: Dsn, direct: Dsn) -> None:
    for name, more in STARTUPS.items():
        told = _difference(_greeting(direct, more), _greeting(through, more))
        report.compared("bytes", f"login: {name}", told)
    for name, changes in {"wrong password": {"password": "wrong"},
                          "unknown user": {"user": "nobody_at_all"}}.items():  # fmt: skip
        refusals = [_greeting(dsn.to(**changes), {}) for dsn in (direct, through)]
        told = _difference(*refusals)
        report.compared("bytes", f"login: {name}", told)
    report.compared("bytes", "login: process id", _process_id(through))
    report.compared("bytes", "login: defaults changed meanwhile",
                    _difference(_changed_default(direct), _changed_default(through)))
    with Wire(through.port) as wire:
        wire.login(through)
        length = len(struct.pack("!ii", *wire.key))
    report.row("bytes", "login: cancel key", length == 8, "4 secret bytes in protocol 3.0")


def _greeting(dsn: Dsn, more: dict[str, str]) -> list[tuple[str, object]]:
    """All messages behind authentication; keys count by their presence, refusals by their code."""
    with Wire(dsn.port) as wire:
        answers = wire.login(dsn, more)
        found: list[tuple[str, object]] = [_told(got) for got in answers]
        if answers and answers[-1].type == "Z":
            for setting in SHOWN:
                found += [_told(got) for got in wire.ask(query(f"SHOW {setting}"))]
        return found


def _changed_default(dsn: Dsn) -> list[tuple[str, object]]:
    """What a session sees of a default that one just before it has set for the database."""
    found: list[tuple[str, object]] = []
    for sql in (f"ALTER DATABASE {dsn.dbname} SET work_mem = '9MB'", "SHOW work_mem",
                f"ALTER DATABASE {dsn.dbname} RESET work_mem", "SHOW work_mem"):  # fmt: skip
        with Wire(dsn.port) as wire:
            wire.login(dsn)
            found += [_told(got) for got in wire.ask(query(sql))]
            wire.send(message("X"))
    return found


def _told(got: Message) -> tuple[str, object]:
    if got.type == "E":
        fields = got.fields()
        return "E", tuple(fields.get(code) for code in ERROR_FIELDS)
    return got.type, len(got.body) if got.type == "K" else got.body


def _difference(left: list[tuple[str, object]], right: list[tuple[str, object]]) -> str:
    for one, two in zip(left, right):
        if one != two:
            return f"{one} became {two}"
    if len(left) != len(right):
        return f"{len(left)} messages became {len(right)}"
    return ""


def _process_id(dsn: Dsn) -> str:
    """What BackendKeyData says must be what the server says of itself."""
    with Wire(dsn.port) as wire:
        wire.login(dsn)
        rows = [got for got in wire.ask(query("SELECT pg_backend_pid()")) if got.type == "D"]
        real, told = int(rows[0].values()[0] or 0), wire.key[0]
    return "" if real == told else "BackendKeyData has another process id than pg_backend_pid()"
