#include "proxy/session/pooled_state.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "policy/sql_quote.hpp"
#include "protocol/error_message.hpp"
#include "protocol/rows.hpp"

namespace postern::proxy {
namespace {

using protocol::BackendType;

constexpr std::string_view kRole = "role";
constexpr std::string_view kQueryCanceled = "57014";
/// Attempts at an answer before the session keeps its connection.
constexpr unsigned kMaxUnanswered = 5;

// Everything qualified: the client's search_path must not decide what these names mean.
constexpr std::string_view kAskSettings =
    "SELECT 's', name, setting FROM pg_catalog.pg_settings"
    " WHERE source OPERATOR(pg_catalog.=) 'session'"
    " AND name OPERATOR(pg_catalog.<>) ALL (ARRAY['transaction_isolation',"
    " 'transaction_read_only', 'transaction_deferrable'])"
    " UNION ALL SELECT 's', 'role', pg_catalog.current_setting('role')"
    " WHERE pg_catalog.current_setting('role') OPERATOR(pg_catalog.<>) 'none'";

struct PinQuestion {
  StateHint hint;
  Pin pin;
  std::string_view name;
  std::string_view sql;
};

constexpr PinQuestion kPinQuestions[] = {
    {StateHint::kTemporary, Pin::kTemporary, "temporary objects",
     "EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace OPERATOR(pg_catalog.=)"
     " pg_catalog.pg_my_temp_schema())"
     " OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace OPERATOR(pg_catalog.=)"
     " pg_catalog.pg_my_temp_schema())"
     " OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace OPERATOR(pg_catalog.=)"
     " pg_catalog.pg_my_temp_schema())"},
    {StateHint::kAdvisory, Pin::kAdvisory, "advisory locks",
     "EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory'"
     " AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())"},
    {StateHint::kListen, Pin::kListen, "LISTEN",
     "EXISTS (SELECT FROM pg_catalog.pg_listening_channels())"},
    {StateHint::kCursor, Pin::kCursor, "cursors WITH HOLD",
     "EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)"},
    {StateHint::kPrepared, Pin::kPrepared, "SQL PREPARE",
     "EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql)"},
};

// The same text whatever standard_conforming_strings says at the moment.
std::string literal(std::string_view text) {
  std::string out = "E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out.push_back(c);
    out.push_back(c);
  }
  return out + "'";
}

std::string setting_sql(std::string_view name, std::string_view value) {
  return "SELECT pg_catalog.set_config(" + literal(name) + ", " + literal(value) + ", false);";
}

std::string ask_custom(const std::string& name) {
  const std::string quoted = literal(name);
  const std::string current = "pg_catalog.current_setting(" + quoted + ", true)";
  return " UNION ALL SELECT 's', " + quoted + ", " + current + " WHERE " + current + " IS NOT NULL";
}

std::string folded(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = SettingNameLess::fold(c);
  return out;
}

// Clients differ in these without their statements meaning anything else: what they are called,
// and how long they wait. An application's own do matter: a function that reads one and says it is
// immutable has its value in plans.
bool matters_to_plans(std::string_view name) {
  return name != "application_name" && !name.ends_with("_timeout");
}

// Literals are written by bytes: in SJIS, BIG5, GBK and their like, known by many names, a byte of
// a character may look like a backslash; in these it never does.
bool keeps_ascii_apart(std::string_view encoding) {
  constexpr std::string_view kBeginnings[] = {"utf", "unicode", "sql_ascii", "latin",    "iso",
                                              "koi", "euc",     "win1",      "windows-1"};
  const std::string name = folded(encoding);
  return std::any_of(std::begin(kBeginnings), std::end(kBeginnings),
                     [&](std::string_view beginning) { return name.starts_with(beginning); });
}

bool is_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
}

bool is_writable(const Settings& settings) {
  const auto encoding = settings.find("client_encoding");
  if (encoding == settings.end() || keeps_ascii_apart(encoding->second)) return true;
  return std::all_of(settings.begin(), settings.end(), [](const auto& setting) {
    return is_ascii(setting.first) && is_ascii(setting.second);
  });
}

bool is_zero(std::string_view value) {
  return value.find_first_of("123456789") == std::string_view::npos;
}

// RESET takes names in parts; a part may need quotes.
std::string reset_sql(std::string_view name) {
  std::string sql = "RESET ";
  for (;;) {
    const std::size_t dot = name.find('.');
    sql.append(policy::quote_ident(name.substr(0, dot)));
    if (dot == std::string_view::npos) break;
    sql.push_back('.');
    name.remove_prefix(dot + 1);
  }
  return sql + ";";
}

}  // namespace

void PooledState::start(Settings settings) {
  startup_ = std::move(settings);
  for (const auto& [name, value] : startup_) {
    if (name.find('.') != std::string::npos) custom_.insert(folded(name));
  }
  // pg_settings does not show it, and to become somebody else is not ours to repeat.
  const bool lost = startup_.contains("session_authorization") || custom_.size() > kMaxCustom;
  if (lost) pins_ = pins_ | Pin::kUnfollowed;
  want(startup_);
}

void PooledState::want(Settings settings) {
  wanted_ = std::move(settings);
  // Every object made under such a path is temporary, whatever the text looks like.
  const auto path = wanted_.find("search_path");
  const bool temporary = path != wanted_.end() && path->second.find("pg_temp") != std::string::npos;
  if (temporary || !is_writable(wanted_)) pins_ = pins_ | Pin::kUnfollowed;
  const auto idle_limit = wanted_.find("idle_session_timeout");
  if (idle_limit != wanted_.end() && !is_zero(idle_limit->second)) pins_ = pins_ | Pin::kIdleLimit;
  std::string key;
  for (const auto& [name, value] : wanted_) {
    if (!matters_to_plans(name)) continue;
    for (const std::string& part : {name, value}) {
      key.append(std::to_string(part.size())).append(":").append(part);
    }
  }
  if (key != *planning_key_) planning_key_ = std::make_shared<const std::string>(std::move(key));
}

void PooledState::note(const StateScan& scan) {
  altered_locally_ = altered_locally_ || scan.local;
  if (scan.hint == StateHint::kNone) return;
  // DROP and CLOSE matter only to a session that is pinned.
  const bool only_releases = scan.hint == StateHint::kRelease;
  if (!only_releases || pins_ != Pin::kNone) hint_ = hint_ | scan.hint;
  for (const std::string& name : scan.custom) custom_.insert(name);
  const bool lost = has(scan.hint, StateHint::kUnfollowed) || custom_.size() > kMaxCustom;
  if (lost) pins_ = pins_ | Pin::kUnfollowed;
}

void PooledState::note_unseen() {
  hint_ = hint_ | kAllState;
}

bool PooledState::asks(StateHint hint, Pin pin) const {
  return has(hint_, hint) || has(pins_, pin);
}

std::string PooledState::question() {
  answer_ = {};
  asked_ = true;
  asked_hint_ = hint_;
  std::string sql(kAskSettings);
  for (const std::string& name : custom_) sql.append(ask_custom(name));
  for (const PinQuestion& row : kPinQuestions) {
    if (!asks(row.hint, row.pin)) continue;
    sql.append(" UNION ALL SELECT 'p', ").append(literal(row.name));
    sql.append(", '' WHERE ").append(row.sql);
  }
  hint_ = StateHint::kNone;
  return sql;
}

Status PooledState::on_reply(const protocol::Frame& frame) {
  if (frame.backend() == BackendType::kErrorResponse) {
    const auto fields = protocol::ErrorFields::decode(frame.body);
    answer_.failed = true;
    answer_.cancelled = fields && fields->get(protocol::kFieldSqlstate) == kQueryCanceled;
  }
  if (frame.backend() == BackendType::kCommandComplete) answer_.complete = true;
  if (frame.backend() != BackendType::kDataRow) return ok();
  POSTERN_ASSIGN(const auto row, protocol::DataRow::decode(frame.body));
  if (row.values.size() != 3 || !row.values[0] || !row.values[1] || !row.values[2]) {
    answer_.failed = true;
    return ok();
  }
  const std::string name(*row.values[1]);
  if (*row.values[0] == "s") {
    answer_.settings.insert_or_assign(name, std::string(*row.values[2]));
    return ok();
  }
  for (const PinQuestion& pin : kPinQuestions) {
    if (pin.name == name) answer_.pins = answer_.pins | pin.pin;
  }
  return ok();
}

bool PooledState::done(Settings& applied) {
  asked_ = false;
  Answer answer = std::exchange(answer_, {});
  // The client's own statement_timeout may have hit the question.
  if (answer.cancelled && ++unanswered_ < kMaxUnanswered) {
    hint_ = hint_ | asked_hint_;
    return false;
  }
  if (answer.failed || !answer.complete) {
    pins_ = pins_ | Pin::kUnfollowed;
    return false;
  }
  unanswered_ = 0;
  const bool lost = has(pins_, Pin::kUnfollowed);
  pins_ = lost ? answer.pins | Pin::kUnfollowed : answer.pins;
  applied = answer.settings;
  // What was reset goes back to what the session started with.
  for (const auto& [name, value] : startup_) answer.settings.try_emplace(name, value);
  want(std::move(answer.settings));
  return true;
}

std::string encoding_change(Settings& applied, const Settings& wanted) {
  constexpr std::string_view kEncoding = "client_encoding";
  const auto now = applied.find(kEncoding);
  const auto then = wanted.find(kEncoding);
  if (then == wanted.end()) {
    if (now == applied.end()) return {};
    applied.erase(now);
    return reset_sql(kEncoding);
  }
  if (now != applied.end() && now->second == then->second) return {};
  applied.insert_or_assign(then->first, then->second);
  return setting_sql(kEncoding, then->second);
}

std::string settings_change(const Settings& applied, const Settings& wanted) {
  std::string sql;
  if (applied == wanted) return sql;
  const auto role = wanted.find(kRole);
  const auto applied_role = applied.find(kRole);
  const bool same_role = (role == wanted.end()) == (applied_role == applied.end()) &&
                         (role == wanted.end() || role->second == applied_role->second);
  std::string others;
  for (const auto& [name, value] : applied) {
    if (name != kRole && !wanted.contains(name)) others.append(reset_sql(name));
  }
  for (const auto& [name, value] : wanted) {
    if (name == kRole) continue;
    const auto known = applied.find(name);
    if (known == applied.end() || known->second != value) others.append(setting_sql(name, value));
  }
  if (others.empty() && same_role) return sql;
  // Other settings are made as the login, which may set what the role may not.
  if (applied_role != applied.end()) sql.append("RESET role;");
  sql.append(others);
  if (role != wanted.end()) sql.append(setting_sql(kRole, role->second));
  return sql;
}

}  // namespace postern::proxy
