// Two instances, or one and somebody else, over real sockets.
#include <filesystem>
#include <fstream>
#include <map>
#include <netinet/in.h>
#include <optional>
#include <sys/stat.h>

#include "base/codes/session.hpp"
#include "proxy/net/listen.hpp"
#include "proxy/peers/peer_listener.hpp"
#include "proxy/peers/peers.hpp"
#include "proxy/session/cancel_registry.hpp"
#include "tests/proxy/net_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;

namespace {

constexpr std::uint32_t kPid = 4711;

/// A port that was free a moment ago.
std::uint16_t free_port() {
  const auto sockets = listen_on({"127.0.0.1", 0, {}}, 1);
  REQUIRE(sockets);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(sockets->front().get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

/// A file with the peers' secret, gone with it.
struct SecretFile {
  explicit SecretFile(char digit)
      : path((std::filesystem::temp_directory_path() / "postern-peers-XXXXXX").string()) {
    const UniqueFd fd(::mkstemp(path.data()));  // mode 0600
    std::ofstream(path) << std::string(64, digit) << '\n';
  }
  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;
  ~SecretFile() { std::filesystem::remove(path); }
  std::string path;
};

/// Instance `id` of two; `secret` as SecretFile.
struct Instance {
  Instance(std::uint16_t id, const std::map<std::uint16_t, std::uint16_t>& ports, char secret = 'a')
      : file(secret) {
    options.id = id;
    options.listen = {"127.0.0.1", ports.at(id)};
    options.secret_file = {file.path};
    for (const auto& [peer, port] : ports) options.peers.push_back({peer, {"127.0.0.1", port}});
    auto opened = Peers::open(options);
    REQUIRE(opened);
    peers = std::move(*opened);
    registry.route_by(&peers->keys());
    group.start();
  }
  ~Instance() {
    listener.reset();
    group.stop();
    group.join();
  }
  void listen() {
    auto opened = PeerListener::open(options, {&group.at(0), peers.get(), &registry, false});
    REQUIRE(opened);
    listener.emplace(std::move(*opened));
  }
  CancelKey add(std::size_t bytes) {
    return registry.add(&group.at(0), kPid, bytes, [this] { ++cancelled; });
  }
  PeersAnswer ask(Bytes key) {
    return run(group.at(1), peers->ask(&group.at(1), kPid, Secret(std::move(key))));
  }
  /// After what was posted before.
  int cancels() {
    std::promise<int> promise;
    auto future = promise.get_future();
    group.at(0).post([&] { promise.set_value(cancelled); });
    return finish(std::move(future));
  }

  SecretFile file;
  config::PeersOptions options;
  WorkerGroup group{2, WorkerOptions{}};
  CancelRegistry registry;
  std::unique_ptr<Peers> peers;
  std::optional<PeerListener> listener;
  int cancelled = 0;
};

std::map<std::uint16_t, std::uint16_t> two_ports() {
  return {{1, free_port()}, {2, free_port()}};
}

}  // namespace

TEST_CASE("a cancel request reaches the instance of its session") {
  const auto ports = two_ports();
  Instance home(1, ports);
  Instance gate(2, ports);
  home.listen();
  gate.listen();
  const CancelKey routed = home.add(RoutedKeys::kBytes);
  const CancelKey old = home.add(4);
  for (const Bytes& key : {routed.secret, old.secret}) {
    const PeersAnswer answer = gate.ask(key);
    CHECK(answer.known_by == 1);
    CHECK(answer.asked == 1);
    CHECK_FALSE(answer.busy);
  }
  CHECK(home.cancels() == 2);
  CHECK(gate.cancels() == 0);

  home.registry.remove(routed.registration);
  const PeersAnswer late = gate.ask(routed.secret);
  CHECK(late.asked == 1);
  CHECK(late.known_by == 0);
}

TEST_CASE("nobody is asked about keys that no peer issued") {
  const auto ports = two_ports();
  Instance gate(2, ports);
  const Secret other(Bytes(32, 't'));
  CHECK(gate.ask(gate.peers->keys().make(kPid)).asked == 0);    // its own: no session has it
  CHECK(gate.ask(RoutedKeys(1, other).make(kPid)).asked == 0);  // a stranger's
  CHECK(gate.ask(Bytes(3, 'x')).asked == 0);
  CHECK(gate.ask(Bytes(5, 'x')).asked == 0);
  CHECK(gate.ask(Bytes(256, 'x')).asked == 0);
}

TEST_CASE("a peer that is not there is no error") {
  Instance gate(2, two_ports());
  const PeersAnswer answer = gate.ask("1234");
  CHECK(answer.asked == 1);
  CHECK(answer.known_by == 0);
}

TEST_CASE("another secret cancels nothing") {
  const auto ports = two_ports();
  Instance home(1, ports);
  Instance stranger(2, ports, 'b');
  home.listen();
  const CancelKey old = home.add(4);
  CHECK(stranger.ask(old.secret).known_by == 0);
  CHECK(home.cancels() == 0);
}

TEST_CASE("a silent peer is left alone for a while, and orders beyond the most are dropped") {
  const auto ports = two_ports();
  Instance gate(2, ports);
  // Listens, and never says anything.
  const auto deaf = listen_on({"127.0.0.1", ports.at(1), {}}, 64);
  REQUIRE(deaf);
  Worker& worker = gate.group.at(1);
  std::vector<std::future<PeersAnswer>> under_way;
  for (unsigned i = 0; i < Peers::kMaxOrders; ++i) {
    under_way.push_back(start(worker, gate.peers->ask(&worker, kPid, Secret("1234"))));
  }
  const PeersAnswer dropped = gate.ask("1234");
  CHECK(dropped.busy);
  CHECK(dropped.asked == 0);
  for (auto& future : under_way) {
    const PeersAnswer answer = finish(std::move(future));
    CHECK_FALSE(answer.busy);
    CHECK(answer.known_by == 0);
  }
  const PeersAnswer paused = gate.ask("1234");
  CHECK_FALSE(paused.busy);
  CHECK(paused.asked == 0);
}

TEST_CASE("connections of outsiders are counted and end by themselves") {
  const auto ports = two_ports();
  Instance home(1, ports);
  home.listen();
  std::vector<UniqueFd> open;
  char hello[PeerMessages::kHelloBytes];
  for (std::uint32_t i = 0; i < PeerListener::kMaxConnections; ++i) {
    open.push_back(dial(ports.at(1)));
    REQUIRE(::recv(open.back().get(), hello, sizeof hello, MSG_WAITALL) == sizeof hello);
  }
  const UniqueFd one_more = dial(ports.at(1));
  CHECK(::recv(one_more.get(), hello, sizeof hello, MSG_WAITALL) <= 0);
  // The time is up for the others.
  for (const UniqueFd& fd : open) CHECK(::recv(fd.get(), hello, sizeof hello, MSG_WAITALL) <= 0);
  const UniqueFd next = dial(ports.at(1));
  CHECK(::recv(next.get(), hello, sizeof hello, MSG_WAITALL) == sizeof hello);
}

TEST_CASE("a secret file that cannot be used names itself") {
  config::PeersOptions options;
  options.secret_file = {"/nonexistent/peers.key"};
  const auto opened = Peers::open(options);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == pst::kPeerSecret);
  const SecretFile file('a');
  options.secret_file = {file.path};
  CHECK(Peers::open(options));
  REQUIRE(::chmod(file.path.c_str(), 0640) == 0);
  CHECK_FALSE(Peers::open(options));
}
