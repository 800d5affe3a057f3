#!/usr/bin/python3
"""postern import: PgBouncer's files become what check takes: import_test.py POSTERN."""
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest

POSTERN = sys.argv.pop(1)
SCRAM = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$" + "A" * 43 + "=:" + "A" * 43 + "="

WEB = """
;; the one of the manual, grown
[databases]
* = host=10.0.0.5 port=5433
shop = host=10.0.0.5 port=5433 dbname=shop_prod user=shop password='it''s ${x} "q"' pool_size=7
"odd ""name" = host=10.0.0.6,10.0.0.7 auth_user=pgb connect_query='SELECT 1'
local = dbname=elsewhere
%include more.ini

[users]
shop = pool_mode=session max_user_connections=10

[pgbouncer]
listen_addr = *
listen_port = 6433
auth_type = md5
auth_file = userlist.txt
admin_users = shop, root
stats_users = mon
max_client_conn = 500
default_pool_size = 25
query_wait_timeout = 120
server_idle_timeout = 60.5
client_idle_timeout = 0
server_tls_sslmode = verify-ca
server_tls_ca_file = ca.pem
pidfile = /run/pgbouncer.pid
"""
MORE = "[databases]\nextra = host=db2\n[pgbouncer]\nstats_period = 30\n"
USERS = f'''
"shop" "plain ""pw"" \\ x"
; a comment
"mon" "{SCRAM}"
"old" "md50123456789abcdef0123456789abcdef"
'''
SMALL = "[databases]\nd = host=localhost\n[pgbouncer]\n"


class Import(unittest.TestCase):
    def setUp(self):
        kept = tempfile.TemporaryDirectory()
        self.addCleanup(kept.cleanup)
        self.folder = pathlib.Path(kept.name)

    def run_import(self, ini, users=None, *flags):
        (self.folder / "pgbouncer.ini").write_text(ini)
        words = [POSTERN, "import", str(self.folder / "pgbouncer.ini"), "-o",
                 str(self.folder / "out"), *flags]
        if users is not None:
            (self.folder / "userlist.txt").write_text(users)
            words += ["--users", str(self.folder / "userlist.txt")]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    def result(self):
        main = tomllib.loads((self.folder / "out/postern.toml").read_text())
        users = tomllib.loads((self.folder / "out/users.toml").read_text())
        checked = subprocess.run([POSTERN, "check", "-c", str(self.folder / "out/postern.toml")],
                                 capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        return main, users

    def test_a_grown_configuration(self):
        (self.folder / "more.ini").write_text(MORE)
        (self.folder / "userlist.txt").write_text(USERS)
        done = self.run_import(WEB)
        self.assertEqual(done.returncode, 0, done.stderr)
        main, users = self.result()
        self.assertEqual((main["listen"]["address"], main["listen"]["port"]), ("*", 6433))
        databases = main["database"]
        self.assertEqual(set(databases), {"*", "shop", 'odd "name', "local", "extra"})
        shop = databases["shop"]
        self.assertEqual((shop["upstream"], shop["user"], shop["pool_size"]),
                         ("shop_prod", "shop", 7))
        self.assertEqual(shop["password"], 'it\'s $${x} "q"')
        self.assertEqual(databases["*"]["pool_size"], 25)
        self.assertEqual(databases["*"]["cluster"], shop["cluster"])
        nodes = {name: cluster["nodes"] for name, cluster in main["cluster"].items()}
        self.assertEqual(nodes[shop["cluster"]], ["10.0.0.5:5433"])
        self.assertEqual(nodes[databases['odd "name']["cluster"]],
                         ["10.0.0.6:5432", "10.0.0.7:5432"])
        self.assertEqual(main["cluster"]["main"]["tls"], {"mode": "verify-ca", "ca_file": "ca.pem"})
        self.assertEqual(main["limits"]["max_clients"], 500)
        self.assertEqual(main["limits"]["server_idle_timeout"], "60500ms")
        self.assertEqual(main["limits"]["idle_timeout"], 0)
        self.assertEqual(main["admin"], {"admin_users": ["shop"], "stats_users": ["mon"],
                                         "stats_period": "30000ms"})
        self.assertEqual(users["user"], {"shop": {"password": 'plain "pw" \\ x',
                                                  "max_user_connections": 10},
                                         "mon": {"scram": SCRAM}})
        for said in ("pidfile: left to the service manager", "auth_user", "connect_query",
                     "max_user_connections", "user old: an md5 hash cannot be taken over",
                     "local has no host", "root is not in the users file"):
            self.assertIn(said, done.stdout)

    def test_what_is_secret_is_not_printed(self):
        (self.folder / "more.ini").write_text(MORE)
        done = self.run_import(WEB, USERS)
        for secret in ("it's", "plain", "md5012", "A" * 43):
            self.assertNotIn(secret, done.stdout + done.stderr)
        for name in ("postern.toml", "users.toml"):
            self.assertEqual((self.folder / "out" / name).stat().st_mode & 0o777, 0o600)

    def test_pool_modes_survive(self):
        done = self.run_import(SMALL + "pool_mode = transaction\nauth_type = trust\n"
                               "listen_addr = 127.0.0.1\nadmin_users = anybody\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        main, _ = self.result()
        self.assertEqual(main["database"]["d"]["pool_mode"], "transaction")
        self.assertEqual(main["auth"], {"method": "trust"})
        self.assertEqual(main["admin"]["admin_users"], ["anybody"])

    def test_defaults_of_pgbouncer_hold_where_the_file_names_no_others(self):
        done = self.run_import(SMALL, USERS)
        self.assertEqual(done.returncode, 0, done.stderr)
        main, _ = self.result()
        limits = main["limits"]
        self.assertEqual((limits["login_timeout"], limits["pool_timeout"],
                          limits["server_login_retry"]), ("60000ms", "120000ms", "15000ms"))
        self.assertEqual(main["cluster"]["main"]["connect_timeout"], "15000ms")
        self.assertEqual(main["listen"]["unix_socket_dir"], "/tmp")
        self.assertIn("unix_socket_dir is not set", done.stdout)
        done = self.run_import(SMALL + "query_wait_timeout = 7\nclient_login_timeout = 8\n"
                               "server_connect_timeout = 9\nserver_login_retry = 10\n"
                               "unix_socket_dir =\n", USERS, "--force")
        self.assertEqual(done.returncode, 0, done.stderr)
        main, _ = self.result()
        limits = main["limits"]
        self.assertEqual((limits["login_timeout"], limits["pool_timeout"],
                          limits["server_login_retry"]), ("8000ms", "7000ms", "10000ms"))
        self.assertEqual(main["cluster"]["main"]["connect_timeout"], "9000ms")
        self.assertNotIn("unix_socket_dir", main["listen"])

    def test_the_rest_has_the_same_default_here(self):
        """By the pages of both: what neither file says must mean the same."""
        same = {"client_idle_timeout": "0", "idle_transaction_timeout": "0", "listen_port": "6432",
                "max_db_connections": "0", "max_user_connections": "0", "min_pool_size": "0",
                "query_timeout": "0", "reserve_pool_size": "0", "reserve_pool_timeout": "5s",
                "server_idle_timeout": "10m", "server_lifetime": "1h", "stats_period": "1m",
                "so_reuseport": "false", "unix_socket_mode": "0777"}
        names = {"client_idle_timeout": "idle_timeout", "listen_port": "port"}
        page = (pathlib.Path(__file__).resolve().parents[2] / "docs/config.md").read_text()
        for key, value in same.items():
            name = names.get(key, key)
            found = re.findall(rf'^\| `{name}` \| [^|]+\| `"?([^`"]*)"?` \|', page, re.M)
            self.assertIn(value, found, key)

    def test_trust_beyond_loopback_becomes_scram(self):
        done = self.run_import(SMALL + "auth_type = any\nlisten_addr = 10.1.2.3, 10.1.2.4\n", USERS)
        self.assertEqual(done.returncode, 0, done.stderr)
        main, _ = self.result()
        self.assertEqual(main["auth"]["method"], "scram-sha-256")
        self.assertIn("several addresses", done.stdout)

    def test_tls_modes(self):
        for mode, wanted in (("disable", None), ("allow", "allow"), ("prefer", "allow"),
                             ("require", "require"), ("verify-full", "require")):
            done = self.run_import(SMALL + f"client_tls_sslmode = {mode}\n"
                                   "client_tls_key_file = k\nclient_tls_cert_file = c\n"
                                   "client_tls_ca_file = a\n", USERS, "--force")
            self.assertEqual(done.returncode, 0, done.stderr)
            main, _ = self.result()
            self.assertEqual(main["listen"].get("tls", {}).get("mode"), wanted, mode)

    def test_mistakes_name_file_and_line(self):
        for ini, said in (
            ("[databases]\nnonsense\n", "pgbouncer.ini:2: is not key = value"),
            ("[databases]\nd = host='x\n", "pgbouncer.ini:2: the quoted value of host"),
            ("[databases]\nd = hots=x\n", 'pgbouncer.ini:2: PgBouncer has no key "hots"'),
            (SMALL + "pool_sizes = 3\n", 'no key "pool_sizes"'),
            ("x = 1\n", "stands in no section"),
            ("[what]\na = b\n", "there is no section [what]"),
            ("%include pgbouncer.ini\n", "goes too deep"),
            ("%include nowhere.ini\n", "No such file"),
        ):
            done = self.run_import(ini, "")
            self.assertEqual(done.returncode, 3, ini)
            self.assertIn(said, done.stderr)
            self.assertIn("PST-2213", done.stderr)
            self.assertFalse((self.folder / "out").exists())
        done = self.run_import(SMALL, '"a" "b\n')
        self.assertIn('userlist.txt:1: is not "user" "secret"', done.stderr)

    def test_nothing_is_overwritten(self):
        self.assertEqual(self.run_import(SMALL, USERS).returncode, 0)
        done = self.run_import(SMALL, USERS)
        self.assertEqual(done.returncode, 1)
        self.assertIn("PST-2208", done.stderr)
        self.assertEqual(self.run_import(SMALL, USERS, "--force").returncode, 0)

    def test_every_key_of_the_table_is_accounted_for(self):
        source = pathlib.Path(__file__).resolve().parents[2] / "app/import_keys.def"
        rows = re.findall(r'^KEY\((\w+), "([^"]+)", (\w+),\s+"', source.read_text(), re.M)
        main = [(name, fate) for place, name, fate in rows if place == "kMain"]
        self.assertEqual(len(main), len({name for name, _ in main}))
        self.assertGreaterEqual(len(main), 95)
        values = {"listen_addr": "127.0.0.1", "auth_type": "trust", "auth_file": "userlist.txt",
                  "unix_socket_dir": "/run/pgbouncer", "unix_socket_mode": "0770"}
        lines = "".join(f"{name} = {values.get(name, '1')}\n" for name, _ in main
                        if not name.endswith(("_sslmode", "_tls_ca_file", "pool_mode")))
        (self.folder / "userlist.txt").write_text("")
        done = self.run_import(SMALL + lines)
        self.assertEqual(done.returncode, 0, done.stderr)
        for name, fate in main:
            if name not in lines:
                continue
            kept = f": {name} -> " in done.stdout or f": {name}: always" in done.stdout
            self.assertEqual(kept, fate != "kNone", name)


unittest.main()
