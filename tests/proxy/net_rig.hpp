// Runs coroutines on real workers from a test's thread.
#pragma once

#include <exception>
#include <future>
#include <memory>
#include <sys/socket.h>
#include <utility>

#include <doctest/doctest.h>

#include "proxy/net/tls_context.hpp"
#include "proxy/net/transport.hpp"
#include "proxy/net/worker.hpp"
#include "tests/proxy/net_certs.hpp"

namespace postern::test {

using proxy::SteadyClock;
using proxy::Task;
using proxy::TlsContext;
using proxy::Transport;
using proxy::UnboundTransport;
using proxy::UniqueFd;
using proxy::Worker;
using proxy::WorkerGroup;

inline constexpr std::chrono::seconds kPatience{60};

template <typename T>
Task<void> keep_promise(Task<T> task, std::promise<T> promise) {
  T value = co_await std::move(task);
  promise.set_value(std::move(value));
}

/// Starts `task` on the worker; the future gives its result.
template <typename T>
std::future<T> start(Worker& worker, Task<T> task) {
  std::promise<T> promise;
  std::future<T> future = promise.get_future();
  worker.spawn(keep_promise<T>(std::move(task), std::move(promise)));
  return future;
}

template <typename T>
T finish(std::future<T> future) {
  REQUIRE(future.wait_for(kPatience) == std::future_status::ready);
  return future.get();
}

template <typename T>
T run(Worker& worker, Task<T> task) {
  return finish(start(worker, std::move(task)));
}

/// Two ends of a loopback TCP connection.
std::pair<UniqueFd, UniqueFd> tcp_pair();
/// A blocking TCP connection to 127.0.0.1:port.
UniqueFd dial(std::uint16_t port);

TlsContext test_server_context();
TlsContext test_client_context();

/// A transport that may be moved between coroutines, owned by the test and destroyed on its
/// worker's thread.
using TransportBox = std::shared_ptr<Transport>;
TransportBox adopt_box(Worker& worker, UnboundTransport unbound);
inline TransportBox adopt_box(Worker& worker, UniqueFd fd) {
  return adopt_box(worker, UnboundTransport::from_fd(std::move(fd)));
}

/// Deterministic bytes: the one at `offset` of stream `seed`.
inline char pattern(std::size_t offset, unsigned seed) {
  return static_cast<char>((offset * 2654435761u + seed * 40503u) >> 13);
}

/// Client and server end on their workers, both plain or both TLS.
struct Ends {
  Ends(Worker& client_worker, Worker& server_worker, bool tls);
  TlsContext server_ctx = test_server_context();
  TlsContext client_ctx = test_client_context();
  TransportBox client;
  TransportBox server;
};

Task<Status> upgrade_as_server(TransportBox box, const TlsContext* context);
Task<Status> upgrade_as_client(TransportBox box, const TlsContext* context);
/// Writes `total` pattern bytes in pieces of mixed size.
Task<Status> write_pattern(TransportBox box, std::size_t total, unsigned seed);
/// Reads `total` pattern bytes; the first difference is an error.
Task<Status> read_pattern(TransportBox box, std::size_t total, unsigned seed);
/// Reads until the end or an error.
Task<Result<Bytes>> read_to_end(TransportBox box);
Task<Result<Bytes>> read_once(TransportBox box, std::size_t room);
Task<Status> write_all(TransportBox box, Bytes bytes);
Task<Status> do_finish(TransportBox box);
Task<Status> wait_input(TransportBox box);
/// Runs on the worker: closes the transport.
Task<Status> do_close(TransportBox box);

}  // namespace postern::test
