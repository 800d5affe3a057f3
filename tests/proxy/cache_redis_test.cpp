#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "base/codes/cache.hpp"
#include "proxy/cache/redis_codec.hpp"
#include "proxy/cache/redis_link.hpp"
#include "tests/proxy/cache_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kPassword = "open sesame";

UniqueFd listen_somewhere() {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd.get(), 16) == 0);
  return fd;
}

bool answers(std::uint16_t port) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

template <typename Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

/// A Redis of its own, in memory, behind a password.
class RedisServer {
 public:
  RedisServer() {
    char name[] = "/tmp/postern-redis-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    folder_ = name;
    port_ = local_port(listen_somewhere().get());
    start();
  }
  ~RedisServer() {
    signal(SIGCONT);
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void start() {
    const std::string port = std::to_string(port_);
    pid_ = ::fork();
    if (pid_ == 0) {
      const int null = ::open("/dev/null", O_RDWR);
      ::dup2(null, 1);
      ::dup2(null, 2);
      ::execl("/usr/bin/redis-server", "redis-server", "--port", port.c_str(), "--bind",
              "127.0.0.1", "--save", "", "--daemonize", "no", "--dir", folder_.c_str(),
              "--requirepass", kPassword, static_cast<char*>(nullptr));
      ::_exit(127);
    }
    REQUIRE(eventually([this] { return answers(port_); }));
  }
  void signal(int number) const {
    if (pid_ > 0) ::kill(pid_, number);
  }
  void kill() {
    if (pid_ <= 0) return;
    signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// One command, as another client.
  RedisReply command(const std::vector<ByteView>& words) const {
    const UniqueFd fd = dial(port_);
    Bytes out;
    append_redis_command(std::vector<ByteView>{"AUTH", kPassword}, out);
    append_redis_command(words, out);
    REQUIRE(::write(fd.get(), out.data(), out.size()) == static_cast<ssize_t>(out.size()));
    RedisReader reader;
    for (int replies = 0;;) {
      auto reply = reader.next();
      REQUIRE(reply);
      if (*reply && ++replies == 2) return std::move(**reply);
      if (*reply) continue;
      char buffer[4096];
      const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
      REQUIRE(got > 0);
      REQUIRE(reader.feed(ByteView(buffer, static_cast<std::size_t>(got))));
    }
  }
  [[nodiscard]] std::vector<std::string> keys(ByteView pattern) const {
    std::vector<std::string> names;
    for (const RedisReply& name : command({"KEYS", pattern}).elements) names.push_back(name.text);
    return names;
  }

 private:
  std::string folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
};

CacheSetup redis_setup(std::uint16_t port, std::string instance = "one") {
  CacheSetup setup;
  setup.options.redis = {"127.0.0.1", port};
  setup.options.redis_password = Secret(kPassword);
  setup.instance = std::move(instance);
  // Generous where a busy machine must not fail the test, short where the test waits.
  setup.timings = {.lookup_deadline = 300ms,
                   .write_deadline = 300ms,
                   .bump_patience = 300ms,
                   .connect_timeout = 1000ms,
                   .mark_lease = 1200ms,
                   .writer_lease = 900ms,
                   .breaker_pause = 50ms};
  return setup;
}

struct RedisRig : CacheRig {
  explicit RedisRig(CacheSetup setup) : CacheRig(std::move(setup)) {}
  explicit RedisRig(const RedisServer& server, std::string instance = "one")
      : CacheRig(redis_setup(server.port(), std::move(instance))) {
    REQUIRE(ready());
  }
  /// Hits and fills are possible (again).
  bool ready() {
    return eventually([this] {
      const CacheLookup found = look("ready?", {});
      return found.hit || found.fill != nullptr;
    });
  }
};

Task<Result<RedisReply>> ask_time(RedisLink* link, std::chrono::milliseconds deadline) {
  RedisCall call{RedisScript::kTime, {}, {}};
  Result<RedisReply> reply = co_await link->call(std::move(call), deadline);
  co_return reply;
}

std::chrono::milliseconds elapsed_since(SteadyClock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - start);
}

}  // namespace

TEST_CASE("redis: instances share answers and tell each other of writes") {
  const RedisServer server;
  RedisRig one(server);
  RedisRig two(server, "two");
  REQUIRE(one.ready());
  one.fill("select secret", {5, 6}, "old");
  CHECK(two.rows("select secret", {5, 6}) == "old");
  CHECK(two.rows("select other", {5, 6}).empty());
  two.write({7});
  CHECK(one.rows("select secret", {5, 6}) == "old");
  two.write({6});
  CHECK(one.rows("select secret", {5, 6}).empty());
  one.fill("select secret", {5, 6}, "new");
  CHECK(two.rows("select secret", {5, 6}) == "new");
  one.write({});
  CHECK(two.rows("select secret", {5, 6}).empty());
  CHECK(one.metrics.cache_errors.value() == 0);

  for (const std::string& name : server.keys("*")) {
    CHECK(name.starts_with("postern:"));
    CHECK(name.find("shop") == std::string::npos);
    CHECK(name.find("secret") == std::string::npos);
  }
  REQUIRE(server.keys("postern:{*}:e:*").size() == 1);
  const std::string entry = server.keys("postern:{*}:e:*")[0];
  CHECK(server.command({"GET", entry}).text.find("new") == Bytes::npos);
  const std::int64_t ttl = server.command({"PTTL", entry}).integer;
  CHECK(ttl > 50'000);
  CHECK(ttl <= 60'000);
}

TEST_CASE("redis: marks and versions decide as in one process") {
  const RedisServer server;
  RedisRig one(server);
  RedisRig two(server, "two");
  REQUIRE(one.ready());
  SUBCASE("a snapshot older than the write") {
    const CacheLookup before = one.look("q", {5});
    two.write({5});
    one.store(before.fill, "old");
    CHECK(one.rows("q", {5}).empty());
  }
  SUBCASE("a mark at the capture") {
    one.fill("q", {5}, "old");
    WriteMark mark = two.begin({5});
    const CacheLookup during = one.look("q", {5});
    CHECK_FALSE(during.hit);
    CHECK(during.fill == nullptr);
    two.end(std::move(mark));
    CHECK(one.rows("q", {5}).empty());
    CHECK(one.look("q", {5}).fill != nullptr);
  }
  SUBCASE("a mark at the store") {
    const CacheLookup before = one.look("q", {5});
    WriteMark mark = two.begin({5});
    one.store(before.fill, "old");
    two.end(std::move(mark));
    CHECK(one.rows("q", {5}).empty());
    CHECK(one.metrics.cache_fills.value() == 0);
  }
  SUBCASE("positions for replicas") {
    const auto required = [](CacheRig& rig) {
      return rig.look("q", {5}).fill->required_position();
    };
    const std::uint64_t high = 0xfedcba9876543210;
    CHECK_FALSE(required(one));
    one.cache->note_position(kScope, 40, SteadyClock::now() + 10s);
    CHECK(required(one) == 40);
    CHECK(required(two) == 40);  // settled for all
    two.write({5}, high);
    CHECK(required(one) == high);
    two.write({5}, 50);
    CHECK(required(one) == high);
    WriteMark first = one.begin({5});
    WriteMark second = two.begin({5});
    one.end(std::move(first));
    two.end(std::move(second), 60);
    CHECK_FALSE(required(two));
    two.write({5}, 70);
    CHECK(required(two) == 70);
  }
}

TEST_CASE("redis: a dropped write blocks its tables until its lease ends, which bumps") {
  const RedisServer server;
  RedisRig one(server);
  RedisRig two(server, "two");
  REQUIRE(one.ready());
  one.fill("q", {5}, "old");
  {
    const WriteMark dropped = two.begin({5});
  }
  CHECK(one.look("q", {5}).fill == nullptr);
  bool hit = false;
  CHECK(eventually([&] {
    const CacheLookup found = one.look("q", {5});
    hit |= found.hit.has_value();
    return found.fill != nullptr;
  }));
  CHECK_FALSE(hit);
}

TEST_CASE("redis: altered and swapped entries are misses and counted") {
  const RedisServer server;
  RedisRig rig(server);
  rig.fill("a", {5}, "row a");
  const std::string name_a = server.keys("postern:{*}:e:*")[0];
  const Bytes entry_a = server.command({"GET", name_a}).text;
  Bytes altered = entry_a;
  altered.back() = static_cast<char>(altered.back() ^ 1);
  server.command({"SET", name_a, altered});
  CHECK(rig.rows("a", {5}).empty());
  CHECK(rig.metrics.cache_errors.value() == 1);
  server.command({"SET", name_a, entry_a});
  CHECK(rig.rows("a", {5}) == "row a");

  CacheQuery acme = rig.query("a", {5}, "acme");
  const std::string scope = name_a.substr(0, name_a.find(":e:"));
  server.command({"SET", scope + ":e:" + acme.key.name, entry_a});
  CHECK_FALSE(rig.look(acme).hit);
  CHECK(rig.metrics.cache_errors.value() == 2);
  CacheQuery other = rig.query("b", {5});
  server.command({"SET", scope + ":e:" + other.key.name, entry_a});
  CHECK_FALSE(rig.look(other).hit);
  CHECK(rig.metrics.cache_errors.value() == 3);
  server.command({"SET", name_a, "short"});
  CHECK(rig.rows("a", {5}).empty());
}

TEST_CASE("redis: killed during use, every lookup is a miss in time, and it comes back") {
  RedisServer server;
  RedisRig rig(server);
  rig.fill("q", {5}, "row");
  WriteMark mark = rig.begin({6});
  server.kill();
  for (int i = 0; i < 20; ++i) {
    const auto start = SteadyClock::now();
    CHECK(rig.rows("q", {5}).empty());
    CHECK(elapsed_since(start) < 1s);
  }
  CHECK(rig.metrics.cache_errors.value() > 0);
  rig.end(std::move(mark));  // its mark stood: nothing to wait for but patience
  CHECK(rig.look("q", {5}).fill == nullptr);

  server.start();
  REQUIRE(rig.ready());
  CHECK(rig.rows("q", {5}).empty());
  rig.fill("q", {5}, "new");
  CHECK(rig.rows("q", {5}) == "new");
}

TEST_CASE("redis: a write that cannot be marked waits until no other instance serves hits") {
  const RedisServer server;
  RedisRig one(server);
  RedisRig two(server, "two");
  REQUIRE(one.ready());
  one.fill("q", {5}, "old");
  REQUIRE(two.rows("q", {5}) == "old");
  server.signal(SIGSTOP);
  const auto start = SteadyClock::now();
  WriteMark mark = one.begin({5});
  one.end(std::move(mark));
  CHECK(elapsed_since(start) >= 600ms);  // the lease was at most a third old
  CHECK(elapsed_since(start) < 5s);
  CHECK(one.look("q", {5}).fill == nullptr);
  server.signal(SIGCONT);
  for (int i = 0; i < 50; ++i) {
    CHECK(two.rows("q", {5}).empty());
    CHECK(one.rows("q", {5}).empty());
    std::this_thread::sleep_for(5ms);
  }
  REQUIRE(one.ready());
  REQUIRE(two.ready());
  CHECK(one.rows("q", {5}).empty());
  CHECK(two.rows("q", {5}).empty());
}

TEST_CASE("redis: an instance cut off keeps hits from others until it is back") {
  const RedisServer server;
  RedisRig two(server, "two");
  {
    RedisRig one(server);
    REQUIRE(two.ready());
    two.fill("q", {5}, "row");
  }  // crashed: it did not leave
  CHECK(eventually([&] { return two.look("q", {5}).hit == std::nullopt; }));
  std::this_thread::sleep_for(50ms);
  CHECK(two.look("q", {5}).fill == nullptr);
  RedisRig again(server);
  REQUIRE(two.ready());
  CHECK(two.rows("q", {5}).empty());  // nobody knows what it wrote before
  two.fill("q", {5}, "row");
  CHECK(again.rows("q", {5}) == "row");
  run(again.worker, do_leave(again.cache.get(), &again.worker));
  CHECK(again.look("q", {5}).fill == nullptr);
  std::this_thread::sleep_for(1000ms);
  CHECK(two.rows("q", {5}) == "row");
}

TEST_CASE("redis: what Redis forgets is never served, and registration is made anew") {
  const RedisServer server;
  RedisRig rig(server);
  rig.fill("q", {5}, "old");
  const CacheLookup before = rig.look("r", {5});
  const std::string name = server.keys("postern:{*}:e:*")[0];
  const Bytes entry = server.command({"GET", name}).text;
  server.command({"FLUSHALL"});
  server.command({"SET", name, entry});
  rig.store(before.fill, "old");
  CHECK(rig.rows("q", {5}).empty());
  REQUIRE(rig.ready());
  CHECK(rig.rows("q", {5}).empty());
  CHECK(rig.rows("r", {5}).empty());
  server.command({"SCRIPT", "FLUSH"});
  CHECK(eventually([&] { return rig.look("q", {5}).fill != nullptr; }));
}

TEST_CASE("redis: a wrong password is a cache that is never there") {
  const RedisServer server;
  CacheSetup setup = redis_setup(server.port());
  setup.options.redis_password = Secret("wrong");
  RedisRig rig(std::move(setup));
  for (int i = 0; i < 3; ++i) {
    CHECK(rig.look("q", {5}).fill == nullptr);
    std::this_thread::sleep_for(20ms);
  }
  rig.write({5});
  CHECK(rig.metrics.cache_errors.value() > 0);
}

TEST_CASE("redis: a server that never answers costs a lookup its deadline and no more") {
  const UniqueFd silent = listen_somewhere();
  CacheSetup setup = redis_setup(local_port(silent.get()));
  setup.timings.lookup_deadline = 5ms;
  setup.timings.write_deadline = 50ms;
  RedisRig rig(std::move(setup));
  const auto start = SteadyClock::now();
  for (int i = 0; i < 20; ++i) CHECK_FALSE(rig.look("q", {5}).hit);
  rig.write({5});
  CHECK(elapsed_since(start) < 3s);
  CHECK(rig.metrics.cache_errors.value() > 0);
}

TEST_CASE("redis: a server stopped while answering costs a lookup its deadline and no more") {
  const RedisServer server;
  CacheSetup setup = redis_setup(server.port());
  setup.timings.lookup_deadline = 20ms;
  RedisRig rig(std::move(setup));
  REQUIRE(rig.ready());
  server.signal(SIGSTOP);
  const auto start = SteadyClock::now();
  for (int i = 0; i < 50; ++i) CHECK_FALSE(rig.look("q", {5}).hit);
  CHECK(elapsed_since(start) < 2s);
  server.signal(SIGCONT);
  CHECK(rig.ready());
}

TEST_CASE("redis: a server that speaks something else is never there") {
  const UniqueFd listener = listen_somewhere();
  std::thread babbling([fd = listener.get()] {
    for (;;) {
      const UniqueFd client(::accept(fd, nullptr, nullptr));
      if (!client) return;
      const ByteView text = "HTTP/1.1 400 Bad Request\r\n\r\n";
      if (::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) continue;
    }
  });
  {
    RedisRig rig(redis_setup(local_port(listener.get())));
    for (int i = 0; i < 10; ++i) {
      CHECK_FALSE(rig.look("q", {5}).hit);
      std::this_thread::sleep_for(5ms);
    }
    rig.write({5});
    CHECK(rig.metrics.cache_errors.value() > 0);
  }
  ::shutdown(listener.get(), SHUT_RDWR);
  babbling.join();
}

TEST_CASE("redis: a link says why there is no reply") {
  const RedisServer server;
  const UniqueFd silent = listen_somewhere();
  const RedisAccess good{{"127.0.0.1", server.port(), ""}, Secret(kPassword), 1s, 50ms};
  const RedisAccess wrong{{"127.0.0.1", server.port(), ""}, Secret("wrong"), 1s, 50ms};
  const RedisAccess mute{{"127.0.0.1", local_port(silent.get()), ""}, Secret(), 1s, 50ms};
  Worker worker({.name = "cache-link"});
  worker.start();
  RedisLink works(&worker, &good);
  RedisLink refused(&worker, &wrong);
  RedisLink waits(&worker, &mute);
  const auto time = run(worker, ask_time(&works, 1s));
  REQUIRE(time);
  CHECK(time->integer > 1'600'000'000'000);
  const auto password = run(worker, ask_time(&refused, 1s));
  REQUIRE_FALSE(password);
  CHECK(password.error().code == pst::kCacheProtocol);
  CHECK(password.error().what.find("wrong") == std::string::npos);
  const auto late = run(worker, ask_time(&waits, 10ms));
  REQUIRE_FALSE(late);
  CHECK(late.error().code == pst::kCacheUnavailable);
}

TEST_CASE("redis: an entry larger than what may be in flight is not stored") {
  const RedisServer server;
  CacheSetup setup = redis_setup(server.port());
  setup.options.max_entry_bytes = config::mebibytes(32);
  setup.timings.lookup_deadline = 5000ms;
  RedisRig rig(std::move(setup));
  REQUIRE(rig.ready());
  rig.fill("fits", {5}, Bytes(RedisLink::kMaxInFlight - 4096, 'x'));
  CHECK(rig.rows("fits", {5}).size() == RedisLink::kMaxInFlight - 4096);
  rig.fill("not", {5}, Bytes(RedisLink::kMaxInFlight, 'x'));
  CHECK(rig.rows("not", {5}).empty());
  CHECK(rig.metrics.cache_fills.value() == 1);
}

TEST_CASE("redis: threads: no reader sees a value older than one already acknowledged") {
  const RedisServer server;
  RedisRig reader(server);
  RedisRig writer(server, "two");
  REQUIRE(reader.ready());
  std::atomic<int> committed{0};
  std::atomic<int> acknowledged{0};
  std::thread writing([&] {
    for (int i = 1; i <= 200; ++i) {
      WriteMark mark = writer.begin({5});
      committed = i;
      writer.end(std::move(mark));
      acknowledged = i;
      std::this_thread::sleep_for(500us);
    }
  });
  int stale = 0;
  while (acknowledged < 200) {
    const int floor = acknowledged;
    CacheLookup found = reader.look("q", {5});
    const int seen = found.hit ? std::stoi(found.hit->rows) : committed.load();
    stale += seen < floor ? 1 : 0;
    reader.store(found.fill, std::to_string(seen));
  }
  writing.join();
  CHECK(stale == 0);
  CHECK(reader.metrics.cache_fills.value() > 0);
}
