#include <atomic>
#include <thread>

#include "proxy/cache/local_store.hpp"
#include "tests/proxy/cache_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;
using namespace std::chrono_literals;

namespace {

/// A clock the test moves.
struct Hands {
  std::atomic<std::int64_t> millis{1'000'000};
  CacheClock clock() {
    CacheClock made;
    made.now = [this] { return SteadyClock::time_point(std::chrono::milliseconds(millis)); };
    made.unix_millis = [this] { return static_cast<std::uint64_t>(millis); };
    return made;
  }
};

struct LocalRig : Hands, CacheRig {
  explicit LocalRig(config::CacheOptions options = {})
      : CacheRig(make_setup(std::move(options), clock())) {}
  static CacheSetup make_setup(config::CacheOptions options, CacheClock clock) {
    CacheSetup setup;
    setup.options = std::move(options);
    setup.clock = std::move(clock);
    return setup;
  }
};

}  // namespace

TEST_CASE("an answer is kept until one of its tables is written") {
  LocalRig rig;
  CHECK(rig.rows("q", {5, 6}).empty());
  rig.fill("q", {5, 6}, "old");
  const CacheLookup hit = rig.look("q", {5, 6});
  REQUIRE(hit.hit);
  CHECK(hit.fill == nullptr);
  CHECK(hit.hit->row_description == "description");
  CHECK(hit.hit->rows == "old");
  CHECK(hit.hit->command_tag == "SELECT 1");
  CHECK(hit.hit->row_count == 1);
  CHECK(rig.rows("other", {5, 6}).empty());

  rig.write({7});
  CHECK(rig.rows("q", {5, 6}) == "old");
  rig.write({6});
  CHECK(rig.rows("q", {5, 6}).empty());
  rig.fill("q", {5, 6}, "new");
  CHECK(rig.rows("q", {5, 6}) == "new");
  CHECK(rig.metrics.cache_fills.value() == 2);
  CHECK(rig.metrics.cache_invalidations.value() == 2);
  CHECK(rig.metrics.cache_hits.value() == 3);
  CHECK(rig.metrics.cache_errors.value() == 0);
}

TEST_CASE("a write of unknown tables makes every answer of its database unusable") {
  LocalRig rig;
  rig.fill("a", {5}, "1");
  rig.fill("b", {}, "2");
  CacheQuery elsewhere = rig.query("a", {5});
  elsewhere.scope = "main/other";
  rig.store(rig.look(elsewhere).fill, "3");
  WriteMark mark = rig.begin({});
  CHECK(rig.rows("a", {5}).empty());
  rig.end(std::move(mark));
  CHECK(rig.rows("a", {5}).empty());
  CHECK(rig.rows("b", {}).empty());
  CHECK(rig.look(elsewhere).hit);
}

TEST_CASE("race: a snapshot older than the write is not stored after its invalidation") {
  LocalRig rig;
  const CacheLookup before = rig.look("q", {5});
  REQUIRE(before.fill != nullptr);
  rig.write({5});
  rig.store(before.fill, "old");
  CHECK(rig.metrics.cache_fills.value() == 0);
  CHECK(rig.rows("q", {5}).empty());
}

TEST_CASE("race: nothing is served or filled while a table is marked") {
  LocalRig rig;
  rig.fill("q", {5}, "old");
  WriteMark mark = rig.begin({5, 5});
  const CacheLookup during = rig.look("q", {5});
  CHECK_FALSE(during.hit);
  CHECK(during.fill == nullptr);
  rig.end(std::move(mark));
  CHECK(rig.rows("q", {5}).empty());
  CHECK(rig.look("q", {5}).fill != nullptr);
}

TEST_CASE("race: a mark at the time of the store drops the fill") {
  LocalRig rig;
  const CacheLookup before = rig.look("q", {5});
  WriteMark mark = rig.begin({5});
  rig.store(before.fill, "old");
  CHECK(rig.metrics.cache_fills.value() == 0);
  rig.end(std::move(mark));
  CHECK(rig.rows("q", {5}).empty());
}

TEST_CASE("race: two writes, the mark of the later one stands when the first ends") {
  LocalRig rig;
  WriteMark first = rig.begin({5});
  WriteMark second = rig.begin({5});
  rig.end(std::move(first));
  CHECK(rig.look("q", {5}).fill == nullptr);
  rig.end(std::move(second));
  CHECK(rig.look("q", {5}).fill != nullptr);
}

TEST_CASE("a replica's answer counts only from the last bump's position on") {
  LocalRig rig;
  CHECK_FALSE(rig.look("q", {5}).fill->required_position());
  const auto asked = SteadyClock::time_point(std::chrono::milliseconds(rig.millis));
  rig.cache->note_position(kScope, 40, asked);
  CHECK(rig.look("q", {5}).fill->required_position() == 40);
  rig.write({5}, 50);
  const FillPtr behind = rig.look("q", {5}).fill;
  REQUIRE(behind->required_position() == 50);
  behind->from_replica(49);
  rig.store(behind, "stale");
  CHECK(rig.rows("q", {5}).empty());
  const FillPtr level = rig.look("q", {5}).fill;
  level->from_replica(50);
  rig.store(level, "fresh");
  CHECK(rig.rows("q", {5}) == "fresh");
  rig.millis += 1;  // the position was read before this write
  rig.write({5});
  CHECK_FALSE(rig.look("q", {5}).fill->required_position());
}

TEST_CASE("a write of unknown outcome blocks its tables until its lease ends, which bumps") {
  LocalRig rig;
  rig.fill("q", {5}, "old");
  const CacheLookup captured = rig.look("r", {5});
  {
    const WriteMark dropped = rig.begin({5});
  }
  CHECK(rig.look("q", {5}).fill == nullptr);
  rig.millis += 59'999;
  CHECK(rig.look("q", {5}).fill == nullptr);
  rig.millis += 1;
  const CacheLookup after = rig.look("q", {5});
  CHECK_FALSE(after.hit);
  CHECK(after.fill != nullptr);
  rig.store(captured.fill, "old");
  CHECK(rig.rows("r", {5}).empty());
}

TEST_CASE("an answer ends with its time") {
  config::CacheOptions options;
  options.ttl = 1000ms;
  LocalRig rig(std::move(options));
  rig.fill("q", {5}, "row");
  rig.millis += 899;
  CHECK(rig.rows("q", {5}) == "row");
  rig.millis += 101;
  CHECK(rig.rows("q", {5}).empty());
  CacheQuery brief = rig.query("b", {5});
  brief.ttl = 10ms;
  rig.store(rig.look(brief).fill, "row");
  CHECK(rig.look(brief).hit);
  rig.millis += 10;
  CHECK_FALSE(rig.look(brief).hit);
}

TEST_CASE("an answer at the size limit is kept, one past it is not") {
  config::CacheOptions options;
  options.max_entry_bytes = {100};
  LocalRig rig(std::move(options));
  const std::size_t room = 100 - std::string("description").size();
  rig.fill("at", {5}, std::string(room, 'x'));
  CHECK(rig.rows("at", {5}).size() == room);
  rig.fill("past", {5}, std::string(room + 1, 'x'));
  CHECK(rig.rows("past", {5}).empty());
}

TEST_CASE("the least recently used entries leave when memory runs out") {
  config::CacheOptions options;
  options.max_bytes = config::kibibytes(8);
  LocalRig rig(std::move(options));
  const std::string row(1500, 'x');
  for (const char* name : {"a", "b", "c", "d"}) rig.fill(name, {5}, row);
  CHECK(rig.cache->held_bytes() <= 8192);
  CHECK_FALSE(rig.rows("a", {5}).empty());
  rig.fill("e", {5}, row);
  CHECK(rig.cache->held_bytes() <= 8192);
  CHECK_FALSE(rig.rows("a", {5}).empty());
  CHECK(rig.rows("b", {5}).empty());
  rig.fill("huge", {5}, std::string(9000, 'x'));
  CHECK(rig.rows("huge", {5}).empty());
  CHECK_FALSE(rig.rows("a", {5}).empty());
}

TEST_CASE("a read of too many tables, or of tables out of order, is not cached") {
  LocalRig rig;
  std::vector<Oid> most(ResultCache::kMaxTables);
  for (std::size_t i = 0; i < most.size(); ++i) most[i] = static_cast<Oid>(i + 1);
  CHECK(rig.look("q", most).fill != nullptr);
  most.push_back(9999);
  CHECK(rig.look("q", most).fill == nullptr);
  CHECK(rig.look("q", {6, 5}).fill == nullptr);
  CHECK(rig.look("q", {5, 5}).fill == nullptr);
  CHECK(rig.look("q", {0, 5}).fill == nullptr);
}

TEST_CASE("versions are forgotten past their limit, and with them what depends on them") {
  REQUIRE(crypto::init());
  LocalStore store(1 << 20, [] { return SteadyClock::time_point{}; });
  const CachePlace first{"s", {0, 1}, "entry", {}};
  const CacheSnapshot captured = store.look(first);
  REQUIRE(store.put(first, captured.versions.tokens, captured.versions.tokens + "sealed"));
  REQUIRE(store.look(first).entry != nullptr);
  store.mark({"s", {2}, {}, {}}, {"m", SteadyClock::time_point{} + 1s});
  for (Oid table = 3; table < LocalStore::kMaxVersions; ++table) {
    (void)store.look({"s", {table}, "none", {}});
  }
  CHECK(store.look(first).entry != nullptr);
  (void)store.look({"s", {LocalStore::kMaxVersions}, "none", {}});
  CHECK(store.look(first).entry == nullptr);
  CHECK(store.look({"s", {2}, "none", {}}).state == CacheSnapshot::State::kMarked);
}

TEST_CASE("threads: a reader never sees a value older than one already acknowledged") {
  LocalRig rig;
  Worker other({.name = "cache-other"});
  other.start();
  std::atomic<int> committed{0};  // the database: its value is visible before the bump
  std::atomic<int> acknowledged{0};
  std::thread writer([&] {
    for (int i = 1; i <= 300; ++i) {
      WriteMark mark = run(other, do_begin(rig.cache.get(), &other, {5}));
      committed = i;
      run(other, do_end(rig.cache.get(), &other, std::move(mark), std::nullopt));
      acknowledged = i;
      std::this_thread::sleep_for(300us);
    }
  });
  int stale = 0;
  while (acknowledged < 300) {
    const int floor = acknowledged;
    CacheLookup found = rig.look("q", {5});
    const int seen = found.hit ? std::stoi(found.hit->rows) : committed.load();
    stale += seen < floor ? 1 : 0;
    rig.store(found.fill, std::to_string(seen));
  }
  writer.join();
  CHECK(stale == 0);
  CHECK(rig.metrics.cache_fills.value() > 0);
}
