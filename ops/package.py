#!/usr/bin/python3
"""Builds the Debian package from the release build: package.py BINARY OUTPUT-FOLDER.

Prints the path of the package. Needs dpkg-dev and binutils; runs as any user.
"""
from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from manual import Program, command_page, configuration_page

REPOSITORY = Path(__file__).resolve().parents[1]
OPS = REPOSITORY / "ops"
# Libraries of headers alone: their code is in the program, and so their notices in the package.
HEADER_LIBRARIES = ("libboost1.81-dev", "libtomlplusplus-dev", "nlohmann-json3-dev")
CONFIGURATION_FILES = ("postern.toml.example", "users.toml.example")
PAGES = ("operating", "limits", "config", "errors", "metrics", "performance", "THREATS")
MAINTAINER = "Postern maintainers <maintainers@postern.invalid>"

DESCRIPTION = """\
transparent proxy that protects PostgreSQL databases
 Applications change the port they connect to and nothing else. Postern keeps
 tenants apart, encrypts personal columns, sends harmless reads to replicas,
 caches hot answers, pools connections, and writes an access log in which every
 change shows. What it does not understand on a protected database it refuses,
 with a code and a remedy, and never guesses."""

COPYRIGHT = """\
Postern

Copyright the maintainers of Postern. The source this package was built from
grants no licence.

The program contains code of these libraries, which consist of headers. Their
notices follow, as Debian ships them.
"""


def run(*command: str | Path, folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


class Package:
    """One package in the making: a tree of files, and what dpkg is told of it."""

    def __init__(self, binary: Path, output: Path) -> None:
        self._program = Program(binary)
        self.version = self._program.version()
        self.architecture = run("dpkg", "--print-architecture").strip()
        self._binary = binary
        self._output = output
        self._tree = output / "tree"
        shutil.rmtree(self._tree, ignore_errors=True)

    def build(self) -> Path:
        self._programs()
        self._configuration()
        self._manual()
        self._documents()
        self._control()
        package = self._output / f"postern_{self.version}_{self.architecture}.deb"
        run("dpkg-deb", "--root-owner-group", "--build", self._tree, package)
        return package

    def _put(self, source: Path, target: str, mode: int = 0o644) -> Path:
        path = self._tree / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        path.chmod(mode)
        return path

    def _write(self, target: str, content: bytes, mode: int = 0o644) -> None:
        path = self._tree / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)

    def _zipped(self, target: str, text: str) -> None:
        # No time inside: the same source gives the same package.
        self._write(target + ".gz", gzip.compress(text.encode(), 9, mtime=0))

    def _programs(self) -> None:
        program = self._put(self._binary, "usr/bin/postern", 0o755)
        run("strip", "--strip-unneeded", "--remove-section=.comment", program)
        self._put(OPS / "postern.service", "lib/systemd/system/postern.service")
        self._put(OPS / "postern.socket", "usr/share/doc/postern/examples/postern.socket")

    def _configuration(self) -> None:
        for name in CONFIGURATION_FILES:
            self._put(OPS / name, f"etc/postern/{name}")

    def _manual(self) -> None:
        self._zipped("usr/share/man/man1/postern.1", command_page(self._program))
        self._zipped("usr/share/man/man5/postern.toml.5", configuration_page(self._program))

    def _documents(self) -> None:
        folder = "usr/share/doc/postern"
        for page in PAGES:
            text = (REPOSITORY / "docs" / f"{page}.md").read_text()
            self._zipped(f"{folder}/{page}.md", text)
        notices = [COPYRIGHT]
        for library in HEADER_LIBRARIES:
            text = Path("/usr/share/doc", library, "copyright").read_text()
            notices.append(f"\n---- {library} ----\n\n{text}")
        self._write(f"{folder}/copyright", "".join(notices).encode())
        date = run("git", "-C", REPOSITORY, "log", "-1", "--format=%cD").strip()
        self._zipped(
            f"{folder}/changelog",
            f"postern ({self.version}) unstable; urgency=medium\n\n"
            f"  * Version {self.version}.\n\n -- {MAINTAINER}  {date}\n",
        )

    def dependencies(self) -> str:
        """What dpkg-shlibdeps finds the program linked with."""
        work = self._output / "shlibdeps"
        (work / "debian").mkdir(parents=True, exist_ok=True)
        control = "Source: postern\n\nPackage: postern\nArchitecture: any\n"
        (work / "debian/control").write_text(control)
        program = self._tree / "usr/bin/postern"
        said = run("dpkg-shlibdeps", "--warnings=0", "-O", program, folder=work)
        return said.strip().removeprefix("shlibs:Depends=")

    def _control(self) -> None:
        files = [path for path in self._tree.rglob("*") if path.is_file()]
        size = sum(-(-path.stat().st_size // 1024) for path in files)
        fields = {
            "Package": "postern",
            "Version": self.version,
            "Section": "database",
            "Priority": "optional",
            "Architecture": self.architecture,
            "Maintainer": MAINTAINER,
            "Installed-Size": str(size),
            "Depends": self.dependencies() + ", adduser",
            "Suggests": "postgresql, redis-server",
            "Description": DESCRIPTION,
        }
        control = "".join(f"{name}: {value}\n" for name, value in fields.items())
        names = "".join(f"/etc/postern/{name}\n" for name in CONFIGURATION_FILES)
        sums = "".join(
            f"{run('md5sum', path).split()[0]}  {path.relative_to(self._tree)}\n"
            for path in sorted(files)
            if "etc" not in path.relative_to(self._tree).parts
        )
        self._write("DEBIAN/control", control.encode())
        self._write("DEBIAN/conffiles", names.encode())
        self._write("DEBIAN/md5sums", sums.encode())
        for script in ("postinst", "prerm", "postrm"):
            self._put(OPS / "debian" / script, f"DEBIAN/{script}", 0o755)
        for folder in (path for path in self._tree.rglob("*") if path.is_dir()):
            folder.chmod(0o755)


def names_of(dependencies: str) -> set[str]:
    """The packages of a Depends field, first of alternatives, without versions."""
    return {re.split(r"[ (|:]", entry.strip(), maxsplit=1)[0] for entry in dependencies.split(",")}


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    os.umask(0o022)
    output = Path(sys.argv[2]).resolve()
    output.mkdir(parents=True, exist_ok=True)
    print(Package(Path(sys.argv[1]).resolve(), output).build())
    return 0


if __name__ == "__main__":
    sys.exit(main())
