#include "proxy/session/login.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "base/codes/auth.hpp"
#include "base/codes/net.hpp"
#include "base/codes/session.hpp"
#include "protocol/error_message.hpp"
#include "protocol/rows.hpp"
#include "protocol/session_setup.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/scram_primitives.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

using protocol::ClientLogin;
using protocol::LoginStep;

constexpr std::size_t kLoginRead = 1024;
/// Secret bytes of the cancel key by protocol minor version.
constexpr std::size_t kShortKey = 4;
constexpr std::size_t kLongKey = 32;

ClientLogin::Options login_options(Session* session) {
  ClientLogin::Options options;
  const config::ListenTlsOptions& tls = session->config().listen.tls;
  if (session->runtime().client_tls != nullptr) {
    options.tls = tls.mode == config::ClientTlsMode::kRequire ? protocol::TlsPolicy::kRequire
                                                              : protocol::TlsPolicy::kOffer;
  }
  options.primitives = &scram_primitives();
  options.mock_key = session->runtime().mock_key;
  return options;
}

// At least `need` unread bytes, or the reason why not.
Task<Status> read_login(Session* session, std::size_t need) {
  while (session->input.size() < need) {
    const std::size_t missing = std::max(need - session->input.size(), kLoginRead);
    Result<std::span<char>> room = session->input.reserve(missing);
    if (!room) co_return room.error();
    char* into = room->data();
    const std::size_t size = room->size();
    const Result<std::size_t> got = co_await session->client.read_some(into, size);
    if (!got) co_return got.error();
    if (*got == 0) co_return make_error(pst::kTransportClosed);
    session->input.commit(*got);
  }
  co_return ok();
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
Task<Result<bool>> authenticate(Session* session, ClientLogin* login) {
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
        const TlsContext* tls = session->runtime().client_tls.get();
        const Status upgraded = co_await session->client.upgrade_server(tls, std::move(early));
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

// PostgreSQL's order of settings: by name, upper and lower case alike.
bool stands_before(const std::string* left, const std::string* right) {
  const auto lower = [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; };
  return std::lexicographical_compare(
      left->begin(), left->end(), right->begin(), right->end(),
      [lower](unsigned char a, unsigned char b) { return lower(a) < lower(b); });
}

Status encode_parameters(Session* session, Bytes& out) {
  const auto& parameters = session->primary->facts().parameters;
  std::vector<const std::string*> names;
  for (const auto& [name, value] : parameters) names.push_back(&name);
  std::sort(names.begin(), names.end(), stands_before);
  for (const std::string* name : names) {
    const std::string& value = parameters.find(*name)->second;
    POSTERN_TRY((protocol::ParameterStatus{*name, value}.encode(out)));
    const Status understood = types::apply_setting(session->render, *name, value);
    if (!understood) {
      log_failure("setting_not_supported", understood.error(), {{"session", session->id}});
    }
  }
  return ok();
}

// What PostgreSQL tells a client between AuthenticationOk and the first ReadyForQuery, in the
// server's own words, with a cancel key of ours. A session that keeps its server shows the server's
// process id: clients look themselves up by it in pg_stat_activity and pg_locks.
Task<Status> welcome(Session* session, std::uint16_t minor) {
  Bytes& out = session->out.pending().own();
  const Status told = encode_parameters(session, out);
  if (!told) co_return told.error();
  const CancelKey key = session->runtime().cancels.add(
      session->worker(), session->primary->facts().backend_pid, minor >= 2 ? kLongKey : kShortKey,
      [weak = session->weak_from_this()] {
        if (const SessionPtr locked = weak.lock()) cancel_statement(locked);
      });
  session->cancel_id = key.registration;
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

}  // namespace

Task<LoginOutcome> log_in(Session* session) {
  session->deadline.arm(SteadyClock::now() + session->config().limits.login_timeout);
  session->identity.address = session->client.peer();
  ClientLogin login(login_options(session));
  const Result<bool> authenticated = co_await authenticate(session, &login);
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
