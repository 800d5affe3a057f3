#include "proxy/session/link.hpp"

#include <chrono>
#include <utility>

#include "base/codes/net.hpp"
#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "config/guard_key.hpp"
#include "crypto/context_mac.hpp"
#include "policy/arming.hpp"
#include "policy/context_token.hpp"
#include "protocol/extended.hpp"
#include "protocol/simple.hpp"
#include "proxy/pool/settings.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/credentials.hpp"
#include "proxy/session/outdated.hpp"
#include "proxy/session/replies.hpp"
#include "proxy/session/search_path.hpp"
#include "proxy/session/settling.hpp"
#include "proxy/session/state_following.hpp"
#include "proxy/session/tenant_role.hpp"
#include "proxy/session/violations.hpp"
#include "proxy/session/wait_notice.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::Request;

constexpr std::chrono::seconds kResetTimeout{10};

std::int64_t unix_micros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Error login_error(const UpstreamFailure& failure) {
  if (!failure.server) return failure.error;
  Error error = failure.error;
  error.what = std::string(failure.server->get(protocol::kFieldSqlstate)) + " " +
               std::string(failure.server->get(protocol::kFieldMessage));
  return error;
}

// One extended group with one text parameter or none, replies swallowed, closed by its own Sync.
Status add_group(ServerLink* link, std::string_view sql, std::optional<ByteView> parameter,
                 Internal internal) {
  Bytes& out = link->out().own();
  POSTERN_TRY((protocol::Parse{"", sql, {}}.encode(out)));
  Bytes storage;
  if (parameter) protocol::ValueList::append(storage, *parameter);
  protocol::Bind bind;
  bind.values = protocol::ValueList::over(storage, parameter ? 1 : 0);
  POSTERN_TRY(bind.encode(out));
  POSTERN_TRY((protocol::Execute{"", 0}.encode(out)));
  protocol::Sync{}.encode(out);
  for (const Request request :
       {Request::kParse, Request::kBind, Request::kExecute, Request::kSync}) {
    Unit unit;
    unit.request = request;
    unit.internal = internal;
    POSTERN_TRY(link->expect(std::move(unit), Disposition::kSwallow));
  }
  // The group took the unnamed statement.
  link->forget("");
  return ok();
}

// While a key is exchanged, each database has the one that its nodes hold.
std::shared_ptr<const Secret> signing_key(const Session& session) {
  const auto protection = session.database->protection();
  if (protection != nullptr && protection->guard_key != nullptr) return protection->guard_key;
  return session.context->runtime->guard_key;
}

Result<std::string> make_context(Session& session, const ServerLink& link, std::int64_t expiry) {
  const std::shared_ptr<const Secret> holder = signing_key(session);
  const ByteView key = holder->reveal();
  policy::ContextFields fields;
  fields.database = link.facts().database_oid;
  fields.kid = config::guard_kid(key);
  fields.tenant = session.identity.tenant;
  const Identity& who = session.identity;
  fields.subject = who.subject.empty() ? who.login : who.subject;
  fields.roles = who.roles;
  fields.backend_pid = static_cast<std::int32_t>(link.facts().backend_pid);
  fields.backend_start_us = link.facts().backend_start;
  fields.expiry_us = expiry;
  POSTERN_ASSIGN(const std::string message, policy::build_context(fields));
  return policy::attach_mac(message, crypto::context_mac_hex(key, message));
}

bool is_unreachable(const Error& error) {
  return error.code == pst::kConnectFailed || error.code == pst::kConnectTimeout ||
         error.code == pst::kResolveFailed;
}

Task<Result<std::unique_ptr<Transport>>> adopt_or_open(Session* session, PoolTicket* ticket,
                                                       Endpoint node,
                                                       std::unique_ptr<ServerFacts>* facts) {
  if (ticket->has_server()) {
    IdleServer server = ticket->take_server();
    *facts = std::move(server.facts);
    co_return server.transport.take(session->worker());
  }
  // Where it was chosen, another configuration may have been in force.
  Cluster& cluster = session->database->cluster();
  if (!cluster.has(node)) co_return make_error(pst::kUpstreamUnavailable, "the node was removed");
  UpstreamTarget target = cluster.target(node);
  target.database = session->database->upstream();
  target.user = session->identity.upstream_user;
  give_credentials(session, &target);
  target.parameters = session->identity.startup;
  OpenResult opened = co_await open_server(session->worker(), std::move(target));
  if (auto* failure = std::get_if<UpstreamFailure>(&opened)) {
    const Error error = login_error(*failure);
    if (is_unreachable(error)) cluster.found(node, false);
    ticket->fail(error, failure->server ? failure->server->get(protocol::kFieldSqlstate) : "");
    co_return error;
  }
  auto& server = std::get<OpenedServer>(opened);
  session->runtime().metrics.servers_opened.add();
  cluster.found(node, !server.facts->standby);
  ticket->opened(*server.facts, server.transport.tls() != nullptr);
  *facts = std::move(server.facts);
  (*facts)->schema_seen = session->database->schema_changes();
  // Only without settings of one client's own is it what every other one would see.
  if (fresh_startup(session->identity) && !(*facts)->standby) {
    session->database->remember(session->identity.upstream_user,
                                {(*facts)->parameters, (*facts)->search_path});
  }
  co_return std::make_unique<Transport>(std::move(server.transport));
}

}  // namespace

Status add_plain(ServerLink* link, std::string_view sql) {
  POSTERN_TRY(protocol::Query{sql}.encode(link->out().own()));
  Unit unit;
  unit.request = Request::kQuery;
  unit.internal = Internal::kReset;
  return link->expect(std::move(unit), Disposition::kSwallow);
}

namespace {

PoolHandle find_pool(Session* session, const Endpoint& node) {
  Broker::Request request;
  const std::string& login = session->identity.login;
  static_cast<PoolSettings&>(request) =
      pool_settings(session->config().limits, session->database->options(),
                    session->runtime().users.options(login), login);
  // By the name clients use: two sections of one upstream database have each their own size.
  request.key = {node.text(), session->database->name(), session->identity.upstream_user};
  request.identity = session->identity.pool_identity;
  request.application = session->identity.application;
  request.session = session->id;
  return session->runtime().broker.handle(session->worker(), request);
}

bool is_known(const Session& session, const Endpoint& node) {
  const PrimaryPool& pool = session.primary_pool;
  return pool.handle && pool.configured == &*session.context->runtime->config && pool.node == node;
}

const PoolHandle* primary_pool(Session* session, const Endpoint& node) {
  if (!is_known(*session, node)) {
    session->primary_pool = {find_pool(session, node), node, &session->config()};
  }
  return &session->primary_pool.handle;
}

std::unique_ptr<ServerLink> make_link(Session* session, std::unique_ptr<Transport> transport,
                                      std::unique_ptr<ServerFacts> facts, PoolTicket ticket) {
  auto link = std::make_unique<ServerLink>(session->context, std::move(transport), std::move(facts),
                                           std::move(ticket));
  link->statistics = &session->statistics;
  return link;
}

Task<Result<std::unique_ptr<ServerLink>>> acquire(Session* session, const PoolHandle* pool,
                                                  Endpoint node) {
  Status current = outdated(session);
  if (!current) co_return current.error();
  WaitLimits limits = wait_limits(session->config().limits);
  limits.on_wait = tell_waiting;
  limits.is_gone = client_left;
  limits.owner = session;
  const auto begun = SteadyClock::now();
  session->statistics.wait_begun();
  Result<PoolTicket> ticket =
      co_await session->runtime().broker.acquire(session->worker(), pool, limits);
  session->statistics.wait_ended(ticket.has_value());
  if (!ticket) co_return ticket.error();
  current = outdated(session);
  if (!current) co_return current.error();
  session->runtime().metrics.pool_wait.observe(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - begun).count()));
  std::unique_ptr<ServerFacts> facts;
  PoolTicket slot = std::move(*ticket);
  auto transport = co_await adopt_or_open(session, &slot, std::move(node), &facts);
  if (!transport) co_return transport.error();
  tell_bypass(session, *facts);
  co_return make_link(session, std::move(*transport), std::move(facts), std::move(slot));
}

Status use_as_primary(Session* session, std::unique_ptr<ServerLink> link) {
  session->primary = std::move(link);
  session->active = session->primary.get();
  start_pump(session->shared_from_this());
  return take_state_along(session, session->primary.get());
}

// The node attach_primary() would try first is the one this session had last.
bool same_primary(const Session& session) {
  const Cluster& cluster = session.database->cluster();
  const auto first = cluster.likely_primary();
  return first && is_known(session, cluster.nodes()[*first]);
}

PoolTicket take_at_hand(Session* session) {
  if (!session->pooled || !same_primary(*session) || !outdated(session)) return {};
  PoolTicket ticket =
      session->runtime().broker.take_idle(session->worker(), session->primary_pool.handle);
  if (!ticket.has_server() || ticket.standby()) return {};
  session->statistics.served_at_once();
  session->runtime().metrics.pool_wait.observe(0);
  return ticket;
}

// Nothing of the client's is sent before the settings it is to run under are in force: were they
// refused, it would run under those of the connection's last holder.
bool settled(const Session& session) {
  return !session.primary->awaits_last(Internal::kSettings);
}

// What attach_primary() does where nothing has to be waited for: the connection at hand or, under
// transaction pooling, an idle one of the node used last. nullopt: attach_waiting() has to.
std::optional<Status> attach_at_once(Session* session) {
  Status attached = ok();
  if (session->primary == nullptr) {
    PoolTicket ticket = take_at_hand(session);
    if (!ticket.has_server()) return std::nullopt;
    IdleServer server = ticket.take_server();
    auto transport = server.transport.take(session->worker());
    if (!transport) return make_error(pst::kUpstreamLost);
    attached = use_as_primary(session, make_link(session, std::move(*transport),
                                                 std::move(server.facts), std::move(ticket)));
  } else {
    if (session->primary->broken) return make_error(pst::kUpstreamLost);
    attached = renew_state(session, session->primary.get());
  }
  if (attached && !(settled(*session) && session->primary->cancels == 0)) return std::nullopt;
  return attached;
}

/// While it lives a cancel request is one for what waits here.
class Attaching {
 public:
  explicit Attaching(Session* session) : session_(session) { session_->attaching = true; }
  Attaching(const Attaching&) = delete;
  Attaching& operator=(const Attaching&) = delete;
  ~Attaching() { session_->attaching = session_->cancel_due = false; }

 private:
  Session* session_;
};

Status check_wanted(const Session& session) {
  return session.cancel_due ? Status(make_error(pst::kStatementCancelled)) : ok();
}

// On the connection there is.
Task<Status> settle(Session* session) {
  ServerLink* link = session->primary.get();
  // A cancel request still on its way to the server was not meant for what comes now.
  while (link->cancels > 0) co_await link->cancels_done.wait();
  if (link->broken) co_return make_error(pst::kUpstreamLost);
  if (!settled(*session)) {
    const Status drained = co_await drain_primary(session);
    if (!drained) co_return drained.error();
  }
  co_return check_wanted(*session);
}

Task<Status> attach_waiting(Session* session) {
  const Attaching attaching(session);
  if (session->primary != nullptr) co_return co_await settle(session);
  Error last = make_error(pst::kUpstreamUnavailable);
  const Cluster& cluster = session->database->cluster();
  for (const Endpoint& node : cluster.primary_candidates()) {
    Endpoint copy = node;
    const PoolHandle* pool = primary_pool(session, node);
    Result<std::unique_ptr<ServerLink>> link = co_await acquire(session, pool, std::move(copy));
    const Status wanted = check_wanted(*session);
    if (!wanted) {
      if (link) co_await release_link(session, std::move(*link));
      co_return wanted.error();
    }
    if (!link) {
      last = link.error();
      // A pool whose connections are all in use is one that can be reached.
      if (last.code == pst::kPoolTimeout) co_return last;
      continue;
    }
    if ((*link)->facts().standby && cluster.nodes().size() > 1) {
      (*link)->broken = true;
      co_await release_link(session, std::move(*link));
      last = make_error(pst::kUpstreamUnavailable, "no node of the cluster is a primary");
      continue;
    }
    const Status taken = use_as_primary(session, std::move(*link));
    if (!taken) co_return taken.error();
    co_return co_await settle(session);
  }
  co_return last;
}

}  // namespace

Task<Result<std::unique_ptr<ServerLink>>> acquire_link(Session* session, Endpoint node) {
  const PoolHandle pool = find_pool(session, node);
  co_return co_await acquire(session, &pool, std::move(node));
}

Prompt<Status> attach_primary(Session* session) {
  if (auto attached = attach_at_once(session)) return std::move(*attached);
  return attach_waiting(session);
}

bool arming_due(const Session& session, const ServerLink& link) {
  const auto protection = session.database->protection();
  // Where tenants have schemas the role of the connection says whose it is.
  if (!session.identity.schema.empty()) return false;
  const bool wanted =
      protection != nullptr && protection->is_protected && !session.identity.tenant.is_none();
  if (!wanted) return link.context().issued != 0 && session.identity.tenant.is_none();
  return !link.context().armed || link.context().scope != session.identity.context_scope ||
         policy::past_half_life(link.context().issued, link.context().expiry, unix_micros());
}

namespace {

// Arming starts from the empty context only. Another tenant's gets everything out of its way that
// the session remembers of the one before.
Status empty_context(Session* session, ServerLink* link) {
  TenantContext& context = link->context();
  if (context.issued == 0) return ok();
  const TenantId& tenant = session->identity.tenant;
  const bool same = !tenant.is_none() && context.tenant == tenant.text();
  context = TenantContext{};
  if (same) return add_group(link, policy::kDisarmSql, {}, Internal::kDisarm);
  link->mixed = true;
  POSTERN_TRY(add_plain(link, policy::kForgetSequencesSql));
  return add_group(link, policy::kSwitchSql, {}, Internal::kSwitch);
}

}  // namespace

bool context_holds(const ServerLink& link) {
  return link.context().issued != 0 && link.context().expiry > unix_micros();
}

Status arm_link(Session* session, ServerLink* link) {
  if (signing_key(*session) == nullptr || !session->config().tenant) {
    return make_error(pst::kNoGuardKey);
  }
  POSTERN_TRY(empty_context(session, link));
  const Identity& who = session->identity;
  if (who.tenant.is_none()) return ok();
  const std::int64_t now = unix_micros();
  const std::int64_t life =
      std::chrono::duration_cast<std::chrono::microseconds>(session->config().tenant->expiry)
          .count();
  std::int64_t expiry = now + life;
  if (who.valid_until_us != 0) expiry = std::min(expiry, std::max(who.valid_until_us, now + 1));
  POSTERN_ASSIGN(link->context().expected, make_context(*session, *link, expiry));
  POSTERN_TRY(add_group(link, policy::kArmSql, link->context().expected, Internal::kArm));
  link->context().issued = now;
  link->context().expiry = expiry;
  link->context().tenant = who.tenant.text();
  link->context().scope = who.context_scope;
  link->context().armed = true;
  return ok();
}

namespace {

// The emptied context, confirmed, and DISCARD ALL. False: not fit for a pool. DISCARD ALL comes
// last: as a simple query it also drops the unnamed statement that the group before it leaves.
Task<bool> reset_link(Session* session, ServerLink* link) {
  if (!add_group(link, policy::kReleaseSql, {}, Internal::kDisarm)) co_return false;
  if (!add_plain(link, "DISCARD ALL")) co_return false;
  const Status sent = co_await link->flush();
  if (!sent) co_return false;
  const Status drained = co_await drain_replies(session, link);
  link->prepared().clear();
  link->facts().applied.clear();
  link->context() = TenantContext{};
  co_return drained && !link->broken && link->quiet();
}

void close_link(void* owner) {
  static_cast<ServerLink*>(owner)->transport().close();
}

}  // namespace

Task<void> release_link(Session* session, std::unique_ptr<ServerLink> link) {
  while (link->cancels > 0) co_await link->cancels_done.wait();
  close_open_executions(session, link.get(), make_error(pst::kUpstreamLost));
  bool clean = !link->broken && !link->mixed && link->queue().releasable() && link->out().empty() &&
               link->up_left == 0 &&
               !(session->pooled && has(session->state.pins(), Pin::kUnfollowed));
  if (clean) {
    Deadline deadline(session->worker()->deadlines(), close_link, link.get());
    deadline.arm(SteadyClock::now() + kResetTimeout);
    clean = co_await reset_link(session, link.get());
  }
  give_back(session, std::move(link), clean);
}

void give_back(Session* session, std::unique_ptr<ServerLink> link, bool clean) {
  if (!clean || is_hasty(link->facts().applied)) {
    session->runtime().metrics.servers_closed.add();
    link->transport().close();
    link->ticket().discard();
    return;
  }
  IdleServer server = link->release_server(session->worker());
  link->ticket().release(std::move(server));
}

namespace {

// Who said goodbye wants what it sent before it to be carried out, as a server does. Not what a
// server would not carry out either, or not end: a batch without Sync, a COPY without its end.
Task<void> finish_statements(Session* session) {
  ServerLink* link = session->primary.get();
  const bool whole = session->fsm.state() == protocol::SessionFsm::State::kIdle;
  if (!session->said_goodbye || !whole) co_return;
  while (!link->broken && !link->queue().empty() && !link->queue().in_copy_in()) {
    co_await link->drained.wait();
  }
}

}  // namespace

Task<void> detach_primary(Session* session) {
  if (session->primary == nullptr) co_return;
  co_await finish_statements(session);
  ServerLink* link = session->primary.get();
  // A client that leaves in the middle of something leaves nothing behind: the server learns from
  // the closed socket, and a running statement is cancelled.
  if (!link->queue().empty() || link->up_left > 0) {
    cancel_statement(session->shared_from_this());
    link->broken = true;
  }
  link->stop_pump = true;
  if (link->broken) {
    link->transport().close();
  } else {
    link->transport().interrupt();
  }
  while (link->pumping) co_await link->stopped.wait();
  const bool as_it_is = session->pooled && link->quiet() && link->out_empty() && !link->broken &&
                        !link->mixed && link->cancels == 0 && session->state.pins() == Pin::kNone &&
                        !session->state.suspect();
  if (as_it_is) co_return give_back(session, std::move(session->primary), true);
  co_await release_link(session, std::move(session->primary));
}

namespace {

// Only what the client sent is its to cancel.
bool is_cancellable(ServerLink* link) {
  bool cancellable = false;
  link->each_unit([&](const Unit& unit) {
    cancellable =
        cancellable || unit.internal == Internal::kNone || unit.internal == Internal::kCopy;
  });
  return cancellable;
}

// One at a time, whatever a client sends: requests that come meanwhile are one more, if there is
// still something to cancel then.
Task<void> run_cancel(SessionPtr session, ServerLink* link) {
  for (bool again = true; again;) {
    link->cancels = 1;
    UpstreamTarget target = cancel_target(link->facts());
    const std::uint32_t pid = link->facts().backend_pid;
    Bytes key = link->facts().cancel_key;
    session->runtime().metrics.cancels.add();
    co_await send_cancel(session->worker(), std::move(target), pid, std::move(key));
    again = link->cancels > 1 && !link->broken && is_cancellable(link);
  }
  link->cancels = 0;
  link->cancels_done.set();
}

}  // namespace

void cancel_statement(const SessionPtr& session) {
  ServerLink* link = session->reading != nullptr ? session->reading : session->primary.get();
  // What the session is and what it left behind is asked and set undisturbed.
  const bool busy = link != nullptr && !link->awaits(Internal::kSettings) && is_cancellable(link);
  if (!busy) {
    // What waits for its server connection, or for the settings there, has not been sent.
    if (session->attaching && session->reading == nullptr) session->cancel_due = true;
    return;
  }
  if (link->facts().cancel_key.empty() || link->awaits(Internal::kState)) return;
  if (link->cancels > 0) {
    link->cancels = 2;
    return;
  }
  link->cancels = 1;
  session->worker()->spawn(run_cancel(session, link));
}

}  // namespace postern::proxy
