#include "proxy/pool/pool_ticket.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/codes/pool.hpp"
#include "proxy/pool/broker_pool.hpp"

namespace postern::proxy {

PoolHandle::PoolHandle(PoolRef* pool, std::shared_ptr<const Taker> taker)
    : pool_(pool), taker_(std::move(taker)) {
  pool_->handles.fetch_add(1, std::memory_order_relaxed);
}

PoolHandle::PoolHandle(PoolHandle&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), taker_(std::move(other.taker_)) {}

PoolHandle& PoolHandle::operator=(PoolHandle&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(taker_, other.taker_);
  return *this;
}

PoolHandle::~PoolHandle() {
  if (pool_ != nullptr) pool_->handles.fetch_sub(1, std::memory_order_relaxed);
}

PoolTicket::PoolTicket(Broker* broker, PoolRef* pool, std::shared_ptr<const Taker> taker)
    : broker_(broker), pool_(pool), taker_(std::move(taker)) {}

PoolTicket::PoolTicket(PoolTicket&& other) noexcept
    : broker_(std::exchange(other.broker_, nullptr)),
      pool_(other.pool_),
      taker_(std::move(other.taker_)),
      record_(std::exchange(other.record_, nullptr)),
      generation_(other.generation_),
      server_(std::move(other.server_)) {}

PoolTicket& PoolTicket::operator=(PoolTicket&& other) noexcept {
  if (this != &other) {
    if (broker_ != nullptr) discard();
    broker_ = std::exchange(other.broker_, nullptr);
    pool_ = other.pool_;
    taker_ = std::move(other.taker_);
    record_ = std::exchange(other.record_, nullptr);
    generation_ = other.generation_;
    server_ = std::move(other.server_);
  }
  return *this;
}

const PoolKey& PoolTicket::key() const {
  return pool_->key;
}

void PoolTicket::opened(const ServerFacts& facts, bool tls) {
  POSTERN_CHECK(broker_ != nullptr && record_ == nullptr);
  broker_->opened(*this, facts, tls);
}

void PoolTicket::fail(const Error& error, std::string_view sqlstate) {
  POSTERN_CHECK(broker_ != nullptr && record_ == nullptr);
  if (!concerns_login(error, sqlstate)) return discard();
  std::exchange(broker_, nullptr)->failed(*this, error);
}

void PoolTicket::release(IdleServer server) {
  POSTERN_CHECK(broker_ != nullptr);
  std::exchange(broker_, nullptr)->release(*this, std::move(server));
}

void PoolTicket::discard() {
  if (Broker* broker = std::exchange(broker_, nullptr)) broker->discard(*this);
  server_ = IdleServer{};
}

bool PoolTicket::concerns_login(const Error& error, std::string_view sqlstate) {
  if (sqlstate.empty()) {
    constexpr unsigned kTransportArea = 23;  // PST-23xx: the network and TLS
    constexpr unsigned kArea = 100;
    return static_cast<unsigned>(error.code) / kArea == kTransportArea ||
           error.code == pst::kUpstreamUnavailable;
  }
  // Connection, authorisation, no such database, out of resources, shutting or starting up.
  constexpr std::array<std::string_view, 5> kClasses = {"08", "28", "3D", "53", "57"};
  return std::any_of(kClasses.begin(), kClasses.end(),
                     [&](std::string_view start) { return sqlstate.starts_with(start); });
}

}  // namespace postern::proxy
