"""Items 145 and 154, second parts: end users, and tokens forged in every way that is known.

Tokens go over the unix socket, where they may be sent without TLS. Keys: a shared secret, and an
RSA pair whose public half an attacker knows.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

import data
from items import Item, call, steps
from scratch import wait_until

if TYPE_CHECKING:
    from stage import Stage
    from world import World

LOGIN = "tokens"
ISSUER, AUDIENCE = "https://issuer.example", "postern"
HMAC_KID, RSA_KID = "shared", "pair"
OWN_ROWS = 20
SEEN = "SELECT tenant, ssn FROM cust"
CACHED_BY_USER = "SELECT postern.subject(), postern.has_role('clerk'), count(*) FROM part"
# Postern's answers to a login by token: 28000 and its kin, told by a code of ours.
TOKEN_CODES = tuple(f"PST-{code}" for code in (1102, *range(1218, 1227), 1601, 2401))


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def encoded(part: object) -> str:
    return base64url(part.encode() if isinstance(part, str) else json.dumps(part).encode())


@dataclass(frozen=True)
class Keys:
    """What the issuer signs with; the attacker has `public` and `modulus` only."""

    secret: bytes
    private_file: str
    public: bytes  # PEM
    modulus: bytes

    @classmethod
    def make(cls, world: World) -> Keys:
        """Makes both, and the key set that Postern trusts."""
        private = world.postern.folder / "issuer.key"
        world.cluster.scratch.run(["openssl", "genrsa", "-out", private, "2048"]).check_returncode()
        public = _openssl("rsa", "-in", str(private), "-pubout")
        digits = _openssl("rsa", "-in", str(private), "-noout", "-modulus").decode()
        modulus = bytes.fromhex(digits.strip().removeprefix("Modulus="))
        keys = cls(hashlib.sha256(modulus).digest(), str(private), public, modulus)
        world.postern.write("jwks.json", json.dumps({"keys": [
            {"kty": "oct", "kid": HMAC_KID, "alg": "HS256", "k": base64url(keys.secret)},
            {"kty": "RSA", "kid": RSA_KID, "alg": "RS256", "n": base64url(modulus),
             "e": base64url(b"\x01\x00\x01")}]}))  # fmt: skip
        return keys

    def by_secret(self, header: object, claims: object, secret: bytes | None = None) -> str:
        said = f"{encoded(header)}.{encoded(claims)}"
        mac = hmac.new(self.secret if secret is None else secret, said.encode(), hashlib.sha256)
        return f"{said}.{base64url(mac.digest())}"

    def by_pair(self, header: object, claims: object) -> str:
        said = f"{encoded(header)}.{encoded(claims)}"
        signed = _openssl("dgst", "-sha256", "-sign", self.private_file, given=said.encode())
        return f"{said}.{base64url(signed)}"


def _openssl(*words: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *words], input=given, capture_output=True, check=True).stdout


def toml() -> str:
    return f"""\
[identity.jwt]
jwks_file = "jwks.json"
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
leeway = "1s"
login_claim = "login"
[[auth.rule]]
type = "local"
user = ["{LOGIN}"]
method = "jwt"
[[auth.rule]]
method = "scram-sha-256"
"""


def claims(tenant: object = str(data.VICTIM), **more: object) -> dict[str, object]:
    """Right for the victim's tenant in everything but what is given; None leaves a claim out."""
    body = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 60, "login": LOGIN,
            "sub": "ann", "tenant": tenant, **more}  # fmt: skip
    return {name: value for name, value in body.items() if value is not None}


def forgeries(keys: Keys) -> dict[str, str]:
    """Tokens for the victim that must open nothing."""
    now = int(time.time())
    shared: dict[str, object] = {"alg": "HS256", "kid": HMAC_KID}
    pair: dict[str, object] = {"alg": "RS256", "kid": RSA_KID}
    good = keys.by_secret(shared, claims())
    said, _, mac = good.rpartition(".")
    body = encoded(claims())
    own_mac = keys.by_secret(shared, claims("1")).rpartition(".")[2]
    der = base64.b64decode(b"".join(keys.public.splitlines()[1:-1]))
    found = {
        "no algorithm, no signature": f"{encoded({'alg': 'none', 'kid': HMAC_KID})}.{body}.",
        "no algorithm, a signature": f"{encoded({'alg': 'none', 'kid': HMAC_KID})}.{body}.{mac}",
        "None": f"{encoded({'alg': 'None'})}.{body}.",
        "no header of an algorithm": f"{encoded({'kid': HMAC_KID})}.{body}.{mac}",
        "signature left out": said + ".", "two parts": said,
        "signature cut": good[:-2], "signature longer": good + "AA", "padding": good + "=",
        "another token's signature": f"{said}.{own_mac}", "signature empty bytes": said + ".AAAA",
        "another secret": keys.by_secret(shared, claims(), b"x" * 32),
        "an empty secret": keys.by_secret(shared, claims(), b""),
        "alg confusion under the secret's id": keys.by_secret(shared, claims(), keys.public),
        "secret signs as the pair": keys.by_secret(pair, claims()),
        "pair signs as the secret": keys.by_pair(shared, claims()),
        "kid of nobody": keys.by_secret({"alg": "HS256", "kid": "other"}, claims()),
        "no kid": keys.by_secret({"alg": "HS256"}, claims()),
        "kid is a list": keys.by_secret({"alg": "HS256", "kid": [HMAC_KID]}, claims()),
        "key within the header": keys.by_secret(
            {"alg": "HS256", "kid": "mine", "jwk": {"kty": "oct", "k": base64url(b"x" * 32)}},
            claims(), b"x" * 32),
        "key from elsewhere": keys.by_secret(
            {"alg": "HS256", "kid": "mine", "jku": "http://127.0.0.1:1/jwks.json"}, claims(),
            b"x" * 32),
        "critical extension": keys.by_secret({**shared, "crit": ["exp"]}, claims()),
        "expired": keys.by_secret(shared, claims(exp=now - 60)),
        "without an end": keys.by_secret(shared, claims(exp=None)),
        "an end beyond all time": keys.by_secret(shared, claims(exp=1e300)),
        "not yet": keys.by_secret(shared, claims(nbf=now + 600)),
        "issued later": keys.by_secret(shared, claims(iat=now + 600)),
        "another issuer": keys.by_secret(shared, claims(iss="https://evil.example")),
        "another audience": keys.by_secret(shared, claims(aud="other")),
        "audiences without ours": keys.by_secret(shared, claims(aud=["a", "posternx"])),
        "no audience": keys.by_secret(shared, claims(aud=None)),
        "another login": keys.by_secret(shared, claims(login="t2")),
        "no login": keys.by_secret(shared, claims(login=None)),
        "a tenant that is not the login's": keys.by_secret(shared, claims("3")),
        "tenant in a list": keys.by_secret(shared, claims([str(data.VICTIM)])),
        "tenant with a blank": keys.by_secret(shared, claims(f"{data.VICTIM} ")),
        "claims twice": keys.by_secret(shared, json.dumps(claims("1"))[:-1] + ', "tenant": "2"}'),
        "header twice": keys.by_secret(
            '{"alg": "HS256", "kid": "shared", "alg": "none"}', claims()),
        "claims no JSON": keys.by_secret(shared, "{"), "nothing": "", "dots": "..",
        "large": keys.by_secret(shared, claims(more="x" * 9_000)),
        "huge": keys.by_secret(shared, claims(more="x" * 100_000)),
        "zero byte": keys.by_secret(shared, claims("2\0")),
    }  # fmt: skip
    # The public key of a pair taken for a shared secret, in each form it may be known in.
    for name, secret in (("PEM", keys.public), ("PEM without its last line", keys.public.strip()),
                         ("DER", der), ("modulus", keys.modulus)):  # fmt: skip
        confused = {"alg": "HS256", "kid": RSA_KID}
        found[f"public key as a secret, {name}"] = keys.by_secret(confused, claims(), secret)
    for kid in ("../../dev/null", "/dev/null", "' OR '1'='1", "shared\0", "SHARED", " shared", ""):
        found[f"kid {kid!r}"] = keys.by_secret({"alg": "HS256", "kid": kid}, claims(), b"")
        found[f"kid {kid!r}, right secret"] = keys.by_secret({"alg": "HS256", "kid": kid}, claims())
    return found


def open_with(stage: Stage, token: str, sql: str = SEEN) -> tuple[list[tuple], str]:
    """The rows that a login by this token sees, and what it was told if it got nowhere."""
    world = stage.world
    try:
        with psycopg.connect(
            host=str(world.sockets), port=world.postern.ports.clients, user=LOGIN, password=token,
            dbname=stage.database, connect_timeout=10, autocommit=True, sslmode="disable",
        ) as client:  # fmt: skip
            return client.execute(sql.encode()).fetchall(), ""
    except psycopg.Error as error:
        return [], str(error)


def forged_tokens(stage: Stage) -> str:
    """None of them gets in, each is told a code, and nothing of it is repeated."""
    told = []
    for name, token in forgeries(stage.world.keys).items():
        rows, said = open_with(stage, token)
        if rows or not said:
            told.append(f"LEAK: {name} got in and sees {len(rows)} rows")
        elif token and not any(code in said for code in TOKEN_CODES):
            told.append(f"{name} was told {said.strip()[:90]!r}")
        elif len(token) > 40 and token[-30:] in said:
            told.append(f"{name} is repeated to whoever sent it")
    return "; ".join(told)


def right_tokens(stage: Stage) -> str:
    """Each kind of key, each tenant of the login, audiences as a list: all of its own rows."""
    keys = stage.world.keys
    shared, pair = {"alg": "HS256", "kid": HMAC_KID}, {"alg": "RS256", "kid": RSA_KID}
    now = int(time.time())
    honest = {
        "secret": keys.by_secret(shared, claims("1")), "pair": keys.by_pair(pair, claims("1")),
        "type named": keys.by_secret({**shared, "typ": "JWT"}, claims("1")),
        "list of audiences": keys.by_pair(pair, claims("1", aud=["other", AUDIENCE])),
        "times": keys.by_secret(shared, claims("1", nbf=now - 5, iat=now - 5)),
        "tenant as a number": keys.by_secret(shared, claims(1)),
        "further claims": keys.by_secret(shared, claims("1", name="Ann", groups=["a", "b"])),
    }  # fmt: skip
    told = []
    for name, token in honest.items():
        rows, said = open_with(stage, token)
        if len(rows) != OWN_ROWS or {row[0] for row in rows} != {1}:
            told.append(f"{name} sees {len(rows)} rows: {said.strip()[:120]}")
    victims, said = open_with(stage, keys.by_secret(shared, claims()))
    if {row[0] for row in victims} != {data.VICTIM}:
        told.append(f"the victim's own token sees {len(victims)} rows, {said}: nothing is proven")
    return "; ".join(told)


def cache_hits(world: World) -> int:
    url = f"http://127.0.0.1:{world.postern.ports.admin}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        found = re.search(r"^postern_cache_hits_total (\d+)$", answer.read().decode(), re.MULTILINE)
    return int(found.group(1)) if found else 0


def cached_by_end_user(stage: Stage) -> str:
    """What is cached for one end user of a tenant is not told another, nor one without the role."""
    keys, header = stage.world.keys, {"alg": "HS256", "kid": HMAC_KID}

    def asked(subject: str, roles: list[str]) -> list[tuple]:
        token = keys.by_secret(header, claims("1", sub=subject, roles=roles))
        return open_with(stage, token, CACHED_BY_USER)[0]

    def answered() -> bool:
        wrong.extend(row for row in asked("ann", ["clerk"]) if row != ("ann", True, OWN_ROWS))
        return cache_hits(stage.world) > before

    before = cache_hits(stage.world)
    wrong: list[tuple] = []
    # Or nothing would be tested.
    wait_until(answered, "an answer from the cache", 20)
    if wrong:
        return f"ann with a role was told {wrong}"
    told = []
    for subject, roles in (("bob", ["clerk"]), ("ann", []), ("bob", [])):
        rows = asked(subject, roles)
        if rows != [(subject, bool(roles), OWN_ROWS)]:
            told.append(f"LEAK: {subject} with {roles} was told {rows}")
    return "; ".join(told)


ITEMS = [
    Item(145, "result cache by end user", steps(call(cached_by_end_user)), steps(
        call(right_tokens))),
    Item(154, "forged tokens", steps(call(forged_tokens)), steps(call(right_tokens))),
]  # fmt: skip
