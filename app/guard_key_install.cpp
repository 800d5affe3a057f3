#include "app/guard_key_install.hpp"

#include <array>
#include <charconv>

#include "base/bytes.hpp"
#include "base/codes/tools.hpp"
#include "config/guard_key.hpp"
#include "crypto/context_mac.hpp"
#include "policy/arming.hpp"
#include "policy/context_token.hpp"
#include "policy/sql_quote.hpp"
#include "policy/wall_plan.hpp"

namespace postern::app {
namespace {

// Bound parameters reach the log with log_statement, and with every setting that logs durations.
constexpr const char* kLogsParametersSql =
    "SELECT pg_catalog.current_setting('log_parameter_max_length') OPERATOR(pg_catalog.<>) '0' AND "
    "(pg_catalog.current_setting('log_statement') IN ('mod', 'all') OR "
    "pg_catalog.current_setting('log_min_duration_statement') OPERATOR(pg_catalog.<>) '-1' OR "
    "pg_catalog.current_setting('log_min_duration_sample') OPERATOR(pg_catalog.<>) '-1' OR "
    "pg_catalog.current_setting('log_transaction_sample_rate') OPERATOR(pg_catalog.<>) '0' OR "
    "pg_catalog.current_setting('log_duration')::pg_catalog.bool)";

constexpr const char* kInAMinuteSql =
    "SELECT ((EXTRACT(epoch FROM pg_catalog.now()) OPERATOR(pg_catalog.+) 60) "
    "OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8";

constexpr std::string_view kTrialTenant = "postern-doctor";

template <typename T>
bool read_number(const std::optional<std::string>& text, T& out) {
  if (!text) return false;
  const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), out);
  return code == std::errc{} && end == text->data() + text->size();
}

/// A context for this connection's own backend, good for a minute.
Result<std::string> own_context(schema::Connection& connection, const std::string& kid) {
  constexpr std::size_t kColumns = 3;
  policy::ContextFields fields;
  fields.kid = kid;
  POSTERN_ASSIGN(fields.tenant, TenantId::parse(kTrialTenant));
  POSTERN_ASSIGN(const schema::Rows rows, connection.query(std::string(policy::kLearnBackendSql)));
  POSTERN_ASSIGN(const std::string expiry, connection.value(kInAMinuteSql));
  const bool understood = rows.size() == 1 && rows.front().size() == kColumns &&
                          read_number(rows.front()[0], fields.database) &&
                          read_number(rows.front()[1], fields.backend_pid) &&
                          read_number(rows.front()[2], fields.backend_start_us) &&
                          read_number(std::optional(expiry), fields.expiry_us);
  if (!understood) return make_error(pst::kDatabaseRefused, "it does not say who its backend is");
  return policy::build_context(fields);
}

}  // namespace

Status keep_keys_out_of_log(schema::Connection& connection) {
  POSTERN_TRY(connection.run("SET log_parameter_max_length_on_error = 0"));
  // Only some logins may; what counts is the state afterwards.
  (void)connection.run("SET log_parameter_max_length = 0");
  POSTERN_ASSIGN(const bool logs, connection.truth(kLogsParametersSql));
  return logs ? Status(make_error(pst::kKeyWouldBeLogged)) : ok();
}

Result<std::string> install_guard_key(schema::Connection& connection, const std::string& file) {
  POSTERN_ASSIGN(const Secret key, config::load_guard_key(file));
  const crypto::MacKeyBlocks blocks = crypto::mac_key_blocks(key.reveal());
  const std::string kid = config::guard_kid(key.reveal());
  const Secret inner(to_hex(blocks.inner.reveal()));
  const Secret outer(to_hex(blocks.outer.reveal()));
  const std::array<std::string_view, 3> parameters{kid, inner.reveal(), outer.reveal()};
  POSTERN_ASSIGN(const schema::Rows none,
                 connection.query(std::string(policy::kInstallKeySql), parameters));
  return none.empty() ? Result<std::string>(kid) : make_error(pst::kInternal);
}

Status try_guard_key(schema::Connection& connection, const std::string& file) {
  POSTERN_ASSIGN(const Secret key, config::load_guard_key(file));
  POSTERN_ASSIGN(const std::string message,
                 own_context(connection, config::guard_kid(key.reveal())));
  POSTERN_ASSIGN(const std::string token,
                 policy::attach_mac(message, crypto::context_mac_hex(key.reveal(), message)));
  const std::array<std::string_view, 1> parameters{token};
  POSTERN_ASSIGN(const std::string set, connection.value(std::string(policy::kArmSql), parameters));
  POSTERN_ASSIGN(const bool accepted,
                 connection.truth("SELECT postern.tenant() OPERATOR(pg_catalog.=) " +
                                  policy::quote_literal(kTrialTenant)));
  POSTERN_TRY(connection.run("SET postern.ctx = ''"));
  if (set == token && accepted) return ok();
  return make_error(pst::kDatabaseRefused, "postern.tenant() does not return the tenant signed");
}

}  // namespace postern::app
