"""PostgreSQL's own test suites: taken from Debian's source package, built once, cached.

The SQL of the suites is in no binary package. Any 15.x serves: the reference is a direct run, not
the expected files, so the sources need not be those of the installed server.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

PG_LIB = Path("/usr/lib/postgresql/15/lib")
PG_CONFIG = Path("/usr/lib/postgresql/15/bin/pg_config")
PG_REGRESS = PG_LIB / "pgxs/src/test/regress/pg_regress"
ISOLATION_REGRESS = PG_LIB / "pgxs/src/test/isolation/pg_isolation_regress"
WANTED = ("src/test/regress/", "src/test/isolation/", "src/test/modules/libpq_pipeline/",
          "contrib/spi/")  # fmt: skip
LIBRARIES = ("src/test/regress/regress.c", "contrib/spi/refint.c", "contrib/spi/autoinc.c")
SOURCE_LIST = """\
deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror}/debian bookworm main
deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \
{mirror}/debian-security bookworm-security main
"""


class SourceError(RuntimeError):
    """The suites cannot be had; the message says what to do."""


@dataclass(frozen=True)
class Suites:
    """Where the suites are; readable for the account of the servers only after a copy."""

    regress: Path
    isolation: Path
    libraries: Path
    libpq_pipeline: Path
    version: str


def cache_folder() -> Path:
    """$POSTERN_CACHE, or the user's cache folder."""
    named = os.environ.get("POSTERN_CACHE")
    base = named or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / ("conformance" if named else "postern/conformance")


def fetch() -> None:
    """Downloads, unpacks and builds what is not cached yet."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "unpacked").exists():
        _unpack(_tarball(cache), cache)
    if not (cache / "built").exists():
        _build(cache)


def _tarball(cache: Path) -> Path:
    found = sorted(cache.glob("postgresql-15_15.*.orig.tar.*"))
    return found[-1] if found else _download(cache)


def _apt(cache: Path, *argv: str) -> str:
    """apt with a source list of its own: the machine's lists stay as they are."""
    options = [
        f"Dir::Etc::SourceList={cache}/sources.list",
        "Dir::Etc::SourceParts=-",
        f"Dir::State::Lists={cache}/lists",
        "APT::Sandbox::User=root",
    ]
    command = ["apt-get", "-q"] + [part for option in options for part in ("-o", option)]
    done = subprocess.run(
        [*command, *argv], cwd=cache, capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode != 0:
        raise SourceError(f"apt-get {argv[0]} failed: {done.stderr.strip()[-400:]}")
    return done.stdout


def _download(cache: Path) -> Path:
    (cache / "lists/partial").mkdir(parents=True, exist_ok=True)
    mirror = os.environ.get("POSTERN_DEBIAN_MIRROR", "http://deb.debian.org")
    (cache / "sources.list").write_text(SOURCE_LIST.format(mirror=mirror))
    _apt(cache, "update")
    listed = subprocess.run(
        ["apt-cache", "-o", f"Dir::Etc::SourceList={cache}/sources.list",
         "-o", "Dir::Etc::SourceParts=-", "-o", f"Dir::State::Lists={cache}/lists",
         "showsrc", "--only-source", "postgresql-15"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    versions = sorted(set(re.findall(r"^Version: (15\.\S+)$", listed, re.MULTILINE)), reverse=True)
    failures = []
    for version in versions:  # a mirror may list a version that it does not hold any more
        try:
            _apt(cache, "--download-only", "--only-source", "--tar-only", "source",
                 f"postgresql-15={version}")  # fmt: skip
            break
        except SourceError as error:
            failures.append(str(error))
    shutil.rmtree(cache / "lists", ignore_errors=True)
    found = sorted(cache.glob("postgresql-15_15.*.orig.tar.*"))
    if not found:
        raise SourceError(f"no source of postgresql-15 could be fetched: {failures}")
    return found[-1]


def _unpack(archive: Path, cache: Path) -> None:
    target = cache / "postgresql"
    shutil.rmtree(target, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            top, _, inside = member.name.partition("/")
            if inside.startswith(WANTED) and member.isfile() and ".." not in inside.split("/"):
                # By hand: Debian's tarfile has the argument `filter` in some of its updates only.
                made = target / inside
                made.parent.mkdir(parents=True, exist_ok=True)
                with tar.extractfile(member) as source, made.open("wb") as out:
                    shutil.copyfileobj(source, out)
                if not (cache / "version").exists():
                    (cache / "version").write_text(top.removeprefix("postgresql-"))
    (cache / "unpacked").touch()


def _config(option: str) -> str:
    done = subprocess.run([PG_CONFIG, option], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _compile(*argv: str | Path) -> None:
    done = subprocess.run(
        ["gcc", "-O2", "-w", *map(str, argv)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SourceError(f"gcc failed: {done.stderr.strip()[-600:]}")


def _build(cache: Path) -> None:
    """The suite's C functions and libpq_pipeline, against the installed headers."""
    target, source = cache / "lib", cache / "postgresql"
    target.mkdir(exist_ok=True)
    headers, client = _config("--includedir-server"), _config("--includedir")
    for name in LIBRARIES:
        made = target / Path(name).with_suffix(".so").name
        _compile("-fPIC", "-shared", f"-I{headers}", "-o", made, source / name)
    _compile(
        f"-I{headers}", f"-I{client}", f"-I{client}/internal", "-o", target / "libpq_pipeline",
        source / "src/test/modules/libpq_pipeline/libpq_pipeline.c", f"-L{PG_LIB}",
        "-lpq", "-lpgcommon", "-lpgport",
    )  # fmt: skip
    (cache / "built").touch()


def suites() -> Suites:
    """The cached suites; SourceError where `./dev deps conformance` was not run."""
    cache = cache_folder()
    if not (cache / "built").exists():
        raise SourceError("PostgreSQL's suites are not there: run ./dev deps conformance")
    tests = cache / "postgresql/src/test"
    return Suites(
        regress=tests / "regress",
        isolation=tests / "isolation",
        libraries=cache / "lib",
        libpq_pipeline=cache / "lib/libpq_pipeline",
        version=(cache / "version").read_text(),
    )


if __name__ == "__main__":
    try:
        fetch()
    except SourceError as error:
        raise SystemExit(f"conformance: {error}") from error
