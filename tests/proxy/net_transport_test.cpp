#include <sys/socket.h>
#include <thread>
#include <vector>

#include "base/codes/net.hpp"
#include "tests/proxy/net_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;
using namespace std::chrono_literals;

namespace {

struct Rig {
  WorkerGroup group{2, {}};
  Rig() { group.start(); }
  Worker& a() { return group.at(0); }
  Worker& b() { return group.at(1); }
};

Task<Status> echo(TransportBox box) {
  std::vector<char> buffer(9000);
  for (;;) {
    Transport::Readable readable = box->readable();
    const Status ready = co_await readable;
    if (!ready) co_return ready.error();
    const Result<std::size_t> got = co_await box->read_some(buffer.data(), buffer.size());
    if (!got) co_return got.error();
    if (*got == 0) co_return co_await box->finish();
    const ByteView view(buffer.data(), *got);
    const Status written = co_await box->write(view);
    if (!written) co_return written.error();
  }
}

Task<Status> write_views(TransportBox box, std::vector<Bytes> pieces) {
  std::vector<ByteView> views(pieces.begin(), pieces.end());
  co_return co_await box->write(views);
}

/// Reads a little, says something, and leaves.
Task<Status> leave_unread(TransportBox box) {
  char byte = 0;
  const Result<std::size_t> got = co_await box->read_some(&byte, 1);
  if (!got) co_return got.error();
  const Status said = co_await box->write(ByteView("why"));
  if (!said) co_return said.error();
  const Status finished = co_await box->finish();
  if (!finished) co_return finished.error();
  const Status dropped = co_await box->drop_input(1024 * 1024);
  box->close();
  co_return dropped;
}

Task<Status> write_nothing(TransportBox box) {
  co_return co_await box->write(std::span<const ByteView>());
}

Task<UnboundTransport> release(TransportBox box) {
  co_return box->release();
}

/// Reads from a peer that stays silent, with a deadline over it.
Task<Status> read_until_deadline(Worker* worker, TransportBox box) {
  Deadline deadline(
      worker->deadlines(), [](void* t) { static_cast<Transport*>(t)->close(); }, box.get());
  deadline.arm(SteadyClock::now() + 150ms);
  char byte = 0;
  const Result<std::size_t> got = co_await box->read_some(&byte, 1);
  if (got) co_return make_error(pst::kInternal, "read something");
  if (!deadline.expired()) co_return make_error(pst::kInternal, "not by the deadline");
  co_return got.error();
}

}  // namespace

TEST_CASE("echo over loopback, plain and TLS, then an orderly end") {
  for (const bool tls : {false, true}) {
    CAPTURE(tls);
    Rig rig;
    Ends ends(rig.a(), rig.b(), tls);
    CHECK(ends.client->peer().starts_with("127.0.0.1:"));
    CHECK((ends.client->tls() != nullptr) == tls);
    auto echoing = start(rig.b(), echo(ends.server));
    constexpr std::size_t kTotal = 1 << 20;
    auto writing = start(rig.a(), write_pattern(ends.client, kTotal, 5));
    CHECK(run(rig.a(), read_pattern(ends.client, kTotal, 5)));
    CHECK(finish(std::move(writing)));
    CHECK(run(rig.a(), write_nothing(ends.client)));
    CHECK(run(rig.a(), do_finish(ends.client)));
    const auto rest = run(rig.a(), read_to_end(ends.client));
    REQUIRE(rest);
    CHECK(rest->empty());
    CHECK(finish(std::move(echoing)));
  }
}

TEST_CASE("32 MB each way at the same time, plain and TLS") {
  constexpr std::size_t kTotal = 32 << 20;
  for (const bool tls : {false, true}) {
    CAPTURE(tls);
    Rig rig;
    Ends ends(rig.a(), rig.b(), tls);
    auto up = start(rig.a(), write_pattern(ends.client, kTotal, 1));
    auto down = start(rig.b(), write_pattern(ends.server, kTotal, 2));
    auto got_up = start(rig.b(), read_pattern(ends.server, kTotal, 1));
    const Status got_down = run(rig.a(), read_pattern(ends.client, kTotal, 2));
    CHECK(got_down);
    CHECK(finish(std::move(got_up)));
    CHECK(finish(std::move(up)));
    CHECK(finish(std::move(down)));
    CHECK(ends.client->peek() == IdleState::kQuiet);
  }
}

TEST_CASE("many views, empty ones too, arrive as one sequence") {
  for (const bool tls : {false, true}) {
    CAPTURE(tls);
    Rig rig;
    Ends ends(rig.a(), rig.b(), tls);
    std::vector<Bytes> pieces;
    Bytes all;
    for (std::size_t i = 0; i < 5 * kMaxGather + 3; ++i) {
      pieces.emplace_back(i % 5 == 0 ? 0 : (i * 37) % 700, static_cast<char>('a' + i % 26));
      if (i % 50 == 49) pieces.back() = Bytes(100'000, static_cast<char>(i));
      all += pieces.back();
    }
    auto reading = start(rig.b(), read_to_end(ends.server));
    CHECK(run(rig.a(), write_views(ends.client, pieces)));
    CHECK(run(rig.a(), write_views(ends.client, {"", "", ""})));
    CHECK(run(rig.a(), do_finish(ends.client)));
    const auto got = finish(std::move(reading));
    REQUIRE(got);
    CHECK((*got == all));
  }
}

TEST_CASE("views that are joined, and those a byte too long for it, arrive as one sequence") {
  for (const std::size_t size : {1U, 511U, 512U, 513U}) {
    CAPTURE(size);
    Rig rig;
    Ends ends(rig.a(), rig.b(), false);
    const std::vector<Bytes> pieces = {Bytes(size / 2, 'a'), "", Bytes(size - size / 2, 'b')};
    auto reading = start(rig.b(), read_to_end(ends.server));
    CHECK(run(rig.a(), write_views(ends.client, pieces)));
    CHECK(run(rig.a(), do_finish(ends.client)));
    const auto got = finish(std::move(reading));
    REQUIRE(got);
    CHECK(*got == pieces[0] + pieces[2]);
  }
}

TEST_CASE("what nobody wants to read does not keep its sender from the last word") {
  for (const bool tls : {false, true}) {
    CAPTURE(tls);
    Rig rig;
    Ends ends(rig.a(), rig.b(), tls);
    auto writing = start(rig.a(), write_views(ends.client, {Bytes(300'000, 'x')}));
    auto leaving = start(rig.b(), leave_unread(ends.server));
    CHECK(finish(std::move(writing)));
    CHECK(run(rig.a(), do_finish(ends.client)));
    CHECK(finish(std::move(leaving)));
    const auto heard = run(rig.a(), read_to_end(ends.client));
    REQUIRE(heard);
    CHECK(*heard == "why");
  }
}

TEST_CASE("small views of one write share TLS records") {
  Rig rig;
  Ends ends(rig.a(), rig.b(), true);
  std::vector<Bytes> pieces(1000, "0123456789");
  CHECK(run(rig.a(), write_views(ends.client, pieces)));
  // One record of 10,000 bytes comes out of one read, not the first ten bytes.
  const auto got = run(rig.b(), read_once(ends.server, 16384));
  REQUIRE(got);
  CHECK(got->size() == 10'000);
}

TEST_CASE("a connection moves to another worker in the middle, plain and TLS") {
  for (const bool tls : {false, true}) {
    CAPTURE(tls);
    Rig rig;
    Ends ends(rig.a(), rig.b(), tls);
    auto echoing = start(rig.b(), echo(ends.server));
    Worker* workers[] = {&rig.a(), &rig.b()};
    for (int i = 0; i < 6; ++i) {
      Worker& here = *workers[i % 2];
      Worker& there = *workers[(i + 1) % 2];
      const Bytes text = "turn " + std::to_string(i);
      CHECK(run(here, write_all(ends.client, text)));
      CHECK(run(here, wait_input(ends.client)));
      const auto part = run(here, read_once(ends.client, 2));  // the rest stays behind
      REQUIRE(part);
      UnboundTransport idle = run(here, release(ends.client));
      CHECK_FALSE(ends.client->is_open());
      CHECK(idle.peek() == IdleState::kHasInput);
      CHECK(idle.peer.starts_with("127.0.0.1:"));
      ends.client = adopt_box(there, std::move(idle));
      CHECK(run(there, wait_input(ends.client)));
      const auto rest = run(there, read_once(ends.client, 100));
      REQUIRE(rest);
      CHECK(*part + *rest == text);
      CHECK(ends.client->peek() == IdleState::kQuiet);
    }
    CHECK(run(rig.a(), do_finish(ends.client)));
    CHECK(finish(std::move(echoing)));
    CHECK(run(rig.a(), read_to_end(ends.client)));
  }
}

TEST_CASE("an idle connection shows what the server did meanwhile") {
  auto [near, far] = tcp_pair();
  UnboundTransport idle = UnboundTransport::from_fd(std::move(near));
  CHECK(idle.peek() == IdleState::kQuiet);
  REQUIRE(::send(far.get(), "E", 1, 0) == 1);
  while (idle.peek() == IdleState::kQuiet) std::this_thread::yield();
  CHECK(idle.peek() == IdleState::kHasInput);
  auto [near2, far2] = tcp_pair();
  idle = UnboundTransport::from_fd(std::move(near2));
  far2.reset();
  while (idle.peek() == IdleState::kQuiet) std::this_thread::yield();
  CHECK(idle.peek() == IdleState::kGone);
  CHECK(UnboundTransport().peek() == IdleState::kGone);
}

TEST_CASE("a deadline closes a silent connection") {
  for (const bool tls : {false, true}) {
    Rig rig;
    Ends ends(rig.a(), rig.b(), tls);
    const auto before = SteadyClock::now();
    const Status ended = run(rig.a(), read_until_deadline(&rig.a(), ends.client));
    REQUIRE_FALSE(ended);
    CHECK(ended.error().code == pst::kTransportClosed);
    CHECK(SteadyClock::now() - before >= 150ms);
    CHECK(SteadyClock::now() - before < 5s);
    const auto rest = run(rig.b(), read_to_end(ends.server));  // a clean end, also for TLS
    CHECK(rest);
  }
}

TEST_CASE("close ends a reader and a writer that wait, and everything after it") {
  Rig rig;
  Ends ends(rig.a(), rig.b(), false);
  auto reading = start(rig.a(), read_once(ends.client, 10));
  auto writing = start(rig.a(), write_pattern(ends.client, 64 << 20, 1));  // nobody reads
  std::this_thread::sleep_for(50ms);
  CHECK(run(rig.a(), do_close(ends.client)));
  const auto read = finish(std::move(reading));
  const auto written = finish(std::move(writing));
  REQUIRE_FALSE(read);
  REQUIRE_FALSE(written);
  CHECK(read.error().code == pst::kTransportClosed);
  CHECK(written.error().code == pst::kTransportClosed);
  CHECK(run(rig.a(), read_once(ends.client, 1)).error().code == pst::kTransportClosed);
  CHECK(run(rig.a(), write_all(ends.client, "x")).error().code == pst::kTransportClosed);
  CHECK(run(rig.a(), wait_input(ends.client)).error().code == pst::kTransportClosed);
  CHECK(ends.client->release().fd.get() == -1);
}

TEST_CASE("a reset is an error, a TLS end without close_notify is truncation") {
  Rig rig;
  SUBCASE("reset") {
    auto [near, far] = tcp_pair();
    TransportBox client = adopt_box(rig.a(), std::move(near));
    const linger hard{1, 0};
    ::setsockopt(far.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    far.reset();
    const auto got = run(rig.a(), read_to_end(client));
    REQUIRE_FALSE(got);
    CHECK(got.error().code == pst::kTransportBroken);
    CHECK(run(rig.a(), write_all(client, "x")).error().code == pst::kTransportBroken);
  }
  SUBCASE("cut TLS") {
    Ends ends(rig.a(), rig.b(), true);
    CHECK(run(rig.b(), write_all(ends.server, "half")));
    UnboundTransport taken = run(rig.b(), release(ends.server));
    taken.fd.reset();  // no close_notify
    const auto first = run(rig.a(), read_once(ends.client, 100));
    REQUIRE(first);
    CHECK(*first == "half");
    const auto end = run(rig.a(), read_once(ends.client, 100));
    REQUIRE_FALSE(end);
    CHECK(end.error().code == pst::kTlsTruncated);
  }
}

TEST_CASE("TLS handshakes that fail: garbage, silence cut off, wrong host, twice") {
  Rig rig;
  auto [near, far] = tcp_pair();
  TransportBox server = adopt_box(rig.a(), std::move(near));
  const TlsContext server_ctx = test_server_context();
  auto serving = start(rig.a(), upgrade_as_server(server, &server_ctx));
  SUBCASE("garbage") {
    const Bytes garbage(64, 'Q');
    REQUIRE(::send(far.get(), garbage.data(), garbage.size(), 0) == 64);
    CHECK(finish(std::move(serving)).error().code == pst::kTlsHandshake);
  }
  SUBCASE("end in the middle") {
    REQUIRE(::send(far.get(), "\x16\x03\x01", 3, 0) == 3);
    far.reset();
    CHECK(finish(std::move(serving)).error().code == pst::kTlsTruncated);
  }
  SUBCASE("closed by its session") {
    std::this_thread::sleep_for(20ms);
    CHECK(run(rig.a(), do_close(server)));
    CHECK(finish(std::move(serving)).error().code == pst::kTransportClosed);
  }
  SUBCASE("TLS inside TLS") {
    TransportBox client = adopt_box(rig.b(), std::move(far));
    const TlsContext client_ctx = test_client_context();
    REQUIRE(run(rig.b(), upgrade_as_client(client, &client_ctx)));
    REQUIRE(finish(std::move(serving)));
    const Status again = run(rig.b(), upgrade_as_client(client, &client_ctx));
    REQUIRE_FALSE(again);
    CHECK(again.error().code == pst::kTlsHandshake);
  }
}

TEST_CASE("early bytes of direct TLS count, ALPN is there to be checked") {
  Rig rig;
  auto [near, far] = tcp_pair();
  TransportBox client = adopt_box(rig.a(), std::move(near));
  TransportBox server = adopt_box(rig.b(), std::move(far));
  const TlsContext server_ctx = test_server_context();
  const TlsContext client_ctx = test_client_context();
  auto connecting = start(rig.a(), upgrade_as_client(client, &client_ctx));
  const auto early = run(rig.b(), read_once(server, 37));  // as a session's first read does
  REQUIRE(early);
  CHECK((*early)[0] == 0x16);
  CHECK(run(rig.b(), server->upgrade_server(&server_ctx, *early)));
  CHECK(finish(std::move(connecting)));
  CHECK(server->tls()->alpn_agreed());
  CHECK(*server->tls()->channel_binding() == *client->tls()->channel_binding());
}

TEST_CASE("a peer that only writes, with key updates, does not block reading or disorder writing") {
  Rig rig;
  // A unix socket holds 200 KB and, unlike TCP, takes no time to recover from a full window.
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  TransportBox ours = adopt_box(rig.a(), UniqueFd(fds[0]));
  constexpr std::size_t kTotal = 4 << 20;
  std::promise<bool> peer_done;
  // OpenSSL over the blocking socket itself, with none of our code.
  std::thread peer([fd = UniqueFd(fds[1]), &peer_done] {
    std::unique_ptr<SSL_CTX, test::Free> ctx(SSL_CTX_new(TLS_client_method()));
    std::unique_ptr<SSL, test::Free> ssl(SSL_new(ctx.get()));
    SSL_set_fd(ssl.get(), fd.get());
    bool good = SSL_connect(ssl.get()) == 1;
    Bytes chunk(65536, '\0');
    for (std::size_t at = 0; good && at < kTotal; at += chunk.size()) {
      for (std::size_t i = 0; i < chunk.size(); ++i) chunk[i] = pattern(at + i, 9);
      SSL_key_update(ssl.get(), SSL_KEY_UPDATE_REQUESTED);
      good = SSL_write(ssl.get(), chunk.data(), static_cast<int>(chunk.size())) > 0;
    }
    for (std::size_t at = 0; good && at < kTotal;) {
      const int n = SSL_read(ssl.get(), chunk.data(), static_cast<int>(chunk.size()));
      good = n > 0;
      for (int i = 0; good && i < n; ++i) good = chunk[i] == pattern(at + i, 8);
      at += static_cast<std::size_t>(std::max(n, 0));
    }
    peer_done.set_value(good);
  });
  const TlsContext server_ctx = test_server_context();
  const Status upgraded = run(rig.a(), upgrade_as_server(ours, &server_ctx));
  CHECK(upgraded);
  auto writing = start(rig.a(), write_pattern(ours, kTotal, 8));
  CHECK(run(rig.a(), read_pattern(ours, kTotal, 9)));
  CHECK(finish(std::move(writing)));
  CHECK(finish(peer_done.get_future()));
  peer.join();
}

TEST_CASE("a unix socket works like TCP") {
  Rig rig;
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  TransportBox a = adopt_box(rig.a(), UniqueFd(fds[0]));
  TransportBox b = adopt_box(rig.b(), UniqueFd(fds[1]));
  CHECK(a->peer() == "unix");
  auto writing = start(rig.a(), write_pattern(a, 1 << 20, 3));
  CHECK(run(rig.b(), read_pattern(b, 1 << 20, 3)));
  CHECK(finish(std::move(writing)));
}
