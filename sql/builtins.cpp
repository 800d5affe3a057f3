#include "sql/builtins.hpp"

#include <algorithm>
#include <iterator>

namespace postern::sql {

namespace {

struct Function {
  std::string_view name;
  Builtin meaning;
};

// Sorted by name.
constexpr Function kFunctions[] = {
    {"abs", Builtin::kKnown},
    {"age", Builtin::kClock},
    {"array_agg", Builtin::kKnown},
    {"array_length", Builtin::kKnown},
    {"avg", Builtin::kKnown},
    {"bool_and", Builtin::kKnown},
    {"bool_or", Builtin::kKnown},
    {"ceil", Builtin::kKnown},
    {"char_length", Builtin::kKnown},
    {"clock_timestamp", Builtin::kClock},
    {"concat", Builtin::kKnown},
    {"count", Builtin::kCount},
    {"current_database", Builtin::kSession},
    {"current_query", Builtin::kSession},
    {"current_role", Builtin::kSession},
    {"current_schema", Builtin::kSession},
    {"current_schemas", Builtin::kSession},
    {"current_setting", Builtin::kSession},
    {"current_user", Builtin::kSession},
    {"currval", Builtin::kSequence},
    {"date_part", Builtin::kKnown},
    {"date_trunc", Builtin::kKnown},
    {"dense_rank", Builtin::kKnown},
    {"extract", Builtin::kKnown},
    {"floor", Builtin::kKnown},
    {"generate_series", Builtin::kKnown},
    {"inet_client_addr", Builtin::kSession},
    {"inet_client_port", Builtin::kSession},
    {"inet_server_addr", Builtin::kSession},
    {"inet_server_port", Builtin::kSession},
    {"json_agg", Builtin::kKnown},
    {"json_build_object", Builtin::kKnown},
    {"jsonb_agg", Builtin::kKnown},
    {"jsonb_build_object", Builtin::kKnown},
    {"lastval", Builtin::kSequence},
    {"left", Builtin::kKnown},
    {"length", Builtin::kKnown},
    {"lower", Builtin::kKnown},
    {"ltrim", Builtin::kKnown},
    {"max", Builtin::kExtreme},
    {"md5", Builtin::kKnown},
    {"min", Builtin::kExtreme},
    {"mod", Builtin::kKnown},
    {"nextval", Builtin::kSequence},
    {"now", Builtin::kClock},
    {"pg_advisory_lock", Builtin::kLock},
    {"pg_advisory_lock_shared", Builtin::kLock},
    {"pg_advisory_unlock", Builtin::kLock},
    {"pg_advisory_unlock_all", Builtin::kLock},
    {"pg_advisory_unlock_shared", Builtin::kLock},
    {"pg_advisory_xact_lock", Builtin::kLock},
    {"pg_advisory_xact_lock_shared", Builtin::kLock},
    {"pg_backend_pid", Builtin::kSession},
    {"pg_current_snapshot", Builtin::kSession},
    {"pg_current_xact_id", Builtin::kSession},
    {"pg_current_xact_id_if_assigned", Builtin::kSession},
    {"pg_is_in_recovery", Builtin::kSession},
    {"pg_my_temp_schema", Builtin::kSession},
    {"pg_try_advisory_lock", Builtin::kLock},
    {"pg_try_advisory_lock_shared", Builtin::kLock},
    {"pg_try_advisory_xact_lock", Builtin::kLock},
    {"pg_try_advisory_xact_lock_shared", Builtin::kLock},
    {"rank", Builtin::kKnown},
    {"replace", Builtin::kKnown},
    {"round", Builtin::kKnown},
    {"row_number", Builtin::kKnown},
    {"rtrim", Builtin::kKnown},
    {"session_user", Builtin::kSession},
    {"set_config", Builtin::kSetting},
    {"setval", Builtin::kSequence},
    {"statement_timestamp", Builtin::kClock},
    {"string_agg", Builtin::kKnown},
    {"substr", Builtin::kKnown},
    {"substring", Builtin::kKnown},
    {"sum", Builtin::kKnown},
    {"timeofday", Builtin::kClock},
    {"to_char", Builtin::kKnown},
    {"to_json", Builtin::kKnown},
    {"to_jsonb", Builtin::kKnown},
    {"transaction_timestamp", Builtin::kClock},
    {"trim", Builtin::kKnown},
    {"trunc", Builtin::kKnown},
    {"txid_current", Builtin::kSession},
    {"txid_current_if_assigned", Builtin::kSession},
    {"txid_current_snapshot", Builtin::kSession},
    {"unnest", Builtin::kKnown},
    {"upper", Builtin::kKnown},
};
static_assert(std::is_sorted(std::begin(kFunctions), std::end(kFunctions),
                             [](const Function& a, const Function& b) { return a.name < b.name; }));

struct TypeRow {
  std::string_view name;
  Oid oid;
  Oid array;
};

// src/include/catalog/pg_type.dat; these numbers never change.
constexpr TypeRow kTypes[] = {
    {"bool", 16, 1000},
    {"bytea", 17, 1001},
    {"char", 18, 1002},
    {"name", 19, 1003},
    {"int8", 20, 1016},
    {"int2", 21, 1005},
    {"int4", 23, 1007},
    {"regproc", 24, 1008},
    {"text", 25, 1009},
    {"oid", 26, 1028},
    {"tid", 27, 1010},
    {"xid", 28, 1011},
    {"cid", 29, 1012},
    {"json", 114, 199},
    {"xml", 142, 143},
    {"point", 600, 1017},
    {"lseg", 601, 1018},
    {"path", 602, 1019},
    {"box", 603, 1020},
    {"polygon", 604, 1027},
    {"line", 628, 629},
    {"cidr", 650, 651},
    {"float4", 700, 1021},
    {"float8", 701, 1022},
    {"circle", 718, 719},
    {"macaddr8", 774, 775},
    {"money", 790, 791},
    {"macaddr", 829, 1040},
    {"inet", 869, 1041},
    {"bpchar", 1042, 1014},
    {"varchar", 1043, 1015},
    {"date", 1082, 1182},
    {"time", 1083, 1183},
    {"timestamp", 1114, 1115},
    {"timestamptz", 1184, 1185},
    {"interval", 1186, 1187},
    {"timetz", 1266, 1270},
    {"bit", 1560, 1561},
    {"varbit", 1562, 1563},
    {"numeric", 1700, 1231},
    {"refcursor", 1790, 2201},
    {"regprocedure", 2202, 2207},
    {"regoper", 2203, 2208},
    {"regoperator", 2204, 2209},
    {"regclass", 2205, 2210},
    {"regtype", 2206, 2211},
    {"uuid", 2950, 2951},
    {"pg_lsn", 3220, 3221},
    {"tsvector", 3614, 3643},
    {"tsquery", 3615, 3645},
    {"regconfig", 3734, 3735},
    {"regdictionary", 3769, 3770},
    {"jsonb", 3802, 3807},
    {"int4range", 3904, 3905},
    {"numrange", 3906, 3907},
    {"tsrange", 3908, 3909},
    {"tstzrange", 3910, 3911},
    {"daterange", 3912, 3913},
    {"int8range", 3926, 3927},
    {"jsonpath", 4072, 4073},
    {"regnamespace", 4089, 4090},
    {"regrole", 4096, 4097},
    {"regcollation", 4191, 4192},
    {"xid8", 5069, 271},
};

constexpr Oid kRegTypes[] = {24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191};

}  // namespace

Builtin builtin_function(std::string_view name) {
  const auto* found =
      std::lower_bound(std::begin(kFunctions), std::end(kFunctions), name,
                       [](const Function& f, std::string_view n) { return f.name < n; });
  return found != std::end(kFunctions) && found->name == name ? found->meaning : Builtin::kNone;
}

Oid builtin_type(std::string_view name) {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.oid;
  }
  return kInvalidOid;
}

Oid builtin_array(Oid element) {
  for (const TypeRow& row : kTypes) {
    if (row.oid == element) return row.array;
  }
  return kInvalidOid;
}

bool is_reg_type(Oid type) {
  return std::find(std::begin(kRegTypes), std::end(kRegTypes), type) != std::end(kRegTypes);
}

bool is_system_column(std::string_view name) {
  static constexpr std::string_view kNames[] = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace postern::sql
