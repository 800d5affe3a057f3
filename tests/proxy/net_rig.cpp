#include "tests/proxy/net_rig.hpp"

#include <netinet/in.h>
#include <vector>

namespace postern::test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

}  // namespace

UniqueFd dial(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

std::pair<UniqueFd, UniqueFd> tcp_pair() {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(0);
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener.get(), 1) == 0);
  UniqueFd near = dial(proxy::local_port(listener.get()));
  UniqueFd far(::accept(listener.get(), nullptr, nullptr));
  REQUIRE(far);
  return {std::move(near), std::move(far)};
}

TlsContext test_server_context() {
  auto made =
      TlsContext::server({.cert_file = pki().server.cert_file, .key_file = pki().server.key_file});
  REQUIRE(made);
  return std::move(*made);
}

TlsContext test_client_context() {
  auto made =
      TlsContext::client({.mode = proxy::TlsMode::kVerifyFull, .ca_file = pki().ca.cert_file});
  REQUIRE(made);
  return std::move(*made);
}

TransportBox adopt_box(Worker& worker, UnboundTransport unbound) {
  auto adopted = Transport::adopt(worker.executor(), std::move(unbound));
  REQUIRE(adopted);
  return std::make_shared<Transport>(std::move(*adopted));
}

Ends::Ends(Worker& client_worker, Worker& server_worker, bool tls) {
  auto [near, far] = tcp_pair();
  client = adopt_box(client_worker, std::move(near));
  server = adopt_box(server_worker, std::move(far));
  if (!tls) return;
  auto serving = start(server_worker, upgrade_as_server(server, &server_ctx));
  const Status connected = run(client_worker, upgrade_as_client(client, &client_ctx));
  REQUIRE(connected);
  REQUIRE(finish(std::move(serving)));
}

Task<Status> upgrade_as_server(TransportBox box, const TlsContext* context) {
  co_return co_await box->upgrade_server(context, Bytes());
}

Task<Status> upgrade_as_client(TransportBox box, const TlsContext* context) {
  co_return co_await box->upgrade_client(context, "localhost");
}

Task<Status> write_pattern(TransportBox box, std::size_t total, unsigned seed) {
  Bytes chunk;
  std::vector<ByteView> views;
  for (std::size_t at = 0; at < total;) {
    const std::size_t size = std::min<std::size_t>(total - at, 1 + (at * 7919 + seed) % 200000);
    chunk.resize(size);
    for (std::size_t i = 0; i < size; ++i) chunk[i] = pattern(at + i, seed);
    // Three views, one of them possibly empty.
    const ByteView whole = chunk;
    views.clear();
    views.push_back(whole.substr(0, size / 3));
    views.push_back(whole.substr(size / 3, size / 7));
    views.push_back(whole.substr(size / 3 + size / 7));
    const Status written = co_await box->write(views);
    if (!written) co_return written.error();
    at += size;
  }
  co_return ok();
}

Task<Status> read_pattern(TransportBox box, std::size_t total, unsigned seed) {
  std::vector<char> buffer(30000);
  for (std::size_t at = 0; at < total;) {
    const std::size_t room = std::min(buffer.size(), total - at);
    const Result<std::size_t> got = co_await box->read_some(buffer.data(), room);
    if (!got) co_return got.error();
    if (*got == 0) co_return make_error(pst::kInternal, "early end at " + std::to_string(at));
    for (std::size_t i = 0; i < *got; ++i) {
      if (buffer[i] != pattern(at + i, seed)) {
        co_return make_error(pst::kInternal, "difference at " + std::to_string(at + i));
      }
    }
    at += *got;
  }
  co_return ok();
}

Task<Result<Bytes>> read_once(TransportBox box, std::size_t room) {
  Bytes bytes(room, '\0');
  const Result<std::size_t> got = co_await box->read_some(bytes.data(), bytes.size());
  if (!got) co_return got.error();
  bytes.resize(*got);
  co_return bytes;
}

Task<Result<Bytes>> read_to_end(TransportBox box) {
  Bytes all;
  for (;;) {
    const Result<Bytes> piece = co_await read_once(box, 8192);
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return all;
    all += *piece;
  }
}

Task<Status> write_all(TransportBox box, Bytes bytes) {
  const ByteView view = bytes;
  co_return co_await box->write(view);
}

Task<Status> do_finish(TransportBox box) {
  co_return co_await box->finish();
}

Task<Status> wait_input(TransportBox box) {
  Transport::Readable readable = box->readable();
  co_return co_await readable;
}

Task<Status> do_close(TransportBox box) {
  box->close();
  co_return ok();
}

}  // namespace postern::test
