"""The configuration files of the demo. `broken` names the capability to leave out, if any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from postern_server import Ports

CAPABILITIES = ("relay", "tenant-wall", "pii-encryption", "replica-routing", "cache", "audit")

DATABASE = "mapper"
RELAY_DATABASE = "relay"
TWIN_DATABASE = "relay_twin"
UPSTREAM_ROLE = "app"
SERVICE_ROLE = "postern_service"

# The column that --break=pii-encryption leaves in clear.
UNPROTECTED_WHEN_BROKEN = "full_name"


@dataclass(frozen=True)
class PiiColumn:
    name: str
    type: str
    scheme: str
    uuid: str


PII_COLUMNS = (
    PiiColumn("email", "text", "deterministic",
              "9f2b6c1e-3d0a-4a57-8e44-6b1f0c7d2a01"),
    PiiColumn("full_name", "text", "randomized",
              "b7c4e8f2-51d6-4c3b-9a70-2e8d5f1b6c02"),
    PiiColumn("national_id", "text", "deterministic",
              "4e1d9a73-8b2f-4f60-b5c8-7a3c0e9f1d03"),
    PiiColumn("birth_date", "date", "randomized",
              "d05a7f38-6c9e-4b12-a3f1-9c4b8e2d7f04"),
)  # fmt: skip


@dataclass(frozen=True)
class Servers:
    """Ports of what stands behind Postern."""

    primary: int
    replica: int
    redis: int


def protected_columns(broken: str | None) -> list[PiiColumn]:
    """The columns Postern encrypts in this run."""
    left_out = UNPROTECTED_WHEN_BROKEN if broken == "pii-encryption" else ""
    return [column for column in PII_COLUMNS if column.name != left_out]


def postern_toml(ports: Ports, servers: Servers, broken: str | None) -> str:
    """The whole file; only what `broken` names differs."""
    parts = [
        _frame(ports, servers),
        _databases(broken),
        _protection(broken),
        _routing(broken),
        _cache(servers, broken),
        _audit(broken),
    ]
    return "\n".join(parts)


def _frame(ports: Ports, servers: Servers) -> str:
    return f"""\
[listen]
address = "127.0.0.1"
port = {ports.clients}
workers = 2

[listen.tls]
mode = "allow"
cert_file = "tls.crt"
key_file = "tls.key"

[cluster.main]
nodes = ["127.0.0.1:{servers.primary}", "127.0.0.1:{servers.replica}"]

[service]
user = "{SERVICE_ROLE}"
password_file = "service.password"

[auth]
method = "scram-sha-256"
users_file = "users.toml"

[metrics]
address = "127.0.0.1"
port = {ports.admin}
"""


def _databases(broken: str | None) -> str:
    upstream = "no_such_database" if broken == "relay" else RELAY_DATABASE
    return f"""\
[database.{DATABASE}]
cluster = "main"
user = "{UPSTREAM_ROLE}"
password_file = "app.password"

[database.{RELAY_DATABASE}]
cluster = "main"
upstream = "{upstream}"
user = "{UPSTREAM_ROLE}"
password_file = "app.password"
route = "primary"
profile = "transparent"
"""


def _protection(broken: str | None) -> str:
    # With `enforce` Postern would refuse every statement once it sees the wall breached.
    mode = "gate" if broken == "tenant-wall" else "enforce"
    columns = "\n".join(
        f"""\
[[column]]
database = "{DATABASE}"
table = "public.users"
name = "{column.name}"
type = "{column.type}"
scheme = "{column.scheme}"
uuid = "{column.uuid}"
"""
        for column in protected_columns(broken)
    )
    return f"""\
[policy]
mode = "{mode}"

[tenant]
column = "tenant_id"
shared = ["public.frameworks", "public.taxonomy"]
guard_key_file = "guard.key"

[[table]]
database = "{DATABASE}"
name = "public.legacy_exports"
tenant_column = "customer"

[keys]
file = "keys.store"
kek_file = "root.key"

{columns}"""


def _routing(broken: str | None) -> str:
    enabled = "false" if broken == "replica-routing" else "true"
    return f"""\
[routing]
enabled = {enabled}
route = "auto"
max_wait = "20ms"
poll_interval = "100ms"
"""


def _cache(servers: Servers, broken: str | None) -> str:
    enabled = "false" if broken == "cache" else "true"
    return f"""\
[cache]
enabled = {enabled}
redis = "127.0.0.1:{servers.redis}"
ttl = "10m"

[[cache.rule]]
tables = ["public.mapping_records"]
statement = "*hot_labels*"
"""


def _audit(broken: str | None) -> str:
    if broken == "audit":
        return ""
    return """\
[audit]
dir = "audit"
anchor_file = "../anchor/postern.anchor"
key_file = "audit.key"
mode = "batch"
pii_mode = "strict-write"
"""


def users_toml(tenants: Sequence[str], passwords: Mapping[str, str]) -> str:
    """A login per tenant, and one without tenant for the database that only relays."""
    sections = [
        f'[user."{login_of(tenant)}"]\n'
        f'password = "{passwords[login_of(tenant)]}"\n'
        f'tenant = "{tenant}"\n'
        'profile = "app"\n'
        for tenant in tenants
    ]
    sections.append(f'[user.guest]\npassword = "{passwords["guest"]}"\n')
    return "\n".join(sections)


def login_of(tenant: str) -> str:
    return f"{tenant}_app"
