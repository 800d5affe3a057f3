// What the gate knows of pg_catalog: PostgreSQL 15's, without what gate_functions.cpp and
// gate_relations.cpp refuse. Each name was looked at; a newer server's are not here, and refused.
#include "policy/known_builtins.hpp"

#include <algorithm>
#include <iterator>

namespace postern::policy {
namespace {

// Stable and volatile functions. In the order of their bytes.
// clang-format off
constexpr std::string_view kFunctions[] = {
    "RI_FKey_cascade_del", "RI_FKey_cascade_upd", "RI_FKey_check_ins", "RI_FKey_check_upd",
    "RI_FKey_noaction_del", "RI_FKey_noaction_upd", "RI_FKey_restrict_del",
    "RI_FKey_restrict_upd", "RI_FKey_setdefault_del", "RI_FKey_setdefault_upd",
    "RI_FKey_setnull_del", "RI_FKey_setnull_upd", "aclexplode", "aclitemin", "aclitemout", "age",
    "amvalidate", "anyarray_out", "anyarray_recv", "anyarray_send", "anycompatiblearray_out",
    "anycompatiblearray_recv", "anycompatiblearray_send", "anycompatiblemultirange_in",
    "anycompatiblemultirange_out", "anycompatiblerange_in", "anycompatiblerange_out",
    "anyenum_out", "anymultirange_in", "anymultirange_out", "anyrange_in", "anyrange_out",
    "anytextcat", "areajoinsel", "areasel", "array_in", "array_out", "array_recv", "array_send",
    "array_to_json", "array_to_string", "array_typanalyze", "arraycontjoinsel", "arraycontsel",
    "bernoulli", "bpcharrecv", "bpcharsend", "brinhandler", "bthandler", "cash_in", "cash_out",
    "clock_timestamp", "col_description", "concat", "concat_ws", "contjoinsel", "contsel",
    "convert", "convert_from", "convert_to", "cstring_recv", "cstring_send", "current_database",
    "current_query", "current_schema", "current_schemas", "current_setting", "current_user",
    "currval", "date", "date_cmp_timestamptz", "date_eq_timestamptz", "date_ge_timestamptz",
    "date_gt_timestamptz", "date_in", "date_le_timestamptz", "date_lt_timestamptz",
    "date_ne_timestamptz", "date_out", "date_part", "date_trunc", "domain_in", "domain_recv",
    "dsnowball_init", "dsnowball_lexize", "enum_first", "enum_in", "enum_last", "enum_out",
    "enum_range", "enum_recv", "enum_send", "eqjoinsel", "eqsel", "extract", "fmgr_c_validator",
    "fmgr_internal_validator", "fmgr_sql_validator", "format", "format_type", "gen_random_uuid",
    "generate_series", "get_current_ts_config", "getdatabaseencoding", "getpgusername",
    "ginhandler", "gisthandler", "has_any_column_privilege", "has_column_privilege",
    "has_database_privilege", "has_foreign_data_wrapper_privilege", "has_function_privilege",
    "has_language_privilege", "has_parameter_privilege", "has_schema_privilege",
    "has_sequence_privilege", "has_server_privilege", "has_table_privilege",
    "has_tablespace_privilege", "has_type_privilege", "hashhandler", "heap_tableam_handler",
    "iclikejoinsel", "iclikesel", "icnlikejoinsel", "icnlikesel", "icregexeqjoinsel",
    "icregexeqsel", "icregexnejoinsel", "icregexnesel", "in_range", "inet_client_addr",
    "inet_client_port", "inet_server_addr", "inet_server_port", "interval_in", "interval_out",
    "interval_pl_timestamptz", "json_agg", "json_agg_transfn", "json_build_array",
    "json_build_object", "json_object_agg", "json_object_agg_transfn", "json_populate_record",
    "json_populate_recordset", "json_to_record", "json_to_recordset", "json_to_tsvector",
    "jsonb_agg", "jsonb_agg_finalfn", "jsonb_agg_transfn", "jsonb_build_array",
    "jsonb_build_object", "jsonb_object_agg_finalfn", "jsonb_object_agg_transfn",
    "jsonb_path_exists_tz", "jsonb_path_match_tz", "jsonb_path_query_array_tz",
    "jsonb_path_query_first_tz", "jsonb_path_query_tz", "jsonb_populate_record",
    "jsonb_populate_recordset", "jsonb_to_record", "jsonb_to_recordset", "jsonb_to_tsvector",
    "lastval", "length", "likejoinsel", "likesel", "make_timestamptz", "matchingjoinsel",
    "matchingsel", "money", "multirange_in", "multirange_out", "multirange_recv",
    "multirange_send", "multirange_typanalyze", "multirangesel", "namerecv", "namesend",
    "neqjoinsel", "neqsel", "networkjoinsel", "networksel", "nextval", "nlikejoinsel", "nlikesel",
    "now", "numeric", "obj_description", "oidvectortypes", "overlaps", "pg_advisory_lock",
    "pg_advisory_lock_shared", "pg_advisory_unlock", "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared", "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared",
    "pg_available_extension_versions", "pg_available_extensions", "pg_backend_pid",
    "pg_char_to_encoding", "pg_client_encoding", "pg_collation_actual_version",
    "pg_collation_for", "pg_collation_is_visible", "pg_column_compression",
    "pg_column_is_updatable", "pg_column_size", "pg_conf_load_time", "pg_config",
    "pg_conversion_is_visible", "pg_cursor", "pg_database_collation_actual_version",
    "pg_dependencies_recv", "pg_dependencies_send", "pg_describe_object", "pg_encoding_to_char",
    "pg_event_trigger_ddl_commands", "pg_event_trigger_dropped_objects",
    "pg_event_trigger_table_rewrite_oid", "pg_event_trigger_table_rewrite_reason",
    "pg_extension_update_paths", "pg_function_is_visible", "pg_get_catalog_foreign_keys",
    "pg_get_constraintdef", "pg_get_expr", "pg_get_function_arg_default",
    "pg_get_function_arguments", "pg_get_function_identity_arguments", "pg_get_function_result",
    "pg_get_function_sqlbody", "pg_get_functiondef", "pg_get_indexdef", "pg_get_keywords",
    "pg_get_object_address", "pg_get_partition_constraintdef", "pg_get_partkeydef",
    "pg_get_publication_tables", "pg_get_replica_identity_index", "pg_get_ruledef",
    "pg_get_serial_sequence", "pg_get_statisticsobjdef", "pg_get_statisticsobjdef_columns",
    "pg_get_statisticsobjdef_expressions", "pg_get_triggerdef", "pg_get_userbyid",
    "pg_get_viewdef", "pg_has_role", "pg_identify_object", "pg_identify_object_as_address",
    "pg_index_column_has_property", "pg_index_has_property", "pg_indexam_has_property",
    "pg_is_in_recovery", "pg_is_other_temp_schema", "pg_is_wal_replay_paused", "pg_jit_available",
    "pg_listening_channels", "pg_mcv_list_recv", "pg_mcv_list_send", "pg_my_temp_schema",
    "pg_ndistinct_recv", "pg_ndistinct_send", "pg_node_tree_recv", "pg_node_tree_send",
    "pg_notify", "pg_opclass_is_visible", "pg_operator_is_visible", "pg_opfamily_is_visible",
    "pg_options_to_table", "pg_partition_ancestors", "pg_partition_tree",
    "pg_postmaster_start_time", "pg_prepared_statement", "pg_relation_is_publishable",
    "pg_relation_is_updatable", "pg_sequence_parameters", "pg_settings_get_flags",
    "pg_show_all_settings", "pg_sleep", "pg_sleep_for", "pg_sleep_until",
    "pg_statistics_obj_is_visible", "pg_table_is_visible", "pg_tablespace_databases",
    "pg_tablespace_location", "pg_timezone_abbrevs", "pg_timezone_names", "pg_trigger_depth",
    "pg_try_advisory_lock", "pg_try_advisory_lock_shared", "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared", "pg_ts_config_is_visible", "pg_ts_dict_is_visible",
    "pg_ts_parser_is_visible", "pg_ts_template_is_visible", "pg_type_is_visible", "pg_typeof",
    "phraseto_tsquery", "plainto_tsquery", "plpgsql_call_handler", "plpgsql_inline_handler",
    "plpgsql_validator", "positionjoinsel", "positionsel", "prefixjoinsel", "prefixsel",
    "quote_literal", "quote_nullable", "random", "range_in", "range_out", "range_recv",
    "range_send", "range_typanalyze", "rangesel", "record_in", "record_out", "record_recv",
    "record_send", "regclass", "regclassin", "regclassout", "regcollationin", "regcollationout",
    "regconfigin", "regconfigout", "regdictionaryin", "regdictionaryout", "regexeqjoinsel",
    "regexeqsel", "regexnejoinsel", "regexnesel", "regnamespacein", "regnamespaceout",
    "regoperatorin", "regoperatorout", "regoperin", "regoperout", "regprocedurein",
    "regprocedureout", "regprocin", "regprocout", "regrolein", "regroleout", "regtypein",
    "regtypeout", "row_security_active", "row_to_json", "scalargejoinsel", "scalargesel",
    "scalargtjoinsel", "scalargtsel", "scalarlejoinsel", "scalarlesel", "scalarltjoinsel",
    "scalarltsel", "session_user", "set_config", "setseed", "setval", "shobj_description",
    "spghandler", "statement_timestamp", "suppress_redundant_updates_trigger", "system",
    "textanycat", "textrecv", "textsend", "time", "time_in", "timeofday", "timestamp",
    "timestamp_cmp_timestamptz", "timestamp_eq_timestamptz", "timestamp_ge_timestamptz",
    "timestamp_gt_timestamptz", "timestamp_in", "timestamp_le_timestamptz",
    "timestamp_lt_timestamptz", "timestamp_ne_timestamptz", "timestamp_out", "timestamptz",
    "timestamptz_cmp_date", "timestamptz_cmp_timestamp", "timestamptz_eq_date",
    "timestamptz_eq_timestamp", "timestamptz_ge_date", "timestamptz_ge_timestamp",
    "timestamptz_gt_date", "timestamptz_gt_timestamp", "timestamptz_in", "timestamptz_le_date",
    "timestamptz_le_timestamp", "timestamptz_lt_date", "timestamptz_lt_timestamp",
    "timestamptz_mi_interval", "timestamptz_ne_date", "timestamptz_ne_timestamp",
    "timestamptz_out", "timestamptz_pl_interval", "timetz", "timetz_in", "timezone", "to_char",
    "to_date", "to_json", "to_jsonb", "to_number", "to_regclass", "to_regcollation",
    "to_regnamespace", "to_regoper", "to_regoperator", "to_regproc", "to_regprocedure",
    "to_regrole", "to_regtype", "to_timestamp", "to_tsquery", "to_tsvector",
    "transaction_timestamp", "ts_debug", "ts_headline", "ts_match_tq", "ts_match_tt", "ts_parse",
    "ts_token_type", "ts_typanalyze", "tsmatchjoinsel", "tsmatchsel", "tsvector_update_trigger",
    "tsvector_update_trigger_column", "unique_key_recheck", "varcharrecv", "varcharsend",
    "version", "websearch_to_tsquery", "xml", "xml_in", "xml_is_well_formed", "xml_recv",
    "xml_send",
};

// Tables and views. In the order of their bytes.
constexpr std::string_view kRelations[] = {
    "pg_aggregate", "pg_am", "pg_amop", "pg_amproc", "pg_attrdef", "pg_attribute",
    "pg_auth_members", "pg_available_extension_versions", "pg_available_extensions", "pg_cast",
    "pg_class", "pg_collation", "pg_config", "pg_constraint", "pg_conversion", "pg_cursors",
    "pg_database", "pg_db_role_setting", "pg_default_acl", "pg_depend", "pg_description",
    "pg_enum", "pg_event_trigger", "pg_extension", "pg_foreign_data_wrapper", "pg_foreign_server",
    "pg_foreign_table", "pg_group", "pg_index", "pg_indexes", "pg_inherits", "pg_init_privs",
    "pg_language", "pg_matviews", "pg_namespace", "pg_opclass", "pg_operator", "pg_opfamily",
    "pg_parameter_acl", "pg_partitioned_table", "pg_policies", "pg_policy",
    "pg_prepared_statements", "pg_proc", "pg_publication", "pg_publication_namespace",
    "pg_publication_rel", "pg_publication_tables", "pg_range", "pg_rewrite", "pg_roles",
    "pg_rules", "pg_seclabel", "pg_seclabels", "pg_sequence", "pg_settings", "pg_shdepend",
    "pg_shdescription", "pg_shseclabel", "pg_tables", "pg_tablespace", "pg_timezone_abbrevs",
    "pg_timezone_names", "pg_transform", "pg_trigger", "pg_ts_config", "pg_ts_config_map",
    "pg_ts_dict", "pg_ts_parser", "pg_ts_template", "pg_type", "pg_user", "pg_views",
};
// clang-format on

static_assert(std::is_sorted(std::begin(kFunctions), std::end(kFunctions)));
static_assert(std::is_sorted(std::begin(kRelations), std::end(kRelations)));

}  // namespace

bool is_known_function(std::string_view name) {
  return std::binary_search(std::begin(kFunctions), std::end(kFunctions), name);
}

bool is_known_relation(std::string_view name) {
  return std::binary_search(std::begin(kRelations), std::end(kRelations), name);
}

}  // namespace postern::policy
