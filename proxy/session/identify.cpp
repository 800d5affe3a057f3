#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/bytes.hpp"
#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "protocol/startup_options.hpp"
#include "proxy/identity/sources.hpp"
#include "proxy/keeper/policy_options.hpp"
#include "proxy/pool/settings.hpp"
#include "proxy/session/acting.hpp"
#include "proxy/session/credentials.hpp"
#include "proxy/session/login.hpp"
#include "proxy/session/tenant_role.hpp"

namespace postern::proxy {
namespace {

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

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Parameters a server takes at the beginning of a session only (GucContext PGC_BACKEND and
// PGC_SU_BACKEND of guc_tables.c), or heeds then only.
bool belongs_to_startup(std::string_view name) {
  constexpr std::array<std::string_view, 8> kNames = {
      "ignore_system_indexes",   "post_auth_delay",          "log_connections",
      "log_disconnections",      "jit_debugging_support",    "jit_profiling_support",
      "local_preload_libraries", "session_preload_libraries"};
  return std::find(kNames.begin(), kNames.end(), lower(name)) != kNames.end();
}

// The settings in an `options`; nullopt where it has to be passed on as it is.
std::optional<Settings> settings_in(const Bytes& options) {
  protocol::StartupOptions parsed = protocol::parse_startup_options(options);
  if (parsed.other) return std::nullopt;
  Settings settings;
  for (auto& [name, value] : parsed.settings) {
    if (belongs_to_startup(name)) return std::nullopt;
    settings.insert_or_assign(std::move(name), std::move(value));
  }
  return settings;
}

// Under transaction pooling what a client asks for at startup follows it like any other setting, so
// that clients with different names share connections. Parameters outrank those in `options`.
Settings take_settings(Identity& identity) {
  Settings settings;
  std::vector<std::pair<Bytes, Bytes>> kept;
  for (auto& [name, value] : identity.startup) {
    if (belongs_to_startup(name)) {
      kept.emplace_back(std::move(name), std::move(value));
    } else if (name != "options") {
      settings.insert_or_assign(std::move(name), std::move(value));
    } else if (auto within = settings_in(value)) {
      settings.merge(*within);
    } else {
      kept.emplace_back(std::move(name), std::move(value));
    }
  }
  identity.startup = std::move(kept);
  return settings;
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

/// Postern's own options of a startup message.
struct OwnOptions {
  std::string tenant;
  std::string subject;
  std::string purpose;
  std::string token;
  [[nodiscard]] bool any() const {
    return !tenant.empty() || !subject.empty() || !purpose.empty() || !token.empty();
  }
};

// True: it is one of ours, and no server hears of it.
bool take_own(OwnOptions& own, std::string_view name, std::string_view value) {
  const std::string folded = lower(name);
  if (folded == "postern.tenant") {
    own.tenant = value;
  } else if (folded == "postern.subject") {
    own.subject = value;
  } else if (folded == "postern.purpose") {
    own.purpose = value;
  } else if (folded == "postern.jwt") {
    own.token = value;
  } else {
    return false;
  }
  return true;
}

// `options` sets settings like parameters of their own do, and as it the server lets those outrank
// them. What was judged is what is sent: text is passed on as it came only where nothing is judged.
Status read_options(Session* session, const Bytes& text, OwnOptions& own) {
  protocol::StartupOptions options = protocol::parse_startup_options(text);
  const bool judged = gate_applies(*session);
  session->identity.harmless = session->identity.harmless && !options.other;
  if (judged && options.other) return make_error(pst::kStartupParameterRefused, "options");
  std::vector<std::pair<Bytes, Bytes>> passed;
  for (auto& [name, value] : options.settings) {
    if (take_own(own, name, value)) continue;
    POSTERN_TRY(judge_startup(session, name, value));
    if (name == "application_name") session->identity.application = value;
    passed.emplace_back(std::move(name), std::move(value));
  }
  if (own.any() && options.other) return make_error(pst::kStartupParameterRefused, "options");
  Bytes sent = judged || own.any() ? protocol::format_startup_options(passed) : text;
  if (!sent.empty()) session->identity.startup.emplace_back("options", std::move(sent));
  return ok();
}

// Splits what the client asked for into our own options and what servers are told.
Result<OwnOptions> read_parameters(Session* session, protocol::LoginRequest& request) {
  OwnOptions own;
  std::map<Bytes, Bytes, std::less<>> last;  // names may repeat; the last wins, as in PostgreSQL
  for (auto& [name, value] : request.parameters) last.insert_or_assign(name, value);
  const auto options = last.find("options");
  if (options != last.end()) {
    POSTERN_TRY(read_options(session, options->second, own));
    last.erase(options);
  }
  for (auto& [name, value] : last) {
    if (take_own(own, name, value)) continue;
    if (name == "application_name") session->identity.application = value;
    POSTERN_TRY(judge_startup(session, name, value));
    session->identity.startup.emplace_back(name, value);
  }
  return own;
}

// A token beside another proof. Where a token was the proof, there is no second one.
Status take_token(Session* session, const OwnOptions& own) {
  if (own.token.empty()) return ok();
  if (session->identity.token) return make_error(pst::kIdentityDisagrees, "two tokens");
  POSTERN_ASSIGN(TokenIdentity token, verify_token(session, own.token));
  session->identity.token = std::make_shared<const TokenIdentity>(std::move(token));
  return ok();
}

Evidence evidence_of(Session* session, const config::UserOptions& user, const OwnOptions& own) {
  Evidence evidence;
  evidence.user = &user;
  evidence.listed = session->runtime().users.lists(session->identity.login);
  evidence.token = session->identity.token.get();
  evidence.asked_tenant = own.tenant;
  evidence.asked_subject = own.subject;
  evidence.asked_purpose = own.purpose;
  const TlsEngine* tls = session->client.tls();
  const auto certificate = tls != nullptr ? tls->peer_certificate() : std::nullopt;
  if (certificate) {
    evidence.certificate = session->runtime().auth->identity.load()->maps.find(*certificate);
    evidence.certificate_until_us = certificate->not_after_us;
  }
  return evidence;
}

// Tenant, subject, purpose and until when, by the sources in force.
Status resolve(Session* session, const config::UserOptions& user, const OwnOptions& own) {
  POSTERN_TRY(take_token(session, own));
  const auto sources = config::identity_sources(session->config(), session->database->options());
  const Evidence evidence = evidence_of(session, user, own);
  POSTERN_ASSIGN(Resolved found, resolve_identity(sources, evidence));
  Identity& who = session->identity;
  who.roles = std::move(found.roles);
  who.valid_until_us = found.valid_until_us;
  POSTERN_TRY(still_valid(*session));
  POSTERN_TRY(take_tenant_role(session, found));
  if (found.rights.by_set || found.rights.by_comment || who.valid_until_us != 0) {
    session->choice = std::make_unique<Choice>(found.acts_for, std::move(found.rights));
  }
  act_for(session, std::move(found.acts_for));
  return ok();
}

bool tenants_have_roles(const Session& session) {
  const auto& tenant = session.context->runtime->config->tenant;
  return tenant && tenant->by_schema();
}

// Of a login that no file names nobody knows whether the wall holds it; its tenant's role it does.
Status check_stranger(Session* session) {
  const Identity& who = session->identity;
  const bool known = session->runtime().users.lists(who.login) || !who.schema.empty() ||
                     who.upstream_user == session->database->options().user;
  if (known || !gate_applies(*session)) return ok();
  return make_error(pst::kStrangerRefused);
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
  if (!tenants_have_roles(*session)) POSTERN_TRY(check_stranger(session));
  POSTERN_ASSIGN(const OwnOptions own, read_parameters(session, request));
  session->pooled = database.pool_mode != config::PoolMode::kSession;
  session->per_statement = database.pool_mode == config::PoolMode::kStatement;
  if (session->pooled) session->state.start(take_settings(who));
  POSTERN_TRY(resolve(session, user, own));
  if (tenants_have_roles(*session)) POSTERN_TRY(check_stranger(session));
  const ClientLimits limits = client_limits(session->config().limits, database, user);
  POSTERN_ASSIGN(session->place, session->runtime().registry.admit(place_of(session, limits)));
  return ok();
}

}  // namespace postern::proxy
