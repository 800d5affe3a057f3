#include "proxy/session/replication.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/codes/pool.hpp"
#include "base/codes/wire.hpp"
#include "protocol/error_message.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/credentials.hpp"
#include "proxy/session/link.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

constexpr std::size_t kRelayBuffer = 64 * 1024;
/// For the last bytes to a client whose session ends.
constexpr std::chrono::seconds kFarewellTime{5};

// Rules about tables and columns that may concern any database of the cluster. Those of databases
// that nobody serves count: what they were meant for is not known.
bool cluster_is_protected(const config::Config& config, std::string_view cluster) {
  if (config.tenant) return true;
  const auto concerns = [&](const auto& rule) {
    const config::DatabaseOptions* database = config::find_database(config, rule.database);
    return rule.database == "*" || database == nullptr || database->cluster == cluster;
  };
  return std::any_of(config.tables.begin(), config.tables.end(), concerns) ||
         std::any_of(config.columns.begin(), config.columns.end(), concerns);
}

bool sees_everything(config::Profile profile) {
  return profile == config::Profile::kAdmin || profile == config::Profile::kBackup;
}

UpstreamTarget target_of(Session* session, const Endpoint& node, protocol::Replication kind) {
  UpstreamTarget target = session->database->cluster().target(node);
  target.database = session->database->upstream();
  give_credentials(session, &target);
  target.parameters = session->identity.startup;
  const bool logical = kind == protocol::Replication::kLogical;
  target.parameters.emplace_back("replication", logical ? "database" : "true");
  target.learns = false;  // a physical replication backend runs no queries
  return target;
}

Error open_error(const UpstreamFailure& failure) {
  Error error = failure.error;
  if (failure.server) {
    error.what = std::string(failure.server->get(protocol::kFieldSqlstate)) + " " +
                 std::string(failure.server->get(protocol::kFieldMessage));
  }
  return error;
}

// Copies until the reading side ends; the number of bytes.
Task<void> copy_bytes(Transport* from, Transport* to, std::uint64_t* copied) {
  std::vector<char> buffer(kRelayBuffer);
  for (;;) {
    const Result<std::size_t> got = co_await from->read_some(buffer.data(), buffer.size());
    if (!got || *got == 0) co_return;
    const ByteView view(buffer.data(), *got);
    const Status sent = co_await to->write(view);
    if (!sent) co_return;
    *copied += *got;
  }
}

Task<void> copy_to_client(SessionPtr session) {
  ReplicationLink* link = session->replication.get();
  co_await copy_bytes(&link->server, &session->client, &link->sent);
  link->done = true;
  link->ended.set();
  // The other direction waits for a client that has nobody to talk to any more.
  session->client.interrupt();
}

Task<void> copy_both(Session* session) {
  ReplicationLink* link = session->replication.get();
  // A client may have sent its first command behind its login.
  const ByteView early = session->input.unread();
  Status sent = ok();
  if (!early.empty()) sent = co_await link->server.write(early);
  session->input.consume(early.size());
  session->input.trim();
  session->worker()->spawn(copy_to_client(session->shared_from_this()));
  std::uint64_t received = 0;
  if (sent && !link->done) co_await copy_bytes(&session->client, &link->server, &received);
  // What the server still says is for nobody: the client is gone, or Postern stops. A client that
  // no longer reads must not hold this up.
  link->server.close();
  session->deadline.arm(SteadyClock::now() + kFarewellTime);
  while (!link->done) co_await link->ended.wait();
}

std::shared_ptr<Execution> opaque_execution(Session* session) {
  auto execution = std::make_shared<Execution>();
  execution->analysed = std::make_shared<const AnalysedText>();
  execution->started = Clock::now();
  execution->node = session->replication->facts->endpoint.text();
  return execution;
}

}  // namespace

Status permit_replication(Session* session) {
  const config::Config& config = session->config();
  const Identity& who = session->identity;
  const bool permitted =
      session->runtime().users.options(who.login).replication || who.rule_replication;
  if (!permitted) return make_error(pst::kReplicationRefused, "\"" + who.login + "\"");
  const std::string& database = session->database->name();
  // PostgreSQL serves BASE_BACKUP and physical streams on logical connections too: either kind
  // shows the whole cluster.
  const bool is_protected = cluster_is_protected(config, session->database->cluster().name());
  if (!is_protected || sees_everything(config::effective_profile(config, who.login, database))) {
    return ok();
  }
  return make_error(pst::kReplicationRefused, "it would show what is protected");
}

Task<Status> open_replication(Session* session, protocol::Replication kind) {
  Error last = make_error(pst::kUpstreamUnavailable);
  for (const Endpoint& node : session->database->cluster().primary_candidates()) {
    UpstreamTarget target = target_of(session, node, kind);
    OpenResult opened = co_await open_server(session->worker(), std::move(target));
    if (const auto* failure = std::get_if<UpstreamFailure>(&opened)) {
      last = open_error(*failure);
      continue;
    }
    auto& server = std::get<OpenedServer>(opened);
    session->runtime().metrics.servers_opened.add();
    if (server.facts->standby && session->database->cluster().nodes().size() > 1) {
      last = make_error(pst::kUpstreamUnavailable, "no node of the cluster is a primary");
      continue;
    }
    session->replication = std::make_unique<ReplicationLink>(std::move(server), session->worker());
    co_return ok();
  }
  co_return last;
}

const ServerFacts* replication_facts(const Session& session) {
  return session.replication->facts.get();
}

Task<void> relay_replication(Session* session) {
  auto execution = opaque_execution(session);
  const Status opened = co_await open_intents(session, execution.get());
  if (opened) {
    log_info("replication_begins", {{"session", session->id},
                                    {"user", session->identity.login},
                                    {"client", session->identity.address}});
    co_await copy_both(session);
  } else {
    protocol::append_error(session->out.pending().own(), opened.error(), protocol::Report::kFatal);
    (void)co_await session->out.flush();
  }
  log_info("replication_ended", {{"session", session->id}, {"bytes", session->replication->sent}});
  end_execution(session, *execution, opened ? audit::State::kOk : audit::State::kError);
  session->runtime().metrics.servers_closed.add();
}

void cancel_replication(const SessionPtr& session) {
  const ServerFacts& facts = *session->replication->facts;
  if (facts.cancel_key.empty()) return;
  session->runtime().metrics.cancels.add();
  UpstreamTarget target = cancel_target(facts);
  Bytes key = facts.cancel_key;
  session->worker()->spawn(
      send_cancel(session->worker(), std::move(target), facts.backend_pid, std::move(key)));
}

}  // namespace postern::proxy
