#include <fcntl.h>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <vector>

#include "base/codes/net.hpp"
#include "proxy/net/acceptor.hpp"
#include "proxy/net/connect.hpp"
#include "proxy/net/listen.hpp"
#include "proxy/net/socket_ops.hpp"
#include "tests/proxy/net_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;
using namespace std::chrono_literals;

namespace {

/// What an acceptor delivered, seen from the test's thread.
struct Arrivals {
  std::mutex mutex;
  std::vector<std::pair<Worker*, UnboundTransport>> connections;
  std::vector<LoadTicket> tickets;
  std::vector<Pst> troubles;

  AcceptorOptions options(const Endpoint& listen) {
    AcceptorOptions made;
    made.listen = listen;
    made.on_connection = [this](Worker& worker, UnboundTransport fresh, LoadTicket ticket) {
      const std::lock_guard lock(mutex);
      connections.emplace_back(&worker, std::move(fresh));
      tickets.push_back(std::move(ticket));
    };
    made.on_trouble = [this](const Error& error) {
      const std::lock_guard lock(mutex);
      troubles.push_back(error.code);
    };
    return made;
  }

  std::size_t count() {
    const std::lock_guard lock(mutex);
    return connections.size();
  }
  std::size_t trouble_count() {
    const std::lock_guard lock(mutex);
    return troubles.size();
  }
};

template <typename Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

Acceptor open_acceptor(Worker& home, WorkerGroup& group, AcceptorOptions options) {
  auto opened = Acceptor::open(home, group, std::move(options));
  REQUIRE(opened);
  return std::move(*opened);
}

struct Outcome {
  TransportBox transport;
  std::optional<Error> error;
};

Task<Outcome> try_connect(Worker* worker, Endpoint endpoint, std::chrono::milliseconds timeout) {
  Outcome outcome;
  Result<Transport> made = co_await connect(worker, std::move(endpoint), timeout);
  if (made) {
    outcome.transport = std::make_shared<Transport>(std::move(*made));
  } else {
    outcome.error = made.error();
  }
  co_return outcome;
}

Outcome connect_to(Worker& worker, const Endpoint& endpoint,
                   std::chrono::milliseconds timeout = 20s) {
  return run(worker, try_connect(&worker, endpoint, timeout));
}

Pst code_of(const Outcome& outcome) {
  REQUIRE(outcome.error.has_value());
  CAPTURE(outcome.error->line());
  return outcome.error->code;
}

Endpoint local(std::uint16_t port) {
  return {"127.0.0.1", port, ""};
}

/// Takes every descriptor the process may have.
std::vector<UniqueFd> exhaust_descriptors() {
  std::vector<UniqueFd> hoard;
  for (;;) {
    UniqueFd fd(::fcntl(0, F_DUPFD_CLOEXEC, 0));
    if (!fd) return hoard;
    hoard.push_back(std::move(fd));
  }
}

bool start_connecting(int fd, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
         errno == EINPROGRESS;
}

UniqueFd nonblocking_socket() {
  return UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(::getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

void check_tuned(int fd) {
  CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) != 0);
  CHECK(option(fd, SOL_SOCKET, SO_KEEPALIVE) != 0);
  CHECK(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == kKeepAliveIdleSeconds);
  CHECK(option(fd, IPPROTO_TCP, TCP_KEEPINTVL) == kKeepAliveIntervalSeconds);
  CHECK(option(fd, IPPROTO_TCP, TCP_KEEPCNT) == kKeepAliveProbes);
}

}  // namespace

TEST_CASE("what is accepted is tuned by its listener") {
  WorkerGroup group(1, {});
  group.start();
  Arrivals arrivals;
  Acceptor acceptor = open_acceptor(group.at(0), group, arrivals.options(local(0)));
  const Outcome made = connect_to(group.at(0), local(acceptor.port()));
  REQUIRE(made.transport);
  REQUIRE(eventually([&] { return arrivals.count() == 1; }));
  const std::lock_guard lock(arrivals.mutex);
  check_tuned(arrivals.connections.front().second.fd.get());
}

TEST_CASE("connect and accept by address, by name and through a unix socket") {
  WorkerGroup group(2, {});
  group.start();
  TempFolder folder;
  const Endpoint unix_path{"", 0, folder.file("sock")};
  Arrivals arrivals;
  {
    Acceptor everywhere = open_acceptor(group.at(0), group, arrivals.options({"*", 0, ""}));
    Acceptor unix_acceptor = open_acceptor(group.at(0), group, arrivals.options(unix_path));
    CHECK(everywhere.port() != 0);
    CHECK(unix_acceptor.port() == 0);
    const Outcome numeric = connect_to(group.at(1), local(everywhere.port()));
    const Outcome named = connect_to(group.at(1), {"localhost", everywhere.port(), ""});
    const Outcome unixed = connect_to(group.at(1), unix_path);
    for (const Outcome* outcome : {&numeric, &named, &unixed}) {
      REQUIRE(outcome->transport != nullptr);
      CHECK(run(group.at(1), write_all(outcome->transport, "hello")));
    }
    CHECK(numeric.transport->peer() == "127.0.0.1:" + std::to_string(everywhere.port()));
    CHECK(unixed.transport->peer() == "unix:" + unix_path.path);
    CHECK(eventually([&] { return arrivals.count() == 3; }));
    for (auto& [worker, fresh] : arrivals.connections) {
      TransportBox box = adopt_box(*worker, std::move(fresh));
      CHECK(*run(*worker, read_once(box, 100)) == "hello");
    }
  }
  // The acceptors are gone: so are port and file.
  CHECK(eventually([&] { return ::access(unix_path.path.c_str(), F_OK) != 0; }));
}

TEST_CASE("new connections go to the least-loaded worker") {
  WorkerGroup group(3, {});
  group.start();
  Arrivals arrivals;
  Acceptor acceptor = open_acceptor(group.at(0), group, arrivals.options(local(0)));
  std::vector<UniqueFd> clients;
  const LoadTicket busy[] = {group.at(1).enter(), group.at(1).enter(), group.at(1).enter()};
  for (int i = 0; i < 9; ++i) clients.push_back(dial(acceptor.port()));
  REQUIRE(eventually([&] { return arrivals.count() == 9; }));
  std::map<Worker*, int> spread;
  for (const auto& [worker, fresh] : arrivals.connections) ++spread[worker];
  CHECK(spread[&group.at(0)] == 4);
  CHECK(spread[&group.at(1)] == 1);
  CHECK(spread[&group.at(2)] == 4);
  arrivals.tickets.clear();
  CHECK(group.at(0).load() == 0);
  CHECK(group.at(1).load() == 3);
}

TEST_CASE("the acceptor survives running out of descriptors") {
  WorkerGroup group(1, {});
  group.start();
  Arrivals arrivals;
  Acceptor acceptor = open_acceptor(group.at(0), group, arrivals.options(local(0)));
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(nonblocking_socket());
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit low = before;
  low.rlim_cur = 200;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  std::vector<UniqueFd> hoard = exhaust_descriptors();
  for (const UniqueFd& client : clients) CHECK(start_connecting(client.get(), acceptor.port()));
  CHECK(eventually([&] { return arrivals.trouble_count() > 0; }));
  std::this_thread::sleep_for(2 * Acceptor::kPause);
  const std::size_t accepted_meanwhile = arrivals.count();
  const std::size_t troubles = arrivals.trouble_count();
  hoard.clear();
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(accepted_meanwhile == 0);
  CHECK(troubles == 1);
  CHECK(arrivals.troubles.front() == pst::kAcceptPaused);
  CHECK(eventually([&] { return arrivals.count() == 5; }));
}

TEST_CASE("after stop nothing is accepted, and the port can be taken again at once") {
  WorkerGroup group(1, {});
  group.start();
  Arrivals arrivals;
  Acceptor first = open_acceptor(group.at(0), group, arrivals.options(local(0)));
  const std::uint16_t port = first.port();
  const UniqueFd client = dial(port);
  CHECK(eventually([&] { return arrivals.count() == 1; }));
  const auto taken = Acceptor::open(group.at(0), group, arrivals.options(local(port)));
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == pst::kListenFailed);
  first.stop();
  first.stop();
  CHECK(eventually(
      [&] { return code_of(connect_to(group.at(0), local(port))) == pst::kConnectFailed; }));
  const Acceptor second = open_acceptor(group.at(0), group, arrivals.options(local(port)));
  CHECK(second.port() == port);
}

TEST_CASE("listening: a stale unix socket is replaced, a live one and a foreign address are not") {
  TempFolder folder;
  const Endpoint path{"", 0, folder.file("s")};
  auto first = listen_on(path, 1);
  REQUIRE(first);
  const auto second = listen_on(path, 1);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == pst::kListenFailed);
  first->clear();  // the file stays behind, as after a crash
  CHECK(::access(path.path.c_str(), F_OK) == 0);
  CHECK(listen_on(path, 1));
  const auto foreign = listen_on({"192.0.2.1", 0, ""}, 1);
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().code == pst::kListenFailed);
  const Endpoint no_folder{"", 0, folder.file("absent/s")};
  CHECK(listen_on(no_folder, 1).error().code == pst::kListenFailed);
}

TEST_CASE("connect: refused, unresolved, absent") {
  WorkerGroup group(1, {});
  group.start();
  Worker& worker = group.at(0);
  std::uint16_t closed_port = 0;
  {
    const auto listener = listen_on(local(0), 1);
    REQUIRE(listener);
    closed_port = local_port(listener->front().get());
  }
  CHECK(code_of(connect_to(worker, local(closed_port))) == pst::kConnectFailed);
  CHECK(code_of(connect_to(worker, {"localhost", closed_port, ""})) == pst::kConnectFailed);
  CHECK(code_of(connect_to(worker, {"", 0, "/absent/socket"})) == pst::kConnectFailed);
  // Without a name server this is an answer, or none in time.
  const Pst unresolved = code_of(connect_to(worker, {"no-such-host.invalid", 1, ""}, 1s));
  CHECK((unresolved == pst::kResolveFailed || unresolved == pst::kConnectTimeout));
}

TEST_CASE("connect: a listener that never accepts runs into the timeout") {
  WorkerGroup group(1, {});
  group.start();
  const auto listener = listen_on(local(0), 0);
  REQUIRE(listener);
  const std::uint16_t port = local_port(listener->front().get());
  std::vector<UniqueFd> fill;  // the backlog; further handshakes are dropped by the kernel
  for (int i = 0; i < 4; ++i) {
    fill.push_back(nonblocking_socket());
    start_connecting(fill.back().get(), port);
  }
  std::this_thread::sleep_for(50ms);
  const auto before = SteadyClock::now();
  CHECK(code_of(connect_to(group.at(0), local(port), 300ms)) == pst::kConnectTimeout);
  const auto taken = SteadyClock::now() - before;
  CHECK(taken >= 300ms);
  CHECK(taken < 5s);
}

TEST_CASE("connect: a unix listener with a full backlog is a failure, not a phantom connection") {
  WorkerGroup group(1, {});
  group.start();
  TempFolder folder;
  const Endpoint path{"", 0, folder.file("s")};
  const auto listener = listen_on(path, 0);
  REQUIRE(listener);
  std::vector<Outcome> kept;
  for (int i = 0; i < 5; ++i) {
    kept.push_back(connect_to(group.at(0), path, 300ms));
    if (kept.back().error) break;
  }
  const Pst code = code_of(kept.back());
  CHECK((code == pst::kConnectFailed || code == pst::kConnectTimeout));
  CHECK(kept.size() > 1);
}
