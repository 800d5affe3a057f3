#include "policy/extension_risks.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include "policy/glob.hpp"

namespace postern::policy {
namespace {

struct Risk {
  std::string_view extension;
  std::string_view functions;
  ExtensionRisk risk;
  bool reported;  ///< the extension as such is a finding of lint
};

constexpr auto kNever = ExtensionRisk::kNever;
constexpr auto kFreeable = ExtensionRisk::kFreeable;

constexpr Risk kRisks[] = {
    // files of the server, other servers, and SQL in strings
    {"adminpack", "*", kNever, true},
    {"aws_lambda", "*", kNever, true},
    {"aws_s3", "*", kNever, true},
    {"azure_storage", "*", kNever, true},
    {"citus", "run_command_on_*", kNever, false},
    {"dblink", "*", kNever, true},
    {"file_fdw", "*", kNever, true},
    {"http", "*", kNever, true},
    {"lo", "lo_oid", kNever, false},
    {"mysql_fdw", "*", kNever, true},
    {"oracle_fdw", "*", kNever, true},
    {"pg_background", "*", kNever, true},
    {"pg_cron", "*", kNever, true},
    {"pg_net", "*", kNever, true},
    {"pg_timetable", "*", kNever, true},
    {"pglogical", "*", kNever, true},
    {"plproxy", "*", kNever, true},
    {"postgres_fdw", "*", kNever, true},
    {"tablefunc", "connectby*", kNever, false},
    {"tablefunc", "crosstab*", kNever, false},
    {"tds_fdw", "*", kNever, true},
    {"xml2", "xpath_table", kNever, true},
    // pages and the write-ahead log: rows past their policies
    {"pageinspect", "*", kNever, true},
    {"pg_dirtyread", "*", kNever, true},
    {"pg_logicalinspect", "*", kNever, true},
    {"pg_surgery", "*", kNever, true},
    {"pg_walinspect", "*", kNever, true},
    // sizes, statistics and estimates over all tenants' rows, and other sessions
    {"amcheck", "*", kFreeable, true},
    {"old_snapshot", "*", kFreeable, true},
    {"pg_buffercache", "*", kFreeable, true},
    {"pg_freespacemap", "*", kFreeable, true},
    {"pg_prewarm", "*", kFreeable, false},
    {"pg_qualstats", "*", kFreeable, false},
    {"pg_stat_kcache", "*", kFreeable, false},
    {"pg_stat_monitor", "*", kFreeable, false},
    {"pg_stat_statements", "*", kFreeable, false},
    {"pg_visibility", "*", kFreeable, true},
    {"pg_wait_sampling", "*", kFreeable, false},
    {"pgrowlocks", "*", kFreeable, true},
    {"pgstattuple", "*", kFreeable, true},
    {"postgis", "_postgis_*selectivity", kFreeable, false},
    {"postgis", "_postgis_stats", kFreeable, false},
    {"postgis", "st_estimatedextent", kFreeable, false},
    {"postgis", "st_estimated_extent", kFreeable, false},
    {"timescaledb", "*_detailed_size", kFreeable, false},
    {"timescaledb", "approximate_row_count", kFreeable, false},
    {"timescaledb", "hypertable_*size", kFreeable, false},
};

struct Name {
  std::string_view functions;
  ExtensionRisk risk;
};

// Declared by hand from a library: no extension tells what they are.
constexpr Name kNames[] = {
    {"dblink*", kNever},          {"plproxy*", kNever},
    {"postgres_fdw_*", kNever},   {"file_fdw_*", kNever},
    {"pg_file_*", kNever},        {"pg_logdir_ls", kNever},
    {"http_get*", kNever},        {"http_post*", kNever},
    {"pg_background_*", kNever},  {"query_export_to_s3", kNever},
    {"table_import_*", kNever},   {"crosstab*", kNever},
    {"connectby*", kNever},       {"xpath_table", kNever},
    {"get_raw_page", kNever},     {"heap_page_*", kNever},
    {"heap_force_*", kNever},     {"page_header", kNever},
    {"tuple_data_split", kNever}, {"fsm_page_contents", kNever},
    {"bt_page_*", kNever},        {"bt_metap", kNever},
    {"brin_page_*", kNever},      {"pg_dirtyread", kNever},
    {"pg_get_wal_*", kNever},     {"lo_oid", kNever},
    {"pgstat*", kFreeable},       {"pg_stat_*", kFreeable},
    {"pg_relpages", kFreeable},   {"pg_visibility*", kFreeable},
    {"pgrowlocks", kFreeable},    {"pg_buffercache*", kFreeable},
    {"pg_freespace*", kFreeable}, {"pg_prewarm", kFreeable},
    {"bt_index_*", kFreeable},    {"verify_heapam", kFreeable},
};

}  // namespace

ExtensionRisk extension_risk(const sql::Routine& routine) {
  if (!routine.extension.empty()) {
    for (const Risk& row : kRisks) {
      if (row.extension == routine.extension && glob_match(row.functions, routine.name)) {
        return row.risk;
      }
    }
    return ExtensionRisk::kNone;
  }
  if (!routine.native) return ExtensionRisk::kNone;
  for (const Name& row : kNames) {
    if (glob_match(row.functions, routine.name)) return row.risk;
  }
  return ExtensionRisk::kNone;
}

std::span<const std::string_view> reported_extensions() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> out;
    for (const Risk& row : kRisks) {
      if (row.reported) out.push_back(row.extension);
    }
    return out;
  }();
  return names;
}

}  // namespace postern::policy
