// Functions that reach around row policies, sessions or the proxy (research: catalogue 36 to 68).
#include <algorithm>
#include <array>

#include "base/codes/gate.hpp"
#include "policy/extension_risks.hpp"
#include "policy/gate.hpp"
#include "policy/glob.hpp"
#include "policy/known_builtins.hpp"

namespace postern::policy {
namespace {

// Of pg_catalog. A name with '*' covers a family.
constexpr std::string_view kDeniedBuiltins[] = {
    // files and programs of the server
    "pg_read_file*",
    "pg_read_binary_file",
    "pg_ls_*",
    "pg_current_logfile",
    "pg_file_*",
    "pg_rotate_logfile*",
    "pg_reload_conf",
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    "pg_show_all_file_settings",
    "pg_logdir_ls",
    // large objects know no row policies
    "lo_*",
    "loread",
    "lowrite",
    // SQL hidden in strings
    "query_to_xml*",
    "cursor_to_xml*",
    "table_to_xml*",
    "schema_to_xml*",
    "database_to_xml*",
    "ts_stat",
    "ts_rewrite",
    // other sessions, their statements and locks
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_stat_*",
    "pg_lock_status",
    "pg_blocking_pids",
    "pg_safe_snapshot_blocking_pids",
    "pg_prepared_xact",
    "pg_log_*",
    "pg_get_backend_memory_contexts",
    "pg_get_process_memory_contexts",
    "pg_get_aios",
    "pg_notification_queue_usage",
    "pg_isolation_test_session_is_blocked",
    // the write-ahead log, replication, snapshots
    "pg_logical_*",
    "pg_replication_*",
    "pg_create_*_slot",
    "pg_copy_*_slot",
    "pg_drop_replication_slot",
    "pg_get_replication_slots",
    "pg_show_replication_origin_status",
    "pg_current_wal_*",
    "pg_walfile_*",
    "pg_last_*",
    "pg_sync_replication_slots",
    "pg_available_wal_summaries",
    "pg_wal_*",
    "pg_switch_wal",
    "pg_create_restore_point",
    "pg_backup_*",
    "pg_start_backup",
    "pg_stop_backup",
    "pg_promote",
    "pg_export_snapshot",
    "pg_get_wal_*",
    "pg_control_*",
    "pg_import_system_collations",
    // how much others write
    "txid_*",
    "pg_current_xact_id*",
    "pg_current_snapshot",
    "pg_xact_*",
    "pg_get_multixact_*",
    "mxid_age",
    "currtid2",
    "pg_sequence_last_value",
    "pg_get_sequence_data",
    "pg_relation_size",
    "pg_table_size",
    "pg_total_relation_size",
    "pg_indexes_size",
    "pg_database_size",
    "pg_tablespace_size",
    "pg_relation_filepath",
    "pg_relation_filenode",
    "pg_filenode_relation",
    "pg_get_shmem_*",
    "pg_set_*_stats",
    "pg_restore_*_stats",
    "pg_clear_*_stats",
    "pg_mcv_list_items",
    "brin_*",
    "gin_clean_pending_list",
    "binary_upgrade_*",
};

constexpr std::string_view kDeniedSchemas[] = {"cron",      "timetable",  "dbms_job", "adminpack",
                                               "dbms_pipe", "dbms_alert", "utl_file"};

constexpr std::string_view kSharedBuiltins[] = {"pg_advisory_*", "pg_try_advisory_*", "pg_notify",
                                                "setval"};

// pg_catalog's own operators may stand for functions that the snapshot leaves out; functions called
// by name are always in it.
constexpr Oid kFirstUserOid = 16384;
constexpr Oid kXidOid = 28;

template <typename List>
bool matches(const List& list, std::string_view name) {
  return std::any_of(std::begin(list), std::end(list),
                     [&](std::string_view glob) { return glob_match(glob, name); });
}

// No configuration frees these: files and programs of the server, SQL in strings, large objects,
// other sessions, and connections past Postern.
constexpr std::string_view kNeverBuiltins[] = {
    "pg_read_*",
    "pg_ls_*",
    "pg_stat_file",
    "pg_file_*",
    "pg_logdir_ls",
    "lo_*",
    "loread",
    "lowrite",
    "query_to_xml*",
    "cursor_to_xml*",
    "table_to_xml*",
    "schema_to_xml*",
    "database_to_xml*",
    "ts_stat",
    "ts_rewrite",
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_logical_*",
    "pg_replication_*",
    "binary_upgrade_*",
    "pg_reload_conf",
    "pg_promote",
    "pg_import_system_collations",
};

/// PostgreSQL's own; an extension may be installed into pg_catalog as well.
bool is_builtin(const sql::Routine& routine) {
  return routine.schema == "pg_catalog" && routine.oid < kFirstUserOid;
}

bool is_never(const sql::Routine& routine) {
  if (matches(kDeniedSchemas, routine.schema) || routine.schema == "postern") return true;
  return is_builtin(routine) ? matches(kNeverBuiltins, routine.name)
                             : extension_risk(routine) == ExtensionRisk::kNever;
}

bool freed(const Judged& j, const sql::Routine& routine) {
  const std::string name = routine.schema + "." + routine.name;
  const bool listed = matches(j.rules.options.permits.functions, name) ||
                      matches(j.rules.permits_of(j.profile).functions, name);
  return listed && !is_never(routine);
}

void refuse(const Judged& j, Pst code, const sql::Routine& routine) {
  j.findings.refuse(code, routine.schema + "." + routine.name, "gate.function",
                    j.statement.span.begin);
}

/// age(xid) tells how many transactions all tenants made since another one; its namesakes do not.
bool counts_transactions(const sql::Routine& routine) {
  return routine.name == "age" && routine.arguments.size() == 1 && routine.arguments[0] == kXidOid;
}

/// pg_dump reads large objects and sequences, and hands snapshots to its workers.
bool backup_needs(const sql::Routine& routine) {
  return routine.schema == "pg_catalog" &&
         (routine.name == "pg_export_snapshot" ||
          matches(std::array{"lo_*", "loread"}, routine.name) ||
          routine.name == "pg_get_sequence_data" || matches(std::array{"pg_*_size"}, routine.name));
}

}  // namespace

std::string why_never_function(std::string_view glob) {
  const auto dot = glob.find('.');
  if (dot == std::string_view::npos) return "is not \"schema.name\"";
  sql::Routine routine;
  routine.schema = glob.substr(0, dot);
  routine.name = glob.substr(dot + 1);
  routine.native = true;  // of which extension it is only the catalog tells: here by its name
  if (has_glob(routine.schema)) return "its schema has to be named";
  if (routine.name == "*" && routine.schema == "pg_catalog") return "it names every function";
  if (!is_never(routine)) return "";
  return "it reaches files, other sessions, or rows past their policies";
}

FunctionRisk function_risk(const sql::Routine& routine) {
  if (!is_builtin(routine)) {
    if (matches(kDeniedSchemas, routine.schema)) return FunctionRisk::kDenied;
    const bool harmless = extension_risk(routine) == ExtensionRisk::kNone;
    return harmless ? FunctionRisk::kNone : FunctionRisk::kDenied;
  }
  const bool denied = matches(kDeniedBuiltins, routine.name) || counts_transactions(routine);
  if (denied) return FunctionRisk::kDenied;
  if (matches(kSharedBuiltins, routine.name)) return FunctionRisk::kShared;
  // A function of a newer server: whatever it does besides computing has to be looked at first.
  const bool computes = routine.volatility == 'i';
  return computes || is_known_function(routine.name) ? FunctionRisk::kNone : FunctionRisk::kUnknown;
}

void gate_functions(const Judged& j) {
  if (j.profile == Profile::kMigrator) return;  // may run DO: a list of names would not hold it
  for (const Oid oid : j.statement.routines) {
    const sql::Routine* routine = j.catalog().routine(oid);
    if (routine == nullptr && oid < kFirstUserOid) continue;
    if (routine == nullptr) {
      return j.findings.refuse(pst::kFunctionNotAllowed, "not in the catalog snapshot",
                               "gate.function", j.statement.span.begin);
    }
    const FunctionRisk risk = function_risk(*routine);
    if (risk == FunctionRisk::kNone || freed(j, *routine)) continue;
    if (risk == FunctionRisk::kUnknown) {
      if (j.profile == Profile::kBackup) continue;  // pg_dump of a newer server; it reads all rows
      return refuse(j, pst::kFunctionNotAllowed, *routine);
    }
    if (risk == FunctionRisk::kDenied) {
      if (j.profile == Profile::kBackup && backup_needs(*routine)) continue;
      return refuse(j, pst::kFunctionNotAllowed, *routine);
    }
    if (j.has_tenant && j.rules.separates_tenants()) {
      return refuse(j, pst::kSharedAcrossTenants, *routine);
    }
  }
}

}  // namespace postern::policy
