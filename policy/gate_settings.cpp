// SET, RESET, SHOW and set_config: settings a client may change, and to what.
#include <algorithm>
#include <cctype>

#include "base/codes/gate.hpp"
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

// Dotted names of modules loaded into the server; other dotted names are an application's own.
constexpr std::string_view kDeniedModules[] = {
    "postern.*", "auto_explain.*", "pg_*",           "pgaudit.*",   "plpgsql.*", "plperl.*",
    "plpython*", "pltcl.*",        "set_user.*",     "supautils.*", "anon.*",    "pgsodium.*",
    "session_*", "dblink.*",       "postgres_fdw.*", "cron.*",
};

constexpr std::string_view kMessageLevels[] = {"info", "notice", "warning", "error"};

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

bool name_allowed(const Judged& j, const std::string& name) {
  if (name.starts_with("postern.")) return false;
  // A migrator becomes the owner of tables by SET ROLE; neither role escapes the wall.
  if (name == "role" || name == "session_authorization") return j.profile == Profile::kMigrator;
  if (j.profile == Profile::kMigrator) return name != "session_replication_role";
  // With row_security off PostgreSQL raises an error instead of filtering: pg_dump wants that.
  if (name == "row_security") return j.profile == Profile::kBackup;
  if (name == "transaction snapshot") return j.profile == Profile::kBackup;
  if (matches(j.rules.options.allow_settings, name)) return true;
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

}  // namespace

void gate_settings(const Judged& j) {
  const sql::Statement& s = j.statement;
  const std::string name = lower(s.name);
  if (s.kind == Kind::kShow) {
    const bool hidden = name.starts_with("postern.") && name != "postern.tenant";
    if (hidden) refuse(j, pst::kSettingNotAllowed, name);
    return;
  }
  const bool sets = s.kind == Kind::kSet || s.kind == Kind::kReset;
  const bool calls = !sets && has(s.session, sql::SessionEffect::kSetting);
  if (!sets && !calls) return;
  if (sets && j.chooses && names_identity(name)) return;
  if (has(s.session, sql::SessionEffect::kUnknown)) {
    return refuse(j, pst::kSettingNotAllowed,
                  "set_config() with anything but literals, or more than once");
  }
  if (!name_allowed(j, name)) return refuse(j, pst::kSettingNotAllowed, name);
  if (!value_allowed(name, lower(s.value))) {
    refuse(j, pst::kSettingValueNotAllowed, name + " = " + s.value);
  }
}

}  // namespace postern::policy
