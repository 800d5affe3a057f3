#include "proxy/session/login.hpp"

#include <utility>

#include "base/codes/auth.hpp"
#include "base/codes/net.hpp"
#include "base/codes/session.hpp"
#include "protocol/error_message.hpp"
#include "protocol/rows.hpp"
#include "protocol/session_setup.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/authenticate.hpp"
#include "proxy/session/credentials.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/replication.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

/// Secret bytes of the cancel key by protocol minor version.
constexpr std::size_t kShortKey = 4;
constexpr std::size_t kLongKey = 32;

// The gate reads text as UTF-8 with standard strings; a server that does otherwise by its own
// settings cannot be guarded.
Status check_reported(Session* session) {
  if (!gated(*session)) return ok();
  const auto& reported = session->primary->facts().parameters;
  for (const auto& [name, wanted] :
       {std::pair{"client_encoding", "UTF8"}, std::pair{"standard_conforming_strings", "on"}}) {
    const auto it = reported.find(name);
    if (it == reported.end() || it->second != wanted) {
      return make_error(pst::kSettingRefused, name);
    }
  }
  return ok();
}

// What PostgreSQL tells a client between AuthenticationOk and the first ReadyForQuery, in the
// server's own words, with a cancel key of ours.
Task<Status> welcome(Session* session, const ServerFacts* facts, std::uint16_t minor) {
  Bytes& out = session->out.pending().own();
  for (const auto& [name, value] : facts->parameters) {
    const Status encoded = protocol::ParameterStatus{name, value}.encode(out);
    if (!encoded) co_return encoded.error();
    const Status understood = types::apply_setting(session->render, name, value);
    if (!understood) {
      log_failure("setting_not_supported", understood.error(), {{"session", session->id}});
    }
  }
  const CancelKey key = session->runtime().cancels.add(
      session->worker(), minor >= 2 ? kLongKey : kShortKey, [weak = session->weak_from_this()] {
        const SessionPtr locked = weak.lock();
        if (locked == nullptr) return;
        if (locked->replication != nullptr) return cancel_replication(locked);
        cancel_statement(locked);
      });
  session->cancel_id = key.process_id;
  const Status encoded = protocol::BackendKeyData{key.process_id, key.secret}.encode(out);
  if (!encoded) co_return encoded.error();
  protocol::ReadyForQuery{protocol::TransactionStatus::kIdle}.encode(out);
  co_return co_await session->out.flush();
}

Task<void> refuse_login(Session* session, const Error* error, bool tell) {
  session->runtime().metrics.logins_failed.add();
  session->runtime().metrics.refusals.add(error->code);
  co_await record_login(session, error);
  log_failure("login_refused", *error,
              {{"client", session->identity.address}, {"user", session->identity.login}});
  if (!tell) co_return;
  Bytes message;
  protocol::append_error(message, *error, protocol::Report::kFatal);
  (void)co_await write_client(session, &message);
}

// Who neither proved itself nor was refused: scans and health checks that just close are not failed
// logins, a login that took too long is.
Task<void> end_unauthenticated(Session* session, const Error* error) {
  const bool gone = error->code == pst::kTransportClosed;
  if (gone && !session->deadline.expired()) co_return;
  const Error late = make_error(pst::kLoginTimeout);
  const Error* reason = session->deadline.expired() ? &late : error;
  co_await refuse_login(session, reason, false);
}

// A server connection for statements: protection known, identity complete, settings guardable.
Task<Status> prepare_session(Session* session, protocol::LoginRequest request) {
  const Status kept =
      co_await session->runtime().keeper->ensure(session->worker(), session->database);
  if (!kept) co_return kept.error();
  const Status identified = identify(session, std::move(request));
  if (!identified) co_return identified.error();
  const Status attached = co_await attach_primary(session);
  if (!attached) co_return attached.error();
  co_return check_reported(session);
}

// The same for replication.
Task<Status> prepare_replication(Session* session, protocol::LoginRequest request) {
  const protocol::Replication kind = request.replication;
  const Status permitted = permit_replication(session, kind);
  if (!permitted) co_return permitted.error();
  const Status identified = identify(session, std::move(request));
  if (!identified) co_return identified.error();
  co_return co_await open_replication(session, kind);
}

}  // namespace

Task<LoginOutcome> log_in(Session* session) {
  session->deadline.arm(SteadyClock::now() + session->config().limits.login_timeout);
  session->identity.address = session->client.peer();
  protocol::ClientLogin login(client_login_options(session));
  const Result<bool> authenticated = co_await authenticate(session, &login);
  session->identity.login = login.request().user;
  if (!authenticated) {
    co_await end_unauthenticated(session, &authenticated.error());
    co_return LoginOutcome::kClosed;
  }
  if (!*authenticated) co_return LoginOutcome::kClosed;

  keep_proof(session, login.take_proof());
  const std::uint16_t minor = login.request().minor;
  const bool replicates = login.request().replication != protocol::Replication::kNone;
  protocol::LoginRequest request = login.take_request();
  Status ready = find_database(session, request);
  if (ready && replicates) {
    ready = co_await prepare_replication(session, std::move(request));
  } else if (ready) {
    ready = co_await prepare_session(session, std::move(request));
  }
  if (!ready) {
    note_refused_credentials(session, ready.error());
    co_await refuse_login(session, &ready.error(), true);
    co_return LoginOutcome::kClosed;
  }
  const ServerFacts* facts = replicates ? replication_facts(*session) : &session->primary->facts();
  const Status welcomed = co_await welcome(session, facts, minor);
  if (!welcomed) co_return LoginOutcome::kClosed;
  session->deadline.disarm();
  session->runtime().metrics.logins_ok.add();
  co_await record_login(session, nullptr);
  co_return replicates ? LoginOutcome::kReplication : LoginOutcome::kReady;
}

}  // namespace postern::proxy
