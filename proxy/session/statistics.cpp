#include "proxy/session/statistics.hpp"

#include <algorithm>

#include "protocol/error_message.hpp"

namespace postern::proxy {
namespace {

using std::chrono::steady_clock;

std::uint64_t micros_between(steady_clock::time_point from, steady_clock::time_point to) {
  if (to <= from) return 0;
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(to - from).count());
}

std::uint64_t grown(const StatValues& then, const StatValues& now, Stat stat) {
  return of(now, stat) - of(then, stat);
}

void set(StatValues& values, Stat stat, std::uint64_t value) {
  values[static_cast<std::size_t>(stat)] = value;
}

}  // namespace

void Traffic::add_to(StatValues& values) const {
  for (std::size_t i = 0; i < kStats; ++i) values[i] += counts_[i].value();
}

void Times::observe(Span span, std::uint64_t micros) noexcept {
  Buckets& into = spans_[static_cast<std::size_t>(span)];
  const auto* edge = std::lower_bound(kLatencyEdges.begin(), kLatencyEdges.end(), micros);
  into.buckets[static_cast<std::size_t>(edge - kLatencyEdges.begin())].add();
  into.count.add();
  into.sum.add(micros);
}

void Times::add_to(std::array<TimeValues, kSpans>& values) const {
  for (std::size_t i = 0; i < kSpans; ++i) {
    for (std::size_t j = 0; j < values[i].buckets.size(); ++j) {
      values[i].buckets[j] += spans_[i].buckets[j].value();
    }
    values[i].count += spans_[i].count.value();
    values[i].sum += spans_[i].sum.value();
  }
}

Traffic* StatisticsBook::traffic(const std::string& database, const std::string& login) {
  const std::lock_guard lock(mutex_);
  TrafficKey key(database, login);
  if (traffic_.size() >= kMaxEntries && !traffic_.contains(key)) key = {kOthers, kOthers};
  std::unique_ptr<Traffic>& entry = traffic_[std::move(key)];
  if (entry == nullptr) entry = std::make_unique<Traffic>();
  return entry.get();
}

Times* StatisticsBook::times(const std::string& section) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Times>& entry = times_[section];
  if (entry == nullptr) entry = std::make_unique<Times>();
  return entry.get();
}

void StatisticsBook::add_to(TrafficTotals& totals) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, traffic] : traffic_) traffic->add_to(totals[key]);
}

void StatisticsBook::add_to(TimeTotals& totals) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [section, times] : times_) times->add_to(totals[section]);
}

StatValues average(const StatValues& then, const StatValues& now, std::uint64_t micros) {
  constexpr double kMicrosPerSecond = 1e6;
  StatValues out{};
  if (micros == 0) return out;
  for (std::size_t i = 0; i < kStats; ++i) {
    const auto growth = static_cast<double>(now[i] - then[i]);
    out[i] = static_cast<std::uint64_t>(growth * kMicrosPerSecond / static_cast<double>(micros));
  }
  const auto each = [&](Stat time, Stat count) {
    const std::uint64_t happened = grown(then, now, count);
    set(out, time, happened == 0 ? 0 : grown(then, now, time) / happened);
  };
  each(Stat::kXactTime, Stat::kXacts);
  each(Stat::kQueryTime, Stat::kQueries);
  return out;
}

StatisticsBook* Statistics::add_book() {
  const std::lock_guard lock(mutex_);
  return books_.emplace_back(std::make_unique<StatisticsBook>()).get();
}

TrafficTotals Statistics::traffic() const {
  const std::lock_guard lock(mutex_);
  TrafficTotals totals;
  for (const auto& book : books_) book->add_to(totals);
  return totals;
}

TimeTotals Statistics::times() const {
  const std::lock_guard lock(mutex_);
  TimeTotals totals;
  for (const auto& book : books_) book->add_to(totals);
  return totals;
}

Statistics::ByDatabase Statistics::sums() const {
  TrafficTotals totals;
  for (const auto& book : books_) book->add_to(totals);
  ByDatabase sums;
  for (const auto& [key, values] : totals) {
    StatValues& sum = sums[key.first];
    for (std::size_t i = 0; i < kStats; ++i) sum[i] += values[i];
  }
  return sums;
}

void Statistics::turn(Time now) {
  const std::lock_guard lock(mutex_);
  older_ = std::exchange(newer_, sums());
  older_time_ = std::exchange(newer_time_, now);
}

std::vector<DatabaseStats> Statistics::by_database(Time now) const {
  const std::lock_guard lock(mutex_);
  std::vector<DatabaseStats> out;
  const std::uint64_t span = micros_between(older_time_, now);
  for (auto& [name, values] : sums()) {
    const auto then = older_.find(name);
    DatabaseStats row{name, values, {}};
    row.averages = average(then == older_.end() ? StatValues{} : then->second, values, span);
    out.push_back(std::move(row));
  }
  return out;
}

void SessionStatistics::open(Traffic* traffic, Times* times, Metrics* metrics) {
  traffic_ = traffic;
  times_ = times;
  metrics_ = metrics;
}

void SessionStatistics::begin() {
  busy_ = true;
  request_at_ = steady_clock::now();
  sent_at_ = {};
  queued_ = 0;
  if (xact_at_ == Time()) xact_at_ = request_at_;
}

void SessionStatistics::client_written(std::uint64_t total) {
  if (traffic_ == nullptr) return;
  traffic_->add(Stat::kSent, total - written_);
  written_ = total;
}

void SessionStatistics::wait_begun() {
  waiting_since_ = steady_clock::now();
}

void SessionStatistics::wait_ended(bool served) {
  const std::uint64_t waited = micros_between(waiting_since_, steady_clock::now());
  waiting_since_ = {};
  queued_ += waited;
  if (traffic_ == nullptr) return;
  traffic_->add(Stat::kWaitTime, waited);
  if (served) traffic_->add(Stat::kAssignments);
}

void SessionStatistics::message(protocol::FrontendType type) {
  if (traffic_ == nullptr) return;
  switch (type) {
    case protocol::FrontendType::kParse:
      traffic_->add(Stat::kClientParses);
      break;
    case protocol::FrontendType::kBind:
      traffic_->add(Stat::kBinds);
      break;
    case protocol::FrontendType::kQuery:
    case protocol::FrontendType::kSync:
    case protocol::FrontendType::kFunctionCall:
      ++owed_;
      break;
    default:
      break;
  }
}

void SessionStatistics::server_error(ByteView body) {
  if (traffic_ == nullptr) return;
  traffic_->add(Stat::kErrors);
  const auto fields = protocol::ErrorFields::decode(body);
  if (!fields) return;
  metrics_->server_errors.add(fields->get(protocol::kFieldSqlstate).value_or(""));
}

void SessionStatistics::end_round(Time now) {
  busy_ = false;
  const std::uint64_t total = micros_between(request_at_, now);
  const std::uint64_t server = sent_at_ == Time() ? 0 : micros_between(sent_at_, now);
  traffic_->add(Stat::kQueryTime, total);
  if (times_ == nullptr) return;
  const std::uint64_t elsewhere = std::min(total, server + queued_);
  times_->observe(Span::kProxy, total - elsewhere);
  times_->observe(Span::kQueue, queued_);
  if (sent_at_ != Time()) times_->observe(Span::kServer, server);
}

void SessionStatistics::end_xact(Time now) {
  traffic_->add(Stat::kXacts);
  traffic_->add(Stat::kXactTime, xact_at_ == Time() ? 0 : micros_between(xact_at_, now));
  xact_at_ = {};
}

// What was answered from the cache, or refused here, was a transaction of its own.
void SessionStatistics::end_quietly() {
  const Time now = steady_clock::now();
  owed_ = 0;
  end_round(now);
  if (!in_xact_) end_xact(now);
}

void SessionStatistics::ready(char status) {
  if (traffic_ == nullptr) return;
  if (owed_ > 0) --owed_;
  const Time now = steady_clock::now();
  if (busy_) end_round(now);
  in_xact_ = status != 'I';
  if (!in_xact_) end_xact(now);
  if (owed_ == 0) return;
  // The next request of a pipeline was sent before this one was answered.
  begin();
  sent_at_ = request_at_;
}

}  // namespace postern::proxy
