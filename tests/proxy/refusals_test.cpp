#include "proxy/runtime/refusals.hpp"

#include <thread>

#include <doctest/doctest.h>

using namespace postern;
using namespace postern::proxy;

namespace {

RefusalGroup group(std::string login, std::string application = "shop") {
  RefusalGroup out;
  out.database = "orders";
  out.login = std::move(login);
  out.application = std::move(application);
  out.fingerprint = "0123456789abcdef";
  out.code = "PST-1504";
  out.rule = "gate.opaque";
  return out;
}

}  // namespace

TEST_CASE("refusals: alike ones are one sum, the most frequent first") {
  Refusals refusals;
  refusals.note(group("ann"), 10);
  refusals.note(group("bob"), 20);
  refusals.note(group("bob"), 30);
  RefusalGroup observed = group("bob");
  observed.observed = true;
  refusals.note(observed, 40);
  const auto sums = refusals.sums();
  REQUIRE(sums.size() == 3);
  CHECK(sums[0].group == group("bob"));
  CHECK(sums[0].count == 2);
  CHECK(sums[0].first_us == 20);
  CHECK(sums[0].last_us == 30);
  CHECK(sums[1].group == group("ann"));
  CHECK(sums[2].group == observed);
}

TEST_CASE("refusals: groups are limited, nothing goes uncounted") {
  Refusals refusals;
  for (std::size_t i = 0; i < Refusals::kMaxGroups; ++i) {
    refusals.note(group("login" + std::to_string(i)), 1);
  }
  CHECK(refusals.sums().size() == Refusals::kMaxGroups);
  CHECK(refusals.sums().front().count == 1);
  refusals.note(group("one more"), 2);
  refusals.note(group("and another"), 3);
  refusals.note(group("login7"), 4);
  const auto sums = refusals.sums();
  REQUIRE(sums.size() == Refusals::kMaxGroups + 1);
  std::uint64_t all = 0;
  for (const RefusalSum& sum : sums) all += sum.count;
  CHECK(all == Refusals::kMaxGroups + 3);
  RefusalGroup others;
  others.application = Refusals::kOthers;
  CHECK(sums[0].group == others);
  CHECK(sums[0].count == 2);
  CHECK(sums[1].group == group("login7"));
}

TEST_CASE("refusals: names of applications are cut to whole characters") {
  Refusals refusals;
  const std::string fits(Refusals::kMaxApplicationBytes, 'a');
  refusals.note(group("ann", fits), 1);
  refusals.note(group("bob", fits + "b"), 1);
  refusals.note(group("eve", fits.substr(1) + "\xC5\xBE"), 1);
  for (const RefusalSum& sum : refusals.sums()) {
    CHECK(sum.group.application == (sum.group.login == "eve" ? fits.substr(1) : fits));
  }
}

TEST_CASE("refusals: counted from many threads") {
  Refusals refusals;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&refusals] {
      for (int n = 0; n < 1000; ++n) refusals.note(group("ann"), n);
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(refusals.sums().size() == 1);
  CHECK(refusals.sums().front().count == 4000);
}
