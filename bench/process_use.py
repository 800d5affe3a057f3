"""What a process used: CPU time of all its threads, resident memory."""

from __future__ import annotations

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time so far. Nanoseconds from schedstat where the kernel keeps it; the
    ticks of /proc/PID/stat otherwise."""
    total = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    except (FileNotFoundError, IndexError):
        total = 0
    return total / 1e9 if total else _cpu_ticks(pid) / _TICK


def _cpu_ticks(pid: int) -> int:
    # The name in the second field may hold anything, so count from behind its bracket.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"process {pid} has no resident memory")
