#include "proxy/session/login.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "base/codes/auth.hpp"
#include "base/codes/net.hpp"
#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "base/codes/wire.hpp"
#include "protocol/error_message.hpp"
#include "protocol/rows.hpp"
#include "protocol/session_setup.hpp"
#include "proxy/console/console.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/arrival.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/authenticate.hpp"
#include "proxy/session/credentials.hpp"
#include "proxy/session/crowd.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/replication.hpp"
#include "proxy/session/settling.hpp"
#include "proxy/session/state_following.hpp"
#include "proxy/session/violations.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

/// Secret bytes of the cancel key by protocol minor version.
constexpr std::size_t kShortKey = 4;
constexpr std::size_t kLongKey = 32;

// What a server reports under this session's settings.
Task<Status> learn_parameters(Session* session) {
  if (welcome_from_memory(session)) co_return ok();
  const Status attached = co_await attach_primary(session);
  if (!attached) co_return attached.error();
  const Status settled = co_await drain_primary(session);
  if (!settled) co_return settled.error();
  session->reported = session->primary->facts().parameters;
  remember_welcome(session);
  co_return ok();
}

// The gate reads text as UTF-8 with standard strings; a server that does otherwise by its own
// settings cannot be guarded.
Status check_reported(Session* session) {
  if (!gated(*session)) return ok();
  for (const auto& [name, wanted] :
       {std::pair{"client_encoding", "UTF8"}, std::pair{"standard_conforming_strings", "on"}}) {
    if (session->reported.find(name) != wanted) {
      return make_error(pst::kSettingRefused, name);
    }
  }
  return ok();
}

// PostgreSQL's order of settings: by name, upper and lower case alike.
bool stands_before(std::string_view left, std::string_view right) {
  const auto lower = [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; };
  return std::lexicographical_compare(
      left.begin(), left.end(), right.begin(), right.end(),
      [lower](unsigned char a, unsigned char b) { return lower(a) < lower(b); });
}

Status encode_parameters(Session* session, Bytes& out) {
  ReportedParameters::List parameters = session->reported.all();
  std::sort(parameters.begin(), parameters.end(),
            [](const auto& a, const auto& b) { return stands_before(a.first, b.first); });
  for (const auto& [name, value] : parameters) {
    const bool own = session->pooled && session->state.wanted().contains(name);
    if (own) session->greeted.insert_or_assign(std::string(name), std::string(value));
    POSTERN_TRY((protocol::ParameterStatus{name, value}.encode(out)));
    const Status understood = types::apply_setting(session->render, name, value);
    if (!understood) {
      log_failure("setting_not_supported", understood.error(), {{"session", session->id}});
    }
  }
  return ok();
}

// What a cancel request with the session's key does.
void on_cancel(const std::weak_ptr<Session>& weak) {
  const SessionPtr session = weak.lock();
  if (session == nullptr) return;
  if (session->replication != nullptr) return cancel_replication(session);
  cancel_statement(session);
}

// Clients look themselves up in pg_stat_activity and pg_locks by the process id of the server that
// they keep. Where servers come and go it would be somebody else's.
std::uint32_t shown_process_id(Session* session) {
  if (session->replication != nullptr) return replication_facts(*session)->backend_pid;
  return session->pooled ? 0 : session->primary->facts().backend_pid;
}

// What PostgreSQL tells a client between AuthenticationOk and the first ReadyForQuery, in the
// server's own words, with a cancel key of ours.
Task<Status> welcome(Session* session, std::uint16_t minor) {
  Bytes& out = session->out.pending().own();
  const Status told = encode_parameters(session, out);
  if (!told) co_return told.error();
  const CancelKey key = session->runtime().cancels.add(
      session->worker(), shown_process_id(session), minor >= 2 ? kLongKey : kShortKey,
      [weak = session->weak_from_this()] { on_cancel(weak); });
  session->cancel_id = key.registration;
  session->process_id = key.process_id;
  const Status encoded = protocol::BackendKeyData{key.process_id, key.secret}.encode(out);
  if (!encoded) co_return encoded.error();
  protocol::ReadyForQuery{protocol::TransactionStatus::kIdle}.encode(out);
  co_return co_await session->out.flush();
}

// SQLSTATEs of refusals that are about what the client asked for: a database, a parameter, a
// moment. Those about the login are Postern's own affair: it was made with other means than the
// client's.
constexpr std::array<std::string_view, 7> kClientsAffair = {"3D000", "42704", "22023", "42601",
                                                            "42501", "53300", "57P03"};
constexpr std::size_t kSqlstateSize = 5;

// The refusal as the server worded it, where the client has to hear it so: "SQLSTATE message".
bool append_servers_words(const Session& session, const Error& error, Bytes& out) {
  if (error.code != pst::kUpstreamLoginFailed || session.database == nullptr) return false;
  // Under another name the server speaks of a database that the client does not know.
  if (session.database->upstream() != session.database->name()) return false;
  const std::string_view words = error.what;
  if (words.size() <= kSqlstateSize || words[kSqlstateSize] != ' ') return false;
  const std::string_view sqlstate = words.substr(0, kSqlstateSize);
  if (std::ranges::find(kClientsAffair, sqlstate) == kClientsAffair.end()) return false;
  protocol::ErrorWriter(out, protocol::ErrorWriter::Kind::kError)
      .field(protocol::kFieldSeverity, "FATAL")
      .field(protocol::kFieldSeverityPlain, "FATAL")
      .field(protocol::kFieldSqlstate, sqlstate)
      .field(protocol::kFieldMessage, words.substr(kSqlstateSize + 1))
      .finish();
  return true;
}

Task<void> refuse_login(Session* session, const Error* error, bool tell) {
  session->runtime().metrics.logins_failed.add();
  session->runtime().metrics.refusals.add(error->code);
  tell_failure(session, *error);
  co_await record_login(session, error);
  log_failure("login_refused", *error,
              {{"client", session->identity.address}, {"user", session->identity.login}});
  if (!tell) co_return;
  Bytes message;
  if (!append_servers_words(*session, *error, message)) {
    protocol::append_error(message, *error, protocol::Report::kFatal);
  }
  (void)co_await write_client(session, &message);
}

// Who neither proved itself nor was refused: scans and health checks that just close are not failed
// logins, a login that took too long is.
Task<void> end_unauthenticated(Session* session, const Error* error) {
  const bool gone = error->code == pst::kTransportClosed;
  if (gone && !session->deadline.expired()) co_return;
  if (is_crowd(*error)) co_return note_crowd(session, *error);
  const Error late = make_error(pst::kLoginTimeout);
  const Error* reason = session->deadline.expired() ? &late : error;
  co_await refuse_login(session, reason, false);
}

void open_statistics(Session* session) {
  const std::string& name = session->database->name();
  const bool own_section = session->config().databases.contains(name);
  StatisticsBook* book = session->context->book;
  session->statistics.open(book->traffic(name, session->identity.login),
                           book->times(own_section ? name : "*"), &session->runtime().metrics);
}

// A reload protects the database, and nobody told its sessions so far: none begins without rules.
Status check_ruled(Session* session) {
  const config::Config& config = *session->configured;
  const bool ruled = session->database->protection() != nullptr ||
                     !config::is_protected(config, session->database->name());
  if (ruled) return ok();
  return make_error(pst::kProtectionBlocked, "its rules are being loaded");
}

// A server connection for statements: protection known, identity complete, settings guardable.
Task<Status> prepare_session(Session* session, protocol::LoginRequest request) {
  const Status kept =
      co_await session->runtime().keeper->ensure(session->worker(), session->database);
  if (!kept) co_return kept.error();
  const Status identified = identify(session, std::move(request));
  if (!identified) co_return identified.error();
  const Status ruled = check_ruled(session);
  if (!ruled) co_return ruled.error();
  open_statistics(session);
  const Status learnt = co_await learn_parameters(session);
  if (!learnt) co_return learnt.error();
  co_return check_reported(session);
}

// The same for replication.
Task<Status> prepare_replication(Session* session, protocol::LoginRequest request) {
  const protocol::Replication kind = request.replication;
  const Status permitted = permit_replication(session);
  if (!permitted) co_return permitted.error();
  const Status identified = identify(session, std::move(request));
  if (!identified) co_return identified.error();
  open_statistics(session);
  const Status opened = co_await open_replication(session, kind);
  if (!opened) co_return opened.error();
  session->reported = replication_facts(*session)->parameters;
  co_return ok();
}

Task<Status> prepare_console(Session* session, protocol::LoginRequest request) {
  session->on_console = true;
  for (const auto& [name, value] : request.parameters) {
    if (name == "application_name") session->identity.application = value;
  }
  if (request.replication != protocol::Replication::kNone) {
    co_return make_error(pst::kReplicationRefused);
  }
  co_return co_await console::welcome(session, request.minor);
}

// Everything between AuthenticationOk and ReadyForQuery.
Task<Result<LoginOutcome>> prepare(Session* session, protocol::LoginRequest request) {
  const std::uint16_t minor = request.minor;
  const bool replicates = request.replication != protocol::Replication::kNone;
  if (asks_for_console(*session, request)) {
    const Status ready = co_await prepare_console(session, std::move(request));
    if (!ready) co_return ready.error();
    co_return LoginOutcome::kReady;
  }
  Status ready = find_database(session, request);
  if (ready && replicates) {
    ready = co_await prepare_replication(session, std::move(request));
  } else if (ready) {
    ready = co_await prepare_session(session, std::move(request));
  }
  if (ready) ready = co_await welcome(session, minor);
  if (!ready) co_return ready.error();
  co_return replicates ? LoginOutcome::kReplication : LoginOutcome::kReady;
}

}  // namespace

Task<LoginOutcome> log_in(Session* session) {
  std::chrono::milliseconds patience = session->config().limits.login_timeout;
  if (is_crowded_out(*session))
    patience = std::min<std::chrono::milliseconds>(patience, kCrowdedTime);
  session->deadline.arm(SteadyClock::now() + patience);
  session->identity.address = session->client.peer();
  // Before anything else of the configuration is looked at: see outdated().
  session->configured = &session->config();
  const auto offered = session->runtime().client_tls.load();
  // Not over a unix socket, as PostgreSQL.
  const ClientTls* tls = session->client.peer().starts_with("unix") ? nullptr : offered.get();
  protocol::ClientLogin login(client_login_options(session, tls));
  Status arrived = co_await take_proxy_header(session);
  if (arrived) arrived = co_await take_direct_tls(session, &login, tls);
  if (!arrived) {
    co_await end_unauthenticated(session, &arrived.error());
    co_return LoginOutcome::kClosed;
  }
  const Result<bool> authenticated = co_await authenticate(session, &login, tls);
  session->identity.login = login.request().user;
  if (!authenticated) {
    co_await end_unauthenticated(session, &authenticated.error());
    co_return LoginOutcome::kClosed;
  }
  if (!*authenticated) co_return LoginOutcome::kClosed;
  const Status placed = take_place(session, login.request());
  if (!placed) {
    note_crowd(session, placed.error());
    co_await tell_refused(session, &placed.error());
    co_return LoginOutcome::kClosed;
  }
  keep_proof(session, login.take_proof());
  // From here a wait for a server connection has its own limit, and an error to tell.
  session->deadline.arm(SteadyClock::now() + session->config().limits.login_timeout +
                        session->config().limits.pool_timeout);
  const Result<LoginOutcome> outcome = co_await prepare(session, login.take_request());
  if (!outcome) {
    note_refused_credentials(session, outcome.error());
    // Where the server's side found out, the client was told already.
    co_await refuse_login(session, &outcome.error(), !session->failure);
    co_return LoginOutcome::kClosed;
  }
  session->deadline.disarm();
  session->runtime().metrics.logins_ok.add();
  co_await record_login(session, nullptr);
  co_return *outcome;
}

}  // namespace postern::proxy
