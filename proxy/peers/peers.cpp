#include "proxy/peers/peers.hpp"

#include <utility>
#include <vector>

#include "base/codes/net.hpp"
#include "base/codes/session.hpp"
#include "config/guard_key.hpp"
#include "proxy/net/connect.hpp"
#include "proxy/net/event.hpp"
#include "proxy/net/socket_file.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

/// Bytes of a key of protocol 3.0.
constexpr std::size_t kShortKey = 4;

Endpoint endpoint_of(const config::HostPort& place) {
  Endpoint endpoint;
  endpoint.host = place.host;
  endpoint.port = place.port;
  if (place.is_unix()) endpoint.path = socket_path(place.host, place.port);
  return endpoint;
}

std::int64_t now_ms() {
  return SteadyClock::now().time_since_epoch() / std::chrono::milliseconds(1);
}

void close_transport(void* owner) {
  static_cast<Transport*>(owner)->close();
}

}  // namespace

/// One cancel request with those who were asked, until the last of them is done.
struct Peers::Inquiry {
  Inquiry(std::atomic<unsigned>* count, Worker* worker, std::uint32_t pid, Secret secret)
      : orders(count), process_id(pid), key(std::move(secret)), done(worker->executor()) {}
  Inquiry(const Inquiry&) = delete;
  Inquiry& operator=(const Inquiry&) = delete;
  ~Inquiry() { --*orders; }

  std::atomic<unsigned>* orders;
  std::uint32_t process_id;
  Secret key;
  Event done;  ///< known, or nobody is left
  std::size_t left = 0;
  std::uint16_t known_by = 0;
};

Result<std::unique_ptr<Peers>> Peers::open(const config::PeersOptions& options) {
  const Result<Secret> shared = config::load_guard_key(options.secret_file.path);
  if (!shared) return make_error(pst::kPeerSecret, shared.error().what);
  std::unique_ptr<Peers> peers(new Peers(options.id, *shared));
  for (const config::PeerOptions& peer : options.peers) {
    if (peer.id != options.id) peers->peers_.emplace_back(peer.id, endpoint_of(peer.address));
  }
  return peers;
}

std::vector<Peers::Peer*> Peers::addressees(std::uint32_t process_id, ByteView key) {
  std::vector<Peer*> out;
  const auto issuer = keys_.issuer(process_id, key);
  if (!issuer && key.size() != kShortKey) return out;
  for (Peer& peer : peers_) {
    const bool meant = !issuer || *issuer == peer.id;
    if (meant && peer.paused_until.load() <= now_ms()) out.push_back(&peer);
  }
  return out;
}

Task<PeersAnswer> Peers::ask(Worker* worker, std::uint32_t process_id, Secret key) {
  PeersAnswer answer;
  const std::vector<Peer*> chosen = addressees(process_id, key.reveal());
  if (chosen.empty()) co_return answer;
  if (orders_.fetch_add(1) >= kMaxOrders) {
    --orders_;
    answer.busy = true;
    co_return answer;
  }
  const auto inquiry = std::make_shared<Inquiry>(&orders_, worker, process_id, std::move(key));
  inquiry->left = chosen.size();
  for (Peer* peer : chosen) worker->spawn(ask_one(worker, peer, inquiry));
  co_await inquiry->done.wait();
  answer.known_by = inquiry->known_by;
  answer.asked = static_cast<unsigned>(chosen.size());
  co_return answer;
}

Task<void> Peers::ask_one(Worker* worker, Peer* peer, std::shared_ptr<Inquiry> inquiry) {
  const Inquiry* order = inquiry.get();
  const Result<bool> known = co_await exchange(worker, peer, order);
  if (!known) note_failure(*peer, known.error());
  if (known && *known) inquiry->known_by = peer->id;
  if (--inquiry->left == 0 || (known && *known)) inquiry->done.set();
}

void Peers::note_failure(Peer& peer, const Error& error) {
  if (error.code == pst::kConnectTimeout) peer.paused_until = now_ms() + kPause.count();
  if (!peer.log_limit.allow(SteadyClock::now())) return;
  log_failure("peer_failed", error, {{"peer", peer.id}, {"address", peer.endpoint.text()}});
}

Task<Result<bool>> Peers::exchange(Worker* worker, Peer* peer, const Inquiry* inquiry) {
  Endpoint endpoint = peer->endpoint;
  Result<Transport> connected = co_await connect(worker, std::move(endpoint), kTimeout);
  if (!connected) co_return connected.error();
  Transport transport = std::move(*connected);
  Deadline deadline(worker->deadlines(), close_transport, &transport);
  deadline.arm(SteadyClock::now() + kTimeout);
  Bytes hello(PeerMessages::kHelloBytes, '\0');
  char* greeting = hello.data();
  const std::size_t greeting_size = hello.size();
  const Status greeted = co_await read_exactly(&transport, greeting, greeting_size);
  if (deadline.expired()) co_return make_error(pst::kConnectTimeout, peer->endpoint.text());
  if (!greeted) co_return make_error(pst::kPeerLink, "it does not greet as a peer");
  const Result<Bytes> sealed =
      messages_.seal(PeerOrder{id(), peer->id, inquiry->process_id, inquiry->key.clone()}, hello);
  if (!sealed) co_return sealed.error();
  const ByteView order(*sealed);
  const Status sent = co_await transport.write(order);
  if (!sent) co_return sent.error();
  Bytes answer(PeerMessages::kAnswerBytes, '\0');
  char* into = answer.data();
  const std::size_t size = answer.size();
  const Status answered = co_await read_exactly(&transport, into, size);
  if (!answered) co_return make_error(pst::kPeerLink, "it closed without an answer");
  co_return messages_.read_answer(answer, order);
}

Task<Status> read_exactly(Transport* transport, char* into, std::size_t size) {
  while (size > 0) {
    const Result<std::size_t> got = co_await transport->read_some(into, size);
    if (!got) co_return got.error();
    if (*got == 0) co_return make_error(pst::kTransportClosed);
    into += *got;
    size -= *got;
  }
  co_return ok();
}

}  // namespace postern::proxy
