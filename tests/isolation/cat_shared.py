"""Items 55 to 70: catalogs, statistics, and what all sessions share."""

from __future__ import annotations

from items import Item, absent, by, call, done, either, equal, first, none, own, refused, steps
from speak import Answer
from stage import Stage, refusal


def notified(stage: Stage) -> list[tuple[str, str]]:
    """(channel, payload) of what the attacker's session was told."""
    talks = stage.session("t1")
    if isinstance(talks, Answer):
        return []
    answer = stage.say("SELECT 1")
    found = []
    for got in answer.messages:
        if got.type == "A":
            channel, payload = got.body[4:].split(b"\0")[:2]
            found.append((channel.decode(), payload.decode()))
    return found


def foreign_notice(stage: Stage) -> str:
    """What the victim sends on a channel does not reach a listener of another tenant."""
    stage.say("LISTEN news")
    stage.say("NOTIFY news, 'T2-00000000bb'", "t2")
    stage.say("SELECT pg_notify('news', 'T2-00000000bc')", "t2")
    heard = [*notified(stage), *notified(stage)]
    return f"LEAK: heard {heard}" if heard else ""


def told_to_use_a_table(answer: Answer) -> bool:
    """What is not kept apart by tenant is refused with a code whose hint is to use a table."""
    return answer.codes() == ["PST-1507"]


def own_notice(stage: Stage) -> str:
    """One session of a tenant learns from another: by LISTEN and NOTIFY, or by a table."""
    for sql, login in (("LISTEN news", "t1"), ("NOTIFY news, 'mine'", "t1")):
        answer = stage.say(sql, login)
        if told_to_use_a_table(answer):
            stage.say("INSERT INTO moved VALUES (1, 970, 'mine')", "chosen")
            seen = stage.say("SELECT v FROM moved WHERE id = 970").rows()
            return "" if seen == [("mine",)] else f"a table gave {seen}"
        if answer.errors():
            return f"{sql} failed: {answer.told()}"
        heard = [(m.body[4:].split(b"\0")) for m in answer.messages if m.type == "A"]
        if heard:
            return "" if heard[0][:2] == [b"news", b"mine"] else f"heard {heard}"
    heard_later = [*notified(stage), *notified(stage)]
    return "" if ("news", "mine") in heard_later else f"heard {heard_later}"


def lock_of_another(stage: Stage) -> str:
    """An advisory lock of the victim is not seen, and does not block."""
    held = stage.say("SELECT pg_try_advisory_lock(77)", "t2")
    tried = stage.say("SELECT pg_try_advisory_lock(77)")
    stage.say("SELECT pg_advisory_unlock_all()", "t2")
    if held.errors():
        return refusal(tried)
    return "" if tried.errors() or tried.rows() == [("t",)] else "the victim's lock is seen"


def own_lock(stage: Stage) -> str:
    """One session of a tenant keeps another out: by an advisory lock, or by a row's."""
    held = stage.say("SELECT pg_advisory_lock(5)")
    if not told_to_use_a_table(held):
        tried = stage.say("SELECT pg_try_advisory_lock(5)", "chosen")
        stage.say("SELECT pg_advisory_unlock(5)")
        return "" if tried.rows() == [("f",)] else f"gave {held.told()}, then {tried.told()}"
    stage.say("BEGIN")
    stage.say("SELECT id FROM moved WHERE id = 1 FOR UPDATE")
    tried = stage.say("SELECT id FROM moved WHERE id = 1 FOR UPDATE NOWAIT", "chosen")
    stage.say("COMMIT")
    return "" if tried.errors() == ["55P03"] else f"a row's lock gave {tried.told()}"


def prepared_of_another(stage: Stage) -> str:
    """A prepared transaction of the victim cannot be ended by another tenant."""
    stage.say("BEGIN", "t2")
    stage.say("INSERT INTO dflt VALUES (2, 990, 'x')", "t2")
    made = stage.say("PREPARE TRANSACTION 'tx1'", "t2")
    stage.leave("t2")
    told = []
    for sql in ("COMMIT PREPARED 'tx1'", "ROLLBACK PREPARED 'tx1'"):
        answer = stage.say(sql)
        if not answer.errors():
            told.append(f"LEAK: {sql} went through")
    if not made.errors():
        stage.world.superuser(stage.database).execute(
            "SELECT 1 FROM pg_prepared_xacts")  # fmt: skip
    return "; ".join(told)


NUMBERS = "SELECT reltuples, relpages, relallvisible FROM pg_class"
NEVER_ANALYSED = ("-1", "0", "0")


def seen_statistics(stage: Stage) -> str:
    """Numbers of whole tables are those of a table never analysed, however they are asked for."""
    stage.world.superuser(stage.database).execute("ANALYZE cust")
    told = []
    for sql in (NUMBERS, f"SELECT x.* FROM ({NUMBERS}) x", f"WITH x AS ({NUMBERS}) TABLE x",
                f"{NUMBERS} UNION ALL {NUMBERS}"):  # fmt: skip
        for answer in (stage.say(sql), stage.say_bound(sql, ())):
            if set(answer.rows()) != {NEVER_ANALYSED}:
                told.append(f"LEAK: {sql} gave {answer.rows()[:3]} {answer.told()}")
    whole = stage.say("SELECT * FROM pg_class WHERE relname = 'cust'").rows()
    if not whole or "40" in whole[0]:
        told.append(f"LEAK: a row of pg_class is {whole}")
    return "; ".join(told)


def index_info(stage: Stage) -> str:
    """What JDBC asks of indexes is answered, sizes left out."""
    answer = stage.say(
        "SELECT tmp.name, tmp.cardinality, tmp.pages FROM (SELECT ci.relname AS name, ci.reltuples"
        " AS cardinality, ci.relpages AS pages FROM pg_class ct JOIN pg_index i ON ct.oid ="
        " i.indrelid JOIN pg_class ci ON ci.oid = i.indexrelid WHERE ct.relname = 'cust') AS tmp"
        " ORDER BY name")
    good = answer.rows() and all(row[1:] == ("-1", "0") for row in answer.rows())
    return "" if good else f"gave {answer.told()} {answer.rows()[:3]}"


ITEMS = [
    Item(55, "pg_stats of what is unwalled", steps(
        refused("SELECT * FROM pg_stats WHERE tablename = 'part_2'",
                "SELECT * FROM pg_stats_ext", "SELECT * FROM pg_statistic",
                "SELECT * FROM pg_statistic_ext_data")), steps(
        own("SELECT min(id), max(id), count(DISTINCT name) FROM cust")), "bad_leaf"),
    Item(56, "sizes and row counts of whole tables", steps(
        call(seen_statistics),
        refused("SELECT 1 FROM pg_class WHERE reltuples > 30", "SELECT sum(relpages) FROM pg_class",
                "SELECT relname FROM pg_class ORDER BY reltuples",
                "SELECT reltuples::bigint FROM pg_class", "SELECT c FROM pg_class c",
                "SELECT row_to_json(c) FROM pg_class c", "COPY pg_class TO STDOUT",
                "SELECT CASE WHEN relpages > 1 THEN 1 END FROM pg_class",
                "SELECT DISTINCT relpages FROM pg_class",
                "DECLARE c CURSOR WITH HOLD FOR SELECT reltuples FROM pg_class",
                "PREPARE p AS SELECT reltuples FROM pg_class",
                "SELECT age(relfrozenxid) FROM pg_class", "SELECT age(xmin) FROM cust"),
        either("SELECT relname, reltuples FROM pg_class WHERE relname IN ('cust', 'ord', 'part')"
               " ORDER BY relname", "SELECT relpages, relallvisible FROM pg_class WHERE relname ="
               " 'cust_pkey'"),
        refused("SELECT pg_relation_size('cust')", "SELECT pg_total_relation_size('cust')",
                "SELECT pg_table_size('cust')", "SELECT pg_indexes_size('cust')",
                "SELECT pg_database_size(current_database())"),
        absent("SELECT * FROM pgstattuple('cust')")), steps(
        own("SELECT relname, relkind FROM pg_class WHERE oid = 'cust'::regclass",
            "SELECT * FROM pg_class WHERE relname = 'cust'", "SELECT age(now())"),
        call(index_info), equal("SELECT count(*) FROM cust", 20))),
    Item(57, "activity counters", steps(
        refused("SELECT * FROM pg_stat_user_tables", "SELECT * FROM pg_statio_user_tables",
                "SELECT * FROM pg_stat_database", "SELECT * FROM pg_stat_all_indexes",
                "SELECT * FROM pg_stat_user_functions", "SELECT pg_stat_get_live_tuples(1)",
                "SELECT pg_stat_get_tuples_inserted('cust'::regclass)")), steps(
        own("SELECT count(*), max(id) FROM ord"))),
    Item(58, "statements and locks of others", steps(
        refused("SELECT query FROM pg_stat_activity", "SELECT * FROM pg_locks",
                "SELECT pg_blocking_pids(1)", "SELECT * FROM pg_prepared_xacts",
                "SELECT * FROM pg_stat_get_activity(NULL)", "SELECT * FROM pg_lock_status()"),
        absent("SELECT * FROM pg_stat_statements")), steps(
        own("SELECT pg_backend_pid() > 0", "SELECT current_user, session_user"))),
    Item(59, "leftovers of the session before", steps(
        by("t2", first("PREPARE victims_own AS SELECT 'T2-00000000cc'",
                       "DECLARE vc CURSOR WITH HOLD FOR SELECT 'T2-00000000cd'")),
        call(lambda s: s.leave("t2") or "", "the victim leaves"),
        either("SELECT * FROM pg_prepared_statements", "SELECT * FROM pg_cursors"),
        refused("EXECUTE victims_own", "FETCH ALL FROM vc",
                codes=frozenset({"26000", "34000", "42501", "0A000"}))), steps(
        done("PREPARE mine AS SELECT 1"), own("EXECUTE mine"),
        own("SELECT name FROM pg_prepared_statements"), done("DEALLOCATE mine"))),
    Item(60, "sequences", steps(
        refused("SELECT setval('ord_id_seq', 1)", "SELECT last_value FROM ord_id_seq",
                "SELECT * FROM pg_sequences", "ALTER SEQUENCE ord_id_seq RESTART",
                "SELECT pg_sequence_last_value('ord_id_seq'::regclass)")), steps(
        own("INSERT INTO ord (tenant, cust_id, amt) VALUES (1, 1, 5) RETURNING id > 0"))),
    Item(60, "sequences granted to everyone", steps(
        refused("SELECT setval('ord_id_seq', 1)", "ALTER SEQUENCE ord_id_seq RESTART"),
        either("SELECT last_value FROM ord_id_seq", "SELECT nextval('ord_id_seq')"),
        call(lambda s: s.lint("ord_id_seq"), "lint names ord_id_seq")), steps(
        own("INSERT INTO ord (tenant, cust_id, amt) VALUES (1, 1, 5) RETURNING id > 0")),
        "bad_sequence"),
    Item(61, "volume by transaction numbers and WAL", steps(
        refused("SELECT txid_current()", "SELECT pg_current_xact_id()",
                "SELECT pg_current_wal_lsn()", "SELECT pg_notification_queue_usage()",
                "SELECT txid_current_snapshot()", "SELECT pg_current_snapshot()",
                "SELECT pg_current_wal_insert_lsn()", "SELECT * FROM pg_last_committed_xact()")),
        steps(own("SELECT now(), clock_timestamp(), gen_random_uuid()"))),
    Item(62, "LISTEN and NOTIFY", steps(call(foreign_notice), either("UNLISTEN *")),
         steps(call(own_notice), done("UNLISTEN *"))),
    Item(63, "advisory locks", steps(call(lock_of_another)), steps(
        call(own_lock))),
    Item(64, "ending other sessions", steps(
        refused("SELECT pg_terminate_backend(pid) FROM generate_series(1, 9) pid",
                "SELECT pg_cancel_backend(1)", "SELECT pg_log_backend_memory_contexts(1)")), steps(
        done("SET statement_timeout = '5s'"), own("SELECT pg_backend_pid()"))),
    Item(65, "files of the server", steps(
        refused("SELECT pg_read_file('/etc/passwd')", "SELECT pg_read_binary_file('PG_VERSION')",
                "SELECT pg_ls_dir('.')", "SELECT pg_stat_file('PG_VERSION')",
                "SELECT pg_current_logfile()", "SELECT * FROM pg_ls_logdir()",
                "SELECT * FROM pg_file_settings", "SELECT * FROM pg_hba_file_rules",
                "SELECT pg_relation_filepath('cust')")), steps(
        own("SELECT current_database(), version()"))),
    Item(66, "logical decoding and publications", steps(
        refused("SELECT * FROM pg_logical_slot_peek_changes('s', NULL, NULL)",
                "SELECT pg_create_logical_replication_slot('s', 'test_decoding')",
                "SELECT pg_create_physical_replication_slot('s')",
                "CREATE PUBLICATION p FOR ALL TABLES", "SELECT * FROM pg_replication_slots",
                "SELECT pg_logical_emit_message(true, 'a', 'b')")), steps(
        own("SELECT * FROM country"))),
    Item(67, "extensions that read pages", steps(
        refused("SELECT get_raw_page('cust', 0)", "SELECT * FROM pgrowlocks('cust')",
                "SELECT * FROM heap_page_items(get_raw_page('cust', 0))"),
        absent("SELECT * FROM pg_dirtyread('cust')", "SELECT verify_heapam('cust')"),
        call(lambda s: s.lint("pageinspect"), "lint names pageinspect")), steps(
        own("SELECT id, length(ssn) FROM cust")), "bad_extensions"),
    Item(68, "exported snapshots", steps(
        first("BEGIN ISOLATION LEVEL REPEATABLE READ"),
        refused("SET TRANSACTION SNAPSHOT '00000003-00000001-1'"), first("ROLLBACK"),
        refused("SELECT pg_export_snapshot()")), steps(
        done("BEGIN ISOLATION LEVEL REPEATABLE READ"), own("SELECT id FROM cust"),
        done("COMMIT"))),
    Item(69, "prepared transactions", steps(call(prepared_of_another)), steps(
        done("BEGIN"), own("INSERT INTO dflt VALUES (1, 991, 'x')"), done("COMMIT"),
        own("SELECT v FROM dflt WHERE id = 991"))),
    Item(70, "names in the catalogs", steps(
        either("SELECT * FROM information_schema.columns",
               "SELECT relname FROM pg_class", "SELECT attname FROM pg_attribute",
               "SELECT * FROM pg_constraint", "SELECT * FROM pg_depend"),
        refused("SELECT rolpassword FROM pg_authid", "SELECT * FROM pg_shadow",
                "SELECT * FROM pg_user_mappings"),
        none("SELECT 1 FROM information_schema.tables WHERE table_name = 'context_key' AND"
             " table_type = 'VIEW'")), steps(
        own("SELECT column_name FROM information_schema.columns WHERE table_name = 'cust'",
            "SELECT relname FROM pg_class WHERE relname = 'cust'"))),
]  # fmt: skip
