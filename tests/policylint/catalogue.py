"""The clean twin, and one seeded misconfiguration after the other: SQL, rule and object."""

from __future__ import annotations

from dataclasses import dataclass

# Owner, application login and service login are roles of the cluster.
CLEAN = """
CREATE TABLE cust (tenant int NOT NULL, id int NOT NULL, ssn text, name text,
  ref uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE, PRIMARY KEY (tenant, id));
CREATE TABLE ord (tenant int NOT NULL, id serial, cust_id int, amt int, PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, cust_id) REFERENCES cust (tenant, id) ON DELETE CASCADE);
CREATE TABLE part (tenant int NOT NULL, id int NOT NULL, v text, PRIMARY KEY (tenant, id))
  PARTITION BY LIST (tenant);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
CREATE TABLE base (tenant int NOT NULL, id int NOT NULL);
CREATE TABLE heir (extra text) INHERITS (base);
CREATE INDEX ON base (tenant);
CREATE INDEX ON heir (tenant);
CREATE TABLE kinds (kind text PRIMARY KEY);
CREATE TABLE biz (tenant int NOT NULL, region text);
CREATE INDEX ON biz (tenant);
ALTER TABLE biz ENABLE ROW LEVEL SECURITY;
CREATE POLICY region ON biz FOR SELECT USING (region = 'eu');
CREATE VIEW v_cust AS SELECT id, name FROM cust;
CREATE FUNCTION total() RETURNS bigint LANGUAGE sql SECURITY DEFINER
  SET search_path = pg_catalog, public, pg_temp AS 'SELECT count(*) FROM ord';
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER stamp BEFORE INSERT ON ord FOR EACH ROW EXECUTE FUNCTION stamp();
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app;
"""


@dataclass(frozen=True)
class Seed:
    """`sql` runs as superuser in a copy of the walled twin, `undo` afterwards."""

    rule: str
    object: str
    sql: str
    undo: str = ""
    name: str = ""

    @property
    def title(self) -> str:
        return f"{self.rule} {self.name or self.sql.split(';')[0]}"


# As the owner would do it, unless the superuser is the point.
_OWN = "SET ROLE own; "
_FOREIGN = "CREATE FOREIGN DATA WRAPPER dummy; CREATE SERVER far FOREIGN DATA WRAPPER dummy; "
# The event trigger would wall or refuse what these make: they stand for a server without it.
_UNSEEN = "SET session_replication_role = replica; ALTER EVENT TRIGGER postern_wall_1 DISABLE; "
_SEEN = "; RESET ROLE; ALTER EVENT TRIGGER postern_wall_1 ENABLE ALWAYS"

SEEDS = (
    Seed("L01", "public.cust", "ALTER TABLE cust DISABLE ROW LEVEL SECURITY"),
    Seed("L02", "public.cust", "ALTER TABLE cust NO FORCE ROW LEVEL SECURITY"),
    Seed("L03", "public.part_2", "ALTER TABLE part_2 DISABLE ROW LEVEL SECURITY"),
    Seed("L04", "public.heir", "ALTER TABLE heir DISABLE ROW LEVEL SECURITY"),
    Seed("L05", "public.ord", "DROP POLICY postern_tenant ON ord"),
    Seed("L05", "public.ord", "ALTER POLICY postern_tenant ON ord USING (true)"),
    Seed("L06", "public.biz", "CREATE POLICY easy ON biz USING (true)"),
    Seed("L06", "public.biz", "CREATE POLICY easy ON biz FOR SELECT USING (1 = 1)"),
    Seed("L07", "public.mv",
         _UNSEEN + _OWN + "CREATE MATERIALIZED VIEW mv AS SELECT * FROM cust" + _SEEN,
         name="matview"),
    Seed("L08", "public.far_cust",
         _UNSEEN + _FOREIGN + "CREATE FOREIGN TABLE far_cust (tenant int) SERVER far; "
         "GRANT SELECT ON far_cust TO readers" + _SEEN,
         name="foreign table"),
    Seed("L09", "public.above",
         _UNSEEN + _OWN + "CREATE TABLE above (id int NOT NULL); ALTER TABLE base INHERIT above; "
         "GRANT SELECT ON above TO PUBLIC" + _SEEN, name="parent without tenant"),
    Seed("L10", "public.v_cust",
         _UNSEEN + "ALTER VIEW v_cust SET (security_invoker = false)" + _SEEN, name="owner's view"),
    Seed("L11", "public.v_cust", "ALTER VIEW v_cust RESET (security_invoker); "
         "ALTER VIEW v_cust OWNER TO postgres; " + _UNSEEN
         + "ALTER VIEW v_cust RESET (security_invoker)" + _SEEN, name="view of a superuser"),
    Seed("L12", "public.loose",
         _UNSEEN + _OWN + "CREATE TABLE loose (x int); GRANT SELECT ON loose TO app" + _SEEN,
         name="table without tenant"),
    Seed("L13", "public.biz", _OWN + "CREATE RULE twice AS ON INSERT TO biz DO ALSO SELECT 1"),
    Seed("L14", "feed", "CREATE PUBLICATION feed FOR TABLE cust, kinds"),
    Seed("L14", "feed", "CREATE PUBLICATION feed FOR ALL TABLES"),
    Seed("L15", "public.cust", _OWN + "ALTER TABLE cust ADD UNIQUE (ssn)"),
    Seed("L15", "public.cust", _OWN + "CREATE UNIQUE INDEX ON cust (lower(name))"),
    Seed("L16", "public.cust", _OWN + "ALTER TABLE cust ADD EXCLUDE (ssn WITH =)"),
    Seed("L17", "public.ord",
         _OWN + "ALTER TABLE ord ADD ref uuid REFERENCES cust (ref)", name="foreign key"),
    Seed("L18", "public.ord", _OWN + "ALTER TABLE ord ADD ref uuid REFERENCES cust (ref) "
         "ON DELETE CASCADE", name="cascading foreign key"),
    Seed("L18", "public.ord", _OWN + "ALTER TABLE ord ADD ref uuid REFERENCES cust (ref) "
         "ON UPDATE SET NULL", name="foreign key, on update"),
    Seed("L19", "public.biz", "DROP INDEX biz_tenant_idx"),
    Seed("L20", "public.biz", "ALTER TABLE biz ALTER tenant DROP NOT NULL"),
    Seed("L21", "public.biz", "ALTER TABLE biz ALTER tenant SET DEFAULT 2"),
    Seed("L22", "public.words", "CREATE COLLATION loose_case (provider = icu, locale = 'und-u-ks-"
         "level2', deterministic = false); CREATE TABLE words (tenant text COLLATE loose_case "
         "PRIMARY KEY); ALTER TABLE words OWNER TO own", name="collation"),
    Seed("L23", "public.cust", "GRANT ALL ON cust TO app"),
    Seed("L24", "public.cust", "GRANT TRUNCATE ON cust TO PUBLIC"),
    Seed("L25", "public.kinds", "GRANT TRIGGER ON kinds TO app"),
    Seed("L26", "public.cust", "GRANT REFERENCES ON cust TO readers"),
    Seed("L27", "public.ord_id_seq", "GRANT UPDATE ON SEQUENCE ord_id_seq TO app"),
    Seed("L28", "default privileges of own",
         "ALTER DEFAULT PRIVILEGES FOR ROLE own IN SCHEMA public GRANT TRUNCATE ON TABLES TO app"),
    Seed("L29", "public", "GRANT CREATE ON SCHEMA public TO PUBLIC"),
    Seed("L29", "public", "GRANT CREATE ON SCHEMA public TO app"),
    Seed("L30", "{database}", "GRANT CREATE ON DATABASE {database} TO app"),
    Seed("L31", "postern.context_key", "GRANT SELECT ON postern.context_key TO app"),
    Seed("L31", "postern.context_key",
         "ALTER TABLE postern.context_key DISABLE ROW LEVEL SECURITY"),
    Seed("L32", "app", "ALTER ROLE app SUPERUSER", "ALTER ROLE app NOSUPERUSER"),
    Seed("L33", "app", "ALTER ROLE app BYPASSRLS", "ALTER ROLE app NOBYPASSRLS"),
    Seed("L34", "app", "ALTER ROLE app REPLICATION", "ALTER ROLE app NOREPLICATION"),
    Seed("L35", "app", "ALTER ROLE app CREATEROLE", "ALTER ROLE app NOCREATEROLE"),
    Seed("L36", "app", "GRANT pg_read_all_data TO app", "REVOKE pg_read_all_data FROM app"),
    Seed("L37", "app", "GRANT postern_owner TO app", "REVOKE postern_owner FROM app"),
    Seed("L38", "app", "ALTER TABLE biz OWNER TO app"),
    Seed("L38", "app", "GRANT own TO app", "REVOKE own FROM app"),
    Seed("L39", "role app", "ALTER ROLE app SET search_path = evil, public",
         "ALTER ROLE app RESET search_path"),
    Seed("L39", "role app", "ALTER ROLE app SET row_security = off",
         "ALTER ROLE app RESET row_security"),
    Seed("L39", "database {database}",
         "ALTER DATABASE {database} SET standard_conforming_strings = off"),
    Seed("L41", "public.peek()", "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY "
         "DEFINER SET search_path = pg_catalog, public, pg_temp AS 'SELECT count(*) FROM cust'",
         name="definer function of a superuser"),
    Seed("L42", "public.total()", "ALTER FUNCTION total() RESET search_path"),
    Seed("L43", "public.run(text)", _OWN + "CREATE FUNCTION run(q text) RETURNS void LANGUAGE "
         "plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS "
         "'BEGIN EXECUTE q; END'", name="dynamic SQL"),
    Seed("L44", "public.stamp()", "ALTER FUNCTION stamp() LEAKPROOF"),
    Seed("L45", "public.ord", "GRANT CREATE ON SCHEMA public TO mallory; SET ROLE mallory; CREATE "
         "FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; RESET ROLE; "
         "CREATE TRIGGER spy BEFORE INSERT ON ord FOR EACH ROW EXECUTE FUNCTION spy(); "
         "REVOKE CREATE ON SCHEMA public FROM mallory", name="trigger of another role"),
    Seed("L46", "dblink", "CREATE EXTENSION dblink"),
    Seed("L46", "postgres_fdw", "CREATE EXTENSION postgres_fdw"),
    Seed("L46", "pageinspect", "CREATE EXTENSION pageinspect"),
    Seed("L46", "adminpack", "CREATE EXTENSION adminpack"),
    Seed("L46", "file_fdw", "CREATE EXTENSION file_fdw"),
    Seed("L47", "wild", "CREATE LANGUAGE wild HANDLER plpgsql_call_handler"),
    Seed("L48", "standard_conforming_strings",
         "ALTER SYSTEM SET standard_conforming_strings = off",
         "ALTER SYSTEM RESET standard_conforming_strings"),
    Seed("L48", "log_parameter_max_length_on_error",
         "ALTER SYSTEM SET log_parameter_max_length_on_error = -1",
         "ALTER SYSTEM RESET log_parameter_max_length_on_error"),
    Seed("L49", "large objects", "SELECT lo_from_bytea(0, 'x')"),
    Seed("L50", "postern_wall_1", "DROP EVENT TRIGGER postern_wall_1"),
    Seed("L50", "postern_wall_2", "ALTER EVENT TRIGGER postern_wall_2 DISABLE"),
    Seed("L50", "postern_wall_3", "ALTER EVENT TRIGGER postern_wall_3 DISABLE"),
    Seed("L50", "postern_wall_4", "DROP EVENT TRIGGER postern_wall_4"),
)
