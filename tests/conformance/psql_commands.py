"""Every backslash command that psql's own help lists, with at least one use of each."""

from __future__ import annotations

import re

_HELP_LINE = re.compile(r"^  \\(\?|!|[A-Za-z_]+)(\[[^\]]*\])*(.*)$")
# Commands whose name is followed by letters of choice, and the letters worth a try.
LETTERS = {"df": ("a", "n", "p", "t", "w"), "dP": ("t", "i", "n")}
PATTERN = {"dAc": "btree int4", "dAf": "btree", "dAo": "btree integer_ops",
           "dAp": "btree integer_ops", "do": "+ int4 int4", "df": "abs int4", "dconfig": "work*",
           "sf": "conformed", "sv": "seen", "l": "tools"}  # fmt: skip
NEEDS_NAME = ("sf", "sv")
# What is no listing. {folder} is a folder for files; each is a whole input of psql.
USES: dict[str, tuple[str, ...]] = {
    "copyright": (r"\copyright",),
    "crosstabview": (r"SELECT 1 a, 2 b, 3 c \crosstabview",),
    "errverbose": ("SELECT 1/0;\n\\errverbose", "SELECT nothing;\n\\errverbose"),
    "g": (r"SELECT 1 \g", r"SELECT 2 \g {folder}/g.txt", r"SELECT 3 \g (format=csv)",
          "SELECT 4 \\g | cat"),
    "gdesc": (r"SELECT 1 AS one, now() \gdesc", r"SELECT nothing \gdesc"),
    "gexec": (r"SELECT 'SELECT ' || n FROM generate_series(1, 3) n \gexec",),
    "gset": ("SELECT 1 AS x \\gset v_\n\\echo :v_x",),
    "gx": (r"SELECT 1 AS x, 2 AS y \gx",),
    "q": ("SELECT 1;\n\\q\nSELECT 2;",),
    "restrict": ("\\restrict abc\n\\d\n\\unrestrict abc\nSELECT 1;",),
    "unrestrict": (r"\unrestrict no",),
    "watch": ("SELECT 1 WHERE pg_backend_pid() < 0; SELECT 1/0 \\watch 0.1",),
    "?": (r"\?", r"\? options", r"\? variables"),
    "h": (r"\h SELECT", r"\h *"),
    "e": ("\\setenv PSQL_EDITOR true\nSELECT 1\n\\e\n;",),
    "ef": ("\\setenv PSQL_EDITOR true\n\\ef conformed\n;",),
    "ev": ("\\setenv PSQL_EDITOR true\n\\ev seen\n;",),
    "p": ("SELECT 1\n\\p\n;",),
    "r": ("SELECT 1\n\\r\nSELECT 2;",),
    "s": (r"\s {folder}/history",),
    "w": ("SELECT 1\n\\w {folder}/buffer\n;\n\\! cat {folder}/buffer",),
    "copy": (r"\copy (SELECT * FROM kept) TO STDOUT CSV HEADER",
             "\\copy kept TO {folder}/kept.txt\nBEGIN;\n\\copy kept FROM {folder}/kept.txt\n"
             "SELECT count(*) FROM kept;\nROLLBACK;",
             "BEGIN;\n\\copy kept FROM STDIN\n9\tnine\n\\.\nTABLE kept;\nROLLBACK;",
             r"\copy nothing FROM {folder}/kept.txt"),
    "echo": (r"\echo -n one two",),
    "i": ("\\! echo 'SELECT 5;' > {folder}/i.sql\n\\i {folder}/i.sql",),
    "ir": ("\\! echo 'SELECT 6;' > {folder}/ir.sql\n\\ir {folder}/ir.sql",),
    "o": ("\\o {folder}/o.txt\nSELECT 7;\n\\o\n\\! cat {folder}/o.txt",),
    "qecho": (r"\qecho words",),
    "warn": (r"\warn words",),
    "if": ("SELECT true AS t \\gset\n\\if :t\nSELECT 1;\n\\endif",),
    "elif": ("\\if false\nSELECT 1;\n\\elif true\nSELECT 2;\n\\endif",),
    "else": ("\\if false\nSELECT 1;\n\\else\nSELECT 3;\n\\endif",),
    "endif": (r"\endif",),
    "lo_export": (r"\lo_export 4711 {folder}/object",),
    "lo_import": ("\\lo_import {folder}/../postern.log 'a log'\n\\lo_unlink :LASTOID",),
    "lo_unlink": ("BEGIN;\n\\lo_unlink 815\nROLLBACK;",),
    "a": ("\\a\nSELECT 1;",),
    "C": ("\\C title\nSELECT 1;",),
    "f": ("\\a\n\\f ;\nSELECT 1, 2;",),
    "H": ("\\H\nSELECT 1;",),
    "pset": (r"\pset", "\\pset border 2\n\\pset null none\nSELECT NULL;",
             "\\pset format csv\nTABLE kept;"),
    "t": ("\\t\nSELECT 1;",),
    "T": ("\\T border=0\n\\H\nSELECT 1;",),
    "x": ("\\x\nTABLE kept;",),
    "c": ("\\c\nSELECT current_database();", r"\c nowhere", "\\c postgres\nSELECT 1;"),
    "connect": ("\\connect -\nSELECT current_user;",),
    "conninfo": (r"\conninfo",),
    "encoding": ("\\encoding\n\\encoding LATIN1\n\\encoding\nSELECT 'x';",),
    "password": (r"\password nobody_at_all",),
    "cd": ("\\cd {folder}\n\\! pwd",),
    "getenv": ("\\getenv u PGUSER\n\\echo :u",),
    "setenv": ("\\setenv A b\n\\! echo $A",),
    "timing": (r"\timing on", r"\timing"),
    "!": (r"\! echo out",),
    "prompt": ("\\prompt 'name? ' n\nvalue\n\\echo :n",),
    "set": ("\\set a 1\n\\echo :a", "\\set ON_ERROR_ROLLBACK on\nBEGIN;\nSELECT 1/0;\nSELECT 1;\n"
            "COMMIT;", "\\set FETCH_COUNT 2\nSELECT n FROM generate_series(1, 7) n;",
            "\\set ECHO_HIDDEN on\n\\d kept", "\\set VERBOSITY verbose\nSELECT nothing;",
            "\\set AUTOCOMMIT off\nSELECT 1;\nSELECT txid_current_if_assigned();"),
    "unset": ("\\set a 1\n\\unset a\n\\echo :a",),
}  # fmt: skip


def listed(help_text: str) -> dict[str, str]:
    """The commands that `\\?` names, each with what follows the name."""
    found: dict[str, str] = {}
    for line in help_text.splitlines():
        if match := _HELP_LINE.match(line):
            name = match.group(1)
            found[name] = found.get(name, "") + line
            if name == "c" and "[onnect]" in line:
                found["connect"] = line
    return found


def uses(name: str, line: str) -> tuple[str, ...]:
    """Inputs that use the command; none for a command that is not known here."""
    if name in USES:
        return USES[name]
    is_listing = name.startswith("d") or name in ("l", "z", "sf", "sv", "lo_list")
    if not is_listing:
        return ()
    options = line.split()[0]
    marks = ["", *LETTERS.get(name, ())]
    marks += [mark for mark, needs in (("S", "S"), ("+", "+"), ("S+", "S+"))
              if needs in re.sub(r"^\\\w+", "", options)]  # fmt: skip
    pattern = PATTERN.get(name, "*")
    made = [f"\\{name}{mark} {pattern}" for mark in marks]
    if name not in NEEDS_NAME:
        made += [f"\\{name}{mark}" for mark in marks]
    return (*made, f"\\{name} no_such_thing")
