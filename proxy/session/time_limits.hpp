// How long a session may be silent, a transaction open, a request unanswered.
#pragma once

#include <chrono>
#include <optional>

#include "base/error.hpp"
#include "config/options_net.hpp"

namespace postern::proxy {

/// What a session is in the middle of, as far as its time limits are concerned.
struct Moment {
  using Time = std::chrono::steady_clock::time_point;

  std::optional<Time> request;      ///< a request awaits its answer since
  std::optional<Time> transaction;  ///< a transaction is open since
  std::optional<Time> silent;       ///< the client is silent since; nothing awaits an answer
};

struct TimeLimit {
  Moment::Time when;
  Pst reason;  ///< kQueryTimeout, kTransactionTimeout, kIdleTransactionTimeout, kIdleTimeout
};

/// The limit that passes first; nullopt where none applies. Limits of zero never do. Pure.
std::optional<TimeLimit> next_time_limit(const config::LimitsOptions& limits, const Moment& now);

}  // namespace postern::proxy
