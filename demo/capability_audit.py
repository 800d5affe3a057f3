"""audit: what was done here, in a log that cannot be changed unnoticed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import audit_files
from capability import Capability
from clients import CapabilityError, expect
from scratch import wait_until

BOUNDED_LOSS_SECONDS = 10
COPY_ATTEMPTS = 3


class Audit(Capability):
    name = "audit"
    title = "Audit: the trail of exactly these steps, verified, then tampered with and caught"
    step = "audit"

    def show(self) -> None:
        self._folder = self.stage.postern.folder / "audit"
        self._public_key = self.stage.postern.folder / "audit.key.pub"
        self._search()
        self._verify()
        self._tamper("one word of one record is changed", _change_a_word)
        self._tamper("the last records are cut off", self._cut_the_tail)
        self._tamper("a record is repeated", _repeat_a_line)

    def _search(self) -> None:
        self.say.explain("Who touched what? The last statements of globex:")
        printed = self.stage.postern.cli_checked(
            "audit", "search", "-c", self.stage.postern.config, "--tenant", "globex"
        )
        lines = [line for line in printed.splitlines() if line.startswith("{")]
        expect(bool(lines), "the search finds nothing")
        self.say.command("postern audit search -c postern.toml --tenant globex | tail -3", "")
        for line in lines[-3:]:
            self.say.note("  " + _in_short(json.loads(line)["record"]))

    def _verify(self) -> None:
        self.say.explain("Every byte, link, root and signature:")
        postern = self.stage.postern
        printed = postern.cli_checked("audit", "verify", "-c", postern.config)
        self.say.command("postern audit verify -c postern.toml", printed)

    def _verify_copy(self, copy: Path) -> subprocess.CompletedProcess[str]:
        return self.stage.postern.cli(
            "audit", "verify", "--dir", copy, "--key", self._public_key,
            "--anchor", self.stage.anchor,
        )  # fmt: skip

    def _copy(self) -> Path:
        """A copy of the log that verifies; a living log may move on while it is copied."""
        copy = self.stage.postern.folder / "copy"
        for _ in range(COPY_ATTEMPTS):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(self._folder, copy)
            for path in (copy, *copy.rglob("*")):
                self.stage.cluster.scratch.give(path)
            verified = self._verify_copy(copy)
            if verified.returncode == 0:
                return copy
        raise CapabilityError(f"the untouched copy is refused: {verified.stdout}{verified.stderr}")

    def _cut_the_tail(self, data: bytes) -> bytes:
        """Leaves one record less than the anchor has signed."""
        size = audit_files.newest_size(self.stage.anchor)
        lines = data.splitlines(keepends=True)
        kept = [line for line in lines if audit_files.index_of_line(line) < size - 1]
        expect(len(kept) < len(lines), "nothing to cut: the anchor covers no record here")
        return b"".join(kept)

    def _tamper(self, what: str, change: Callable[[bytes], bytes]) -> None:
        self.say.explain(f"In a copy, {what}:")
        copy = self._copy()
        try:
            segment = max(copy.glob("*.plog"))
            segment.write_bytes(change(segment.read_bytes()))
            caught = self._verify_copy(copy)
            output = caught.stdout + caught.stderr
            self.say.command("postern audit verify --dir copy --key … --anchor …", output, 3)
            expect(caught.returncode == 1, f"not caught: {what} (exit code {caught.returncode})")
        finally:
            shutil.rmtree(copy)

    def assert_from_other_side(self) -> None:
        wait_until(self._all_written, "the log to hold every statement", BOUNDED_LOSS_SECONDS)
        notes = self.stage.anchor.read_text(encoding="utf-8")
        records = audit_files.read_log(self._folder)
        audit_files.check_chain(records)
        self.say.asserted(f"a second program reads the files: {len(records)} records, one chain")
        size = audit_files.check_last_checkpoint(notes, self._public_key, records)
        self.say.asserted(f"openssl accepts the anchor's signature over the first {size} records")
        told = audit_files.accesses(records)
        for step in sorted(self.stage.finished):
            self._compare(step, told)
        self.say.asserted("each statement these clients sent is there once, in order, with its end")

    def _all_written(self) -> bool:
        written = audit_files.accesses(audit_files.read_log(self._folder))
        steps = {f"demo {step}" for step in self.stage.finished}
        there = sum(1 for access in written if access.application in steps)
        sent = sum(1 for entry in self.stage.journal.entries if entry.application in steps)
        return there >= sent

    def _compare(self, step: str, told: list[audit_files.Access]) -> None:
        application = f"demo {step}"
        sent = [(entry.login, entry.succeeded) for entry in self.stage.journal.of(application)]
        mine = [access for access in told if access.application == application]
        logged = [(access.login, access.succeeded) for access in mine]
        expect(len(logged) == len(sent),
               f"{application}: {len(sent)} statements sent, {len(logged)} in the log")  # fmt: skip
        expect(logged == sent, f"{application}: the log tells another story")
        for access in mine:
            tenant = "" if access.login == "guest" else access.login.removesuffix("_app")
            expect(access.tenant == tenant, f"{access.login} is logged under {access.tenant!r}")


def _in_short(record: dict) -> str:
    """A record as one readable line."""
    body = record["rec"]
    what, who = body.get("what", {}), body.get("who", {})
    outcome = body.get("outcome", {})
    relations = ", ".join(use["name"] for use in what.get("relations", []))
    parts = [
        f"#{record['idx']}", record["kind"], who.get("login", ""), what.get("operation", ""),
        relations, body.get("decision", {}).get("code", ""), str(outcome.get("state", "")),
    ]  # fmt: skip
    return " ".join(part for part in parts if part)


def _change_a_word(data: bytes) -> bytes:
    # As long as before, so that nothing but the word gives it away.
    expect(b'"acme_app"' in data, "acme_app is nowhere in the segment")
    at = data.rindex(b'"acme_app"')
    return data[:at] + b'"acme_ape"' + data[at + 10 :]


def _repeat_a_line(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([*lines[:3], lines[2], *lines[3:]])
