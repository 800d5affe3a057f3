#include "proxy/net/acceptor.hpp"

#include <atomic>
#include <cerrno>
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "base/codes/net.hpp"
#include "proxy/net/listen.hpp"
#include "proxy/net/socket_ops.hpp"

namespace postern::proxy {
namespace {

using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

/// The listening socket is as before: the connection was gone already, or it was a signal
/// (accept(2) lists the network errors Linux passes on).
bool is_passing(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

bool is_empty(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

// The sockets of one port form a group in the order of their listen(): this process is the first,
// its successor the second. Where there is no second the system chooses as before. Failure is no
// harm: some connections are then still taken here.
void steer_to_successor(int listener) {
  constexpr std::uint32_t kSuccessor = 1;
  sock_filter code[] = {{BPF_RET | BPF_K, 0, 0, kSuccessor}};
  const sock_fprog program{1, code};
  (void)::setsockopt(listener, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
}

}  // namespace

/// Shared by the handle, the accepting coroutines and a posted stop. After open, everything but
/// `port` and `options` belongs to the home worker's thread.
struct Acceptor::State {
  State(Worker& home_worker, WorkerGroup& workers, AcceptorOptions o)
      : home(home_worker), group(workers), options(std::move(o)) {}

  Worker& home;
  WorkerGroup& group;
  const AcceptorOptions options;
  std::vector<Descriptor> listeners;
  std::uint16_t port = 0;
  std::atomic<bool> stopped{false};
  bool troubled = false;

  static Task<void> run(std::shared_ptr<State> self, std::size_t index);
  static void hand_over(const std::shared_ptr<State>& self, UniqueFd fd);
  static Task<void> drain(std::shared_ptr<State> self);
  static bool accept_burst(const std::shared_ptr<State>& self, int listener);
  void report(int error);
  void close_all();
};

Result<Acceptor> Acceptor::open(Worker& home, WorkerGroup& group, AcceptorOptions options) {
  std::vector<UniqueFd> fds = std::move(options.sockets);
  if (fds.empty()) {
    POSTERN_ASSIGN(fds, listen_on(options.listen, options.backlog, options.reuse_port));
  }
  auto state = std::make_shared<State>(home, group, std::move(options));
  state->port = local_port(fds.front().get());
  for (UniqueFd& fd : fds) {
    tune_stream(fd.get());
    boost::system::error_code error;
    Descriptor descriptor(home.executor());
    descriptor.assign(fd.get(), error);
    if (error) return make_error(pst::kListenFailed, errno_text(error.value()));
    (void)fd.release();  // the descriptor owns it now
    state->listeners.push_back(std::move(descriptor));
  }
  for (std::size_t i = 0; i < state->listeners.size(); ++i) home.spawn(State::run(state, i));
  return Acceptor(std::move(state));
}

Task<void> Acceptor::State::run(std::shared_ptr<State> self, std::size_t index) {
  Timer pause(self->home.executor());
  while (!self->stopped) {
    auto waiting = self->listeners[index].async_wait(Descriptor::wait_read, kAwait);
    const auto [error] = co_await std::move(waiting);
    if (self->stopped) co_return;
    if (!error && accept_burst(self, self->listeners[index].native_handle())) continue;
    pause.expires_after(kPause);
    auto sleeping = pause.async_wait(kAwait);
    co_await std::move(sleeping);
  }
}

/// False where accepting has to pause.
bool Acceptor::State::accept_burst(const std::shared_ptr<State>& self, int listener) {
  for (int i = 0; i < kBurst; ++i) {
    UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      self->troubled = false;
      hand_over(self, std::move(fd));
      continue;
    }
    const int error = errno;
    if (is_empty(error)) return true;
    if (is_passing(error)) continue;
    self->report(error);
    return false;
  }
  return true;
}

void Acceptor::State::hand_over(const std::shared_ptr<State>& self, UniqueFd fd) {
  Worker& worker = self->group.least_loaded();
  // Counted now, so that a burst spreads before the first session has started.
  worker.post([self, &worker, ticket = worker.enter(), accepted = std::move(fd)]() mutable {
    UnboundTransport fresh = UnboundTransport::from_fd(std::move(accepted));
    self->options.on_connection(worker, std::move(fresh), std::move(ticket));
  });
}

Task<void> Acceptor::State::drain(std::shared_ptr<State> self) {
  if (self->options.reuse_port && !self->stopped) {
    for (Descriptor& listener : self->listeners) steer_to_successor(listener.native_handle());
    Timer timer(self->home.executor());
    timer.expires_after(kHandshakes);
    auto waiting = timer.async_wait(kAwait);
    co_await std::move(waiting);
  }
  if (self->stopped) co_return;
  for (Descriptor& listener : self->listeners) {
    for (int i = 0; i < self->options.backlog; i += kBurst) {
      if (!accept_burst(self, listener.native_handle())) break;
    }
  }
  self->close_all();
}

void Acceptor::State::report(int error) {
  if (std::exchange(troubled, true) || !options.on_trouble) return;
  options.on_trouble(make_error(pst::kAcceptPaused, errno_text(error)));
}

void Acceptor::State::close_all() {
  if (stopped) return;
  boost::system::error_code ignored;
  for (Descriptor& listener : listeners) listener.close(ignored);
  if (options.listen.is_unix()) ::unlink(options.listen.path.c_str());
  stopped = true;
}

Acceptor::Acceptor(std::shared_ptr<State> state) : state_(std::move(state)) {}
Acceptor::Acceptor(Acceptor&&) noexcept = default;

Acceptor& Acceptor::operator=(Acceptor&& other) noexcept {
  if (this != &other) {
    stop();
    state_ = std::move(other.state_);
  }
  return *this;
}

Acceptor::~Acceptor() {
  stop();
}

void Acceptor::stop() {
  if (state_ == nullptr) return;
  state_->home.post([state = state_] { state->close_all(); });
}

void Acceptor::drain() {
  state_->home.spawn(State::drain(state_));
}

bool Acceptor::stopped() const {
  return state_->stopped;
}

std::uint16_t Acceptor::port() const {
  return state_->port;
}

}  // namespace postern::proxy
