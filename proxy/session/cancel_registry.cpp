#include "proxy/session/cancel_registry.hpp"

#include <utility>

#include "base/secret.hpp"
#include "crypto/init.hpp"
#include "proxy/peers/routed_key.hpp"

namespace postern::proxy {
namespace {

// Positive in the signed 32-bit field that drivers read it into.
std::uint32_t random_process_id() {
  return load_be32(crypto::random_bytes(4).data()) & 0x7FFF'FFFFU;
}

}  // namespace

CancelKey CancelRegistry::add(Worker* worker, std::uint32_t process_id, std::size_t secret_bytes,
                              Handler handler) {
  CancelKey key{process_id != 0 ? process_id : random_process_id(), {}};
  const bool routed = keys_ != nullptr && secret_bytes == RoutedKeys::kBytes;
  key.secret = routed ? keys_->make(key.process_id) : crypto::random_bytes(secret_bytes);
  auto shared = std::make_shared<Handler>(std::move(handler));
  const std::lock_guard lock(mutex_);
  do {
    key.registration = ++last_registration_;
  } while (key.registration == 0 || process_ids_.contains(key.registration));
  process_ids_.emplace(key.registration, key.process_id);
  by_process_id_.emplace(key.process_id,
                         Entry{key.registration, key.secret, worker, std::move(shared)});
  return key;
}

void CancelRegistry::remove(std::uint32_t registration) {
  const std::lock_guard lock(mutex_);
  const auto known = process_ids_.find(registration);
  if (known == process_ids_.end()) return;
  const auto [begin, end] = by_process_id_.equal_range(known->second);
  for (auto it = begin; it != end; ++it) {
    if (it->second.registration != registration) continue;
    by_process_id_.erase(it);
    break;
  }
  process_ids_.erase(known);
}

bool CancelRegistry::cancel(std::uint32_t process_id, ByteView secret) const {
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = by_process_id_.equal_range(process_id);
  for (auto it = begin; it != end; ++it) {
    if (!equal_constant_time(it->second.secret, secret)) continue;
    // The handler is shared because the session may unregister before the post runs.
    it->second.worker->post([handler = it->second.handler] { (*handler)(); });
    return true;
  }
  return false;
}

}  // namespace postern::proxy
