#include "proxy/session/statistics.hpp"

#include <algorithm>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "protocol/error_message.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace std::chrono_literals;

namespace {

StatValues sum_of(const Statistics& statistics, const std::string& database) {
  StatValues sum{};
  for (const auto& [key, values] : statistics.traffic()) {
    if (key.first != database) continue;
    for (std::size_t i = 0; i < kStats; ++i) sum[i] += values[i];
  }
  return sum;
}

}  // namespace

TEST_CASE("sums over workers, logins and databases") {
  Statistics statistics;
  StatisticsBook* one = statistics.add_book();
  StatisticsBook* two = statistics.add_book();
  one->traffic("shop", "a")->add(Stat::kQueries, 2);
  one->traffic("shop", "b")->add(Stat::kQueries, 3);
  two->traffic("shop", "a")->add(Stat::kQueries, 5);
  two->traffic("other", "a")->add(Stat::kQueries, 7);
  CHECK(one->traffic("shop", "a") == one->traffic("shop", "a"));
  CHECK(of(statistics.traffic().at({"shop", "a"}), Stat::kQueries) == 7);
  const auto rows = statistics.by_database(std::chrono::steady_clock::now());
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].database == "other");
  CHECK(of(rows[1].totals, Stat::kQueries) == 10);
}

TEST_CASE("averages are those of the last one to two periods") {
  StatValues then{};
  StatValues now{};
  const auto set = [&](Stat stat, std::uint64_t before, std::uint64_t after) {
    then[static_cast<std::size_t>(stat)] = before;
    now[static_cast<std::size_t>(stat)] = after;
  };
  set(Stat::kQueries, 100, 300);
  set(Stat::kQueryTime, 1'000, 5'000);
  set(Stat::kXacts, 10, 10);
  set(Stat::kXactTime, 50, 50);
  set(Stat::kReceived, 0, 1'000'000);
  const StatValues average_now = average(then, now, 2'000'000);
  CHECK(of(average_now, Stat::kQueries) == 100);   // a second
  CHECK(of(average_now, Stat::kQueryTime) == 20);  // a query
  CHECK(of(average_now, Stat::kXactTime) == 0);    // none ended
  CHECK(of(average_now, Stat::kReceived) == 500'000);
  CHECK(average(then, now, 0) == StatValues{});

  Statistics statistics;
  StatisticsBook* book = statistics.add_book();
  const auto start = std::chrono::steady_clock::now();
  book->traffic("d", "u")->add(Stat::kQueries, 600);
  statistics.turn(start + 60s);
  statistics.turn(start + 120s);
  book->traffic("d", "u")->add(Stat::kQueries, 60);
  const auto rows = statistics.by_database(start + 120s);
  REQUIRE(rows.size() == 1);
  CHECK(of(rows[0].totals, Stat::kQueries) == 660);
  CHECK(of(rows[0].averages, Stat::kQueries) == 1);  // 60 in the 60 s since the period before
}

TEST_CASE("names clients invent share one counter beyond the limit") {
  StatisticsBook book;
  for (std::size_t i = 0; i < StatisticsBook::kMaxEntries; ++i) {
    (void)book.traffic("d" + std::to_string(i), "u");
  }
  Traffic* others = book.traffic("one more", "u");
  CHECK(others == book.traffic("and another", "v"));
  CHECK(book.traffic("d0", "u") != others);
  TrafficTotals totals;
  book.add_to(totals);
  CHECK(totals.size() == StatisticsBook::kMaxEntries + 1);
}

TEST_CASE("a session's rounds: bytes, transactions, waits, errors") {
  Statistics statistics;
  Metrics metrics;
  StatisticsBook* book = statistics.add_book();
  SessionStatistics session;
  session.client_read(1'000);  // before login: not counted
  session.open(book->traffic("d", "u"), book->times("*"), &metrics);
  session.client_read(10);
  CHECK(session.busy());
  session.message(protocol::FrontendType::kQuery);
  session.wait_begun();
  CHECK(session.waiting());
  std::this_thread::sleep_for(2ms);
  session.wait_ended(true);
  session.server_written(10);
  session.server_read(30);
  session.client_written(30);
  session.statement_answered();
  session.ready('T');
  CHECK_FALSE(session.busy());
  StatValues sum = sum_of(statistics, "d");
  CHECK(of(sum, Stat::kReceived) == 10);
  CHECK(of(sum, Stat::kSent) == 30);
  CHECK(of(sum, Stat::kServerSent) == 10);
  CHECK(of(sum, Stat::kServerReceived) == 30);
  CHECK(of(sum, Stat::kAssignments) == 1);
  CHECK(of(sum, Stat::kWaitTime) >= 2'000);
  CHECK(of(sum, Stat::kQueryTime) >= of(sum, Stat::kWaitTime));
  CHECK(of(sum, Stat::kXacts) == 0);  // the block is open

  session.client_read(10);
  session.message(protocol::FrontendType::kQuery);
  session.server_written(10);
  session.ready('I');
  session.client_written(50);
  sum = sum_of(statistics, "d");
  CHECK(of(sum, Stat::kXacts) == 1);
  CHECK(of(sum, Stat::kXactTime) >= of(sum, Stat::kQueryTime));
  CHECK(of(sum, Stat::kSent) == 50);

  // Answered without a server.
  session.client_read(5);
  session.message(protocol::FrontendType::kQuery);
  session.quiet();
  CHECK(of(sum_of(statistics, "d"), Stat::kXacts) == 2);
  const auto times = statistics.times().at("*");
  CHECK(times[static_cast<std::size_t>(Span::kProxy)].count == 3);
  CHECK(times[static_cast<std::size_t>(Span::kServer)].count == 2);
  CHECK(times[static_cast<std::size_t>(Span::kQueue)].count == 3);
  CHECK(times[static_cast<std::size_t>(Span::kQueue)].sum >= 2'000);

  Bytes error;
  protocol::ErrorWriter(error, protocol::ErrorWriter::Kind::kError)
      .field(protocol::kFieldSqlstate, "23505")
      .finish();
  session.server_error(ByteView(error).substr(5));
  CHECK(of(sum_of(statistics, "d"), Stat::kErrors) == 1);
  CHECK(metrics.server_errors.snapshot().at("23") == 1);
}

TEST_CASE("a pipeline is as many rounds as answers") {
  Statistics statistics;
  Metrics metrics;
  StatisticsBook* book = statistics.add_book();
  SessionStatistics session;
  session.open(book->traffic("d", "u"), book->times("d"), &metrics);
  session.client_read(30);
  for (int i = 0; i < 3; ++i) session.message(protocol::FrontendType::kSync);
  session.server_written(30);
  session.ready('I');
  CHECK(session.busy());
  session.ready('I');
  CHECK(session.busy());
  session.ready('I');
  CHECK_FALSE(session.busy());
  CHECK(of(sum_of(statistics, "d"), Stat::kXacts) == 3);
  CHECK(statistics.times().at("d")[static_cast<std::size_t>(Span::kServer)].count == 3);
}

TEST_CASE("buckets end at exactly their edge, 0.1 s among them") {
  Times times;
  times.observe(Span::kServer, 100'000);
  times.observe(Span::kServer, 100'001);
  std::array<TimeValues, kSpans> values{};
  times.add_to(values);
  const TimeValues& server = values[static_cast<std::size_t>(Span::kServer)];
  const auto edge = std::find(kLatencyEdges.begin(), kLatencyEdges.end(), 100'000u);
  REQUIRE(edge != kLatencyEdges.end());
  const auto at = static_cast<std::size_t>(edge - kLatencyEdges.begin());
  CHECK(server.buckets[at] == 1);
  CHECK(server.buckets[at + 1] == 1);
  CHECK(server.sum == 200'001);
}
