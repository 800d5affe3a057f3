#!/usr/bin/python3
"""Checks the house rules: style.py ROOT. With --self-test, plants a breach of each rule and wants
every one of them found."""
import pathlib
import subprocess
import sys
import tempfile

import rules

TEXT = (".cpp", ".hpp", ".def", ".py", ".md", ".sql", ".toml", ".cmake", ".txt", ".sh", ".yml",
        ".yaml", ".json", ".service")
FOLDERS = ("app", "audit", "base", "bench", "cmake", "config", "crypto", "demo", "docs", "ops",
           "policy", "protocol", "proxy", "schema", "sql", "tests", "types", ".ci")


def walk(root):
    """Every text file of the project, relative to root; tracked ones, or all without git."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"],
                            capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.splitlines()
    else:
        names = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    for name in sorted(names):
        top = name.split("/", 1)[0]
        known = top in FOLDERS or "/" not in name
        script = name in ("dev", ".ci/run") or name.endswith("/run")
        if known and (name.endswith(TEXT) or script) and (root / name).is_file():
            yield name


def check(root):
    """All breaches as "path:line: rule: text"."""
    found = []
    for name in walk(root):
        text = (root / name).read_text(encoding="utf-8", errors="replace")
        for rule in rules.RULES:
            for line, what in rule(name, text):
                found.append(f"{name}:{line}: {rule.__name__}: {what}")
    return found


def long_function(lines):
    return "int f(int x) {\n" + "  x += 1;\n" * (lines - 2) + "}\n"


# (file, content, rule that must find it or None where nothing may be found)
PLANTED = [
    ("base/a.cpp", '#include "protocol/x.hpp"\n', "layering"),
    ("policy/a.cpp", '#include "crypto/x.hpp"\n', "layering"),
    ("audit/a.cpp", '#include "policy/x.hpp"\n', "layering"),
    ("protocol/a.hpp", '#pragma once\n#include "sql/x.hpp"\n', "layering"),
    ("proxy/a.cpp", '#include "schema/x.hpp"\n', "layering"),
    ("schema/a.cpp", '#include "proxy/x.hpp"\n', "layering"),
    ("config/a.cpp", '#include "proxy/x.hpp"\n', "layering"),
    ("base/a.cpp", '#include "x.hpp"\n', "layering"),
    ("base/a.cpp", "#include <openssl/evp.h>\n", "layering"),
    ("proxy/session/a.cpp", "#include <openssl/ssl.h>\n", "layering"),
    ("policy/a.cpp", "#include <pg_query.h>\n", "layering"),
    ("app/a.cpp", "#include <boost/asio.hpp>\n", "layering"),
    ("proxy/a.cpp", "#include <libpq-fe.h>\n", "layering"),
    ("config/a.cpp", "#include <toml++/toml.h>\n", "layering"),
    ("base/a.cpp", "#include <doctest/doctest.h>\n", "layering"),
    ("base/a.cpp", "#include <rapidjson/reader.h>\n", "layering"),
    ("base/a.hpp", "int f();\n", "pragma_once"),
    ("base/a.cpp", "\n" * 601, "length"),
    ("tests/a.py", "\n" * 601, "length"),
    ("base/a.cpp", "//" + "x" * 99 + "\n", "columns"),
    ("dev", "#" + "x" * 100 + "\n", "columns"),
    ("docs/a.md", "TO" + "DO: later\n", "unfinished"),
    ("base/a.cpp", "// FIX" + "ME\n", "unfinished"),
    ("base/a.cpp", "// X" + "XX\n", "unfinished"),
    ("docs/a.md", "see /wo" + "rk/main\n", "machine_paths"),
    ("tests/a.py", "P = '/ho" + "me/me'\n", "machine_paths"),
    ("base/a.cpp", long_function(71), "function_length"),
    ("base/a.cpp", "namespace a {\nclass B {\n" + long_function(71) + "};\n}\n", "function_length"),
    ("base/a.cpp", "B::B(int x) : a_{x} {\n" + "  x += 1;\n" * 70 + "}\n", "function_length"),
    ("base/a.cpp", "auto s = R\"(\n}\n)\";\n" + long_function(71), "function_length"),
    ("tests/a.cpp", 'TEST_CASE("{") {\n' + "  x += 1;\n" * 70 + "}\n", "function_length"),
    ("tests/a.py", "def f():\n" + "    g()\n" * 70, "function_length"),
    # What is allowed.
    ("policy/a.cpp", '#include "sql/x.hpp"\n#include "types/x.hpp"\n#include <vector>\n', None),
    ("proxy/net/a.cpp", "#include <openssl/ssl.h>\n#include <sys/socket.h>\n", None),
    ("config/toml_document.cpp", "#include <toml++/toml.h>\n", None),
    ("tests/a.cpp", '#include "proxy/x.hpp"\n#include <openssl/evp.h>\n', None),
    ("base/a.cpp", "\n" * 600, None),
    ("base/a.cpp", "//" + "é" * 98 + "\n", None),
    ("base/a.cpp", long_function(70), None),
    ("base/a.cpp", "int kTable[] = {\n" + "  1,\n" * 100 + "};\n", None),
    ("base/a.cpp", "namespace a {\n" + "int f();\n" * 100 + "}\n", None),
    ("base/a.cpp", "const char kName[] = \"/tmp/a-XXXX" + "XX\";\n", None),
]


def self_test():
    failures = 0
    for name, content, rule in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            found = check(pathlib.Path(folder))
        names = {line.split(": ")[1] for line in found}
        if names != ({rule} if rule else set()):
            failures += 1
            print(f"{name}: {content[:60]!r}: expected {rule}, found {found}")
    print(f"{len(PLANTED) - failures} planted cases judged rightly, {failures} wrongly")
    return failures


def main():
    if "--self-test" in sys.argv:
        return 1 if self_test() else 0
    found = check(pathlib.Path(sys.argv[1]))
    print("\n".join(found + [f"{len(found)} breaches of the house rules"]))
    return 1 if found else 0


sys.exit(main())
