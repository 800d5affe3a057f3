"""The common script: the names of its steps in order, and what each driver cannot do itself.

Every program under clients/ runs these steps under these names and prints one line for each:
`ok NAME` or `FAIL NAME why`. docs/drivers.md says what each step does.
"""

from __future__ import annotations

from pathlib import Path

TYPES = [
    line.split("\t")[0]
    for line in (Path(__file__).parent / "types.tsv").read_text(encoding="utf-8").splitlines()
]

STEPS = [
    "connect", "tls_verify", "wrong_password", "connections", "application_name",
    *(f"text_{name}" for name in TYPES),
    *(f"native_{name}" for name in TYPES),
    "nulls", "prepared", "cursor", "copy_in", "copy_out", "cancel", "error_unique",
    "error_syntax", "error_in_transaction", "notice", "listen_notify", "pipeline", "transaction",
    "savepoint", "settings", "search_path", "big_text", "big_bytea", "many_rows",
]  # fmt: skip

# libpq runs these behind the common ones: what only it has, and each keyword of PQconndefaults.
LIBPQ_MORE = ["large_object", "ping", "reset", "parameters", "flood", "cancel_often"]
# These run `variants`: the driver's own settings of how it sends and where it connects.
WITH_VARIANTS = [
    "psycopg3", "asyncpg", "pgjdbc", "DBD-Pg", "php-pdo", "node-postgres", "postgres.js", "pgx",
]  # fmt: skip
LIBPQ_KEYWORDS = [
    "service", "user", "password", "passfile", "channel_binding", "connect_timeout", "dbname",
    "host", "hostaddr", "port", "client_encoding", "options", "application_name",
    "fallback_application_name", "keepalives", "keepalives_idle", "keepalives_interval",
    "keepalives_count", "tcp_user_timeout", "sslmode", "sslcompression", "sslcert", "sslkey",
    "sslpassword", "sslrootcert", "sslcrl", "sslcrldir", "sslsni", "requirepeer",
    "ssl_min_protocol_version", "ssl_max_protocol_version", "gssencmode", "krbsrvname", "gsslib",
    "replication", "target_session_attrs",
]  # fmt: skip

# (driver, step) -> what the driver itself does not have. Nothing else may be left out.
EXEMPT: dict[tuple[str, str], str] = {
    ("php-pdo", "cancel"): "PDO has no way to cancel a running statement",
    ("php-pdo", "notice"): "PDO of PHP 8.2 shows no notices",
    ("lib-pq", "copy_out"): "lib/pq refuses COPY TO STDOUT",
    ("postgres.js", "native_int4_array"): "it reads a NULL in an array as the text NULL",
    ("postgres.js", "native_text_array"): "it reads a NULL in an array as the text NULL",
}


def steps_of(driver: str) -> list[str]:
    """The steps this driver has to report, in order."""
    names = list(STEPS)
    if driver == "libpq":
        names += LIBPQ_MORE + [f"keyword_{name}" for name in LIBPQ_KEYWORDS]
    if driver in WITH_VARIANTS:
        names.append("variants")
    return [name for name in names if (driver, name) not in EXEMPT]
