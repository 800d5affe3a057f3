"""Items 36 to 54: SQL hidden in functions and strings."""

from __future__ import annotations

from items import (
    Check,
    Item,
    absent,
    by,
    call,
    done,
    either,
    equal,
    first,
    none,
    own,
    refused,
    steps,
)
from stage import Stage


def plan_shown(table: str, login: str) -> Check:
    """EXPLAIN is of use: it names the scanned table."""

    def check(stage: Stage) -> str:
        answer = stage.say(f"EXPLAIN SELECT name FROM {table} WHERE name > 'x'", login)
        if answer.errors():
            return f"failed: {answer.told()}"
        return "" if table in str(answer.rows()) else f"names no table: {answer.rows()}"

    return check


def cursor_of_another(stage: Stage) -> str:
    """A refcursor that the victim opened is unknown to the attacker."""
    stage.say("BEGIN", "t2")
    stage.say("SELECT open_cust('rc')", "t2")
    answer = stage.say("FETCH ALL FROM rc")
    stage.say("COMMIT", "t2")
    return "" if answer.errors() and not answer.rows() else f"gave {answer.told()}"


def others_work(stage: Stage) -> str:
    """After a session that tampered with its context the next ones are as good as ever."""
    stage.leave("t1")
    for _ in range(3):
        answer = stage.say("SELECT count(*) FROM cust")
        stage.leave("t1")
        if answer.rows() != [("20",)]:
            return f"the next session: {answer.told()}"
    return ""


ITEMS = [
    Item(36, "query_to_xml", steps(
        refused("SELECT query_to_xml('SELECT * FROM cust', true, false, '')",
                "SELECT query_to_xml_and_xmlschema('SELECT * FROM cust', true, false, '')",
                "SELECT query_to_xmlschema('SELECT * FROM cust', true, false, '')"),
        first("BEGIN", "DECLARE c CURSOR FOR SELECT * FROM cust"),
        refused("SELECT cursor_to_xml('c', 10, true, false, '')"), first("ROLLBACK")), steps(
        own("SELECT xmlelement(name c, xmlattributes(id), name) FROM cust"))),
    Item(37, "table_to_xml and its like", steps(
        refused("SELECT table_to_xml('cust', true, false, '')",
                "SELECT schema_to_xml('public', true, false, '')",
                "SELECT database_to_xml(true, false, '')",
                "SELECT schema_to_xml_and_xmlschema('public', true, false, '')")), steps(
        own("SELECT xmlagg(xmlforest(id, name)) FROM cust"))),
    Item(38, "ts_stat and ts_rewrite", steps(
        refused("SELECT * FROM ts_stat('SELECT to_tsvector(ssn) FROM cust')",
                "SELECT ts_rewrite('a'::tsquery, 'SELECT t, t FROM q')")), steps(
        own("SELECT id FROM cust WHERE to_tsvector('simple', name) @@ to_tsquery('name')"))),
    Item(39, "SQL in strings of tablefunc and xml2", steps(
        refused("SELECT * FROM crosstab('SELECT id, tenant, ssn FROM cust') AS c(a int, b text)",
                "SELECT * FROM connectby('cust', 'id', 'tenant', '1', 0) AS t(a int, b int, c int)",
                "SELECT * FROM xpath_table('id', 'ssn', 'cust', '/', 'true') AS t(a int, b text)")),
        steps(own("SELECT id, max(name) FILTER (WHERE tenant = 1) FROM cust GROUP BY id")),
        "bad_extensions"),
    Item(40, "a second connection", steps(
        refused("SELECT * FROM dblink('dbname=shop', 'SELECT ssn FROM cust') AS t(s text)",
                "SELECT dblink_exec('dbname=shop', 'DELETE FROM cust')",
                "SELECT dblink_connect('x', 'dbname=shop')"),
        call(lambda s: s.lint("dblink"), "lint names dblink")), steps(
        own("SELECT o.memo FROM ord o JOIN cust c ON c.id = o.cust_id AND c.tenant = o.tenant")),
        "bad_extensions"),
    Item(41, "SQL function", steps(
        equal("SELECT count(*) FROM all_c()", 20), none("SELECT * FROM all_c() WHERE tenant = 2"),
        refused("CREATE FUNCTION a() RETURNS SETOF cust LANGUAGE sql AS 'SELECT * FROM cust'")),
        steps(own("SELECT (all_c()).name", "SELECT * FROM all_c() WHERE id = 1"))),
    Item(42, "PL/pgSQL with dynamic SQL", steps(
        either("SELECT dyn('SELECT ssn FROM cust WHERE tenant = 2')",
               "SELECT dyn('DELETE FROM cust WHERE tenant = 2 RETURNING ssn')",
               "SELECT dyn('TRUNCATE ord')", "SELECT dyn('SET ROLE own')")), steps(
        own("SELECT dyn('SELECT name FROM cust')"))),
    Item(43, "SECURITY DEFINER with dynamic SQL", steps(
        either("SELECT sd('SELECT ssn FROM cust')", "SELECT sd('SELECT max(ssn) FROM v_cust')"),
        call(lambda s: s.lint("sd"), "lint names sd")), steps(
        own("SELECT * FROM sd_names()"), equal("SELECT count(*) FROM sd_names()", 20)),
        "bad_definer"),
    Item(44, "computed settings", steps(
        refused("DO $$BEGIN PERFORM set_config('postern.' || 'ctx', '2', false); END$$",
                "SELECT set_config('postern.' || 'ctx', '2', false)"),
        either("SELECT forge(), count(*) FROM cust"),
        either("SELECT ssn FROM cust WHERE tenant = 2"), call(others_work)), steps(
        done("SELECT set_config('work_mem', '8MB', false)"), equal("SHOW work_mem", "8MB"))),
    Item(45, "procedure that commits", steps(
        either("CALL walk(0)"), none("SELECT ssn FROM cust WHERE tenant = 2")), steps(
        equal("CALL walk(0)", 0), equal("SELECT count(*) FROM cust", 20))),
    Item(46, "EXPLAIN ANALYZE counts removed rows", steps(
        refused("EXPLAIN SELECT name FROM cust WHERE id = 501",
                "EXPLAIN (ANALYZE, TIMING off, SUMMARY off) SELECT name FROM cust WHERE id = 501",
                "EXPLAIN (ANALYZE, FORMAT json) SELECT name FROM cust WHERE id = 501")), steps(
        call(plan_shown("country", "t1"), "plan_shown"),
        call(plan_shown("cust", "mig"), "plan_shown to migrators"),
        by("mig", done("EXPLAIN UPDATE cust SET name = 'x' WHERE id = 1")),
        own("SELECT count(*), min(name) FROM cust WHERE id = 1"))),
    Item(47, "EXPLAIN estimates", steps(
        refused("EXPLAIN SELECT id FROM cust WHERE ssn > 'T2-'",
                "EXPLAIN (FORMAT json) SELECT id FROM v_cust WHERE ssn > 'T2-'",
                "EXPLAIN VERBOSE DELETE FROM cust WHERE ssn > 'T2-'")), steps(
        done("EXPLAIN SELECT name FROM country WHERE name > 'x'"),
        by("mig", done("EXPLAIN SELECT name FROM cust WHERE ssn > 's-1'")))),
    Item(48, "debug output by settings", steps(
        refused("SET client_min_messages = log", "SET client_min_messages = debug5",
                "SET debug_print_plan = on", "SET log_statement_stats = on",
                "SET auto_explain.log_min_duration = 0", "SET log_min_messages = debug1")), steps(
        done("SET client_min_messages = warning", "RESET client_min_messages"))),
    Item(49, "untrusted languages and LOAD", steps(
        absent("CREATE FUNCTION c() RETURNS int LANGUAGE c AS '/tmp/x.so'",
               "CREATE LANGUAGE plpython3u", "LOAD '/tmp/x.so'", "CREATE EXTENSION plperl")), steps(
        own("SELECT lower(name) FROM cust"))),
    Item(50, "triggers and rules with SQL", steps(
        refused("CREATE TRIGGER x BEFORE INSERT ON cust FOR EACH ROW EXECUTE FUNCTION move_row()",
                "CREATE RULE r AS ON INSERT TO cust DO ALSO SELECT 1",
                "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION move_row()")), steps(
        own("INSERT INTO moved VALUES (1, 900, 'stay')"))),
    Item(51, "default that calls a function", steps(
        either("INSERT INTO dflt (tenant, id) VALUES (1, 901) RETURNING v",
               "SELECT v FROM dflt WHERE id = 901"),
        refused("ALTER TABLE dflt ALTER v SET DEFAULT all_names()")), steps(
        own("INSERT INTO dflt (tenant, id) VALUES (1, 901) RETURNING v")), "bad_default"),
    Item(52, "work that runs later, outside", steps(
        absent("SELECT cron.schedule('* * * * *', 'DELETE FROM ord')",
               "SELECT pg_background_launch('DELETE FROM ord')",
               "SELECT timetable.add_job('x', '* * * * *', 'DELETE FROM ord')"),
        call(lambda s: s.past_postern("SELECT count(*) FROM cust"), "the pool's login alone")),
        steps(own("DELETE FROM ord WHERE id = 4"))),
    Item(53, "cursor of another session", steps(call(cursor_of_another)), steps(
        done("BEGIN", "SELECT open_cust('rc')"), own("FETCH ALL FROM rc"), done("COMMIT"))),
    Item(54, "definitions of views and policies", steps(
        either("SELECT pg_get_viewdef('v_cust'::regclass)",
               "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy",
               "SELECT prosrc FROM pg_proc WHERE pronamespace = 'postern'::regnamespace"),
        refused("SELECT * FROM postern.context_key", "TABLE postern.context_key",
                "SELECT dyn('SELECT encode(inner_block, ''hex'') FROM postern.context_key')")),
        steps(own("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE"
                  " conrelid = 'cust'::regclass"))),
]  # fmt: skip
