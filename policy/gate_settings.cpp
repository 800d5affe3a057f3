// SET, RESET, SHOW and set_config: settings a client may change, and to what.
#include <algorithm>
#include <cctype>

#include "base/codes/gate.hpp"
#include "base/codes/session.hpp"
#include "policy/gate.hpp"
#include "policy/glob.hpp"

namespace postern::policy {
namespace {

using Kind = sql::StatementKind;

// Settings that change how answers look or how long they take, not what may be seen.
constexpr std::string_view kAllowed[] = {
    "application_name",
    "array_nulls",
    "backend_flush_after",
    "bytea_output",
    "client_encoding",
    "client_min_messages",
    "constraint_exclusion",
    "cpu_*",
    "cursor_tuple_fraction",
    "datestyle",
    "default_statistics_target",
    "default_text_search_config",
    "default_toast_compression",
    "default_transaction_*",
    "effective_*",
    "enable_*",
    "escape_string_warning",
    "extra_float_digits",
    "from_collapse_limit",
    "geqo*",
    "gin_fuzzy_search_limit",
    "gin_pending_list_limit",
    "hash_mem_multiplier",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "intervalstyle",
    "jit*",
    "join_collapse_limit",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "lock_timeout",
    "logical_decoding_work_mem",
    "maintenance_work_mem",
    "max_parallel_*",
    "min_parallel_*",
    "parallel_*",
    "plan_cache_mode",
    "quote_all_identifiers",
    "random_page_cost",
    "recursive_worktable_factor",
    "search_path",
    "seq_page_cost",
    "standard_conforming_strings",
    "statement_timeout",
    "synchronize_seqscans",
    "synchronous_commit",
    "tcp_*",
    "temp_buffers",
    "timezone",
    "transaction_*",
    "vacuum_*",
    "work_mem",
    "xmlbinary",
    "xmloption",
    "all",
    "transaction",
    "session characteristics",
    "constraints",
    "names",
};

// Dotted names of modules loaded into the server that change what is logged, loaded or run; other
// dotted names are an application's own, or tune a module (pg_trgm.similarity_threshold).
constexpr std::string_view kDeniedModules[] = {
    "postern.*",        "postern_guard.*", "auto_explain.*",
    "pgaudit.*",        "pg_stat_*.*",     "pg_qualstats.*",
    "pg_store_plans.*", "pg_show_plans.*", "pg_wait_sampling.*",
    "pg_query_state.*", "pg_hint_plan.*",  "pg_cron.*",
    "pg_net.*",         "pg_background.*", "pg_tle.*",
    "pgtle.*",          "pg_strom.*",      "pg_anonymize.*",
    "plpgsql.*",        "plperl.*",        "plpython*",
    "pltcl.*",          "plv8.*",          "pljava.*",
    "session_exec.*",   "login_hook.*",    "set_user.*",
    "supautils.*",      "anon.*",          "pgsodium.*",
    "dblink.*",         "postgres_fdw.*",  "cron.*",
    "sepgsql.*",        "pglogical.*",
};

constexpr std::string_view kMessageLevels[] = {"info", "notice", "warning", "error"};

// Values of these change how Postern reads statements or what a client is shown: only known ones.
constexpr std::string_view kJudgedByValue[] = {"client_encoding", "names", "client_min_messages",
                                               "standard_conforming_strings"};

// No configuration frees these: they reach the tenant context, other roles or the row policies, or
// make Postern and the server read one text differently.
constexpr std::string_view kNeverSettings[] = {
    "postern.ctx",
    "role",
    "session_authorization",
    "row_security",
    "session_replication_role",
    "client_encoding",
    "standard_conforming_strings",
    "backslash_quote",
    "transform_null_equals",
    "session_preload_libraries",
    "local_preload_libraries",
    "shared_preload_libraries",
    "dynamic_library_path",
    "allow_system_table_mods",
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

template <typename List>
bool matches(const List& list, std::string_view name) {
  return std::any_of(std::begin(list), std::end(list),
                     [&](std::string_view glob) { return glob_match(glob, name); });
}

bool is_never(std::string_view name) {
  return name.starts_with("postern.") || matches(kNeverSettings, name);
}

bool freed(const Judged& j, std::string_view name) {
  return !is_never(name) && (matches(j.rules.options.permits.settings, name) ||
                             matches(j.rules.permits_of(j.profile).settings, name));
}

bool name_allowed(const Judged& j, const std::string& name) {
  if (name.starts_with("postern.")) return false;
  // A migrator becomes the owner of tables by SET ROLE, as far as the server lets its login: verify
  // looks that an application's login reaches no role which row security does not bind.
  if (name == "role" || name == "session_authorization") return j.profile == Profile::kMigrator;
  // Without event triggers new tables would have no wall (a setting of PostgreSQL 17).
  if (j.profile == Profile::kMigrator) {
    return name != "session_replication_role" && name != "event_triggers";
  }
  // With row_security off PostgreSQL raises an error instead of filtering: pg_dump wants that.
  if (name == "row_security") return j.profile == Profile::kBackup;
  if (name == "transaction snapshot") return j.profile == Profile::kBackup;
  if (freed(j, name)) return true;
  if (name.find('.') != std::string::npos) return !matches(kDeniedModules, name);
  return matches(kAllowed, name);
}

/// Postern reads statements as UTF-8 with standard strings; the server must read them so too.
bool value_allowed(const std::string& name, const std::string& value) {
  if (value.empty()) return true;  // DEFAULT: the database's own setting, watched by the proxy
  if (name == "client_encoding" || name == "names") {
    return value == "utf8" || value == "utf-8" || value == "unicode";
  }
  if (name == "standard_conforming_strings") {
    return value == "on" || value == "true" || value == "1" || value == "yes" || value == "t";
  }
  if (name == "client_min_messages") return matches(kMessageLevels, value);
  return true;
}

// Whom statements are for: settings of Postern's own, which the proxy acts on.
bool names_identity(const std::string& name) {
  return name == "postern.tenant" || name == "postern.subject" || name == "postern.purpose";
}

void refuse(const Judged& j, Pst code, const std::string& what) {
  j.findings.refuse(code, what, "gate.setting", j.statement.span.begin);
}

bool calls_current_setting(const Judged& j) {
  return std::any_of(j.statement.routines.begin(), j.statement.routines.end(), [&](Oid oid) {
    const sql::Routine* routine = j.catalog().routine(oid);
    return routine != nullptr && routine->schema == "pg_catalog" &&
           routine->name == "current_setting";
  });
}

/// A setting of Postern's own, read by its name. A computed name passes: all that could be learnt
/// is the session's own context, of no use in another one; the extension hides even that.
bool reads_own_setting(const Judged& j) {
  if (!j.statement.reads_session || !calls_current_setting(j)) return false;
  return std::any_of(j.statement.literals.begin(), j.statement.literals.end(),
                     [&](const sql::Literal& literal) {
                       const auto token = j.text.at(literal.span);
                       return !token || lower(*token).find("postern.") != std::string::npos;
                     });
}

}  // namespace

std::string why_never_setting(std::string_view glob) {
  const std::string name = lower(glob);
  if (name.starts_with("postern")) return "it is the tenant context's";
  for (const std::string_view never : kNeverSettings) {
    if (name == never) return "it would let clients around row policies, roles or the gate";
  }
  return has_glob(name) && name.front() == '*' ? "a name has to begin with letters" : "";
}

bool alters_meaning(const sql::Statement& s) {
  constexpr auto kAlways =
      sql::SessionEffect::kRole | sql::SessionEffect::kDiscard | sql::SessionEffect::kUnknown;
  if ((static_cast<unsigned>(s.session) & static_cast<unsigned>(kAlways)) != 0) return true;
  if (!has(s.session, sql::SessionEffect::kSetting)) return false;
  // How names are resolved and how values are read; "all" is all of them.
  static constexpr std::string_view kDeciding[] = {"all",
                                                   "search_path",
                                                   "datestyle",
                                                   "intervalstyle",
                                                   "timezone",
                                                   "bytea_output",
                                                   "xmloption",
                                                   "names",
                                                   "client_encoding",
                                                   "standard_conforming_strings",
                                                   "extra_float_digits",
                                                   "role",
                                                   "session_authorization"};
  return matches(kDeciding, lower(s.name));
}

void gate_settings(const Judged& j) {
  const sql::Statement& s = j.statement;
  if (reads_own_setting(j)) return refuse(j, pst::kSettingNotAllowed, "postern.*");
  const std::string name = lower(s.name);
  if (s.kind == Kind::kShow) {
    const bool hidden = name.starts_with("postern.") && name != "postern.tenant";
    if (hidden) refuse(j, pst::kSettingNotAllowed, name);
    // The proxy answers it in the server's place.
    if (name == "postern.tenant" && !j.alone) refuse(j, pst::kSettingInBatch, name);
    return;
  }
  const bool sets = s.kind == Kind::kSet || s.kind == Kind::kReset;
  const bool calls = !sets && has(s.session, sql::SessionEffect::kSetting);
  if (!sets && !calls) return;
  if (sets && j.chooses && names_identity(name)) return;
  if (has(s.session, sql::SessionEffect::kUnknown)) {
    return refuse(j, pst::kSettingNotAllowed,
                  "set_config() with a computed name, or more than once");
  }
  if (!name_allowed(j, name)) return refuse(j, pst::kSettingNotAllowed, name);
  if (s.computed_value && matches(kJudgedByValue, name)) {
    return refuse(j, pst::kSettingValueNotAllowed, name + " by set_config() with a computed value");
  }
  if (!value_allowed(name, lower(s.value))) {
    refuse(j, pst::kSettingValueNotAllowed, name + " = " + s.value);
  }
}

}  // namespace postern::policy
