#!/usr/bin/python3
"""Installs a package into a clean Debian 12, uses it, removes it: package_test.py PACKAGE FOLDER.

FOLDER keeps the bare system from one run to the next. Needs root (chroot) and the configured mirror
of Debian. Nothing is started on this machine but one postern inside the chroot, on free ports.
"""
from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import unittest
import urllib.request
from pathlib import Path

from package import OPS, names_of

SUITE = "bookworm"
# systemd is there to judge the unit, not to run it.
BASE_PACKAGES = "systemd"
ONLY_IN_IMAGE = {"ca-certificates", "curl"}
ONLY_IN_PACKAGE = {"adduser"}
NOT_OURS = re.compile(r"/(var/(lib/dpkg|lib/apt|cache|log)|proc|sys|run|tmp|dev)(/|$)|/etc/[^/]*-$")
WAIT_SECONDS = 20

PACKAGE = Path(sys.argv[1] if len(sys.argv) > 2 else "").resolve()
FOLDER = Path(sys.argv[2] if len(sys.argv) > 2 else "").resolve()

CONFIGURATION = """\
[listen]
port = {clients}
[cluster.main]
nodes = ["127.0.0.1:{nobody}"]
[database."*"]
cluster = "main"
[auth]
users_file = "users.toml"
[metrics]
port = {metrics}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def mirror() -> str:
    said = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for line in said.splitlines():
        codename, uri = line.split()
        if codename == SUITE:
            return uri
    raise SystemExit(f"package_test: no source of {SUITE} is configured")


class Chroot:
    """A copy of the bare system, gone with this object."""

    def __init__(self) -> None:
        base = FOLDER / f"{SUITE}-base"
        if not (base / "made").exists():
            shutil.rmtree(base, ignore_errors=True)
            FOLDER.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                ["debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", SUITE, base,
                 mirror()], check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            (base / "made").touch()
        self.root = FOLDER / f"{SUITE}-{os.getpid()}"
        subprocess.run(["cp", "-a", base, self.root], check=True)
        for file in ("/etc/resolv.conf", "/etc/hosts"):
            shutil.copyfile(file, self.root / file[1:])
        self._proxies()
        shutil.copyfile(PACKAGE, self.root / "tmp" / PACKAGE.name)

    def _proxies(self) -> None:
        said = subprocess.run(
            ["apt-config", "dump", "--no-empty", "Acquire"], capture_output=True, text=True
        ).stdout
        lines = [line for line in said.splitlines() if "::Proxy" in line or "::CaInfo" in line]
        (self.root / "etc/apt/apt.conf.d/00host").write_text("\n".join(lines) + "\n")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **{k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")},
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "DEBIAN_FRONTEND": "noninteractive",
            "LC_ALL": "C.UTF-8",
        }
        return subprocess.run(
            ["chroot", self.root, *command], env=environment, capture_output=True, text=True
        )

    def files(self) -> set[str]:
        """Every path but those of packages' and programs' own bookkeeping."""
        found = set()
        for folder, folders, files in os.walk(self.root):
            for name in folders + files:
                path = "/" + os.path.relpath(os.path.join(folder, name), self.root)
                if not NOT_OURS.match(path):
                    found.add(path)
        return found

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


class Installed(unittest.TestCase):
    """The life of a package, in the order of the tests' names."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.chroot = Chroot()
        cls.addClassCleanup(cls.chroot.remove)

    def good(self, *command: str) -> str:
        done = self.chroot.run(*command)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def test_1_installs_with_what_it_depends_on(self) -> None:
        self.good("apt-get", "update", "-q")
        self.good("apt-get", "install", "-y", "-q", "--no-install-recommends",
                  f"/tmp/{PACKAGE.name}")  # fmt: skip
        # Once more without it, so that what the second installation leaves behind is its own.
        self.good("dpkg", "--purge", "postern")
        type(self).before = self.chroot.files()
        self.good("dpkg", "-i", f"/tmp/{PACKAGE.name}")
        self.assertRegex(self.good("postern", "--version"), r"^postern \d+\.\d+\.\d+$")
        folder = (self.chroot.root / "etc/postern").stat()
        self.assertEqual((folder.st_uid, folder.st_mode & 0o777), (0, 0o750))
        self.assertNotEqual(folder.st_gid, 0)
        self.assertRegex(self.good("getent", "passwd", "postern"), r":/usr/sbin/nologin$")

    def test_2_the_unit_is_sound(self) -> None:
        unit = "/lib/systemd/system/postern.service"
        done = self.chroot.run("systemd-analyze", "verify", "--man=no", unit)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        exposure = self.good("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
        level = re.search(r"exposure level for \S+: ([0-9.]+)", exposure)
        self.assertIsNotNone(level, exposure)
        self.assertLess(float(level[1]), 2.0)

    def test_3_the_example_is_good(self) -> None:
        for name in ("postern.toml", "users.toml"):
            self.good("install", "-m", "0640", "-o", "root", "-g", "postern",
                      f"/etc/postern/{name}.example", f"/etc/postern/{name}")  # fmt: skip
        self.good("runuser", "-u", "postern", "--", "postern", "check", "-c",
                  "/etc/postern/postern.toml")  # fmt: skip

    def test_4_serves_as_its_own_user(self) -> None:
        ports = {name: free_port() for name in ("clients", "metrics", "nobody")}
        path = self.chroot.root / "etc/postern/postern.toml"
        path.write_text(CONFIGURATION.format(**ports))
        command = ["runuser", "-u", "postern", "--", "postern", "serve", "-c",
                   "/etc/postern/postern.toml"]  # fmt: skip
        log = FOLDER / "serve.log"
        with log.open("w") as output:
            server = subprocess.Popen(["chroot", self.chroot.root, *command], stderr=output)
        try:
            self.assertEqual(self.health(server, ports["metrics"]), 200, log.read_text())
        finally:
            server.terminate()
            status = server.wait(WAIT_SECONDS)
        # runuser passes the signal on and tells of it.
        self.assertIn(status, (0, 128 + 15, -15), log.read_text())
        self.assertIn("stopped", log.read_text())

    def health(self, server: subprocess.Popen[bytes], port: int) -> int:
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until and server.poll() is None:
            try:
                address = f"http://127.0.0.1:{port}/healthz"
                with urllib.request.urlopen(address, timeout=2) as answer:
                    return answer.status
            except OSError:
                time.sleep(0.1)
        return 0

    def test_5_leaves_nothing_but_configuration(self) -> None:
        self.good("apt-get", "remove", "-y", "-q", "postern")
        left = self.chroot.files() - self.before
        names = ("postern.toml", "postern.toml.example", "users.toml", "users.toml.example")
        self.assertEqual(left, {"/etc/postern", *(f"/etc/postern/{name}" for name in names)})
        self.good("dpkg", "--purge", "postern")
        left = self.chroot.files() - self.before
        self.assertEqual(
            left, {"/etc/postern", "/etc/postern/postern.toml", "/etc/postern/users.toml"}
        )


class Described(unittest.TestCase):
    """What stands beside the package says the same as the package."""

    def test_the_image_installs_what_the_package_depends_on(self) -> None:
        said = subprocess.run(
            ["dpkg-deb", "-f", PACKAGE, "Depends"], check=True, capture_output=True, text=True
        ).stdout
        text = (OPS / "Dockerfile").read_text().split("apt-get install", 1)[1]
        words = text.split("rm -rf", 1)[0].replace("\\", " ").replace("&&", " ").split()
        image = {word for word in words if not word.startswith("-")}
        self.assertEqual(image - ONLY_IN_IMAGE, names_of(said) - ONLY_IN_PACKAGE)

    def test_lintian_finds_no_error(self) -> None:
        done = subprocess.run(
            ["lintian", "--allow-root", "--fail-on", "error", PACKAGE],
            capture_output=True, text=True,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    result = unittest.TextTestRunner(verbosity=2).run(
        unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    )
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed")
    return 1 if bad or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
