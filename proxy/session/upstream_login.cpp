#include "proxy/session/upstream_login.hpp"

#include <charconv>
#include <optional>

#include "base/codes/net.hpp"
#include "base/codes/pool.hpp"
#include "policy/arming.hpp"
#include "protocol/server_login.hpp"
#include "protocol/startup.hpp"
#include "proxy/net/connect.hpp"
#include "proxy/session/plain_query.hpp"
#include "proxy/session/scram_primitives.hpp"

namespace postern::proxy {
namespace {

using protocol::ServerLogin;
using protocol::ServerStep;

void close_transport(void* owner) {
  static_cast<Transport*>(owner)->close();
}

ServerLogin::Options login_options(const UpstreamTarget& target) {
  ServerLogin::Options options;
  options.ssl = target.tls == nullptr                 ? protocol::SslMode::kDisable
                : target.tls_mode == TlsMode::kPrefer ? protocol::SslMode::kPrefer
                                                      : protocol::SslMode::kRequire;
  options.user = target.user;
  options.database = target.database;
  if (target.password != nullptr) {
    options.password = target.password->clone();
  } else if (target.proof != nullptr) {
    options.password = target.proof->password.clone();
    options.pass = target.proof->scram;
  }
  options.parameters = target.parameters;
  options.primitives =
      target.password != nullptr ? &remembering_scram_primitives() : &scram_primitives();
  options.md5 = md5_primitive;
  options.md5_password = target.md5;
  options.cleartext = target.cleartext;
  options.minor = target.minor;
  return options;
}

// Reads until `need` unread bytes are there; one byte at most where asked.
Task<Status> read_more(Transport* transport, ReadBuffer* input, std::size_t need, bool one_byte) {
  while (input->size() < need) {
    Result<std::span<char>> room = input->reserve(one_byte ? 1 : need - input->size());
    if (!room) co_return room.error();
    char* into = room->data();
    const std::size_t size = one_byte ? 1 : room->size();
    const Result<std::size_t> got = co_await transport->read_some(into, size);
    if (!got) co_return got.error();
    if (*got == 0) co_return make_error(pst::kUpstreamLost, "during login");
    input->commit(*got);
  }
  co_return ok();
}

// Runs the login machine until it is ready or has failed.
Task<Status> drive(Transport* transport, ReadBuffer* input, ServerLogin* login,
                   const UpstreamTarget* target) {
  for (;;) {
    Bytes out;
    const ServerStep step = login->advance(input->unread(), out);
    input->consume(step.consumed);
    if (!out.empty()) {
      const ByteView view(out);
      const Status sent = co_await transport->write(view);
      wipe(out);
      if (!sent && step.kind != ServerStep::Kind::kFailed) co_return sent.error();
    }
    if (step.kind == ServerStep::Kind::kReady) co_return ok();
    if (step.kind == ServerStep::Kind::kFailed) co_return login->error();
    if (step.kind == ServerStep::Kind::kUpgradeTls) {
      const Status upgraded =
          co_await transport->upgrade_client(target->tls.get(), target->endpoint.host);
      if (!upgraded) co_return upgraded.error();
      Result<Bytes> binding = transport->tls()->channel_binding();
      login->tls_established(binding ? std::move(*binding) : Bytes());
      continue;
    }
    const bool one_byte = step.kind == ServerStep::Kind::kReadOneByte;
    const std::size_t need = one_byte ? 1 : step.need;
    const Status read = co_await read_more(transport, input, need, one_byte);
    if (!read) co_return read.error();
  }
}

template <typename T>
bool read_number(const std::optional<std::string>& text, T& out) {
  if (!text) return false;
  const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), out);
  return ec == std::errc{} && end == text->data() + text->size();
}

constexpr std::string_view kSessionSql =
    "SELECT pg_catalog.current_setting('search_path'), (SELECT CASE WHEN rolsuper THEN 'superuser'"
    " WHEN rolbypassrls THEN 'bypassrls' END FROM pg_catalog.pg_roles"
    " WHERE rolname OPERATOR(pg_catalog.=) current_user)";

// What arming and analysis need to know about the backend, in its own words. Both statements go in
// one message: every new connection would wait a round trip more. Their rows come one behind the
// other.
Task<Status> learn(Transport* transport, ReadBuffer* input, ServerFacts* facts) {
  std::string text = std::string(policy::kLearnBackendSql).append(";").append(kSessionSql);
  const Result<Rows> rows = co_await plain_query(transport, input, std::move(text));
  if (!rows) co_return rows.error();
  std::uint32_t pid = 0;
  const bool understood = !rows->empty() && rows->front().size() == 3 &&
                          read_number(rows->front()[0], facts->database_oid) &&
                          read_number(rows->front()[1], pid) &&
                          read_number(rows->front()[2], facts->backend_start);
  if (!understood || (facts->backend_pid != 0 && pid != facts->backend_pid)) {
    co_return make_error(pst::kUpstreamUnavailable, "the server does not say who its backend is");
  }
  facts->backend_pid = pid;
  if (rows->size() == 2 && rows->back().size() == 2) {
    facts->search_path = rows->back()[0].value_or("");
    facts->bypass = rows->back()[1].value_or("");
  }
  co_return ok();
}

Endpoint address_of(const Transport& transport, const Endpoint& endpoint) {
  if (endpoint.is_unix()) return endpoint;
  const auto peer = Endpoint::parse(transport.peer(), endpoint.port);
  return peer ? *peer : endpoint;
}

std::unique_ptr<ServerFacts> to_facts(const UpstreamTarget& target, const Transport& transport,
                                      protocol::ServerFacts login) {
  auto facts = std::make_unique<ServerFacts>();
  facts->endpoint = target.endpoint;
  facts->address = address_of(transport, target.endpoint);
  if (transport.tls() != nullptr) facts->tls = target.tls;
  facts->tls_mode = target.tls_mode;
  facts->timeout = target.timeout;
  facts->backend_pid = login.pid;
  facts->cancel_key = Bytes(login.cancel_key.reveal());
  for (auto& [name, value] : login.parameters) {
    facts->parameters.set(name, value);
  }
  facts->standby = login.parameter("in_hot_standby") == "on";
  return facts;
}

}  // namespace

namespace {

Task<OpenResult> open_once(Worker* worker, UpstreamTarget target) {
  Endpoint endpoint = target.endpoint;
  Result<Transport> connected = co_await connect(worker, std::move(endpoint), target.timeout);
  if (!connected) co_return UpstreamFailure{connected.error(), {}};
  Transport transport = std::move(*connected);
  ReadBuffer input(worker->buffers(), kMaxPlainMessage);
  Deadline deadline(worker->deadlines(), close_transport, &transport);
  deadline.arm(SteadyClock::now() + target.timeout);

  ServerLogin login(login_options(target));
  const Status logged_in = co_await drive(&transport, &input, &login, &target);
  if (!logged_in) {
    Error error = deadline.expired() ? make_error(pst::kConnectTimeout, target.endpoint.text())
                                     : logged_in.error();
    co_return UpstreamFailure{std::move(error), login.server_error()};
  }
  auto facts = to_facts(target, transport, login.take_facts());
  if (target.learns) {
    const Status learnt = co_await learn(&transport, &input, facts.get());
    if (!learnt) co_return UpstreamFailure{learnt.error(), {}};
  }
  deadline.disarm();
  co_return OpenedServer{std::move(transport), std::move(facts)};
}

// The other half of allow and prefer; disabled where there is none.
TlsMode other_way(TlsMode mode) {
  return mode == TlsMode::kAllow ? TlsMode::kRequire : TlsMode::kDisable;
}

bool is_refused_as_it_came(const OpenResult& opened) {
  constexpr std::string_view kNoSuchEntry = "28000";
  const auto* failure = std::get_if<UpstreamFailure>(&opened);
  return failure != nullptr && failure->server &&
         failure->server->get(protocol::kFieldSqlstate) == kNoSuchEntry;
}

UpstreamTarget in_mode(UpstreamTarget target, TlsMode mode) {
  target.tls_mode = mode;
  if (mode == TlsMode::kDisable) target.tls = nullptr;
  return target;
}

}  // namespace

Task<OpenResult> open_server(Worker* worker, UpstreamTarget target) {
  const TlsMode mode = target.tls_mode;
  const bool both = target.tls != nullptr && (mode == TlsMode::kAllow || mode == TlsMode::kPrefer);
  if (!both) {
    OpenResult only = co_await open_once(worker, std::move(target));
    co_return only;
  }
  const TlsMode first_mode = mode == TlsMode::kAllow ? TlsMode::kDisable : TlsMode::kPrefer;
  UpstreamTarget first = in_mode(target, first_mode);
  OpenResult opened = co_await open_once(worker, std::move(first));
  if (!is_refused_as_it_came(opened)) co_return opened;
  UpstreamTarget second = in_mode(std::move(target), other_way(mode));
  OpenResult again = co_await open_once(worker, std::move(second));
  co_return again;
}

UpstreamTarget cancel_target(const ServerFacts& facts) {
  UpstreamTarget target;
  target.endpoint = facts.endpoint;
  target.address = facts.address;
  target.tls = facts.tls;
  target.tls_mode = facts.tls_mode;
  target.timeout = facts.timeout;
  return target;
}

Task<void> send_cancel(Worker* worker, UpstreamTarget target, std::uint32_t pid, Bytes key) {
  Endpoint endpoint = target.address.value_or(target.endpoint);
  Result<Transport> connected = co_await connect(worker, std::move(endpoint), target.timeout);
  if (!connected) co_return;
  Transport transport = std::move(*connected);
  Deadline deadline(worker->deadlines(), close_transport, &transport);
  deadline.arm(SteadyClock::now() + target.timeout);
  Bytes message;
  if (!protocol::CancelRequest{pid, key}.encode(message)) co_return;
  if (target.tls != nullptr) {
    Bytes request;
    protocol::SslRequest{}.encode(request);
    const ByteView view(request);
    const Status sent = co_await transport.write(view);
    char answer = 0;
    if (!sent) co_return;
    const Result<std::size_t> got = co_await transport.read_some(&answer, 1);
    if (!got || *got != 1 || answer != 'S') co_return;
    const Status upgraded =
        co_await transport.upgrade_client(target.tls.get(), target.endpoint.host);
    if (!upgraded) co_return;
  }
  const ByteView view(message);
  const Status sent = co_await transport.write(view);
  if (!sent) co_return;
  // The server closes without an answer once it has dealt with the request.
  char ignored = 0;
  (void)co_await transport.read_some(&ignored, 1);
}

}  // namespace postern::proxy
