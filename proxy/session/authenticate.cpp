#include "proxy/session/authenticate.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/auth.hpp"
#include "base/codes/net.hpp"
#include "protocol/error_message.hpp"
#include "proxy/session/arrival.hpp"
#include "proxy/session/cancel_request.hpp"
#include "proxy/session/credentials.hpp"
#include "proxy/session/crowd.hpp"
#include "proxy/session/scram_primitives.hpp"

namespace postern::proxy {
namespace {

using protocol::ClientLogin;
using protocol::LoginStep;

Task<Status> upgrade(Session* session, ClientLogin* login, const ClientTls* tls) {
  Bytes early;
  const TlsContext* context = &tls->context;
  const Status upgraded = co_await session->client.upgrade_server(context, std::move(early));
  if (!upgraded) co_return upgraded.error();
  login->tls_established(own_binding(session));
  co_return ok();
}

Task<Status> look_up(Session* session, ClientLogin* login) {
  const protocol::LoginRequest* request = &login->request();
  session->identity.login = request->user;
  protocol::UserAnswer answer = co_await answer_login(session, request);
  // The client may have gone while its login was looked up.
  if (session->deadline.expired()) co_return make_error(pst::kLoginTimeout);
  login->answer(std::move(answer));
  co_return ok();
}

// What the machine asks of its driver between two advances.
Task<Status> obey(Session* session, ClientLogin* login, const LoginStep* step,
                  const ClientTls* tls) {
  switch (step->kind) {
    case LoginStep::Kind::kRead:
      co_return co_await read_login(session, step->need);
    case LoginStep::Kind::kUpgradeTls:
      co_return co_await upgrade(session, login, tls);
    case LoginStep::Kind::kLookupUser:
      co_return co_await look_up(session, login);
    default:
      co_return ok();
  }
}

}  // namespace

Bytes own_binding(Session* session) {
  if (!session->config().auth.channel_binding) return {};
  Result<Bytes> binding = session->client.tls()->channel_binding();
  return binding ? std::move(*binding) : Bytes();
}

ClientLogin::Options client_login_options(Session* session, const ClientTls* tls) {
  ClientLogin::Options options;
  if (tls != nullptr) {
    options.tls = tls->required ? protocol::TlsPolicy::kRequire : protocol::TlsPolicy::kOffer;
  }
  options.primitives = &scram_primitives();
  options.mock_key = session->runtime().mock_key;
  options.md5 = md5_primitive;
  options.local = session->client.peer().starts_with("unix");
  return options;
}

Task<void> tell_refused(Session* session, const Error* error) {
  Bytes message;
  protocol::append_error(message, *error, protocol::Report::kFatal);
  (void)co_await write_client(session, &message);
}

Task<Status> write_client(Session* session, const Bytes* bytes) {
  if (bytes->empty()) co_return ok();
  session->out.pending().own().append(*bytes);
  co_return co_await session->out.flush();
}

Task<Result<bool>> authenticate(Session* session, ClientLogin* login, const ClientTls* tls) {
  bool known = false;  // its name: from there on it is guessing, and may be refused as a guesser
  for (;;) {
    const Status allowed = known ? check_failures(session) : ok();
    if (!allowed) {
      const Error* error = &allowed.error();
      co_await tell_refused(session, error);
      co_return *error;
    }
    Bytes out;
    const LoginStep step = login->advance(session->input.unread(), out);
    session->input.consume(step.consumed);
    // Before anything is awaited: guesses made side by side count one after the other.
    if (step.kind == LoginStep::Kind::kFailed) {
      note_failure(session, login->request().user, login->error());
    }
    const Status written = co_await write_client(session, &out);
    if (step.kind == LoginStep::Kind::kFailed) co_return login->error();
    if (!written) co_return written.error();
    if (step.kind == LoginStep::Kind::kAuthenticated) co_return true;
    if (step.kind == LoginStep::Kind::kCancel) {
      protocol::CancelOrder order = login->take_cancel();
      co_await act_on_cancel(session, std::move(order));
      co_return false;
    }
    const bool named = step.kind == LoginStep::Kind::kLookupUser;
    const Status let_in = named ? check_crowd(*session, login->request()) : ok();
    if (!let_in) {
      session->identity.login = login->request().user;
      const Error* error = &let_in.error();
      co_await tell_refused(session, error);
      co_return *error;
    }
    const LoginStep* asked = &step;
    const Status done = co_await obey(session, login, asked, tls);
    if (!done) co_return done.error();
    known = known || named;
  }
}

}  // namespace postern::proxy
