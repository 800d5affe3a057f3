#include "proxy/server.hpp"

#include <csignal>
#include <optional>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "config/guard_key.hpp"
#include "config/load.hpp"
#include "crypto/hash.hpp"
#include "crypto/init.hpp"
#include "proxy/admin/console_wiring.hpp"
#include "proxy/admin/metrics_listener.hpp"
#include "proxy/alerts/alerts.hpp"
#include "proxy/net/acceptor.hpp"
#include "proxy/net/socket_file.hpp"
#include "proxy/net/systemd.hpp"
#include "proxy/peers/peer_listener.hpp"
#include "proxy/peers/peers.hpp"
#include "proxy/reload.hpp"
#include "proxy/runtime/pool_care.hpp"
#include "proxy/runtime/runtime.hpp"
#include "proxy/runtime/shapes.hpp"
#include "proxy/session/session.hpp"
#include "proxy/session/vanished.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

constexpr std::chrono::milliseconds kStopPoll{20};

std::size_t worker_count(const config::Config& config) {
  if (config.listen.workers != 0) return config.listen.workers;
  return std::max(1u, std::thread::hardware_concurrency());
}

WorkerOptions worker_options() {
  WorkerOptions options;
  options.on_failure = [](const std::string& what) {
    log_error("worker_failure", {{"error", what}});
  };
  return options;
}

std::string host_name() {
  char host[256] = "localhost";
  ::gethostname(host, sizeof host - 1);
  return host;
}

Result<std::unique_ptr<audit::Log>> open_audit(const config::Config& config) {
  audit::LogOptions options;
  options.folder = config.audit->dir.path;
  options.origin = host_name() + "/postern";
  options.key_file = config.audit->key_file.path;
  options.anchor_file = config.audit->anchor_file.path;
  options.segment_bytes = config.audit->segment_bytes.bytes;
  options.flush_interval = config.audit->flush_interval;
  options.now_us = [] {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  return audit::open_log(std::move(options));
}

// Instances that share a Redis must agree on names: the guard key is what they have in common.
std::unique_ptr<ResultCache> open_cache(Runtime& runtime) {
  const config::Config& config = *runtime.config;
  CacheSetup setup = make_cache_setup(*config.cache, &runtime.metrics);
  if (runtime.guard_key != nullptr) {
    const auto secret = crypto::hmac_sha256(runtime.guard_key->reveal(), "postern cache names 1");
    setup.secret = Secret(secret.bytes());
  } else {
    constexpr std::size_t kSecretBytes = 32;
    setup.secret = crypto::random_secret(kSecretBytes);
  }
  setup.instance = host_name() + ":" + std::to_string(config.listen.port);
  return std::make_unique<ResultCache>(std::move(setup));
}

Status open_runtime(Runtime& runtime) {
  const config::Config& config = *runtime.config;
  runtime.mock_key = crypto::random_bytes(protocol::kScramKeyBytes);
  runtime.statement_key = crypto::random_secret(protocol::kScramKeyBytes);
  POSTERN_TRY(runtime.users.open(config));
  POSTERN_ASSIGN(runtime.auth, AuthServices::open(config));
  POSTERN_TRY(runtime.databases.open(config));
  POSTERN_ASSIGN(auto client_tls, open_client_tls(config.listen.tls));
  runtime.client_tls.store(std::move(client_tls));
  if (config.keys) {
    POSTERN_ASSIGN(runtime.keys, KeyService::open(*config.keys));
  }
  if (config.tenant && !config.tenant->guard_key_file.empty()) {
    POSTERN_ASSIGN(Secret key, config::load_guard_key(config.tenant->guard_key_file.path));
    runtime.guard_key = std::make_shared<const Secret>(std::move(key));
  }
  runtime.instance = to_hex(crypto::random_bytes(8));
  if (config.cache) runtime.cache = open_cache(runtime);
  runtime.parsers = std::make_unique<sql::ParserPool>();
  sql::ParserPoolOptions parsers;
  parsers.threads = config.limits.parser_threads;
  parsers.queue = config.limits.parser_queue;
  POSTERN_TRY(runtime.parsers->start(parsers));
  POSTERN_TRY(open_alerts(&config.alerts, host_name()));
  if (config.audit) {
    POSTERN_ASSIGN(runtime.audit, open_audit(config));
  }
  if (config.peers) {
    POSTERN_ASSIGN(runtime.peers, Peers::open(*config.peers));
    runtime.cancels.route_by(&runtime.peers->keys());
  }
  return ok();
}

}  // namespace

/// Destroyed from the last member to the first: the workers, whose sessions use everything else,
/// stop in ~Server before anything goes.
struct Server::State {
  explicit State(std::shared_ptr<const config::Config> config)
      : workers(worker_count(*config), worker_options()), home(worker_options()) {
    runtime.config.adopt(std::move(config));
  }
  /// Or is about to: what an acceptor took counts from the moment it was taken.
  bool serves_somebody() {
    for (const Acceptor& acceptor : acceptors) {
      if (!acceptor.stopped()) return true;
    }
    for (std::size_t i = 0; i < workers.size(); ++i) {
      if (workers.at(i).load() > 0) return true;
    }
    return false;
  }
  Runtime runtime;
  std::vector<std::unique_ptr<WorkerContext>> contexts;
  std::unique_ptr<console::Console> console;
  WorkerGroup workers;
  std::optional<Reloader> reloader;  ///< and the monitors
  Worker home;  ///< accepts for several workers, monitors, keeps catalogs, answers /metrics
  std::vector<Acceptor> acceptors;
  std::optional<SocketFile> socket_file;
  std::optional<MetricsListener> metrics;
  std::optional<PeerListener> peers;  ///< also while stopping: sessions then are busy ones
};

namespace {

WorkerContext* context_of(const std::vector<std::unique_ptr<WorkerContext>>& contexts,
                          const Worker& worker) {
  for (const auto& context : contexts) {
    if (context->worker == &worker) return context.get();
  }
  POSTERN_CHECK(false);
  return nullptr;
}

// Blocked before the first thread starts, so that only the main thread takes them.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Averages of the console are those of one to two periods.
Task<void> turn_statistics(Runtime* runtime, Worker* home) {
  Timer timer(home->executor());
  for (;;) {
    timer.expires_after(runtime->config->admin.stats_period);
    auto operation = timer.async_wait(kAwait);
    co_await std::move(operation);
    runtime->statistics.turn(SteadyClock::now());
  }
}

void log_start(const Runtime& runtime, std::uint16_t port) {
  for (const std::string& warning : config::startup_warnings(*runtime.config)) {
    log_warning("unprotected", {{"what", warning}});
  }
  log_info("serving", {{"address", runtime.config->listen.address},
                       {"port", static_cast<int>(port)},
                       {"version", POSTERN_VERSION}});
}

// Each connection goes to a session on the worker chosen for it.
AcceptorOptions session_acceptor(const std::vector<std::unique_ptr<WorkerContext>>* contexts) {
  AcceptorOptions options;
  options.on_trouble = [](const Error& error) { log_failure("accept_paused", error); };
  options.on_connection = [contexts](Worker& worker, UnboundTransport unbound, LoadTicket load) {
    WorkerContext* context = context_of(*contexts, worker);
    worker.spawn(serve_client(context, std::move(unbound), std::move(load)));
  };
  return options;
}

// Signs of life of the home worker, which everything else needs.
Task<void> feed_watchdog(Worker* home, std::chrono::microseconds interval) {
  Timer timer(home->executor());
  for (;;) {
    notify_manager("WATCHDOG=1");
    timer.expires_after(interval);
    auto operation = timer.async_wait(kAwait);
    co_await std::move(operation);
  }
}

}  // namespace

Status Server::open_listeners(State& state) {
  const config::ListenOptions& listen = state.runtime.config->listen;
  AcceptorOptions inherited = session_acceptor(&state.contexts);
  inherited.sockets = inherited_sockets();
  if (!inherited.sockets.empty()) {
    log_info("sockets_inherited", {{"count", static_cast<std::int64_t>(inherited.sockets.size())}});
    return add_acceptor(state, std::move(inherited));
  }
  AcceptorOptions options = session_acceptor(&state.contexts);
  options.reuse_port = listen.so_reuseport;
  options.listen.host = listen.address;
  options.listen.port = listen.port;
  POSTERN_TRY(add_acceptor(state, std::move(options)));
  if (listen.unix_socket_dir.empty()) return ok();
  SocketFile::Options place;
  place.dir = listen.unix_socket_dir;
  place.port = state.acceptors.front().port();
  place.mode = static_cast<mode_t>(std::stoul(listen.unix_socket_mode, nullptr, 8));
  place.take_over = listen.so_reuseport;
  POSTERN_ASSIGN(SocketFile file, SocketFile::open(place));
  state.socket_file.emplace(std::move(file));
  AcceptorOptions local = session_acceptor(&state.contexts);
  local.sockets.push_back(state.socket_file->take());
  log_info("unix_socket", {{"path", state.socket_file->path()}});
  return add_acceptor(state, std::move(local));
}

Status Server::add_acceptor(State& state, AcceptorOptions options) {
  // One worker accepts for itself: to be handed each connection by another thread costs it a wake.
  Worker& accepting = state.workers.size() == 1 ? state.workers.at(0) : state.home;
  POSTERN_ASSIGN(Acceptor acceptor, Acceptor::open(accepting, state.workers, std::move(options)));
  state.acceptors.push_back(std::move(acceptor));
  return ok();
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Server>> Server::open(std::shared_ptr<const config::Config> config) {
  // A thread that left them open would die of a signal that comes while the main thread is busy.
  block_signals();
  POSTERN_TRY(crypto::init());
  auto state = std::make_unique<State>(std::move(config));
  Runtime& runtime = state->runtime;
  POSTERN_TRY(open_runtime(runtime));
  POSTERN_TRY(shapes().configure(runtime.config->policy));
  runtime.keeper = std::make_unique<Keeper>(runtime.config.get(), &state->home);
  if (runtime.config->admin.console) {
    state->console = make_console(&runtime);
    runtime.console = state->console.get();
  }
  runtime.auth->start_query(runtime.config->auth, runtime.databases, &state->home);
  for (std::size_t i = 0; i < state->workers.size(); ++i) {
    Worker* worker = &state->workers.at(i);
    state->contexts.push_back(std::make_unique<WorkerContext>(&runtime, worker));
    if (state->console != nullptr) state->console->add_worker(state->contexts.back().get());
    if (runtime.audit) state->contexts.back()->audit_waiters.connect(runtime.audit.get(), worker);
  }
  std::vector<WorkerContext*> contexts;
  for (const auto& context : state->contexts) contexts.push_back(context.get());
  state->reloader.emplace(&runtime, &state->home, std::move(contexts));
  runtime.reloader = &*state->reloader;
  POSTERN_TRY(open_listeners(*state));
  if (runtime.config->metrics) {
    POSTERN_ASSIGN(MetricsListener listener, MetricsListener::open(&state->home, &runtime));
    state->metrics.emplace(std::move(listener));
  }
  if (runtime.peers) {
    const PeerListener::Parts parts{&state->home, runtime.peers.get(), &runtime.cancels,
                                    runtime.config->listen.so_reuseport};
    POSTERN_ASSIGN(PeerListener listener, PeerListener::open(*runtime.config->peers, parts));
    state->peers.emplace(std::move(listener));
  }
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Status Server::run() {
  const sigset_t signals = block_signals();
  State& state = *state_;
  state.workers.start();
  state.home.start();
  state.reloader->start();
  for (const auto& context : state.contexts) context->worker->spawn(watch_hosts(context.get()));
  state.home.spawn(care_for_pools(&state.runtime, &state.home));
  state.home.spawn(turn_statistics(&state.runtime, &state.home));
  if (const auto interval = watchdog_interval()) {
    state.home.spawn(feed_watchdog(&state.home, *interval));
  }
  log_start(state.runtime, state.acceptors.front().port());
  notify_manager("READY=1");
  int signal = 0;
  do {
    sigwait(&signals, &signal);
    if (signal == SIGHUP) {
      notify_manager("RELOADING=1");
      state.reloader->reload();
      notify_manager("READY=1");
    }
  } while (signal == SIGHUP);

  log_info("stopping", {{"clients", state.runtime.metrics.clients.value()}});
  state.runtime.stopping = true;
  notify_manager("STOPPING=1");
  for (Acceptor& acceptor : state.acceptors) acceptor.drain();
  const auto give_up = SteadyClock::now() + state.runtime.config->limits.shutdown_timeout;
  while (state.serves_somebody() && SteadyClock::now() < give_up) {
    for (const auto& context : state.contexts) wake_sessions(context.get());
    constexpr long kNanosPerMilli = 1'000'000;
    const timespec pause{0, kStopPoll.count() * kNanosPerMilli};
    signal = sigtimedwait(&signals, nullptr, &pause);
    if (signal == SIGTERM || signal == SIGINT) break;
  }
  state.runtime.broker.shut_down();
  for (const auto& context : state.contexts) context->audit_waiters.disconnect();
  Status closed = ok();
  if (state.runtime.audit != nullptr) closed = state.runtime.audit->stop();
  log_info("stopped");
  return closed;
}

Server::~Server() {
  State& state = *state_;
  if (state.reloader) state.reloader->stop();
  for (Acceptor& acceptor : state.acceptors) acceptor.stop();
  state.metrics.reset();
  state.peers.reset();
  state.home.stop();
  state.workers.stop();
  state.home.join();
  state.workers.join();
  state.home.destroy_sessions();
  for (std::size_t i = 0; i < state.workers.size(); ++i) state.workers.at(i).destroy_sessions();
  // Their timers belong to the home worker, which goes with the state.
  state.reloader.reset();
  state.runtime.keeper.reset();
  state.runtime.auth.reset();
  close_alerts();
}

}  // namespace postern::proxy
