#!/usr/bin/python3
"""The command line as scripts see it: command_line_test.py POSTERN."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

POSTERN = sys.argv.pop(1)

BASE = """[cluster.main]
nodes = ["127.0.0.1:5432"]
[database."*"]
cluster = "main"
[auth]
method = "trust"
"""


def run(*words, **environment):
    done = subprocess.run([POSTERN, *words], capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr


def commands():
    """The names in the overview."""
    return re.findall(r"^  ([a-z]+(?: [a-z]+)*)  +\S", run("--help")[1], re.M)


class Top(unittest.TestCase):
    def test_nothing_is_a_usage_error(self):
        code, out, err = run()
        self.assertEqual((code, out), (2, ""))
        self.assertIn("usage: postern", err)

    def test_help_and_version(self):
        for word in ("--help", "-h", "help"):
            code, out, err = run(word)
            self.assertEqual((code, err), (0, ""))
            self.assertIn("exit codes", out)
        self.assertRegex(run("--version")[1], r"^postern \d+\.\d+\.\d+\n$")

    def test_every_command_has_help(self):
        self.assertIn("check", commands())
        for name in commands():
            code, out, err = run(*name.split(), "--help")
            self.assertEqual((code, err), (0, ""), name)
            self.assertIn(f"usage: postern {name}", out)
            self.assertIn("--help", out)

    def test_every_command_refuses_an_unknown_flag(self):
        for name in commands():
            code, out, err = run(*name.split(), "--no-such-flag")
            self.assertEqual((code, out), (2, ""), name)
            self.assertIn("there is no --no-such-flag", err)

    def test_unknown_command_names_the_nearest(self):
        code, _, err = run("chek")
        self.assertEqual(code, 2)
        self.assertIn('did you mean "check"?', err)
        self.assertNotIn("did you mean", run("zebra")[2])

    def test_output_that_does_not_arrive_is_not_success(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([POSTERN, "--help"], stdout=full, check=False)
        self.assertEqual(done.returncode, 3)


class Arguments(unittest.TestCase):
    def refuses(self, part, *words):
        code, out, err = run(*words)
        self.assertEqual((code, out), (2, ""))
        self.assertIn("PST-1005", err)
        self.assertIn(part, err)

    def test_mistakes(self):
        self.refuses("did you mean --config?", "check", "--confg", "x")
        self.refuses("--config needs a value", "check", "--config")
        self.refuses("--config is given twice", "check", "-c", "a", "--config=b")
        self.refuses("--json takes no value", "check", "--json=1")
        self.refuses("there is no -x", "check", "-x")
        self.refuses('"stray" is one argument too many', "check", "stray")
        self.refuses('"b" is one argument too many', "explain", "a", "b")
        self.refuses("check needs --config", "check")
        self.refuses("explain needs", "explain")

    def test_two_dashes_end_the_flags(self):
        self.refuses('nothing is known about "--json"', "explain", "--", "--json")


class Check(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.file = str(pathlib.Path(self.folder.name) / "postern.toml")

    def write(self, text):
        pathlib.Path(self.file).write_text(text, encoding="utf-8")

    def test_good(self):
        self.write(BASE)
        code, out, err = run("check", "-c", self.file)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("WARNING [tenant] is absent", out)

    def test_good_as_json(self):
        self.write(BASE)
        code, out, _ = run("check", f"--config={self.file}", "--json")
        said = json.loads(out)
        self.assertEqual((code, said["good"], said["errors"]), (0, True, []))
        self.assertEqual(said["summary"]["databases"]["*"]["protected"], False)
        self.assertTrue(said["warnings"])

    def test_every_mistake_is_named(self):
        self.write(BASE + "[limits]\nmax_client = 1\nquery_bytes = 'x'\n")
        code, out, err = run("check", "-c", self.file)
        self.assertEqual((code, out), (1, ""))
        self.assertIn(f'{self.file}:8: limits.max_client: there is no such key; did you mean '
                      '"max_clients"?', err)
        self.assertIn(f"{self.file}:9: limits.query_bytes", err)
        code, out, _ = run("check", "-c", self.file, "--json")
        said = json.loads(out)
        self.assertEqual((code, said["good"]), (1, False))
        self.assertEqual([e["code"] for e in said["errors"]], ["PST-1003", "PST-1004"])

    def test_missing_file_is_the_environment(self):
        code, _, err = run("check", "-c", self.file)
        self.assertEqual(code, 3)
        self.assertIn("PST-1001", err)

    def test_secrets_come_from_the_environment_and_stay_silent(self):
        self.write(BASE + '[service]\nuser = "s"\npassword = "${POSTERN_TEST_PW}"\n')
        self.assertEqual(run("check", "-c", self.file)[0], 1)
        code, out, err = run("check", "-c", self.file, "--json", POSTERN_TEST_PW="canary-4711")
        self.assertEqual(code, 0)
        self.assertNotIn("canary-4711", out + err)


class Explain(unittest.TestCase):
    def test_code_key_and_section(self):
        self.assertIn("08P01", run("explain", "pst-1101")[1])
        self.assertIn("0 to 65535", run("explain", "listen.port")[1])
        self.assertIn("`nodes`", run("explain", "cluster.NAME")[1])

    def test_every_code_of_the_page_is_explained(self):
        codes = re.findall(r"^\| (PST-\d+) ", run("explain", "errors")[1], re.M)
        self.assertGreater(len(codes), 10)
        for code in codes:
            self.assertIn("hint:", run("explain", code)[1], code)

    def test_unknown(self):
        self.assertEqual(run("explain", "PST-0001")[0], 2)


class Offline(unittest.TestCase):
    """What the offline commands refuse before they open anything."""

    def refuses(self, expected, part, *words):
        code, out, err = run(*words)
        self.assertEqual((code, out), (expected, ""), err)
        self.assertIn(part, err)

    def test_what_is_missing_is_named(self):
        for words, part in [
            (("init",), "init needs postgres://"),
            (("doctor",), "doctor needs --config"),
            (("report",), "report needs --config"),
            (("policy", "plan", "-c", "x"), "needs --database"),
            (("policy", "apply", "-d", "x"), "needs --config"),
            (("policy", "rollback"), "needs --database"),
            (("policy", "explain", "-c", "x", "-d", "x", "SELECT 1"), "needs --as"),
            (("keys", "init"), "needs --config"),
            (("keys", "tenant", "add", "-c", "x"), "at least one TENANT"),
            (("audit", "verify"), "either --config FILE, or --dir"),
            (("audit", "verify", "--dir", "x"), "--key FILE"),
            (("audit", "verify", "-c", "x", "--dir", "y", "--key", "z"), "either --config"),
            (("audit", "search", "--kind", "nothing", "-c", "x"), "no kind"),
            (("audit", "search", "--since", "yesterday", "-c", "x"), "PST-2212"),
            (("report", "--until", "2026-02-30", "-c", "x"), "PST-2212"),
        ]:
            self.refuses(2, part, *words)

    def test_files_that_are_missing_are_the_environment(self):
        for words in (("doctor",), ("report",), ("keys", "init"), ("audit", "pubkey"),
                      ("policy", "verify", "-d", "x")):
            self.refuses(3, "PST-1001", *words, "-c", "/nonexistent/postern.toml")
        self.refuses(3, "PST-1909", "audit", "verify", "--dir", "/nonexistent", "--key", "/no.pub")

    def test_groups_have_help(self):
        for group in ("policy", "keys", "audit"):
            code, out, _ = run(group, "--help")
            self.assertEqual(code, 0)
            self.assertIn(f"  {group} ", out)

    def test_a_section_that_is_needed_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            file = str(pathlib.Path(folder) / "postern.toml")
            pathlib.Path(file).write_text(BASE, encoding="utf-8")
            self.refuses(1, "[audit]", "report", "-c", file)
            self.refuses(1, "[audit]", "audit", "search", "-c", file)
            self.refuses(1, "[keys]", "keys", "tenant", "list", "-c", file)
            self.refuses(1, "[service]", "policy", "verify", "-c", file, "-d", "x")

    def test_nothing_an_error_quotes_acts_on_the_terminal(self):
        _, _, err = run("explain", "a\x1b[2J\u202eb\nc")
        self.assertIn("\\x1b[2J\\u{202e}b c", err)


class AuditLog(unittest.TestCase):
    """A log as the writer makes it, left by its own test."""

    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        maker = pathlib.Path(POSTERN).parent / "tests" / "test_schema"
        subprocess.run([maker, "--test-case=a real log*"], check=True, capture_output=True,
                       env={**os.environ, "POSTERN_LOG_FOLDER": str(cls.folder)})
        cls.file = str(cls.folder / "postern.toml")
        (cls.folder / "postern.toml").write_text(
            BASE + '[audit]\ndir = "audit"\nkey_file = "audit.key"\n', encoding="utf-8")
        cls.log = ("--dir", str(cls.folder / "audit"), "--key", str(cls.folder / "audit.key.pub"))

    def test_intact(self):
        for words in (("-c", self.file), self.log):
            code, out, err = run("audit", "verify", *words)
            self.assertEqual((code, err), (0, ""))
            self.assertIn(": intact", out)
            self.assertIn("NOT SHOWN", out)

    def test_a_changed_byte_is_a_finding(self):
        segment = next((self.folder / "audit").glob("*.plog"))
        whole = segment.read_bytes()
        try:
            segment.write_bytes(whole.replace(b"acme_app", b"acme_ape", 1))
            code, out, _ = run("audit", "verify", "-c", self.file, "--json")
            self.assertEqual((code, json.loads(out)["intact"]), (1, False))
            self.assertTrue(json.loads(out)["findings"])
            self.assertEqual(run("audit", "search", "-c", self.file)[0], 1)
            self.assertEqual(run("report", "-c", self.file)[0], 1)
        finally:
            segment.write_bytes(whole)

    def test_search(self):
        lines = run("audit", "search", *self.log, "--kind", "refusal")[1].splitlines()
        self.assertEqual([json.loads(line)["record"]["kind"] for line in lines], ["refusal"])
        for flags in (("--tenant", "globex"), ("--code", "PST-9901"), ("--since", "2024-01-01")):
            self.assertEqual(run("audit", "search", *self.log, "--kind", "intent", *flags)[:2],
                             (0, ""))

    def test_pubkey(self):
        code, out, _ = run("audit", "pubkey", "-c", self.file)
        self.assertEqual(code, 0)
        self.assertEqual(out, (self.folder / "audit.key.pub").read_text().rstrip("\n") + "\n")

    def test_report(self):
        code, out, err = run("report", "-c", self.file)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("would be refused (observe mode): 1", out)
        self.assertIn("shop\\x1b[2J \\u{202e}", out)
        self.assertNotIn("\x1b", out)
        said = json.loads(run("report", "-c", self.file, "--json")[1])
        self.assertEqual(said["statements"], 1)
        self.assertEqual([(g["code"], g["applied"]) for g in said["refusals"]],
                         [("PST-1501", False)])
        self.assertTrue(said["refusals"][0]["advice"])


if __name__ == "__main__":
    unittest.main()
