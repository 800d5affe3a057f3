"""Looking for bytes in files, whatever the files are."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from (path for path in sorted(place.rglob("*")) if path.is_file())
        elif place.is_file():
            yield place


def contains(path: Path, needle: bytes) -> bool:
    """Whether the file holds the bytes; a file that vanished meanwhile does not."""
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                return False
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                return view.find(needle) >= 0
    except FileNotFoundError:
        return False


def files_containing(places: Iterable[Path], text: str) -> list[Path]:
    """All files under the places that hold the text's UTF-8 bytes."""
    needle = text.encode()
    return [path for path in _files(places) if contains(path, needle)]
