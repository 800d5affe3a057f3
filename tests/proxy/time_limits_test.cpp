#include "proxy/session/time_limits.hpp"

#include <doctest/doctest.h>

#include "base/codes/session.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace std::chrono_literals;

namespace {

const Moment::Time kStart = Moment::Time() + 1h;

config::LimitsOptions all_limits() {
  config::LimitsOptions limits;
  limits.query_timeout = 10s;
  limits.transaction_timeout = 60s;
  limits.idle_transaction_timeout = 20s;
  limits.idle_timeout = 300s;
  return limits;
}

}  // namespace

TEST_CASE("no limit is set, or nothing is under way") {
  CHECK_FALSE(next_time_limit(config::LimitsOptions(), {kStart, kStart, kStart}));
  CHECK_FALSE(next_time_limit(all_limits(), {}));
}

TEST_CASE("the limit that passes first") {
  const auto limits = all_limits();
  const auto request = next_time_limit(limits, {kStart, kStart, {}});
  REQUIRE(request);
  CHECK(request->reason == pst::kQueryTimeout);
  CHECK(request->when == kStart + 10s);

  const auto silent = next_time_limit(limits, {{}, kStart, kStart + 1s});
  REQUIRE(silent);
  CHECK(silent->reason == pst::kIdleTransactionTimeout);
  CHECK(silent->when == kStart + 21s);

  const auto old = next_time_limit(limits, {{}, kStart, kStart + 50s});
  REQUIRE(old);
  CHECK(old->reason == pst::kTransactionTimeout);

  const auto idle = next_time_limit(limits, {{}, {}, kStart});
  REQUIRE(idle);
  CHECK(idle->reason == pst::kIdleTimeout);
  CHECK(idle->when == kStart + 300s);
}
