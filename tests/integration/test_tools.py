"""The offline commands against a real PostgreSQL with the multi-tenant fixture."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path
from typing import ClassVar

from base import FIXTURES, ClusterTest
from postern_server import PosternServer
from psql_client import Dsn, psql, rows, scalar

DATABASE = "mapper"
OWNER, APP, SERVICE = "mapper_owner", "app", "postern_service"
EMAIL_UUID = "9f2b6c1e-3d0a-4a57-8e44-6b1f0c7d2a01"
NAME_UUID = "b7c4e8f2-51d6-4c3b-9a70-2e8d5f1b6c02"


class ToolsTest(ClusterTest):
    """A database of an owner, an application role and a service role; a folder for Postern."""

    protected: ClassVar[bool] = True
    postern: ClassVar[PosternServer]
    direct: ClassVar[Dsn]
    passwords: ClassVar[dict[str, str]]

    @classmethod
    def boot(cls) -> None:
        cls.cluster.start_primary()
        cls.passwords = {name: secrets.token_hex(8) for name in (APP, SERVICE, "acme_app")}
        for statement in (
            f"CREATE ROLE {OWNER} NOLOGIN",
            f"CREATE ROLE {APP} LOGIN PASSWORD '{cls.passwords[APP]}'",
            f"CREATE ROLE {SERVICE} LOGIN PASSWORD '{cls.passwords[SERVICE]}'",
            f"GRANT pg_read_all_stats TO {SERVICE}",
            f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
        ):
            cls.cluster.primary.scalar(statement)
        cls.direct = cls.cluster.primary.superuser.to(dbname=DATABASE)
        cls.postern = cls.cluster.add_postern()
        cls._load()
        cls._configure()

    @classmethod
    def _load(cls) -> None:
        owner = cls.direct.to(options=f"-c role={OWNER}")
        variables = {"protected": "1" if cls.protected else "0", "app_role": APP}
        for script in ("schema.sql", "data.sql"):
            path = FIXTURES / "llama_mapper" / script
            psql(owner, file=path, variables=variables, flags=("-q",)).checked()

    @classmethod
    def _configure(cls) -> None:
        cls.postern.write("app.password", cls.passwords[APP] + "\n")
        cls.postern.write("service.password", cls.passwords[SERVICE] + "\n")
        cls.postern.write(
            "users.toml",
            f'[user.acme_app]\npassword = "{cls.passwords["acme_app"]}"\ntenant = "acme"\n',
        )
        cls.postern.write("postern.toml", cls.toml())

    @classmethod
    def toml(cls) -> str:
        return f"""\
[cluster.main]
nodes = ["127.0.0.1:{cls.cluster.primary.port}"]
[service]
user = "{SERVICE}"
password_file = "service.password"
[database.{DATABASE}]
cluster = "main"
user = "{APP}"
password_file = "app.password"
[auth]
users_file = "users.toml"
[tenant]
column = "tenant_id"
shared = ["public.frameworks", "public.taxonomy"]
guard_key_file = "guard.key"
[[table]]
database = "{DATABASE}"
name = "public.legacy_exports"
tenant_column = "customer"
[keys]
file = "keys.store"
kek_file = "root.key"
[[column]]
database = "{DATABASE}"
table = "public.users"
name = "email"
type = "text"
scheme = "deterministic"
uuid = "{EMAIL_UUID}"
[[column]]
database = "{DATABASE}"
table = "public.users"
name = "full_name"
type = "text"
scheme = "randomized"
uuid = "{NAME_UUID}"
"""

    def run_cli(self, *argv: str, database: Dsn | None = None) -> tuple[int, str, str]:
        done: subprocess.CompletedProcess[str] = self.postern.cli(*argv, database=database)
        return done.returncode, done.stdout, done.stderr

    def good(self, *argv: str, database: Dsn | None = None) -> str:
        code, out, err = self.run_cli(*argv, database=database)
        self.assertEqual((code, err), (0, ""), out)
        return out

    def refused(self, expected: int, part: str, *argv: str) -> None:
        code, _, err = self.run_cli(*argv)
        self.assertEqual(code, expected, err)
        self.assertIn(part, err)
        self.assertNotIn("terminate", err)

    def on(self, command: str, *argv: str) -> list[str]:
        """The words of a policy command as the tables' superuser."""
        return ["policy", command, "-c", "postern.toml", "--database", DATABASE, "--dsn",
                self.direct.public(), *argv]  # fmt: skip

    def path(self, name: str) -> Path:
        return self.postern.folder / name


class KeysTest(ToolsTest):
    """Each test starts without key files."""

    def setUp(self) -> None:
        for name in ("root.key", "keys.store", "guard.key"):
            self.path(name).unlink(missing_ok=True)

    def test_init_makes_what_is_absent_and_leaves_the_rest(self) -> None:
        made = json.loads(self.good("keys", "init", "-c", "postern.toml", "--json"))
        self.assertEqual([row["state"] for row in made], ["created"] * 3)
        before = {}
        for name in ("root.key", "keys.store", "guard.key"):
            before[name] = self.path(name).read_bytes()
            self.assertEqual(self.path(name).stat().st_mode & 0o777, 0o600, name)
        printed = self.good("keys", "init", "-c", "postern.toml")
        self.assertNotIn("created", printed)
        self.assertEqual(printed.count("present"), 3)
        for name, content in before.items():
            self.assertEqual(self.path(name).read_bytes(), content)

    def test_a_lost_root_key_is_not_replaced(self) -> None:
        self.good("keys", "init", "-c", "postern.toml")
        self.path("root.key").unlink()
        self.refused(3, "PST-1701", "keys", "init", "-c", "postern.toml")
        self.assertFalse(self.path("root.key").exists())

    def test_tenants_are_added_and_listed(self) -> None:
        self.good("keys", "init", "-c", "postern.toml")
        self.good("keys", "tenant", "add", "-c", "postern.toml", "acme", "globex")
        self.refused(1, "PST-1714", "keys", "tenant", "add", "-c", "postern.toml", "initech",
                     "acme")  # fmt: skip
        self.refused(1, "PST-1601", "keys", "tenant", "add", "-c", "postern.toml", "a b")
        listed = json.loads(self.good("keys", "tenant", "list", "-c", "postern.toml", "--json"))
        self.assertEqual([row["tenant"] for row in listed], ["-", "acme", "globex"])
        self.assertEqual(
            [key["purpose"] for key in listed[1]["keys"]], ["randomized", "deterministic"]
        )
        text = self.good("keys", "tenant", "list", "-c", "postern.toml")
        self.assertIn(listed[1]["keys"][0]["id"], text)
        secret = self.path("root.key").read_text().strip()
        self.assertNotIn(secret, text)

    def test_files_open_to_others_are_refused(self) -> None:
        self.good("keys", "init", "-c", "postern.toml")
        for name, part in (("root.key", "PST-1702"), ("keys.store", "PST-1702"),
                           ("guard.key", "chmod 600")):  # fmt: skip
            self.path(name).chmod(0o640)
            self.refused(3, part, "keys", "init", "-c", "postern.toml")
            self.path(name).chmod(0o600)

    def test_no_keys_before_init(self) -> None:
        self.refused(3, "PST-1701", "keys", "tenant", "list", "-c", "postern.toml")


class PolicyTest(ToolsTest):
    @classmethod
    def boot(cls) -> None:
        super().boot()
        cls.postern.cli_checked("keys", "init", "-c", "postern.toml")

    def apply(self) -> str:
        self.addCleanup(self.good, *self.on("rollback"), database=self.direct)
        return self.good(*self.on("apply"), database=self.direct)

    def test_plan_changes_nothing(self) -> None:
        plan = self.good(*self.on("plan"), database=self.direct)
        self.assertIn('ALTER TABLE "public"."users" FORCE ROW LEVEL SECURITY', plan)
        self.assertIn('"public"."legacy_exports"', plan)
        self.assertNotIn('"public"."taxonomy"', plan)
        tables = json.loads(self.good(*self.on("plan", "--json"), database=self.direct))
        self.assertIn("public.events_2025_01", tables["tenant_tables"])
        # The service login may plan, too.
        own = self.good("policy", "plan", "-c", "postern.toml", "--database", DATABASE)
        self.assertEqual(own, plan)

    def test_apply_verify_drift_rollback(self) -> None:
        verify = self.on("verify")
        code, out, _ = self.run_cli(*verify, database=self.direct)
        self.assertEqual(code, 1)
        self.assertIn("postern policy apply", out)

        self.assertIn("verified: no difference", self.apply())
        first = rows(self.direct, "SELECT kid, installed FROM postern.context_key")
        self.assertIn("verified: no difference", self.apply())
        self.assertEqual(rows(self.direct, "SELECT kid, installed FROM postern.context_key"), first)
        self.good(*verify, database=self.direct)
        self.assertIn("stands", self.good("policy", "verify", "-c", "postern.toml", "-d", DATABASE))
        self._check_isolation()

        scalar(self.direct, "ALTER TABLE users NO FORCE ROW LEVEL SECURITY")
        code, out, _ = self.run_cli(*verify, "--json", database=self.direct)
        said = json.loads(out)
        self.assertEqual((code, said["stands"]), (1, False))
        self.assertEqual([d["object"] for d in said["differences"]], ['"public"."users"'])
        scalar(self.direct, said["differences"][0]["repair"])
        self.good(*verify, database=self.direct)

        self.good(*self.on("rollback"), database=self.direct)
        self.assertEqual(scalar(self.direct, "SELECT count(*) FROM pg_policies"), "0")
        self.assertEqual(self.run_cli(*verify, database=self.direct)[0], 1)

    def _check_isolation(self) -> None:
        """Without a context the application's role sees nothing."""
        app = self.direct.to(user=APP, password=self.passwords[APP])
        self.assertEqual(scalar(app, "SELECT count(*) FROM evaluations"), "0")
        self.assertNotEqual(scalar(self.direct, "SELECT count(*) FROM evaluations"), "0")

    def test_the_guard_key_stays_out_of_the_log(self) -> None:
        self.cluster.primary.log_statements("all")
        mark = self.cluster.primary.log.mark()
        self.apply()
        logged = self.cluster.primary.log.since(mark)
        self.assertIn("INSERT INTO postern.context_key", logged)
        for (block,) in rows(
            self.direct, "SELECT encode(inner_block, 'hex') FROM postern.context_key"
        ):
            self.assertNotIn(block, logged)

    def test_an_owner_who_is_no_superuser_may_apply(self) -> None:
        password = secrets.token_hex(8)
        for statement in (
            f"CREATE ROLE keeper LOGIN CREATEROLE PASSWORD '{password}' IN ROLE {OWNER}",
            "GRANT pg_read_all_stats TO keeper WITH ADMIN OPTION",
            "ALTER ROLE keeper SET log_statement = 'all'",
        ):
            scalar(self.direct, statement)
        keeper = self.direct.to(user="keeper", password=password)
        words = ["policy", "apply", "-c", "postern.toml", "-d", DATABASE, "--dsn", keeper.public()]
        code, _, err = self.run_cli(*words, database=keeper)
        self.assertEqual(code, 1)
        self.assertIn("PST-2210", err)
        self.assertEqual(scalar(self.direct, "SELECT count(*) FROM pg_policies"), "0")
        scalar(self.direct, "GRANT SET ON PARAMETER log_parameter_max_length TO keeper")
        self.assertIn("verified: no difference", self.good(*words, database=keeper))
        words[1] = "rollback"
        self.good(*words, database=keeper)

    def test_errors(self) -> None:
        self.refused(1, "PST-1307", "policy", "verify", "-c",
                     "postern.toml", "--database", "nowhere")  # fmt: skip
        self.refused(2, "PST-2203", "policy", "verify", "-c", "postern.toml", "--database",
                     DATABASE, "--dsn", "postgres://u:canary%zz@h")  # fmt: skip
        self.refused(3, "PST-2201", "policy", "verify", "-c", "postern.toml", "--database",
                     DATABASE, "--dsn", "host=127.0.0.1 port=1 user=u")  # fmt: skip
        # Not a superuser and not the owner: nothing half done.
        code, _, err = self.run_cli("policy", "apply", "-c", "postern.toml", "-d", DATABASE)
        self.assertEqual(code, 3)
        self.assertIn("42501", err)


class ExplainTest(ToolsTest):
    def explain(self, sql: str, *argv: str) -> tuple[int, dict]:
        words = ("policy", "explain", "-c", "postern.toml", "--database", DATABASE)
        code, out, err = self.run_cli(*words, "--as", "acme_app", "--json", *argv, sql)
        self.assertEqual(err, "")
        return code, json.loads(out)

    def test_encryption_and_route_of_a_read(self) -> None:
        code, said = self.explain("SELECT email, full_name, phone FROM users WHERE email = 'a@b.c'")
        self.assertEqual((code, said["verdict"], said["refusal"]), (0, "allowed", None))
        self.assertNotIn("a@b.c", json.dumps(said))
        values = [(v["use"], v["column"]) for v in said["encryption"]]
        self.assertEqual(values, [("encrypted to compare", "public.users.email"),
                                  ("decrypted", "public.users.email"),
                                  ("decrypted", "public.users.full_name")])  # fmt: skip
        statement = said["statements"][0]
        self.assertEqual(statement["tables"][0]["kind"], "tenant table")
        self.assertIn("email (encrypted)", statement["tables"][0]["read"])
        self.assertIn("[routing] is off", statement["route"])

    def test_parameters_of_a_write(self) -> None:
        code, said = self.explain("UPDATE users SET full_name = $1 WHERE email = $2")
        self.assertEqual(code, 0)
        self.assertEqual([v["what"] for v in said["encryption"]], ["$1", "$2"])
        self.assertEqual(said["statements"][0]["cache"], "never")

    def test_refusals(self) -> None:
        code, said = self.explain("SELECT * FROM users ORDER BY full_name")
        self.assertEqual((code, said["refusal"]["code"]), (1, "PST-1511"))
        code, said = self.explain("DROP TABLE users")
        self.assertEqual((code, said["refusal"]["code"]), (1, "PST-1501"))
        words = ("policy", "explain", "-c", "postern.toml", "-d", DATABASE, "--as", "acme_app")
        code, out, _ = self.run_cli(*words, "SELECT pg_read_file('/etc/passwd')")
        self.assertEqual(code, 1)
        self.assertIn("verdict: refused", out)
        self.assertIn("PST-1502", out)

    def test_wrong_logins(self) -> None:
        base = ("policy", "explain", "-c", "postern.toml", "-d", DATABASE)
        self.refused(1, "PST-2207", *base, "--as", "nobody_here", "SELECT 1")
        self.refused(1, "PST-1601", *base, "--as", "acme_app", "--tenant", "globex", "SELECT 1")
        self.refused(2, "PST-1005", *base, "SELECT 1")


class InitTest(ToolsTest):
    """On the plain database: people are there to be recognised."""

    protected = False

    def init(self, *argv: str) -> str:
        url = f"postgres://postgres@127.0.0.1:{self.direct.port}/{DATABASE}"
        return self.good("init", url, *argv, database=self.direct)

    def test_proposal(self) -> None:
        said = json.loads(self.init("-o", "fresh", "--json"))
        self.assertEqual(said["tenant"]["column"], "tenant_id")
        self.assertEqual(said["tenant"]["type"], "text")
        self.assertEqual(sorted(said["shared"]), ["public.frameworks", "public.taxonomy"])
        self.assertEqual(
            said["other_tenant_columns"], [{"table": "public.legacy_exports", "column": "customer"}]
        )
        found = {
            (row["column"], row["kind"], row["scheme"])
            for row in said["pii"]
            if row["table"] == "public.users"
        }
        self.assertEqual(found, {
            ("email", "e-mail address", "deterministic"),
            ("full_name", "person's name", "randomized"),
            ("phone", "phone number", "randomized"),
            ("national_id", "national id", "deterministic"),
            ("birth_date", "birth date", "randomized"),
        })  # fmt: skip
        elsewhere = [f"{r['table']}.{r['column']}" for r in said["pii"]
                     if r["table"] != "public.users"]  # fmt: skip
        self.assertEqual(elsewhere, ["public.api_keys.secret"])

    def test_nothing_is_changed(self) -> None:
        self.cluster.primary.log_statements("all")
        mark = self.cluster.primary.log.mark()
        self.init("-o", "quiet")
        logged = self.cluster.primary.log.since(mark).upper()
        self.assertIn("READ ONLY", logged)
        for word in ("CREATE ", "ALTER ", "INSERT ", "GRANT ", "COMMIT"):
            self.assertNotIn(f"STATEMENT: {word}", logged.replace("  ", " "))
        self.assertIn("STATEMENT: ROLLBACK", logged.replace("  ", " "))

    def test_values_alone_are_recognised_and_never_shown(self) -> None:
        scalar(self.direct, "CREATE TABLE odd AS SELECT tenant_id, email AS f1, phone AS f2, "
               "national_id AS f3, birth_date AS f4 FROM users")  # fmt: skip
        try:
            printed = self.init("-o", "odd")
            said = json.loads(self.init("-o", "odd", "--json", "--force"))
        finally:
            scalar(self.direct, "DROP TABLE odd")
        kinds = {r["column"]: r["kind"] for r in said["pii"] if r["table"] == "public.odd"}
        self.assertEqual(kinds, {"f1": "e-mail address", "f2": "phone number",
                                 "f3": "national id", "f4": "birth date"})  # fmt: skip
        files = "".join(path.read_text() for path in self.path("odd").iterdir())
        for (value,) in rows(self.direct, "SELECT email FROM users UNION SELECT phone FROM users"):
            self.assertNotIn(value, printed + files)

    def test_what_it_writes_passes_check(self) -> None:
        printed = self.init("-o", "checked")
        self.assertIn("postern serve -c checked/postern.toml", printed)
        self.assertNotIn(self.direct.password, printed)
        for path in self.path("checked").iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path)
        summary = json.loads(self.good("check", "-c", "checked/postern.toml", "--json"))
        self.assertTrue(summary["good"])
        self.assertEqual(summary["summary"]["tenant"], "on")
        text = self.path("checked/postern.toml").read_text()
        self.assertIn('mode = "observe"', text)
        # The proposed columns are valid, too, once their comments are taken away.
        chosen = [line[2:] for line in text.splitlines()
                  if line.startswith(("# [[column]]", "# database =", "# table =", "# name =",
                                      "# type =", "# scheme =", "# uuid =", "# [keys]", "# file =",
                                      "# kek_file ="))]  # fmt: skip
        chosen = [line for line in chosen if "legacy_exports" not in line]
        self.postern.write("checked/more.toml", text + "\n" + "\n".join(chosen) + "\n")
        more = json.loads(self.good("check", "-c", "checked/more.toml", "--json"))
        self.assertGreaterEqual(more["summary"]["columns"], 5)

    def test_never_overwrites_unasked(self) -> None:
        self.init("-o", "twice")
        first = self.path("twice/postern.toml").read_text()
        url = f"postgres://postgres@127.0.0.1:{self.direct.port}/{DATABASE}"
        code, _, err = self.run_cli("init", url, "-o", "twice", database=self.direct)
        self.assertEqual(code, 1)
        self.assertIn("PST-2208", err)
        self.assertEqual(self.path("twice/postern.toml").read_text(), first)
        self.init("-o", "twice", "--force")

    def test_errors(self) -> None:
        self.refused(2, "PST-1005", "init")
        self.refused(2, "PST-2203", "init", "postgres://u:canary%zz@h", "-o", "x")
        self.refused(3, "PST-2201", "init", "postgres://u@127.0.0.1:1/x", "-o", "x")
        url = f"postgres://postgres:wrong@127.0.0.1:{self.direct.port}/{DATABASE}"
        self.refused(3, "password authentication failed", "init", url, "-o", "x")
        url = f"postgres://postgres:{self.direct.password}@127.0.0.1:{self.direct.port}/{DATABASE}"
        self.refused(3, "PST-2209", "init", url, "-o", "postern.toml/inside")


class DoctorTest(ToolsTest):
    @classmethod
    def boot(cls) -> None:
        super().boot()
        cls.postern.cli_checked("keys", "init", "-c", "postern.toml")

    @classmethod
    def toml(cls) -> str:
        return super().toml() + """\
[audit]
dir = "audit"
key_file = "audit.key"
anchor_file = "anchor/postern.anchor"
"""

    def doctor(self, file: str = "postern.toml") -> tuple[int, dict[tuple[str, str], dict]]:
        code, out, err = self.run_cli("doctor", "-c", file, "--json")
        self.assertEqual(err, "")
        checks = json.loads(out)["checks"]
        return code, {(check["where"].split(" ")[0], check["what"]): check for check in checks}

    def test_good(self) -> None:
        self.path("anchor").mkdir(exist_ok=True)
        self.cluster.scratch.give(self.path("anchor"))
        self.good(*self.on("apply"), database=self.direct)
        try:
            code, checks = self.doctor()
            bad = [c for c in checks.values() if c["level"] == "missing"]
            self.assertEqual((code, bad), (0, []))
            for key in (("database", "wall"), ("database", "guard key"), ("node", "version"),
                        ("node", "pg_read_all_stats"), ("node", "login app"),
                        ("key", "key store"), ("audit", "folder")):  # fmt: skip
                self.assertEqual(checks[key]["level"], "good", key)
            # One disk: the anchor cannot lie on another mount here.
            self.assertEqual(checks["audit", "anchor"]["level"], "warning")
            self.assertEqual(checks["node", "policy apply"]["level"], "note")
            text = self.good("doctor", "-c", "postern.toml")
            self.assertIn("0 missing", text)
        finally:
            self.good(*self.on("rollback"), database=self.direct)

    def test_bad(self) -> None:
        for statement in (
            f"ALTER ROLE {APP} BYPASSRLS",
            f"REVOKE pg_read_all_stats FROM {SERVICE}",
            f"ALTER ROLE {SERVICE} SET password_encryption = 'md5'",
            "ALTER SYSTEM SET row_security = off",
        ):
            scalar(self.direct, statement)
        scalar(self.direct, "SELECT pg_reload_conf()")
        self.path("guard.key").chmod(0o644)
        self.path("users.toml").chmod(0o644)
        more = '[cache]\nredis = "127.0.0.1:1"\n'
        self.postern.write("bad.toml", self.toml() + more)
        try:
            code, checks = self.doctor("bad.toml")
        finally:
            self._mend()
        self.assertEqual(code, 1)
        for key in (("node", "login app"), ("node", "pg_read_all_stats"), ("node", "row_security"),
                    ("database", "wall"), ("key", "guard key"), ("redis", "ping")):  # fmt: skip
            self.assertEqual(checks[key]["level"], "missing", key)
            self.assertTrue(checks[key]["follows"] and checks[key]["remedy"], key)
        for key in (("node", "password_encryption"), ("files", "users file")):
            self.assertEqual(checks[key]["level"], "warning", key)

    def _mend(self) -> None:
        self.path("guard.key").chmod(0o600)
        self.path("users.toml").chmod(0o600)
        for statement in (
            f"ALTER ROLE {APP} NOBYPASSRLS",
            f"GRANT pg_read_all_stats TO {SERVICE}",
            f"ALTER ROLE {SERVICE} RESET ALL",
            "ALTER SYSTEM RESET ALL",
        ):
            scalar(self.direct, statement)
        scalar(self.direct, "SELECT pg_reload_conf()")

    def test_a_foreign_guard_key_is_noticed(self) -> None:
        self.good(*self.on("apply"), database=self.direct)
        own = self.path("guard.key").read_text()
        try:
            self.postern.write("guard.key", secrets.token_hex(32) + "\n")
            code, checks = self.doctor()
            self.assertEqual((code, checks["database", "guard key"]["level"]), (1, "missing"))
            self.assertIn("ZP002", checks["database", "guard key"]["found"])
        finally:
            self.postern.write("guard.key", own)
            self.good(*self.on("rollback"), database=self.direct)

    def test_a_server_that_is_away(self) -> None:
        port = self.cluster.primary.port
        self.postern.write("away.toml", self.toml().replace(f":{port}", ":1"))
        code, checks = self.doctor("away.toml")
        self.assertEqual((code, checks["node", "connection"]["level"]), (1, "missing"))
        self.assertEqual(checks["cluster", "primary"]["level"], "missing")
