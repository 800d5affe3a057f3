#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.hpp"
#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "protocol/startup_options.hpp"
#include "proxy/keeper/policy_options.hpp"
#include "proxy/pool/identity.hpp"
#include "proxy/pool/settings.hpp"
#include "proxy/session/login.hpp"

namespace postern::proxy {
namespace {

constexpr std::string_view kTenantOption = "postern.tenant";

// The tenant of a login: fixed by the users file, or chosen at startup among those allowed.
Result<TenantId> tenant_of(const config::UserOptions& user, std::string_view asked) {
  if (!user.tenant.is_none()) {
    if (!asked.empty() && asked != user.tenant.text()) {
      return make_error(pst::kTenantNotAllowed, "this login belongs to one tenant");
    }
    return user.tenant;
  }
  if (asked.empty()) return TenantId::none();
  POSTERN_ASSIGN(TenantId tenant, TenantId::parse(asked));
  if (!user.tenants.permits(tenant)) {
    return make_error(pst::kTenantNotAllowed, "this login may not act for the tenant asked for");
  }
  return tenant;
}

// How an administrator ends a session; it learns from its closed socket.
ClientRegistry::Entry place_of(Session* session, const ClientLimits& limits) {
  ClientRegistry::Entry entry;
  entry.database = session->database->name();
  entry.login = session->identity.login;
  entry.database_limit = limits.database;
  entry.login_limit = limits.login;
  entry.worker = session->worker();
  entry.end = [weak = session->weak_from_this()] {
    const SessionPtr locked = weak.lock();
    if (locked == nullptr) return;
    locked->client.close();
    // Nobody reads from the client any more: it hears of this from its server connection.
    const bool lingers = locked->said_goodbye && locked->primary != nullptr;
    if (lingers) locked->primary->transport().close();
  };
  return entry;
}

// Also where the rules protect nothing yet: DDL may change that under the session's feet, and its
// connections stay.
bool may_be_protected(const Session& session) {
  return session.identity.guarded ||
         config::is_protected(*session.configured, session.database->name());
}

// What a pooled connection is never shared across, beside startup parameters. A tenant's context
// names the login; under transaction pooling connections are not reset between clients, so that on
// a protected database neither logins nor profiles share them.
std::string identity_scope(const Session& session) {
  const Identity& who = session.identity;
  std::string scope(who.tenant.text());
  const bool apart = session.pooled && may_be_protected(session);
  if (!who.tenant.is_none() || apart) scope += "/" + who.login;
  if (apart) scope += "/" + std::to_string(static_cast<int>(who.profile));
  return session.pooled ? "transaction:" + scope : scope;
}

// Under transaction pooling what a client asks for at startup follows it like any other setting, so
// that clients with different names share connections. `options` holds several and stays.
Settings take_settings(Identity& identity) {
  Settings settings;
  std::vector<std::pair<Bytes, Bytes>> kept;
  for (auto& [name, value] : identity.startup) {
    if (name == "options") {
      kept.emplace_back(std::move(name), std::move(value));
    } else {
      settings.insert_or_assign(std::move(name), std::move(value));
    }
  }
  identity.startup = std::move(kept);
  return settings;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// What the gate would refuse as SET must not come in through the back door either: on a protected
// database only these are passed on. Names are case-insensitive, as in PostgreSQL.
Status check_startup(std::string_view name, std::string_view value) {
  constexpr std::array<std::string_view, 14> kAllowed = {"application_name",
                                                         "client_encoding",
                                                         "datestyle",
                                                         "timezone",
                                                         "intervalstyle",
                                                         "extra_float_digits",
                                                         "statement_timeout",
                                                         "lock_timeout",
                                                         "geqo",
                                                         "idle_in_transaction_session_timeout",
                                                         "bytea_output",
                                                         "default_transaction_isolation",
                                                         "tcp_user_timeout",
                                                         "default_transaction_read_only"};
  const std::string folded = lower(name);
  const bool allowed = std::find(kAllowed.begin(), kAllowed.end(), folded) != kAllowed.end();
  const bool foreign_encoding = folded == "client_encoding" && lower(value) != "utf8" &&
                                lower(value) != "utf-8" && lower(value) != "unicode";
  if (!allowed || foreign_encoding) {
    return make_error(pst::kStartupParameterRefused, std::string(name));
  }
  return ok();
}

bool gate_applies(const Session& session) {
  return session.identity.guarded && session.identity.profile != policy::Profile::kAdmin;
}

// Where nothing is protected it is only remembered: the session may see that change.
Status judge_startup(Session* session, std::string_view name, std::string_view value) {
  const Status passes = check_startup(name, value);
  if (gate_applies(*session)) return passes;
  session->identity.harmless = session->identity.harmless && passes.has_value();
  return ok();
}

bool is_tenant_option(std::string_view name) {
  return lower(name) == kTenantOption;
}

// `options` sets settings like parameters of their own do, and as it the server lets those outrank
// them. What was judged is what is sent: text is passed on as it came only where nothing is judged.
Result<std::string> read_options(Session* session, const Bytes& text) {
  protocol::StartupOptions options = protocol::parse_startup_options(text);
  const bool judged = gate_applies(*session);
  session->identity.harmless = session->identity.harmless && !options.other;
  if (judged && options.other) return make_error(pst::kStartupParameterRefused, "options");
  std::string tenant;
  std::vector<std::pair<Bytes, Bytes>> passed;
  for (auto& [name, value] : options.settings) {
    if (is_tenant_option(name)) {
      tenant = value;
      continue;
    }
    POSTERN_TRY(judge_startup(session, name, value));
    if (name == "application_name") session->identity.application = value;
    passed.emplace_back(std::move(name), std::move(value));
  }
  if (!tenant.empty() && options.other) {
    return make_error(pst::kStartupParameterRefused, "options");
  }
  Bytes sent = judged || !tenant.empty() ? protocol::format_startup_options(passed) : text;
  if (!sent.empty()) session->identity.startup.emplace_back("options", std::move(sent));
  return tenant;
}

// Splits what the client asked for into our own option and what servers are told.
Result<std::string> read_parameters(Session* session, protocol::LoginRequest& request) {
  std::string tenant;
  std::map<Bytes, Bytes, std::less<>> last;  // names may repeat; the last wins, as in PostgreSQL
  for (auto& [name, value] : request.parameters) last.insert_or_assign(name, value);
  const auto options = last.find("options");
  if (options != last.end()) {
    POSTERN_ASSIGN(tenant, read_options(session, options->second));
    last.erase(options);
  }
  for (auto& [name, value] : last) {
    if (is_tenant_option(name)) {
      tenant = value;
      continue;
    }
    if (name == "application_name") session->identity.application = value;
    POSTERN_TRY(judge_startup(session, name, value));
    session->identity.startup.emplace_back(name, value);
  }
  return tenant;
}

}  // namespace

Status find_database(Session* session, const protocol::LoginRequest& request) {
  session->database = session->runtime().databases.find(request.database);
  if (session->database == nullptr) {
    return make_error(pst::kUnknownDatabase, "\"" + std::string(request.database) + "\"");
  }
  return ok();
}

Status identify(Session* session, protocol::LoginRequest request) {
  Identity& who = session->identity;
  who.login = request.user;
  const auto protection = session->database->protection();
  who.guarded = protection != nullptr && protection->is_protected;
  const config::UserOptions& user = session->runtime().users.options(who.login);
  const config::DatabaseOptions& database = session->database->options();
  who.profile = policy_profile(
      config::effective_profile(session->config(), who.login, session->database->name()));
  who.upstream_user = !user.upstream_user.empty() ? user.upstream_user
                      : !database.user.empty()    ? database.user
                                                  : who.login;
  if (gate_applies(*session) && !session->runtime().users.lists(who.login) &&
      who.upstream_user != database.user) {
    return make_error(pst::kStrangerRefused);
  }
  POSTERN_ASSIGN(const std::string asked, read_parameters(session, request));
  POSTERN_ASSIGN(who.tenant, tenant_of(user, asked));
  session->pooled = database.pool_mode != config::PoolMode::kSession;
  session->per_statement = database.pool_mode == config::PoolMode::kStatement;
  if (session->pooled) session->state.start(take_settings(who));
  who.pool_identity = encode_identity(identity_scope(*session), who.startup);
  const ClientLimits limits = client_limits(session->config().limits, database, user);
  POSTERN_ASSIGN(session->place, session->runtime().registry.admit(place_of(session, limits)));
  return ok();
}

}  // namespace postern::proxy
