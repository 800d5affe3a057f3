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
#include "proxy/admin/metrics_listener.hpp"
#include "proxy/net/acceptor.hpp"
#include "proxy/route/monitor.hpp"
#include "proxy/runtime/runtime.hpp"
#include "proxy/session/session.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

constexpr std::chrono::milliseconds kStopPoll{20};
constexpr std::chrono::seconds kExpiryInterval{1};

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

Result<std::unique_ptr<const TlsContext>> open_tls(const config::ListenTlsOptions& tls) {
  TlsServerSettings settings;
  settings.cert_file = tls.cert_file.path;
  settings.key_file = tls.key_file.path;
  settings.client_ca_file = tls.client_ca_file.path;
  settings.require_client_cert =
      !tls.client_ca_file.empty() && tls.client_cert == config::ClientCertMode::kRequire;
  POSTERN_ASSIGN(TlsContext context, TlsContext::server(settings));
  return std::make_unique<const TlsContext>(std::move(context));
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
  POSTERN_TRY(runtime.users.open(config));
  POSTERN_ASSIGN(runtime.auth, AuthServices::open(config.auth));
  POSTERN_TRY(runtime.databases.open(config));
  if (config.listen.tls.mode != config::ClientTlsMode::kDisable) {
    POSTERN_ASSIGN(runtime.client_tls, open_tls(config.listen.tls));
  }
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
  POSTERN_TRY(runtime.parsers->start({}));
  if (config.audit) {
    POSTERN_ASSIGN(runtime.audit, open_audit(config));
  }
  return ok();
}

}  // namespace

/// Destroyed from the last member to the first: the workers, whose sessions use everything else,
/// stop in ~Server before anything goes.
struct Server::State {
  explicit State(std::shared_ptr<const config::Config> config)
      : workers(worker_count(*config), worker_options()), home(worker_options()) {
    runtime.config = std::move(config);
  }
  Runtime runtime;
  std::vector<std::unique_ptr<WorkerContext>> contexts;
  WorkerGroup workers;
  std::vector<std::unique_ptr<Monitor>> monitors;
  Worker home;  ///< accepts, monitors, keeps catalogs, answers /metrics
  std::optional<Acceptor> acceptor;
  std::optional<MetricsListener> metrics;
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

// Closes pooled connections that nobody used for long.
Task<void> expire_idle_servers(Runtime* runtime, Worker* home) {
  const auto limit = runtime->config->limits.server_idle_timeout;
  if (limit.count() <= 0) co_return;
  Timer timer(home->executor());
  for (;;) {
    timer.expires_after(kExpiryInterval);
    auto operation = timer.async_wait(kAwait);
    co_await std::move(operation);
    const std::size_t closed = runtime->broker.expire(SteadyClock::now() - limit);
    runtime->metrics.servers_closed.add(closed);
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

// Wakes every session of a worker, so that it looks at `stopping`.
void wake_sessions(WorkerContext* context) {
  context->worker->post([context] {
    for (Session* session : context->sessions) session->client.interrupt();
  });
}

}  // namespace

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Server>> Server::open(std::shared_ptr<const config::Config> config) {
  POSTERN_TRY(crypto::init());
  auto state = std::make_unique<State>(std::move(config));
  Runtime& runtime = state->runtime;
  POSTERN_TRY(open_runtime(runtime));
  runtime.keeper = std::make_unique<Keeper>(runtime.config.get(), &state->home);
  runtime.auth->start_query(runtime.config->auth, runtime.databases, &state->home);
  for (std::size_t i = 0; i < state->workers.size(); ++i) {
    Worker* worker = &state->workers.at(i);
    state->contexts.push_back(std::make_unique<WorkerContext>(&runtime, worker));
    if (runtime.audit) state->contexts.back()->audit_waiters.connect(runtime.audit.get(), worker);
  }
  AcceptorOptions options;
  options.listen.host = runtime.config->listen.address;
  options.listen.port = runtime.config->listen.port;
  options.on_trouble = [](const Error& error) { log_failure("accept_paused", error); };
  options.on_connection = [contexts = &state->contexts](Worker& worker, UnboundTransport unbound,
                                                        LoadTicket load) {
    WorkerContext* context = context_of(*contexts, worker);
    worker.spawn(serve_client(context, std::move(unbound), std::move(load)));
  };
  POSTERN_ASSIGN(Acceptor acceptor,
                 Acceptor::open(state->home, state->workers, std::move(options)));
  state->acceptor.emplace(std::move(acceptor));
  if (runtime.config->metrics) {
    POSTERN_ASSIGN(MetricsListener listener, MetricsListener::open(&state->home, &runtime));
    state->metrics.emplace(std::move(listener));
  }
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Status Server::run() {
  const sigset_t signals = block_signals();
  State& state = *state_;
  state.workers.start();
  state.home.start();
  for (const auto& [name, cluster] : state.runtime.databases.clusters()) {
    state.monitors.push_back(
        std::make_unique<Monitor>(state.runtime.config.get(), cluster.get(), &state.home));
    state.monitors.back()->start();
  }
  state.home.spawn(expire_idle_servers(&state.runtime, &state.home));
  log_start(state.runtime, state.acceptor->port());
  int signal = 0;
  do {
    sigwait(&signals, &signal);
    if (signal == SIGHUP) log_warning("reload_ignored", {{"hint", "restart to apply changes"}});
  } while (signal == SIGHUP);

  log_info("stopping", {{"clients", state.runtime.metrics.clients.value()}});
  state.runtime.stopping = true;
  state.acceptor->stop();
  const auto give_up = SteadyClock::now() + state.runtime.config->limits.shutdown_timeout;
  while (state.runtime.metrics.clients.value() > 0 && SteadyClock::now() < give_up) {
    for (const auto& context : state.contexts) wake_sessions(context.get());
    constexpr long kNanosPerMilli = 1'000'000;
    const timespec pause{0, kStopPoll.count() * kNanosPerMilli};
    if (sigtimedwait(&signals, nullptr, &pause) > 0) break;
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
  if (state.acceptor) state.acceptor->stop();
  state.metrics.reset();
  state.home.stop();
  state.workers.stop();
  state.home.join();
  state.workers.join();
  state.home.destroy_sessions();
  for (std::size_t i = 0; i < state.workers.size(); ++i) state.workers.at(i).destroy_sessions();
  // Their timers belong to the home worker, which goes with the state.
  state.monitors.clear();
  state.runtime.keeper.reset();
  state.runtime.auth.reset();
}

}  // namespace postern::proxy
