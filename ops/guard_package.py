#!/usr/bin/python3
"""Builds the Debian package of the extension: guard_package.py VERSION OUTPUT-FOLDER.

Prints the path of the package. Needs postgresql-server-dev-15, gcc, make, libssl-dev and dpkg-dev;
runs as any user.
"""
from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

from package import COPYRIGHT, MAINTAINER, REPOSITORY, run

NAME = "postern-guard-15"
SOURCES = REPOSITORY / "policy" / "guard"
DESCRIPTION = """\
PostgreSQL 15 extension that verifies Postern's tenant contexts
 Postern keeps tenants apart by row security keyed on a signed context. This
 library verifies that context once, when it is set, instead of in every
 statement, keeps it from the session it is set in, and has its keys in a file
 that only the server reads. Without it the same is done in SQL."""


def build_tree(output: Path) -> Path:
    """The files of `make install`, below a folder of their own."""
    objects, tree = output / "guard", output / "guard-tree"
    for folder in (objects, tree):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    make = ("make", "-s", "-f", SOURCES / "Makefile", f"VPATH={SOURCES}")
    run(*make, "all", folder=objects)
    run(*make, "install", f"DESTDIR={tree}", folder=objects)
    for library in tree.rglob("*.so"):
        run("strip", "--strip-unneeded", "--remove-section=.comment", library)
        library.chmod(0o644)
    return tree


def dependencies(output: Path, library: Path) -> str:
    work = output / "guard-shlibdeps"
    (work / "debian").mkdir(parents=True, exist_ok=True)
    (work / "debian/control").write_text(f"Source: {NAME}\n\nPackage: {NAME}\nArchitecture: any\n")
    said = run("dpkg-shlibdeps", "--warnings=0", "-O", library, folder=work)
    return said.strip().removeprefix("shlibs:Depends=")


def documents(tree: Path, version: str) -> None:
    folder = tree / "usr/share/doc" / NAME
    folder.mkdir(parents=True)
    notice = COPYRIGHT.split("The program contains")[0]
    (folder / "copyright").write_text(notice)
    date = run("git", "-C", REPOSITORY, "log", "-1", "--format=%cD").strip()
    text = (f"{NAME} ({version}) unstable; urgency=medium\n\n  * Version {version}.\n\n"
            f" -- {MAINTAINER}  {date}\n")  # fmt: skip
    (folder / "changelog.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def control(tree: Path, version: str, depends: str) -> None:
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    size = sum(-(-path.stat().st_size // 1024) for path in files)
    fields = {
        "Package": NAME,
        "Version": version,
        "Section": "database",
        "Priority": "optional",
        "Architecture": run("dpkg", "--print-architecture").strip(),
        "Maintainer": MAINTAINER,
        "Installed-Size": str(size),
        "Depends": f"postgresql-15, {depends}",
        "Enhances": "postern",
        "Description": DESCRIPTION,
    }
    sums = [f"{run('md5sum', path).split()[0]}  {path.relative_to(tree)}\n" for path in files]
    folder = tree / "DEBIAN"
    folder.mkdir()
    (folder / "control").write_text("".join(f"{k}: {v}\n" for k, v in fields.items()))
    (folder / "md5sums").write_text("".join(sums))
    for path in (path for path in tree.rglob("*") if path.is_dir()):
        path.chmod(0o755)


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    os.umask(0o022)
    version, output = sys.argv[1], Path(sys.argv[2]).resolve()
    output.mkdir(parents=True, exist_ok=True)
    try:
        tree = build_tree(output)
        depends = dependencies(output, next(tree.rglob("*.so")))
        documents(tree, version)
        control(tree, version, depends)
        architecture = run("dpkg", "--print-architecture").strip()
        package = output / f"{NAME}_{version}_{architecture}.deb"
        run("dpkg-deb", "--root-owner-group", "--build", tree, package)
    except subprocess.CalledProcessError as error:
        print(f"guard_package: {error}\n{error.stdout or ''}", file=sys.stderr)
        return 1
    print(package)
    return 0


if __name__ == "__main__":
    sys.exit(main())
