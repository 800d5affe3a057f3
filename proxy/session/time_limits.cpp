#include "proxy/session/time_limits.hpp"

#include "base/codes/session.hpp"

namespace postern::proxy {

std::optional<TimeLimit> next_time_limit(const config::LimitsOptions& limits, const Moment& now) {
  std::optional<TimeLimit> first;
  const auto consider = [&](std::optional<Moment::Time> since, config::Millis limit, Pst reason) {
    if (!since || limit.count() <= 0) return;
    const Moment::Time when = *since + limit;
    if (!first || when < first->when) first = TimeLimit{when, reason};
  };
  consider(now.request, limits.query_timeout, pst::kQueryTimeout);
  consider(now.transaction, limits.transaction_timeout, pst::kTransactionTimeout);
  if (now.transaction) {
    consider(now.silent, limits.idle_transaction_timeout, pst::kIdleTransactionTimeout);
  } else {
    consider(now.silent, limits.idle_timeout, pst::kIdleTimeout);
  }
  return first;
}

}  // namespace postern::proxy
