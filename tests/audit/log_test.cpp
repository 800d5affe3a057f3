#include <atomic>
#include <condition_variable>
#include <mutex>

#include <nlohmann/json.hpp>

#include "base/codes/audit.hpp"
#include "tests/audit/support.hpp"

using namespace postern;
using namespace postern::audit;
using namespace postern::audit::test;

namespace {

std::vector<RecordView> kinds_only(const Scene& scene) {
  std::vector<RecordView> all;
  scan_log(
      {scene.options.folder, scene.key(), scene.options.anchor_file},
      [&](const RecordView& record) { all.push_back({record.index, record.kind, {}, {}, {}}); });
  return all;
}

std::size_t count(const Scene& scene, Kind kind) {
  std::size_t n = 0;
  for (const auto& record : kinds_only(scene)) n += record.kind == kind ? 1 : 0;
  return n;
}

/// System calls with a brake: holds every sync until released.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool closed = false;

  void set(bool value) {
    const std::lock_guard held(mutex);
    closed = value;
    changed.notify_all();
  }
  void pass() {
    std::unique_lock held(mutex);
    changed.wait(held, [this] { return !closed; });
  }
};

}  // namespace

TEST_CASE("a log begins with start and ends with stop, and every record is where it was promised") {
  Scene scene;
  {
    auto log = scene.open();
    CHECK(log->incarnation() == 1);
    CHECK(log->state() == LogState::kRunning);
    const auto ticket = log->open(sample_intent(1), Urgency::kNow);
    REQUIRE(ticket);
    CHECK(log->wait_durable(ticket->index));
    const auto done = log->close(*ticket, sample_outcome(), Urgency::kNow);
    REQUIRE(done);
    CHECK(*done == ticket->index + 1);
    CHECK(log->wait_durable(*done));
    CHECK(log->durable_index() == *done + 1);
    REQUIRE(log->record(sample_intent(2), sample_outcome(), Urgency::kBatch));
    REQUIRE(log->stop());
    CHECK(log->state() == LogState::kStopped);
    const auto late = log->append(encode_intent(sample_intent()), Urgency::kNow);
    REQUIRE_FALSE(late);
    CHECK(late.error().code == pst::kAuditUnavailable);
    CHECK(log->stop());
  }
  const auto records = kinds_only(scene);
  REQUIRE(records.size() == 6);
  const Kind expected[] = {Kind::kStart,   Kind::kCheckpoint, Kind::kIntent,
                           Kind::kOutcome, Kind::kStatement,  Kind::kStop};
  for (std::size_t i = 0; i < records.size(); ++i) CHECK(records[i].kind == expected[i]);
  CHECK(scene.verify().open_intents == 0);
  CHECK_MESSAGE(scene.verify().intact(), lines(scene.verify()));
}

TEST_CASE("a restart opens a new incarnation linked to the last record") {
  Scene scene;
  for (std::uint64_t n = 1; n <= 3; ++n) {
    auto log = scene.open();
    CHECK(log->incarnation() == n);
    append_durably(*log, encode_refusal(sample_intent(n)));
  }
  const auto report = scene.verify();
  CHECK_MESSAGE(report.intact(), lines(report));
  CHECK(report.incarnations == 3);
  CHECK(report.segments == 3);
  CHECK(report.records == 12);
}

TEST_CASE("batch records become durable within the flush interval without anybody waiting") {
  Scene scene;
  scene.options.flush_interval = std::chrono::milliseconds(1);
  auto log = scene.open();
  const auto index = log->append(encode_refusal(sample_intent()), Urgency::kBatch);
  REQUIRE(index);
  for (int i = 0; i < 2'000 && !log->is_durable(*index); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(log->is_durable(*index));
}

TEST_CASE("checkpoints come by time, at rotation and at the end; anchors are their copy") {
  Scene scene;
  scene.options.checkpoint_interval = std::chrono::milliseconds(100);
  {
    auto log = scene.open();
    for (int i = 0; i < 2'000 && log->stats().checkpoints < 3; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    CHECK(log->stats().checkpoints >= 3);
    CHECK(log->stats().anchors_pending == 0);
  }
  CHECK(slurp(scene.options.anchor_file) == slurp(checkpoint_path(scene.options.folder)));
  CHECK(scene.verify().intact());
}

TEST_CASE("a living log verifies") {
  Scene scene;
  scene.options.segment_bytes = 1'024;
  auto log = scene.open();
  for (std::uint64_t n = 0; n < 20; ++n) append_durably(*log, encode_refusal(sample_intent(n)));
  settle(*log);
  const auto expected = log->stats().checkpoints;
  for (int i = 0; i < 200 && scene.verify().checkpoints < expected; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const auto report = scene.verify();
  CHECK_MESSAGE(report.intact(), lines(report));
  CHECK_FALSE(report.clean_end);
  CHECK(report.blind_spots.size() >= 2);
}

TEST_CASE("one sync serves all that wait") {
  Scene scene;
  const auto gate = std::make_shared<Gate>();
  scene.options.ops.sync = [gate](int fd) {
    gate->pass();
    return ::fdatasync(fd);
  };
  auto log = scene.open();
  const auto before = log->stats().syncs;
  gate->set(true);
  std::uint64_t last = 0;
  for (std::uint64_t n = 0; n < 500; ++n) {
    const auto index = log->append(encode_refusal(sample_intent(n)), Urgency::kNow);
    REQUIRE(index);
    last = *index;
  }
  CHECK_FALSE(log->is_durable(last));
  gate->set(false);
  CHECK(log->wait_durable(last));
  CHECK(log->stats().syncs - before <= 2);
}

TEST_CASE("the queue holds at its limit, refuses one past it, drops nothing, and wakes") {
  Scene scene;
  const auto gate = std::make_shared<Gate>();
  scene.options.ops.sync = [gate](int fd) {
    gate->pass();
    return ::fdatasync(fd);
  };
  auto log = scene.open();
  std::atomic<int> wakes{0};
  const int waker = log->add_waker([&wakes] { ++wakes; });
  gate->set(true);
  REQUIRE(log->append(encode_outcome(sample_outcome(), 0), Urgency::kNow));
  while (log->stats().queued > 0) std::this_thread::yield();  // the writer took it and hangs
  std::uint64_t last = 0;
  for (std::size_t n = 0; n < kMaxQueuedRecords; ++n) {
    const auto index = log->append({Kind::kAdmin, "{\"v\":1}"}, Urgency::kBatch);
    REQUIRE(index);
    last = *index;
  }
  const auto refused = log->append({Kind::kAdmin, "{\"v\":1}"}, Urgency::kBatch);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == pst::kAuditBusy);
  CHECK(log->stats().refused_busy == 1);
  const int before = wakes;
  gate->set(false);
  CHECK(log->wait_durable(last));
  const auto again = log->append({Kind::kAdmin, "{\"v\":1}"}, Urgency::kNow);
  REQUIRE(again);
  CHECK(*again == last + 1);
  CHECK(log->wait_durable(*again));
  CHECK(wakes > before);
  log->remove_waker(waker);
  const int after = wakes;
  append_durably(*log, {Kind::kAdmin, "{\"v\":1}"});
  CHECK(wakes == after);
}

TEST_CASE("a record holds at its limit and is refused one past it") {
  Scene scene;
  auto log = scene.open();
  const std::string fill(kMaxBodyBytes - 8, 'x');
  append_durably(*log, {Kind::kAdmin, "{\"v\":\"" + fill + "\"}"});
  const auto refused = log->append({Kind::kAdmin, "{\"v\":\"" + fill + "x\"}"}, Urgency::kNow);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == pst::kAuditBadOption);
  REQUIRE(log->stop());
  CHECK(scene.verify().intact());
}

TEST_CASE("four threads of 5,000 records, each waiting for some of its own") {
  Scene scene;
  scene.options.segment_bytes = 1 << 20;
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kEach = 5'000;
  std::vector<std::vector<std::uint64_t>> promised(kThreads);
  {
    auto log = scene.open();
    std::vector<std::thread> threads;
    std::atomic<int> errors{0};
    for (std::uint64_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (std::uint64_t n = 0; n < kEach; ++n) {
          Intent intent = sample_intent(n);
          const std::string session = "thread-" + std::to_string(t);
          intent.session = session;
          const bool wait = n % 100 == 0;
          const auto index =
              log->append(encode_refusal(intent), wait ? Urgency::kNow : Urgency::kBatch);
          if (!index || (wait && !log->wait_durable(*index))) {
            ++errors;
            return;
          }
          promised[t].push_back(*index);
        }
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(errors == 0);
    REQUIRE(log->stop());
  }
  std::size_t wrong = 0;
  std::vector<std::uint64_t> seen(kThreads, 0);
  const auto report =
      scan_log({scene.options.folder, scene.key(), scene.options.anchor_file},
               [&](const RecordView& record) {
                 if (record.kind != Kind::kRefusal) return;
                 const auto at = record.body.find("thread-");
                 const std::size_t t = static_cast<std::size_t>(record.body[at + 7] - '0');
                 const std::string number = "\"statement\":" + std::to_string(seen[t]) + ",";
                 if (record.body.find(number) == std::string_view::npos) ++wrong;
                 if (promised[t][seen[t]++] != record.index) ++wrong;
               });
  CHECK(wrong == 0);
  CHECK_MESSAGE(report.intact(), lines(report));
  for (const auto n : seen) CHECK(n == kEach);
}

TEST_CASE("options outside their range are refused") {
  using std::chrono::milliseconds;
  const auto refuses = [](auto change) {
    Scene scene;
    change(scene.options);
    const auto log = open_log(scene.options);
    return !log && log.error().code == pst::kAuditBadOption;
  };
  const auto accepts = [](auto change) {
    Scene scene;
    change(scene.options);
    return open_log(scene.options).has_value();
  };
  CHECK(refuses([](LogOptions& o) { o.folder.clear(); }));
  CHECK(refuses([](LogOptions& o) { o.origin = "a b"; }));
  CHECK(refuses([](LogOptions& o) { o.key_file = o.folder + "/key"; }));
  CHECK(refuses([](LogOptions& o) { o.key_file = o.folder + "/../log/key"; }));
  CHECK(refuses([](LogOptions& o) { o.anchor_file = o.folder + "/anchors"; }));
  CHECK(accepts([](LogOptions& o) { o.segment_bytes = 1'024; }));
  CHECK(refuses([](LogOptions& o) { o.segment_bytes = 1'023; }));
  CHECK(accepts([](LogOptions& o) { o.flush_interval = milliseconds(1); }));
  CHECK(accepts([](LogOptions& o) { o.flush_interval = milliseconds(1'000); }));
  CHECK(refuses([](LogOptions& o) { o.flush_interval = milliseconds(0); }));
  CHECK(refuses([](LogOptions& o) { o.flush_interval = milliseconds(1'001); }));
  CHECK(accepts([](LogOptions& o) { o.checkpoint_interval = milliseconds(100); }));
  CHECK(refuses([](LogOptions& o) { o.checkpoint_interval = milliseconds(99); }));
  CHECK(refuses([](LogOptions& o) { o.checkpoint_interval = milliseconds(3'600'001); }));
}

TEST_CASE("a folder serves one process at a time, and the next after it") {
  Scene scene;
  auto log = scene.open();
  const auto second = open_log(scene.options);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == pst::kAuditLocked);
  REQUIRE(log->stop());
  CHECK(open_log(scene.options));
  CHECK(count(scene, Kind::kStart) == 2);
}

TEST_CASE("keys: a lost, foreign or readable key is refused") {
  Scene scene;
  write_small_log(scene, 1);
  const Bytes key = slurp(scene.options.key_file);
  std::filesystem::remove(scene.options.key_file);
  auto refused = open_log(scene.options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == pst::kAuditKeyBad);
  CHECK_FALSE(std::filesystem::exists(scene.options.key_file));

  const LogKey other = LogKey::generate("postern.test/other");
  std::filesystem::remove(scene.options.key_file + ".pub");
  REQUIRE(store_log_key(scene.options.key_file, other));
  refused = open_log(scene.options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == pst::kAuditKeyBad);

  std::filesystem::remove(scene.options.key_file);
  std::filesystem::remove(scene.options.key_file + ".pub");
  REQUIRE(store_log_key(scene.options.key_file, LogKey::generate(scene.options.origin)));
  refused = open_log(scene.options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == pst::kAuditCorrupt);

  write_file(scene.options.key_file, key);
  CHECK(open_log(scene.options));
}

TEST_CASE("a folder that cannot be one is refused") {
  Scene scene;
  write_file(scene.options.folder, "x");
  const auto refused = open_log(scene.options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == pst::kAuditUnreadable);
}

TEST_CASE("throughput" * doctest::skip()) {
  Scene scene;
  auto log = scene.open();
  constexpr int kThreads = 2;
  constexpr std::uint64_t kEach = 200'000;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t n = 0; n < kEach;) {
        if (log->record(sample_intent(n), sample_outcome(), Urgency::kBatch)) {
          ++n;
        } else {
          std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  REQUIRE(log->stop());
  const std::chrono::duration<double> written = std::chrono::steady_clock::now() - begin;
  const auto verify_begin = std::chrono::steady_clock::now();
  const auto report = scene.verify();
  const std::chrono::duration<double> verified = std::chrono::steady_clock::now() - verify_begin;
  CHECK(report.intact());
  MESSAGE("records/s written: " << static_cast<double>(report.records) / written.count()
                                << ", verified: "
                                << static_cast<double>(report.records) / verified.count()
                                << ", bytes/record: " << report.bytes / report.records);
}
