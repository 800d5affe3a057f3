"""An independent reader of the audit log: its own parser, hashes, Merkle tree and signature check.

It shares no code with Postern; the signature is checked by the openssl program.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clients import CapabilityError, expect

_FRAME = re.compile(rb"([HRT])([0-9a-f]{4}) ([0-9a-f]{8}) ")
_FRAME_BYTES = len(b"R0000 00000000 ")
# DER of an Ed25519 SubjectPublicKeyInfo in front of the 32 raw bytes (RFC 8410).
_ED25519_DER = bytes.fromhex("302a300506032b6570032100")


@dataclass(frozen=True)
class Record:
    """One stored record; `raw` are the bytes that were hashed."""

    index: int
    kind: str
    prev: str
    body: dict
    raw: bytes

    @property
    def leaf(self) -> bytes:
        return leaf_hash(self.raw)


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962: SHA-256 over 00 and the entry."""
    return hashlib.sha256(b"\x00" + data).digest()


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 Merkle tree hash of the leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    left, right = tree_root(leaves[:split]), tree_root(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def read_log(folder: Path) -> list[Record]:
    """All records of all segments, in order; CapabilityError at the first byte out of place."""
    records: list[Record] = []
    segments = sorted(folder.glob("*.plog"))
    expect(bool(segments), f"no segment in {folder}")
    for segment in segments:
        records += _read_segment(segment)
    return records


def _read_segment(path: Path) -> list[Record]:
    data, at, records = path.read_bytes(), 0, []
    while at < len(data):
        frame = _FRAME.match(data, at)
        if frame is None:
            raise CapabilityError(f"{path.name}: no frame at byte {at}")
        start, end = frame.end(), frame.end() + int(frame[2], 16)
        raw = data[start:end]
        expect(data[end : end + 1] == b"\n", f"{path.name}: the frame at byte {at} is torn")
        check = leaf_hash(raw).hex()[:8].encode()
        expect(check == frame[3], f"{path.name}: bad check at {at}")
        if frame[1] == b"R":
            stored = json.loads(raw)
            records.append(
                Record(stored["idx"], stored["kind"], stored["prev"], stored["rec"], raw)
            )
        at = end + 1
    return records


def check_chain(records: Sequence[Record]) -> None:
    """Every record stands in its place and names the hash of the one before."""
    prev = bytes(32)
    for position, record in enumerate(records):
        expect(record.index == position, f"record {record.index} stands at {position}")
        expect(record.prev == prev.hex(), f"record {position} is not linked to the one before")
        prev = record.leaf


def index_of_line(line: bytes) -> int:
    """Index of the record on a line of a segment; -1 for the header, and for a trailer its size."""
    if line.startswith(b"H"):
        return -1
    stored = json.loads(line[_FRAME_BYTES:])
    return int(stored["idx"] if line.startswith(b"R") else stored["size"])


def newest_size(notes: Path) -> int:
    """How many records the newest checkpoint in the file covers."""
    return int(notes.read_text(encoding="utf-8").splitlines()[-4])


def check_last_checkpoint(notes: str, public_key: Path, records: Sequence[Record]) -> int:
    """Root and Ed25519 signature of the newest checkpoint among the notes; its size. The notes are
    read before the records: the log goes on meanwhile."""
    lines = notes.splitlines()
    origin, size, root, blank, signature = lines[-5:]
    expect(blank == "" and signature.startswith("— "), "the last note is torn")
    leaves = [record.leaf for record in records[: int(size)]]
    expect(len(leaves) == int(size), f"signed: {size} records, there: {len(leaves)}")
    expect(base64.b64decode(root) == tree_root(leaves), "the signed root is not the records' root")
    signed = f"{origin}\n{size}\n{root}\n".encode()
    _check_signature(public_key, signed, base64.b64decode(signature.split(" ")[2])[4:])
    return int(size)


def _check_signature(public_key: Path, signed: bytes, signature: bytes) -> None:
    key = base64.b64decode(public_key.read_text().strip().split("+", 2)[2])[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "key").write_bytes(_ED25519_DER + key)
        (folder / "text").write_bytes(signed)
        (folder / "signature").write_bytes(signature)
        done = subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin",
             "-inkey", folder / "key", "-in", folder / "text", "-sigfile", folder / "signature"],
            capture_output=True, check=False,
        )  # fmt: skip
        expect(done.returncode == 0, "openssl does not accept the checkpoint's signature")


@dataclass(frozen=True)
class Access:
    """One statement as the log tells it."""

    application: str
    login: str
    tenant: str
    succeeded: bool


def accesses(records: Sequence[Record]) -> list[Access]:
    """All statements in order: refusals, whole statements, and intents with their outcomes."""
    outcomes = {r.body["ref"]: r.body["outcome"] for r in records if r.kind == "outcome"}
    found = []
    for record in records:
        if record.kind not in ("intent", "statement", "refusal"):
            continue
        outcome = record.body.get("outcome") or outcomes.get(record.index) or {}
        who = record.body["who"]
        good = record.kind != "refusal" and outcome.get("state") == "ok"
        found.append(
            Access(who.get("application", ""), who["login"], who.get("tenant", ""), good)
        )
    return found
