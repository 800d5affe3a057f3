// The names under which proxy/ uses Boost.Asio. One io_context per worker and one thread per
// io_context, so the executor is concrete (nothing is type-erased) and no strand is needed.
//
// House rules for coroutines (GCC 12 destroys temporaries of a co_await expression wrongly):
// named functions taking values or owners, never capturing lambdas; no temporary with a destructor,
// no `?:` and no braced aggregate inside a co_await expression; name the operation first:
//     auto op = timer.async_wait(kAwait);
//     auto [ec] = co_await std::move(op);
#pragma once

#include <chrono>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

#include "proxy/net/task.hpp"

namespace postern::proxy {

using Executor = asio::io_context::executor_type;

/// Completion token of every Asio operation here: failure arrives as the first element of a tuple,
/// never as an exception.
inline constexpr auto kAwait = asio::as_tuple(asio::deferred);

/// One socket type for TCP and unix-domain streams.
using StreamSocket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;

using SteadyClock = std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<SteadyClock, asio::wait_traits<SteadyClock>, Executor>;

}  // namespace postern::proxy
