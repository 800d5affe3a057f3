#!/usr/bin/env python3
"""Compares types/ with a real PostgreSQL 15 on more than 100,000 generated values.

    tests/types/oracle.py build/dev/tests/test_types

Starts a throw-away cluster, lets its own input and output functions judge every value under all
DateStyle settings, and hands the verdicts to the test binary's case "oracle" (oracle_test.cpp).
Exit code 0 only if every value was compared and agreed. Fixed seed.
"""
import argparse
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile

BIN = "/usr/lib/postgresql/15/bin"
STYLES = [f"{style}, {order}" for style in ("ISO", "Postgres", "SQL", "German")
          for order in ("MDY", "DMY", "YMD")]
VARCHAR_LENGTHS = (1, 5, 40)
MONTHS = ("jan feb mar apr may jun jul aug sep sept oct nov dec january february march april june "
          "july august september october november december").split()

# Each function answers {ok, binary form, text form} or {err, SQLSTATE, message}; varchar(n) is an
# assignment, since an explicit cast would cut silently.
FUNCTION = """
CREATE FUNCTION try_{name}(input text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE v {type};
BEGIN
  v := {value};
  RETURN ARRAY['ok', encode({send}(v), 'hex'), encode(convert_to(v::text, 'UTF8'), 'hex')];
EXCEPTION WHEN others THEN
  RETURN ARRAY['err', SQLSTATE, encode(convert_to(SQLERRM, 'UTF8'), 'hex')];
END $$;
"""


class Cluster:
    """A PostgreSQL of our own, gone at the end; run as nobody where we are root."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-oracle-")
        self.user = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
        if self.user:
            shutil.chown(self.folder, "nobody")
        data = f"{self.folder}/data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.run("initdb", "-D", data, "-U", "oracle", "-E", "UTF8", "--locale=C", "-A", "trust",
                 "--no-sync")
        options = (f"-c port={self.port} -c listen_addresses='' -c fsync=off -c timezone=UTC "
                   f"-c unix_socket_directories={self.folder}")
        self.data = data
        self.run("pg_ctl", "-D", data, "-w", "-l", f"{self.folder}/log", "-o", options, "start")
        return self

    def run(self, program, *arguments):
        subprocess.run([*self.user, f"{BIN}/{program}", *arguments], check=True, cwd=self.folder,
                       stdout=subprocess.DEVNULL)

    def __exit__(self, *_):
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def psql(self, script, output):
        command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p",
                   str(self.port), "-U", "oracle", "-d", "postgres", "-f", "-"]
        subprocess.run(command, input=script, stdout=output, check=True)


def pad(rng, number, width):
    return str(number).zfill(rng.choice((1, width)))


def any_case(rng, word):
    return rng.choice((word, word.upper(), word.capitalize()))


def year(rng):
    return rng.choice((rng.randint(0, 99), rng.randint(1900, 2100), rng.randint(0, 9999),
                       rng.randint(4700, 4720), rng.randint(0, 5874900), 5874897, 5874898))


def year_text(rng):
    return str(year(rng)).zfill(rng.choice((1, 2, 4, 4, 4)))


def spaces(rng):
    return " " * rng.choice((1, 1, 1, 2))


def numeric_date(rng):
    parts = [year_text(rng), pad(rng, rng.randint(0, 13), 2), pad(rng, rng.randint(0, 32), 2)]
    if rng.random() < 0.4:
        parts = rng.choice(([parts[1], parts[2], parts[0]], [parts[2], parts[1], parts[0]]))
    return rng.choice("-/.").join(parts)


def plausible_date(rng):
    month, day = pad(rng, rng.randint(1, 12), 2), pad(rng, rng.randint(1, 29), 2)
    y = str(rng.randint(1, 9999)).zfill(4)
    order = rng.choice(([y, month, day], [month, day, y], [day, month, y]))
    return rng.choice("-/.").join(order)


def run_date(rng):
    y = f"{rng.randint(0, 9999):04d}" if rng.random() < 0.6 else f"{rng.randint(0, 99):02d}"
    return y + f"{rng.randint(0, 13):02d}{rng.randint(0, 32):02d}"


def named_date(rng):
    month = any_case(rng, rng.choice(MONTHS))
    y = str(rng.randint(0, 99999)).zfill(rng.choice((2, 4)))
    day = pad(rng, rng.randint(0, 32), 2)
    form = rng.randrange(3)
    if rng.random() < 0.5:
        gap = rng.choice("-/.")
        parts = ([month, day, y], [day, month, y], [y, month, day])[form]
        return gap.join(parts)
    gap = spaces(rng)
    comma = rng.choice(("", ","))
    return (f"{month}{gap}{day}{comma}{gap}{y}", f"{day}{gap}{month}{gap}{y}",
            f"{y}{gap}{month}{gap}{day}")[form]


def date_with_tail(rng):
    date = f"{rng.randint(1, 9999):04d}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    tail = ""
    if rng.random() < 0.7:
        tail = rng.choice((" ", "T", "t", "  "))
        tail += f"{pad(rng, rng.randint(0, 23), 2)}:{rng.randint(0, 59):02d}"
        if rng.random() < 0.8:
            tail += f":{rng.randint(0, 59):02d}"
            if rng.random() < 0.5:
                tail += "." + str(rng.randint(0, 999999)).zfill(6)[:rng.randint(1, 6)]
        zone = rng.choice(("", "", "Z", "z", " ", "signed"))
    else:
        zone = rng.choice(("+", " signed"))
    if "signed" in zone or zone == "+":
        sign = "+" if zone == "+" else rng.choice("+-")
        hours = f"{rng.randint(0, 15):02d}"
        tail += zone.replace("signed", "").replace("+", "") + sign + hours
        tail += rng.choice(("", "", ":30", "00"))
    else:
        tail += zone
    return date + tail


def era(rng, text):
    if rng.random() < 0.2:
        text += rng.choice((" ", "", "  ")) + any_case(rng, rng.choice(("bc", "ad")))
    return text


WORDS = ["infinity", "-infinity", "Infinity", "INFINITY", "epoch", "Epoch", "", " ", "\t", "abc",
         "foo", "null", "date", "infinit", "infinityx", "utc", "zulu", "est", "jan", "monday", "bc",
         "allballs", "inf", "j", "t", "am"]


def known_dates(rng, count):
    forms = (numeric_date, plausible_date, plausible_date, run_date, named_date)
    for word in WORDS:
        yield word
    for _ in range(count):
        if rng.random() < 0.2:
            yield era(rng, date_with_tail(rng))
            continue
        text = era(rng, rng.choice(forms)(rng))
        if rng.random() < 0.1:
            text = rng.choice((" ", "\t", "\n")) + text + rng.choice((" ", "  ", "\r\n"))
        yield text


def mutated(rng, text):
    alphabet = "0123456789-/.:+ TZBCjanepy,"
    chars = list(text)
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(chars))
        action = rng.randrange(3)
        if action == 0:
            chars.insert(at, rng.choice(alphabet))
        elif chars:
            at = min(at, len(chars) - 1)
            if action == 1:
                chars[at] = rng.choice(alphabet)
            else:
                del chars[at]
    return "".join(chars)


def other_dates(rng, count):
    yield from ("now", "today", "tomorrow", "yesterday", "TODAY", "J2451187", "1999.008",
                "1999-032", "y2001m02d04", "20040315T101112", "+infinity", "-2020-01-01",
                "1999-01-08 04:05:06 America/New_York", "Fri Jan 08 1999", "January 8 99 BC")
    source = list(known_dates(rng, count))
    for text in rng.sample(source, count):
        yield mutated(rng, text)


def integers(rng, count):
    edges = [s * (2 ** b + d) for b in (15, 16, 31, 32, 63, 64) for d in (-1, 0, 1)
             for s in (1, -1)]
    space = ("", "", "", " ", "\t", "\n", "\v", "\f", "\r", "  ")
    for text in ("", " ", "-", "+", "- 1", "+-1", "1 2", "0x10", "1e3", "1.0", "1_000", "--1",
                 "99999999999999999999x", "2147483648x", "32768x", "9223372036854775808x", "abc",
                 "-0", "+0", "00000000000000000000000000000001", "\u00a01", "\u0661"):
        yield text
    for number in edges:
        yield str(number)
        yield f"{number:+d}"
        yield f"{number} x"
    for _ in range(count):
        number = rng.randint(-2 ** rng.randint(1, 66), 2 ** rng.randint(1, 66))
        text = rng.choice(space) + rng.choice(("", "", "+")) + str(number) + rng.choice(space)
        if rng.random() < 0.15:
            at = rng.randint(0, len(text))
            text = text[:at] + rng.choice("x-+ .0e_\t") + text[at:]
        yield text


def uuids(rng, count):
    for _ in range(count):
        digits = f"{rng.getrandbits(128):032x}"
        style = rng.randrange(6)
        if style == 0:
            text = digits
        elif style == 1:
            text = "".join(d + ("-" if i % 4 == 3 and i < 31 and rng.random() < 0.5 else "")
                           for i, d in enumerate(digits))
        else:
            text = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        if rng.random() < 0.3:
            text = text.upper()
        if rng.random() < 0.2:
            text = rng.choice(("{%s}", "{%s", "%s}", "{{%s}}", " %s", "%s ")) % text
        if rng.random() < 0.2:
            at = rng.randint(0, len(text))
            rest = text[at + rng.randint(0, 1):]
            text = text[:at] + rng.choice(("-", "g", "0", " ", "}", "")) + rest
        yield text


def strings(rng, count):
    letters = "ab \u00e9\u20ac\U0001f600"
    for _ in range(count):
        text = "".join(rng.choice(letters) for _ in range(rng.randint(0, 9)))
        yield text + " " * rng.choice((0, 0, 1, 3, 40))


def byte_strings(rng, count):
    interesting = bytes.fromhex("00417f80bfc0c1c2dfe0a09fedeff0908ff4f5ff")
    for _ in range(count):
        yield bytes(rng.choice(interesting) for _ in range(rng.randint(1, 5)))


def block(lines, kind, label, style, inputs):
    """SQL that prints one case per input: label, type, style, input in hex, verdict."""
    source = "decode(hex, 'hex')" if kind == "bytes" else "convert_from(decode(hex, 'hex'), 'UTF8')"
    argument = "hex" if kind == "bytes" else source
    lines.append("TRUNCATE inputs; COPY inputs FROM STDIN;")
    lines.extend(i.hex() or "-" for i in inputs)
    lines.append("\\.")
    lines.append("UPDATE inputs SET hex = '' WHERE hex = '-';")
    for one in style:
        lines.append(f"SET datestyle = '{one}';")
        lines.append(
            f"COPY (SELECT '{label}', '{kind}', '{one}', 'x' || hex, r[1], r[2], 'x' || r[3] FROM "
            f"(SELECT hex, try_{kind}({argument}) AS r FROM inputs OFFSET 0) AS q) TO STDOUT;")


def script():
    rng = random.Random(20240229)
    encode = lambda texts: [t.encode() for t in texts]
    lines = ["SET client_min_messages = warning;", "CREATE UNLOGGED TABLE inputs (hex text);"]
    types = {"date": ("date", "date_send"), "int2": ("int2", "int2send"),
             "int4": ("int4", "int4send"), "int8": ("int8", "int8send"),
             "uuid": ("uuid", "uuid_send")}
    for n in VARCHAR_LENGTHS:
        types[f"varchar{n}"] = (f"varchar({n})", "varcharsend")
    for name, (sql_type, send) in types.items():
        value = "input" if name.startswith("varchar") else f"input::{sql_type}"
        lines.append(FUNCTION.format(name=name, type=sql_type, value=value, send=send))
    lines.append(FUNCTION.format(name="bytes", type="text", send="textsend",
                                 value="convert_from(decode(input, 'hex'), 'UTF8')"))
    lines.append(FUNCTION.format(name="days", type="date", send="date_send",
                                 value="'2000-01-01'::date + input::int4"))
    block(lines, "date", "known", STYLES, encode(known_dates(rng, 5000)))
    block(lines, "date", "other", STYLES[:3], encode(other_dates(rng, 5000)))
    days = [str(rng.randint(-2451545, 2145031948)) for _ in range(1500)]
    days += [str(rng.randint(-800000, 50000)) for _ in range(1500)] + ["-2451545", "2145031948"]
    block(lines, "days", "days", STYLES, encode(days))
    for kind in ("int2", "int4", "int8"):
        block(lines, kind, "known", STYLES[:1], encode(integers(rng, 5000)))
    block(lines, "uuid", "known", STYLES[:1], encode(uuids(rng, 5000)))
    for n in VARCHAR_LENGTHS:
        block(lines, f"varchar{n}", "known", STYLES[:1], encode(strings(rng, 3000)))
    block(lines, "bytes", "known", STYLES[:1], list(byte_strings(rng, 5000)))
    return "\n".join(lines).encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("test_binary", type=pathlib.Path)
    binary = parser.parse_args().test_binary.resolve()
    with tempfile.NamedTemporaryFile(prefix="postern-cases-") as cases:
        with Cluster() as cluster:
            cluster.psql(script(), cases)
        environment = dict(os.environ, POSTERN_TYPE_CASES=cases.name)
        command = [binary, "--no-skip", "--test-case=oracle*"]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
