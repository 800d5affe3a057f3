#include "proxy/console/gather.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <malloc.h>
#include <set>
#include <unistd.h>
#include <utility>

#include "base/codes/session.hpp"
#include "config/key.hpp"
#include "protocol/error_message.hpp"
#include "proxy/console/tables.hpp"
#include "proxy/console/visit.hpp"
#include "proxy/session/replication.hpp"
#include "proxy/session/replies.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy::console {
namespace {

using Steady = std::chrono::steady_clock;

std::int64_t unix_micros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::int64_t micros(Steady::duration span) {
  return std::chrono::duration_cast<std::chrono::microseconds>(span).count();
}

// A point of the steady clock on the wall.
std::int64_t on_the_wall(Steady::time_point at) {
  if (at == Steady::time_point()) return 0;
  return unix_micros() - micros(Steady::now() - at);
}

std::string tls_of(Transport& transport) {
  return transport.tls() == nullptr ? "" : transport.tls()->version();
}

std::string profile_word(const Session& session) {
  if (session.database == nullptr) return {};
  const config::Config& config = *session.context->runtime->config;
  const config::Profile profile =
      config::effective_profile(config, session.identity.login, session.database->name());
  return std::string(config::profile_names()[static_cast<std::size_t>(profile)]);
}

std::string client_state(const Session& session) {
  if (session.identity.login.empty()) return "login";
  if (session.statistics.waiting()) return "waiting";
  return session.primary != nullptr || session.statistics.busy() ? "active" : "idle";
}

SocketRow common_row(Session& session, std::size_t worker) {
  SocketRow row;
  row.user = session.identity.login;
  row.database = session.database != nullptr ? session.database->name()
                 : session.on_console        ? std::string(config::kConsoleDatabase)
                                             : std::string();
  row.id = session.id;
  row.application = session.identity.application;
  row.tenant = std::string(session.identity.tenant.text());
  row.profile = profile_word(session);
  row.worker = worker;
  row.busy = session.statistics.busy();
  row.connected_us = on_the_wall(session.statistics.connected_at());
  row.request_us = on_the_wall(session.statistics.request_at());
  return row;
}

SocketRow client_row(Session& session, std::size_t worker) {
  SocketRow row = common_row(session, worker);
  row.state = client_state(session);
  row.address = session.identity.address;
  row.tls = tls_of(session.client);
  row.prepared = session.statements.size();
  if (session.statistics.waiting()) {
    row.wait_us = micros(Steady::now() - session.statistics.waiting_since());
  }
  if (session.primary != nullptr) row.pinned_by = pin_text(session.primary->pins.value());
  return row;
}

SocketRow server_row(Session& session, ServerLink& link, std::size_t worker) {
  SocketRow row = common_row(session, worker);
  row.server = true;
  row.user = session.identity.upstream_user;
  row.state = "active";
  row.busy = !link.queue().empty();
  row.address = link.facts().endpoint.text();
  row.connected_us = link.facts().backend_start;
  row.remote_pid = link.facts().backend_pid;
  row.tls = tls_of(link.transport());
  row.prepared = link.prepared().size();
  row.replica = &link == session.replica.get();
  return row;
}

// On the worker's thread.
void look_at_sessions(WorkerContext& context, std::size_t worker, bool with_servers,
                      Snapshot& into) {
  for (Session* session : context.sessions) {
    into.clients.push_back(client_row(*session, worker));
    const std::string& pinned_by = into.clients.back().pinned_by;
    if (!pinned_by.empty()) {
      into.pinned.push_back({session->id, session->primary->facts().backend_pid, pinned_by});
    }
    for (ServerLink* link : {session->primary.get(), session->replica.get()}) {
      if (link != nullptr && with_servers)
        into.servers.push_back(server_row(*session, *link, worker));
    }
  }
}

// Likewise. There may be hundreds a client.
void look_at_statements(const WorkerContext& context, Snapshot& into) {
  for (const Session* session : context.sessions) {
    for (const auto& [name, statement] : session->statements) {
      if (statement->gone) continue;
      const std::size_t bytes =
          statement->analysed != nullptr ? statement->analysed->text.size() : 0;
      into.prepared.push_back({session->id, session->identity.login, session->database->name(),
                               name, bytes, statement->server_name});
    }
  }
}

std::string mode_word(config::PoolMode mode) {
  constexpr std::string_view kWords[] = {"session", "transaction", "statement"};
  return std::string(kWords[static_cast<std::size_t>(mode)]);
}

DatabaseRow database_row(const Console& console, const std::string& name,
                         const config::DatabaseOptions& options) {
  const Runtime& runtime = console.runtime();
  DatabaseRow row;
  row.name = name;
  row.upstream = name == "*" ? options.upstream : config::upstream_database(options, name);
  row.user = options.user;
  row.pool_size = options.pool_size;
  row.mode = mode_word(options.pool_mode);
  row.cluster = options.cluster;
  row.is_protected = config::is_protected(*runtime.config, name);
  const auto cluster = runtime.config->clusters.find(options.cluster);
  if (cluster != runtime.config->clusters.end() && !cluster->second.nodes.empty()) {
    row.host = cluster->second.nodes.front().host;
    row.port = cluster->second.nodes.front().port;
  }
  const Sources& sources = console.sources();
  row.paused = sources.is_paused && sources.is_paused(name);
  row.disabled = sources.is_disabled && sources.is_disabled(name);
  return row;
}

// Those configured, then those clients asked for under "*".
void add_databases(const Console& console, Snapshot& into) {
  const config::Config& config = *console.runtime().config;
  for (const auto& [name, options] : config.databases) {
    into.databases.push_back(database_row(console, name, options));
  }
  for (const Database* database : console.runtime().databases.databases()) {
    if (config.databases.contains(database->name())) continue;
    into.databases.push_back(database_row(console, database->name(), database->options()));
  }
}

void add_users(const config::Config& config, Snapshot& into) {
  constexpr std::string_view kRoles[] = {"", "stats", "admin"};
  for (const auto& [name, options] : config.users) {
    UserRow row;
    row.name = name;
    row.profile = std::string(config::profile_names()[static_cast<std::size_t>(options.profile)]);
    row.tenant = std::string(options.tenant.text());
    const Role role = role_of(name, config.admin.admin_users, config.admin.stats_users);
    row.console = std::string(kRoles[static_cast<std::size_t>(role)]);
    into.users.push_back(std::move(row));
  }
}

std::string role_word(NodeRole role) {
  switch (role) {
    case NodeRole::kPrimary:
      return "primary";
    case NodeRole::kReplica:
      return "replica";
    case NodeRole::kDown:
      return "down";
    case NodeRole::kUnknown:
      break;
  }
  return "unknown";
}

void add_nodes(const Runtime& runtime, Snapshot& into) {
  for (const Cluster* cluster : runtime.databases.clusters()) {
    const auto state = cluster->state();
    for (std::size_t i = 0; i < cluster->nodes().size(); ++i) {
      const NodeState& known = state->nodes[i];
      NodeRow row;
      row.cluster = cluster->name();
      row.host = cluster->options().nodes[i].host;
      row.node = cluster->nodes()[i].text();
      row.role = role_word(known.role);
      row.timeline = known.timeline;
      row.position = known.position;
      constexpr std::int64_t kMicrosPerMilli = 1'000;
      if (known.probed != Steady::time_point()) {
        row.probed_ms = micros(Steady::now() - known.probed) / kMicrosPerMilli;
      }
      into.nodes.push_back(std::move(row));
    }
  }
}

// Both enumerations have one order.
template <typename Mode>
std::string mode_word(Mode mode) {
  constexpr std::string_view kModes[] = {"observe", "gate", "enforce", "pinned"};
  return std::string(kModes[static_cast<std::size_t>(mode)]);
}

// The mode is that of the rules in force: behind a reload they are loaded with the catalog.
void add_protection(const Runtime& runtime, Snapshot& into) {
  for (const Database* database : runtime.databases.databases()) {
    ProtectionRow row;
    row.database = database->name();
    row.is_protected = config::is_protected(*runtime.config, database->name());
    if (row.is_protected) row.mode = mode_word(runtime.config->policy.mode);
    if (const auto protection = database->protection()) {
      if (row.is_protected && protection->rules != nullptr) {
        row.mode = mode_word(protection->rules->mode);
      }
      row.loaded = true;
      row.is_protected = protection->is_protected;
      row.epoch = protection->epoch;
      if (protection->blocked) {
        row.blocked = pst_label(protection->blocked->code);
        row.reason = protection->blocked->message();
      }
    }
    into.protection.push_back(std::move(row));
  }
}

void add_cache(const Runtime& runtime, Snapshot& into) {
  const Metrics& metrics = runtime.metrics;
  const auto add = [&](const char* name, std::uint64_t value) {
    into.cache.emplace_back(name, static_cast<std::int64_t>(value));
  };
  add("enabled", runtime.cache != nullptr ? 1 : 0);
  add("hits", metrics.cache_hits.value());
  add("misses", metrics.cache_misses.value());
  add("fills", metrics.cache_fills.value());
  add("invalidations", metrics.cache_invalidations.value());
  add("errors", metrics.cache_errors.value());
}

void add_audit(const Runtime& runtime, Snapshot& into) {
  const auto add = [&](const char* key, std::string value) {
    into.audit.emplace_back(key, std::move(value));
  };
  add("enabled", runtime.audit != nullptr ? "yes" : "no");
  if (runtime.audit == nullptr) return;
  constexpr const char* kStates[] = {"running", "failed", "stopped"};
  const audit::LogStats stats = runtime.audit->stats();
  add("state", kStates[static_cast<std::size_t>(runtime.audit->state())]);
  add("failure", runtime.audit->failure().what);
  add("appended", std::to_string(stats.appended));
  add("durable", std::to_string(stats.durable));
  add("syncs", std::to_string(stats.syncs));
  add("checkpoints", std::to_string(stats.checkpoints));
  add("refused_busy", std::to_string(stats.refused_busy));
  add("anchors_pending", std::to_string(stats.anchors_pending));
  add("queued", std::to_string(stats.queued));
}

std::int64_t resident_bytes() {
  long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * ::sysconf(_SC_PAGESIZE);
}

void add_memory(Snapshot& into) {
  const struct mallinfo2 heap = ::mallinfo2();
  into.memory = {{"resident", resident_bytes()},
                 {"heap_used", static_cast<std::int64_t>(heap.uordblks)},
                 {"heap_free", static_cast<std::int64_t>(heap.fordblks)},
                 {"mapped", static_cast<std::int64_t>(heap.hblkhd)}};
}

void add_local(const Console& console, Verb verb, Snapshot& into) {
  const Runtime& runtime = console.runtime();
  into.now_us = unix_micros();
  into.listen_address = runtime.config->listen.address;
  into.listen_port = runtime.config->listen.port;
  into.stopping = runtime.stopping;
  into.paused = console.sources().is_paused && console.sources().is_paused("");
  into.stats = runtime.statistics.by_database(Steady::now());
  if (console.sources().pools) into.pools = console.sources().pools();
  if (console.sources().servers) into.servers = console.sources().servers();
  add_databases(console, into);
  add_users(*runtime.config, into);
  add_nodes(runtime, into);
  add_protection(runtime, into);
  add_cache(runtime, into);
  add_audit(runtime, into);
  if (verb == Verb::kShowRefusals) into.refusals = refusals().sums();
  if (runtime.config->peers) into.peers = runtime.config->peers->peers.size() + 1;
  if (verb == Verb::kShowMem) add_memory(into);
  if (verb == Verb::kShowConfig) into.config = config_rows(*runtime.config);
}

// Says goodbye where a message may begin, then closes.
Task<void> end_client(SessionPtr session) {
  session->ending = true;
  // During a login, and in a stream of replication, others write to the client.
  const bool hears = session->serving && session->replication == nullptr && !amid_message(*session);
  if (hears) {
    const Error error = make_error(pst::kEndedByAdmin);
    protocol::append_error(session->out.pending().own(), error, protocol::Report::kFatal);
    constexpr std::chrono::seconds kFarewellTime{5};
    session->deadline.arm(SteadyClock::now() + kFarewellTime);
    (void)co_await session->out.flush();
  }
  session->client.close();
}

}  // namespace

Task<Snapshot> gather(const Console* console, Worker* home, Verb verb) {
  Snapshot snapshot;
  add_local(*console, verb, snapshot);
  const Visit visit = visit_of(verb);
  if (visit == Visit::kNone) co_return snapshot;
  Snapshot* into = &snapshot;
  std::function<void(WorkerContext&)> look = [into, console, visit](WorkerContext& context) {
    if (visit == Visit::kStatements) return look_at_statements(context, *into);
    const auto& all = console->workers();
    const auto index = std::find(all.begin(), all.end(), &context) - all.begin();
    look_at_sessions(context, static_cast<std::size_t>(index), !console->sources().servers, *into);
  };
  co_await visit_workers(console, home, std::move(look));
  mark_pinned(snapshot);
  const auto by_id = [](const SocketRow& a, const SocketRow& b) { return a.id < b.id; };
  std::stable_sort(snapshot.clients.begin(), snapshot.clients.end(), by_id);
  std::stable_sort(snapshot.servers.begin(), snapshot.servers.end(), by_id);
  co_return snapshot;
}

Task<bool> kill_client(const Console* console, Worker* home, std::uint64_t id) {
  bool found = false;
  bool* told = &found;
  std::function<void(WorkerContext&)> look = [told, id](WorkerContext& context) {
    for (Session* session : context.sessions) {
      if (session->id != id) continue;
      *told = true;
      context.worker->spawn(end_client(session->shared_from_this()));
    }
  };
  co_await visit_workers(console, home, std::move(look));
  co_return found;
}

}  // namespace postern::proxy::console
