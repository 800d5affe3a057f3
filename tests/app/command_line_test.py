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


if __name__ == "__main__":
    unittest.main()
