"""The table of drivers and steps that closes a run."""

from __future__ import annotations

from steps import EXEMPT, LIBPQ_MORE, TYPES

_BY_STEP = {
    "connect": "login", "tls_verify": "login", "wrong_password": "login", "connections": "login",
    "application_name": "login", "nulls": "types", "prepared": "prepared", "cursor": "cursor",
    "copy_in": "copy", "copy_out": "copy", "cancel": "cancel", "error_unique": "errors",
    "error_syntax": "errors", "error_in_transaction": "errors", "notice": "notice",
    "listen_notify": "listen", "pipeline": "pipeline", "transaction": "transact",
    "savepoint": "transact", "settings": "settings", "search_path": "settings",
    "big_text": "sizes", "big_bytea": "sizes", "many_rows": "sizes",
}  # fmt: skip
_BY_STEP.update({f"{way}_{name}": "types" for way in ("text", "native") for name in TYPES})
_BY_STEP.update({name: "own" for name in (*LIBPQ_MORE, "variants")})
COLUMNS = [*dict.fromkeys(["login", "types", *_BY_STEP.values()]), "keywords"]


def column_of(step: str) -> str:
    return _BY_STEP.get(step, "keywords")


def row(driver: str, results: list[tuple[str, str]]) -> dict[str, str]:
    """Per column `good/all`, with `-N` behind it for steps the driver does not have."""
    cells = {}
    for column in COLUMNS:
        whys = [why for step, why in results if column_of(step) == column]
        lacks = sum(name == driver and column_of(step) == column for name, step in EXEMPT)
        text = f"{sum(not why for why in whys)}/{len(whys)}" if whys else ""
        cells[column] = text + (f" -{lacks}" if lacks else "")
    return cells


def render(rows: dict[str, dict[str, str]]) -> str:
    """A Markdown table, columns aligned."""
    lines = [["driver", *COLUMNS]]
    lines += [[driver, *(cells[column] for column in COLUMNS)] for driver, cells in rows.items()]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS) + 1)]
    lines.insert(1, ["-" * width for width in widths])
    padded = ([cell.ljust(width) for cell, width in zip(line, widths)] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)
