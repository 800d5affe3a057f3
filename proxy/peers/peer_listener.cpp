#include "proxy/peers/peer_listener.hpp"

#include <optional>
#include <utility>

#include "proxy/net/acceptor.hpp"
#include "proxy/net/socket_file.hpp"
#include "proxy/peers/peers.hpp"
#include "proxy/session/cancel_registry.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

/// Of the unix socket: instances of one machine run as one user.
constexpr mode_t kSocketMode = 0600;

void close_transport(void* owner) {
  static_cast<Transport*>(owner)->close();
}

}  // namespace

/// The acceptor hands connections to a group; this one has a single member of its own.
struct PeerListener::State {
  explicit State(Parts p) : parts(p), log_limit(kLogDistance) {}
  Parts parts;
  LogLimit log_limit;
  WorkerGroup group{1, WorkerOptions{"peers", {}}};
  std::optional<SocketFile> socket_file;
  std::optional<Acceptor> acceptor;

  void refuse(const Error& error, const std::string& client) {
    if (!log_limit.allow(SteadyClock::now())) return;
    log_failure("peer_refused", error, {{"client", client}});
  }
  Task<void> serve(Worker* worker, UnboundTransport unbound, LoadTicket load);
  Status listen(const config::HostPort& place);
};

Task<void> PeerListener::State::serve(Worker* worker, UnboundTransport unbound,
                                      [[maybe_unused]] LoadTicket load) {
  if (worker->load() > kMaxConnections) co_return;
  auto adopted = Transport::adopt(worker->executor(), std::move(unbound));
  if (!adopted) co_return;
  Transport transport = std::move(*adopted);
  Deadline deadline(worker->deadlines(), close_transport, &transport);
  deadline.arm(SteadyClock::now() + kTimeout);
  const Bytes hello = PeerMessages::hello();
  const ByteView greeting(hello);
  const Status greeted = co_await transport.write(greeting);
  if (!greeted) co_return;
  Bytes sealed(PeerMessages::kOrderBytes, '\0');
  char* into = sealed.data();
  const std::size_t size = sealed.size();
  // Who connects and leaves, or says nothing, is a check of the port.
  const Status read = co_await read_exactly(&transport, into, size);
  if (!read) co_return;
  const Peers& peers = *parts.peers;
  const Result<PeerOrder> order = peers.messages().open(sealed, hello, peers.id());
  if (!order) {
    refuse(order.error(), transport.peer());
    co_return;
  }
  const bool known = parts.cancels->cancel(order->process_id, order->key.reveal());
  log_info("cancel_from_peer", {{"peer", order->from}, {"known", known ? 1 : 0}});
  const Bytes answer = peers.messages().answer(sealed, known);
  const ByteView view(answer);
  (void)co_await transport.write(view);
  (void)co_await transport.finish();
}

Status PeerListener::State::listen(const config::HostPort& place) {
  AcceptorOptions options;
  options.reuse_port = parts.shares;
  options.listen.host = place.host;
  options.listen.port = place.port;
  options.on_trouble = [](const Error& error) { log_failure("peers_paused", error); };
  options.on_connection = [this](Worker& worker, UnboundTransport unbound, LoadTicket load) {
    worker.spawn(serve(&worker, std::move(unbound), std::move(load)));
  };
  if (place.is_unix()) {
    SocketFile::Options file;
    file.dir = place.host;
    file.port = place.port;
    file.mode = kSocketMode;
    file.take_over = parts.shares;
    POSTERN_ASSIGN(SocketFile opened, SocketFile::open(file));
    socket_file.emplace(std::move(opened));
    options.sockets.push_back(socket_file->take());
  }
  POSTERN_ASSIGN(Acceptor opened, Acceptor::open(*parts.home, group, std::move(options)));
  acceptor.emplace(std::move(opened));
  return ok();
}

PeerListener::PeerListener(std::unique_ptr<State> state) : state_(std::move(state)) {}
PeerListener::PeerListener(PeerListener&&) noexcept = default;
PeerListener& PeerListener::operator=(PeerListener&&) noexcept = default;

PeerListener::~PeerListener() {
  if (state_ == nullptr) return;
  state_->acceptor->stop();
  state_->group.stop();
  state_->group.join();
}

Result<PeerListener> PeerListener::open(const config::PeersOptions& options, Parts parts) {
  auto state = std::make_unique<State>(parts);
  POSTERN_TRY(state->listen(options.listen));
  state->group.start();
  log_info("peers", {{"id", options.id},
                     {"address", options.listen.host},
                     {"port", static_cast<int>(options.listen.port)}});
  return PeerListener(std::move(state));
}

}  // namespace postern::proxy
