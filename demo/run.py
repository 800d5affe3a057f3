#!/usr/bin/python3
"""./dev demo: every capability of Postern on real servers, each proven from the other side.

On a terminal it stays up at the end, for you to connect. With --once it ends by itself, with one
line per capability, and exit code 1 if any of them says FAILED.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "support")]

from capability import Capability  # noqa: E402
from capability_audit import Audit  # noqa: E402
from capability_cache import Cache  # noqa: E402
from capability_pii_encryption import PiiEncryption  # noqa: E402
from capability_relay import Relay  # noqa: E402
from capability_replica_routing import ReplicaRouting  # noqa: E402
from capability_tenant_wall import TenantWall  # noqa: E402
from cluster import Cluster  # noqa: E402
from narrator import Narrator  # noqa: E402
from settings import CAPABILITIES, DATABASE, login_of  # noqa: E402
from stage import Stage  # noqa: E402

# PII comes before the wall, because it brings the users; audit last: it looks back on all others.
ORDER: tuple[type[Capability], ...] = (
    Relay, PiiEncryption, TenantWall, ReplicaRouting, Cache, Audit,
)  # fmt: skip


LOG_LINES = 4


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself")
    parser.add_argument(
        "--break", dest="broken", choices=CAPABILITIES, metavar="NAME",
        help="disable one capability, whose line must then say FAILED: " + ", ".join(CAPABILITIES),
    )  # fmt: skip
    return parser.parse_args()


def play(stage: Stage, kind: type[Capability]) -> bool:
    """Shows one capability and looks at it from the other side; False where it failed."""
    capability = kind(stage)
    stage.narrator.heading(capability.title)
    try:
        capability.show()
        capability.assert_from_other_side()
    except Exception as error:  # whatever goes wrong, the other capabilities still get their turn
        stage.narrator.failed(capability.name, str(error) or type(error).__name__)
        stage.narrator.command("tail postern.log", stage.postern.log.tail(LOG_LINES), LOG_LINES)
        return False
    stage.finished.add(capability.step)
    return True


def perform(stage: Stage) -> bool:
    """The whole play; True where every capability holds."""
    try:
        stage.build()
    except Exception as error:  # without a stage nothing can be shown, and that is said of each
        stage.narrator.failed("stage", f"{error}\n{stage.postern.log.tail()}")
        outcomes = dict.fromkeys(CAPABILITIES, False)
    else:
        outcomes = {kind.name: play(stage, kind) for kind in ORDER}
    stage.narrator.plain()
    for name in CAPABILITIES:
        stage.narrator.plain(f"{name}: {'ok' if outcomes[name] else 'FAILED'}")
    return all(outcomes.values())


def stay(stage: Stage) -> None:
    """Prints how to connect and waits for Ctrl-C."""
    say, ports = stage.narrator, stage.postern.ports
    say.plain()
    for tenant in ("acme", "globex"):
        dsn = stage.login(tenant, "visitor")
        say.plain(
            f"{tenant:<8} psql 'postgresql://{login_of(tenant)}:{dsn.password}"
            f"@127.0.0.1:{ports.clients}/{DATABASE}'"
        )
    say.plain(f"metrics  curl http://127.0.0.1:{ports.admin}/metrics")
    say.plain(f"files    {stage.postern.folder}")
    say.plain("Ctrl-C stops everything and removes the folder.")
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def main() -> int:
    chosen = arguments()
    try:
        with Cluster("postern-demo-") as cluster:
            stage = Stage(cluster, Narrator(), chosen.broken)
            good = perform(stage)
            if not chosen.once and sys.stdin.isatty() and sys.stdout.isatty():
                stay(stage)
            return 0 if good else 1
    except KeyboardInterrupt:
        print("interrupted; everything is stopped")
        return 130


if __name__ == "__main__":
    sys.exit(main())
