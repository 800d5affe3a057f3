// What a session holds of the pools: a handle for as long as it lives, a ticket while it has a
// server connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/error.hpp"
#include "proxy/pool/records.hpp"
#include "proxy/pool/server.hpp"

namespace postern::proxy {

class Broker;
struct ServerRecord;
struct PoolRef;

/// A pool found once, and who takes from it. One session's; any thread, one at a time. The broker
/// outlives it.
class PoolHandle {
 public:
  PoolHandle() = default;
  PoolHandle(PoolHandle&& other) noexcept;
  PoolHandle& operator=(PoolHandle&& other) noexcept;
  ~PoolHandle();
  explicit operator bool() const { return pool_ != nullptr; }

 private:
  friend class Broker;
  PoolHandle(PoolRef* pool, std::shared_ptr<const Taker> taker);
  PoolRef* pool_ = nullptr;
  std::shared_ptr<const Taker> taker_;
};

/// A slot of a pool. It is given back by exactly one of release(), discard() and fail(). Destroying
/// a ticket that still holds its slot discards it, so no path can leak one. The broker outlives it.
class PoolTicket {
 public:
  PoolTicket() = default;
  PoolTicket(PoolTicket&& other) noexcept;
  PoolTicket& operator=(PoolTicket&& other) noexcept;
  ~PoolTicket() {
    if (broker_ != nullptr) discard();
  }
  /// It holds a slot.
  explicit operator bool() const { return broker_ != nullptr; }

  /// The idle connection granted; none: the caller opens one.
  [[nodiscard]] bool has_server() const { return server_.facts != nullptr; }
  /// Of the connection granted: it was a standby at its login.
  [[nodiscard]] bool standby() const { return server_.facts->standby; }
  [[nodiscard]] IdleServer take_server() { return std::move(server_); }
  [[nodiscard]] const PoolKey& key() const;
  [[nodiscard]] const Taker& taker() const { return *taker_; }

  /// The caller opened a connection for this slot.
  void opened(const ServerFacts& facts, bool tls);
  /// It could not: gives the slot back. `sqlstate` is the server's, empty where none answered.
  /// Where the reason concerns all of this login (see concerns_login), who asks next hears of it at
  /// once.
  void fail(const Error& error, std::string_view sqlstate);
  /// Gives a clean connection back for the next taker of the same identity.
  void release(IdleServer server);
  /// The connection is gone or not worth keeping.
  void discard();

  /// A failure that others of the same node, database and login would meet as well: not one for a
  /// startup parameter, nor for a password that this session lacks.
  static bool concerns_login(const Error& error, std::string_view sqlstate);

 private:
  friend class Broker;
  PoolTicket(Broker* broker, PoolRef* pool, std::shared_ptr<const Taker> taker);
  Broker* broker_ = nullptr;
  PoolRef* pool_ = nullptr;
  std::shared_ptr<const Taker> taker_;
  ServerRecord* record_ = nullptr;  ///< null until the connection stands
  std::uint64_t generation_ = 0;    ///< of the pool when the slot was granted
  IdleServer server_;
};

}  // namespace postern::proxy
