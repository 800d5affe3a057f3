// Names with several addresses, some of which answer nothing.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <map>
#include <netdb.h>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <vector>

#include "base/codes/net.hpp"
#include "proxy/net/connect.hpp"
#include "proxy/net/listen.hpp"
#include "tests/proxy/net_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;
using namespace std::chrono_literals;

namespace {

using Lookup = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

const std::map<std::string, std::vector<const char*>>& known_names() {
  static const std::map<std::string, std::vector<const char*>> kNames{
      {"dead-first.test", {"127.0.0.2", "127.0.0.1"}},
      {"two-dead.test", {"127.0.0.2", "127.0.0.3"}},
      {"refusing-last.test", {"127.0.0.2", "127.0.0.4"}},
      {"refusing-first.test", {"127.0.0.4", "127.0.0.2"}},
  };
  return kNames;
}

}  // namespace

// The system's resolver, but for the names above. freeaddrinfo frees each entry by itself.
extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  static const auto kSystem = reinterpret_cast<Lookup>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const auto known = known_names().find(host != nullptr ? host : "");
  if (known == known_names().end()) return kSystem(host, service, hints, result);
  for (const char* address : known->second) {
    const int error = kSystem(address, service, hints, result);
    if (error != 0) return error;
    while (*result != nullptr) result = &(*result)->ai_next;
  }
  return 0;
}

namespace {

// Listens, but its backlog is full: further handshakes are dropped by the kernel.
class Deaf {
 public:
  Deaf(const char* address, std::uint16_t port) {
    auto listening = listen_on({address, port, ""}, 0);
    REQUIRE(listening);
    listeners_ = std::move(*listening);
    port_ = local_port(listeners_.front().get());
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port_);
    REQUIRE(::inet_pton(AF_INET, address, &to.sin_addr) == 1);
    for (int i = 0; i < 4; ++i) {
      fill_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      (void)::connect(fill_.back().get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
    std::this_thread::sleep_for(50ms);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  std::vector<UniqueFd> listeners_;
  std::vector<UniqueFd> fill_;
  std::uint16_t port_ = 0;
};

struct Outcome {
  std::string peer;
  std::optional<Error> error;
  SteadyClock::duration taken{};
};

Task<Outcome> try_connect(Worker* worker, Endpoint endpoint, std::chrono::milliseconds timeout) {
  const auto begun = SteadyClock::now();
  Result<Transport> made = co_await connect(worker, std::move(endpoint), timeout);
  Outcome outcome;
  outcome.taken = SteadyClock::now() - begun;
  if (made) {
    outcome.peer = made->peer();
  } else {
    outcome.error = made.error();
  }
  co_return outcome;
}

}  // namespace

TEST_CASE("connect: an address that answers nothing leaves the others their share of the time") {
  WorkerGroup group(1, {});
  group.start();
  const Deaf second("127.0.0.2", 0);
  const std::uint16_t port = second.port();
  const Deaf third("127.0.0.3", port);
  const auto alive = listen_on({"127.0.0.1", port, ""}, 8);
  REQUIRE(alive);
  const auto to = [&](const char* name) {
    return run(group.at(0), try_connect(&group.at(0), {name, port, ""}, 1s));
  };

  const Outcome reached = to("dead-first.test");
  CHECK_FALSE(reached.error);
  CHECK(reached.peer == "127.0.0.1:" + std::to_string(port));
  CHECK(reached.taken >= 500ms);
  CHECK(reached.taken < 1s);

  const Outcome none = to("two-dead.test");
  REQUIRE(none.error);
  CHECK(none.error->code == pst::kConnectTimeout);
  CHECK(none.taken >= 1s);
  CHECK(none.taken < 5s);

  const Outcome refused_last = to("refusing-last.test");
  REQUIRE(refused_last.error);
  CHECK(refused_last.error->code == pst::kConnectFailed);

  // Who refuses at once leaves all of the time to the rest.
  const Outcome refused_first = to("refusing-first.test");
  REQUIRE(refused_first.error);
  CHECK(refused_first.error->code == pst::kConnectTimeout);
  CHECK(refused_first.taken >= 1s);
}
