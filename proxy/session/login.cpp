#include "proxy/session/login.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/net.hpp"
#include "base/codes/session.hpp"
#include "protocol/error_message.hpp"
#include "protocol/rows.hpp"
#include "protocol/session_setup.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/arrival.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/scram_primitives.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

using protocol::ClientLogin;
using protocol::LoginStep;

/// Secret bytes of the cancel key by protocol minor version.
constexpr std::size_t kShortKey = 4;
constexpr std::size_t kLongKey = 32;

ClientLogin::Options login_options(Session* session, const ClientTls* tls) {
  ClientLogin::Options options;
  if (tls != nullptr) {
    options.tls = tls->required ? protocol::TlsPolicy::kRequire : protocol::TlsPolicy::kOffer;
  }
  options.primitives = &scram_primitives();
  options.mock_key = session->runtime().mock_key;
  return options;
}

Task<Status> write_client(Session* session, const Bytes* bytes) {
  if (bytes->empty()) co_return ok();
  const ByteView view(*bytes);
  co_return co_await session->client.write(view);
}

void act_on_cancel(Session* session, const protocol::CancelOrder& order) {
  const bool known = session->runtime().cancels.cancel(order.pid, order.key.reveal());
  log_info("cancel_request", {{"client", session->identity.address}, {"known", known ? 1 : 0}});
}

// Runs the machine to its end. True: authenticated.
Task<Result<bool>> authenticate(Session* session, ClientLogin* login, const ClientTls* tls) {
  for (;;) {
    Bytes out;
    const LoginStep step = login->advance(session->input.unread(), out);
    session->input.consume(step.consumed);
    const Status written = co_await write_client(session, &out);
    if (step.kind == LoginStep::Kind::kFailed) co_return login->error();
    if (!written) co_return written.error();
    switch (step.kind) {
      case LoginStep::Kind::kRead: {
        const Status read = co_await read_login(session, step.need);
        if (!read) co_return read.error();
        break;
      }
      case LoginStep::Kind::kUpgradeTls: {
        Bytes early;
        const TlsContext* context = &tls->context;
        const Status upgraded = co_await session->client.upgrade_server(context, std::move(early));
        if (!upgraded) co_return upgraded.error();
        login->tls_established();
        break;
      }
      case LoginStep::Kind::kLookupUser:
        login->answer(session->runtime().users.answer(login->request().user));
        break;
      case LoginStep::Kind::kCancel:
        act_on_cancel(session, login->take_cancel());
        co_return false;
      case LoginStep::Kind::kAuthenticated:
        co_return true;
      case LoginStep::Kind::kFailed:
        break;
    }
  }
}

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
Task<Status> welcome(Session* session, std::uint16_t minor) {
  Bytes& out = session->out.pending().own();
  for (const auto& [name, value] : session->primary->facts().parameters) {
    const Status encoded = protocol::ParameterStatus{name, value}.encode(out);
    if (!encoded) co_return encoded.error();
    const Status understood = types::apply_setting(session->render, name, value);
    if (!understood) {
      log_failure("setting_not_supported", understood.error(), {{"session", session->id}});
    }
  }
  const CancelKey key = session->runtime().cancels.add(
      session->worker(), minor >= 2 ? kLongKey : kShortKey, [weak = session->weak_from_this()] {
        if (const SessionPtr locked = weak.lock()) cancel_statement(locked);
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

}  // namespace

Task<LoginOutcome> log_in(Session* session) {
  session->deadline.arm(SteadyClock::now() + session->config().limits.login_timeout);
  session->identity.address = session->client.peer();
  // Before anything else of the configuration is looked at: see outdated().
  session->configured = &session->config();
  const auto offered = session->runtime().client_tls.load();
  // Not over a unix socket, as PostgreSQL.
  const ClientTls* tls = session->client.peer().starts_with("unix") ? nullptr : offered.get();
  ClientLogin login(login_options(session, tls));
  Status arrived = co_await take_proxy_header(session);
  if (arrived) arrived = co_await take_direct_tls(session, &login, tls);
  if (!arrived) {
    const bool gone = arrived.error().code == pst::kTransportClosed;
    if (!gone) co_await refuse_login(session, &arrived.error(), false);
    co_return LoginOutcome::kClosed;
  }
  const Result<bool> authenticated = co_await authenticate(session, &login, tls);
  session->identity.login = login.request().user;
  if (!authenticated) {
    // Scans and health checks that just close are not failed logins.
    const bool gone = authenticated.error().code == pst::kTransportClosed;
    if (!gone) co_await refuse_login(session, &authenticated.error(), false);
    co_return LoginOutcome::kClosed;
  }
  if (!*authenticated) co_return LoginOutcome::kClosed;

  const std::uint16_t minor = login.request().minor;
  protocol::LoginRequest request = login.take_request();
  Status ready = find_database(session, request);
  if (ready) {
    ready = co_await session->runtime().keeper->ensure(session->worker(), session->database);
  }
  if (ready) ready = identify(session, std::move(request));
  if (ready) ready = co_await attach_primary(session);
  if (ready) ready = check_reported(session);
  if (!ready) {
    co_await refuse_login(session, &ready.error(), true);
    co_return LoginOutcome::kClosed;
  }
  const Status welcomed = co_await welcome(session, minor);
  if (!welcomed) co_return LoginOutcome::kClosed;
  session->deadline.disarm();
  session->runtime().metrics.logins_ok.add();
  co_await record_login(session, nullptr);
  co_return LoginOutcome::kReady;
}

}  // namespace postern::proxy
