// Pools of integers under two caps, with a clock of their own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy/pool/pool_set.hpp"

namespace postern::test {

using Set = proxy::PoolSet<int, std::string>;
using Pool = Set::Pool;
using SharedCap = Pool::SharedCap;
using proxy::GrantKind;
using proxy::PoolSettings;
using proxy::Stage;
using proxy::SteadyTime;

struct PoolRig {
  SharedCap database;
  SharedCap user;
  Set set;
  Set::Moves moves;
  SteadyTime now = SteadyTime{} + std::chrono::hours(1);
  std::uint64_t last_number = 0;

  static PoolSettings sized(std::size_t size) {
    PoolSettings settings;
    settings.pool_size = size;
    return settings;
  }
  std::unique_ptr<Pool> pool(const PoolSettings& settings) {
    return std::make_unique<Pool>(settings, &database, &user);
  }
  std::unique_ptr<Pool> pool(std::size_t size) { return pool(sized(size)); }

  Set::Grant acquire(Pool& pool, const std::string& identity) {
    return set.acquire(pool, identity, ++last_number, now, moves);
  }
  /// Acquires a slot that must be there and opens it.
  void open(Pool& pool, const std::string& identity) {
    if (acquire(pool, identity).kind == GrantKind::kOpen) set.opened(pool, now, moves);
  }
  void release(Pool& pool, int connection, const std::string& identity, proxy::Tenure tenure = {}) {
    set.release(pool, {connection, identity, tenure, {}}, now, moves);
  }
  void discard(Pool& pool) { set.discard(pool, Stage::kOpen, now, moves); }
  void pass(std::chrono::milliseconds time) { now += time; }
  void tend(Pool& pool) { set.tend(pool, now, moves); }

  /// What happened since the last call.
  std::vector<Set::Handoff> handoffs() { return std::exchange(moves.handoffs, {}); }
  std::vector<int> closed() {
    std::vector<int> result;
    for (const auto& closing : std::exchange(moves.closing, {})) {
      result.push_back(closing.connection);
    }
    return result;
  }
};

}  // namespace postern::test
