"""Copies of the shop with one mistake each: row security alone does not hold there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spoilt:
    """`sql` is what a careless administrator ran; lint must name `object` in a finding."""

    sql: tuple[str, ...]
    object: str


def _as_owner(*sql: str) -> tuple[str, ...]:
    return ("SET ROLE own", *sql)


SPOILT = {
    "bad_view": Spoilt(
        ("CREATE VIEW v_old AS SELECT * FROM cust", "ALTER VIEW v_old OWNER TO bypasser",
         "GRANT SELECT ON cust TO bypasser", "GRANT SELECT ON v_old TO app"), "v_old"),
    "bad_matview": Spoilt(
        ("SET row_security = on", "CREATE MATERIALIZED VIEW mv_cust AS SELECT name, ssn FROM cust",
         "GRANT SELECT ON mv_cust TO app", "ALTER MATERIALIZED VIEW mv_cust OWNER TO own"),
        "mv_cust"),
    "bad_leaf": Spoilt(_as_owner(
        "ALTER TABLE part_2 DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE part_2 NO FORCE ROW LEVEL SECURITY"), "part_2"),
    "bad_child": Spoilt(_as_owner("ALTER TABLE inh_child DISABLE ROW LEVEL SECURITY"),
                        "inh_child"),
    "bad_force": Spoilt(_as_owner("ALTER TABLE cust NO FORCE ROW LEVEL SECURITY"), "cust"),
    "bad_foreign": Spoilt(
        ("CREATE EXTENSION file_fdw", "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw",
         "CREATE FOREIGN TABLE f_cust (tenant int, ssn text) SERVER files"
         " OPTIONS (program 'echo 2,T2-00000000ff', format 'csv')",
         "GRANT SELECT ON f_cust TO app"), "f_cust"),
    "bad_shadow": Spoilt(
        ("CREATE SCHEMA shade", "GRANT USAGE ON SCHEMA shade TO app", "SET row_security = on",
         "CREATE MATERIALIZED VIEW shade.cust AS SELECT * FROM public.cust",
         "GRANT SELECT ON shade.cust TO app", "ALTER MATERIALIZED VIEW shade.cust OWNER TO own",
         "CREATE EXTENSION file_fdw", "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw",
         "CREATE FOREIGN TABLE shade.ord (tenant int, memo text) SERVER files"
         " OPTIONS (program 'echo 2,T2-00000000fe', format 'csv')",
         "GRANT SELECT ON shade.ord TO app"), "shade.cust"),
    "bad_definer": Spoilt(
        ("CREATE FUNCTION sd(q text) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS"
         " 'BEGIN RETURN QUERY EXECUTE q; END'", "GRANT SELECT ON ALL TABLES IN SCHEMA public"
         " TO bypasser", "ALTER FUNCTION sd(text) OWNER TO bypasser"), "sd"),
    "bad_default": Spoilt(_as_owner(
        "CREATE FUNCTION all_names() RETURNS text LANGUAGE sql SECURITY DEFINER AS"
        " 'SELECT string_agg(name, chr(44)) FROM public.cust'",
        "ALTER TABLE dflt ALTER v SET DEFAULT all_names()"), "all_names"),
    "bad_tenant": Spoilt(_as_owner("ALTER TABLE dflt ALTER tenant SET DEFAULT 2"), "dflt"),
    "bad_key": Spoilt(_as_owner(
        "ALTER TABLE ord DROP CONSTRAINT ord_tenant_cust_id_fkey",
        "CREATE UNIQUE INDEX cust_id_global ON cust (id)",
        "ALTER TABLE ord ADD CONSTRAINT ord_global FOREIGN KEY (cust_id) REFERENCES cust (id)"
        " ON DELETE CASCADE"), "ord_global"),
    "bad_unique": Spoilt(_as_owner("CREATE UNIQUE INDEX cust_ssn_global ON cust (ssn)"),
                         "cust_ssn_global"),
    "bad_exclusion": Spoilt(
        ("ALTER TABLE slot DROP CONSTRAINT slot_tenant_during_excl",
         "UPDATE slot SET during = int4range(id * 1000, id * 1000 + 5)",
         "ALTER TABLE slot ADD CONSTRAINT slot_global EXCLUDE USING gist (during WITH &&)"),
        "slot_global"),
    "bad_references": Spoilt(("GRANT REFERENCES ON cust TO app", "GRANT CREATE ON SCHEMA public"
                              " TO app"), "cust"),
    "bad_all": Spoilt(("GRANT ALL ON cust, ord TO app",), "cust"),
    "bad_sequence": Spoilt(
        ("GRANT ALL ON SEQUENCE ord_id_seq TO app",), "ord_id_seq"),
    "bad_extensions": Spoilt((
        "CREATE EXTENSION dblink", "CREATE EXTENSION tablefunc", "CREATE EXTENSION xml2",
        "CREATE EXTENSION pageinspect", "CREATE EXTENSION pgrowlocks",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO app"), "pageinspect"),
    "bad_large": Spoilt(
        ("SELECT lo_from_bytea(424242, 'T2-00000000aa')",
         "GRANT SELECT ON LARGE OBJECT 424242 TO PUBLIC"), ""),
    "bad_owner": Spoilt(("ALTER TABLE dflt OWNER TO app",), ""),
    "bad_create": Spoilt(("GRANT CREATE ON SCHEMA public TO app", "GRANT TEMPORARY ON DATABASE"
                          " bad_create TO app"), "public"),
    "bad_permissive": Spoilt(_as_owner(
        "CREATE POLICY everyone ON cust FOR ALL TO PUBLIC USING (true) WITH CHECK (true)"),
        "cust"),
    "bad_truncate": Spoilt(("GRANT TRUNCATE ON ord, cust TO app",), "ord"),
    "bad_serial": Spoilt(_as_owner(
        "CREATE TABLE ticket (tenant int NOT NULL, id serial, v text, PRIMARY KEY (tenant, id))",
        "GRANT ALL ON ticket TO app", "GRANT USAGE, SELECT ON ticket_id_seq TO app"), "ticket"),
}  # fmt: skip
