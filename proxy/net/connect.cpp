#include "proxy/net/connect.hpp"

#include <fcntl.h>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "base/codes/net.hpp"
#include "proxy/net/socket_ops.hpp"

namespace postern::proxy {
namespace {

using Address = asio::generic::stream_protocol::endpoint;
using Resolver = asio::ip::basic_resolver<asio::ip::tcp, Executor>;

/// A name being resolved. getaddrinfo cannot be interrupted, so the coroutine waits for `done`,
/// which a deadline cancels, and an answer that comes later finds nobody waiting.
struct Lookup {
  explicit Lookup(const Executor& executor)
      : resolver(executor), done(executor, SteadyClock::time_point::max()) {}

  Resolver resolver;
  Timer done;
  bool finished = false;
  boost::system::error_code error;
  std::vector<Address> addresses;
};

void start_lookup(const std::shared_ptr<Lookup>& lookup, const Endpoint& endpoint) {
  lookup->resolver.async_resolve(
      endpoint.host, std::to_string(endpoint.port), Resolver::numeric_service,
      [lookup](const boost::system::error_code& error, const Resolver::results_type& results) {
        lookup->finished = true;
        lookup->error = error;
        for (const auto& result : results) lookup->addresses.emplace_back(result.endpoint());
        lookup->done.cancel();
      });
}

/// What a deadline has to interrupt.
struct Attempt {
  explicit Attempt(const Executor& executor) : socket(executor) {}

  StreamSocket socket;
  std::shared_ptr<Lookup> lookup;

  static void expire(void* self) {
    auto& attempt = *static_cast<Attempt*>(self);
    boost::system::error_code ignored;
    attempt.socket.close(ignored);
    if (attempt.lookup != nullptr) attempt.lookup->done.cancel();
  }
};

/// The addresses that need no resolver.
std::vector<Address> literal_addresses(const Endpoint& endpoint) {
  if (endpoint.is_unix()) {
    std::string path = endpoint.path;
    if (path.starts_with('@')) path.front() = '\0';  // abstract: Asio knows it by its first byte
    return {Address(asio::local::stream_protocol::endpoint(path))};
  }
  boost::system::error_code error;
  const asio::ip::address address = asio::ip::make_address(endpoint.host, error);
  if (error) return {};
  return {Address(asio::ip::tcp::endpoint(address, endpoint.port))};
}

Task<Result<std::vector<Address>>> resolve(Attempt* attempt, Endpoint endpoint) {
  std::vector<Address> literal = literal_addresses(endpoint);
  if (!literal.empty()) co_return std::move(literal);
  attempt->lookup = std::make_shared<Lookup>(attempt->socket.get_executor());
  start_lookup(attempt->lookup, endpoint);
  auto waiting = attempt->lookup->done.async_wait(kAwait);
  co_await std::move(waiting);
  const std::shared_ptr<Lookup> lookup = std::exchange(attempt->lookup, nullptr);
  if (!lookup->finished) co_return make_error(pst::kConnectTimeout, "resolving " + endpoint.host);
  if (lookup->error || lookup->addresses.empty()) {
    co_return make_error(pst::kResolveFailed, endpoint.host + ": " + lookup->error.message());
  }
  co_return std::move(lookup->addresses);
}

/// errno of connecting the attempt's socket, 0 for success.
Task<int> connect_one(Attempt* attempt, Address address) {
  boost::system::error_code error;
  attempt->socket.close(error);
  attempt->socket.open(address.protocol(), error);
  if (error) co_return error.value();
  ::fcntl(attempt->socket.native_handle(), F_SETFD, FD_CLOEXEC);
  auto connecting = attempt->socket.async_connect(address, kAwait);
  const auto [failure] = co_await std::move(connecting);
  co_return failure.value();
}

/// Each address gets its share of what is left, so that one that is dead costs no other its turn.
SteadyClock::time_point share_end(SteadyClock::time_point end, std::size_t addresses_left) {
  const auto now = SteadyClock::now();
  return now + (end - now) / static_cast<std::int64_t>(addresses_left);
}

Result<Transport> hand_out(Attempt& attempt, const Endpoint& endpoint) {
  boost::system::error_code error;
  UniqueFd fd(attempt.socket.release(error));
  tune_stream(fd.get());
  UnboundTransport fresh = UnboundTransport::from_fd(std::move(fd));
  // A unix socket whose backlog is full looks connected to a readiness wait.
  if (fresh.peer.empty()) {
    return make_error(pst::kConnectFailed, endpoint.text() + ": " + errno_text(EAGAIN));
  }
  return Transport::adopt(attempt.socket.get_executor(), std::move(fresh));
}

}  // namespace

Task<Result<Transport>> connect(Worker* worker, Endpoint endpoint,
                                std::chrono::milliseconds timeout) {
  Attempt attempt(worker->executor());
  Deadline deadline(worker->deadlines(), &Attempt::expire, &attempt);
  const auto end = SteadyClock::now() + timeout;
  deadline.arm(end);
  const Result<std::vector<Address>> addresses = co_await resolve(&attempt, endpoint);
  if (!addresses) co_return addresses.error();
  if (deadline.expired()) co_return make_error(pst::kConnectTimeout, endpoint.text());
  Error last = make_error(pst::kConnectTimeout, endpoint.text());
  for (std::size_t left = addresses->size(); left > 0 && SteadyClock::now() < end; --left) {
    deadline.arm(share_end(end, left));
    const Address address = (*addresses)[addresses->size() - left];
    const int error = co_await connect_one(&attempt, address);
    if (deadline.expired()) {
      last = make_error(pst::kConnectTimeout, endpoint.text());
    } else if (error == 0) {
      co_return hand_out(attempt, endpoint);
    } else {
      last = make_error(pst::kConnectFailed, endpoint.text() + ": " + errno_text(error));
    }
  }
  co_return last;
}

}  // namespace postern::proxy
