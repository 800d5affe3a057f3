#include "proxy/session/cancel_registry.hpp"

#include <utility>

#include "base/secret.hpp"
#include "crypto/init.hpp"

namespace postern::proxy {
namespace {

// Positive in the signed 32-bit field that drivers read it into.
std::uint32_t random_process_id() {
  return load_be32(crypto::random_bytes(4).data()) & 0x7FFF'FFFFU;
}

}  // namespace

CancelKey CancelRegistry::add(Worker* worker, std::size_t secret_bytes, Handler handler) {
  Entry entry{crypto::random_bytes(secret_bytes), worker,
              std::make_shared<Handler>(std::move(handler))};
  const std::lock_guard lock(mutex_);
  std::uint32_t id = random_process_id();
  while (id == 0 || entries_.contains(id)) id = random_process_id();
  CancelKey key{id, entry.secret};
  entries_.emplace(id, std::move(entry));
  return key;
}

void CancelRegistry::remove(std::uint32_t process_id) {
  const std::lock_guard lock(mutex_);
  entries_.erase(process_id);
}

bool CancelRegistry::cancel(std::uint32_t process_id, ByteView secret) const {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(process_id);
  if (it == entries_.end() || !equal_constant_time(it->second.secret, secret)) return false;
  // The handler is shared because the session may unregister before the post runs.
  it->second.worker->post([handler = it->second.handler] { (*handler)(); });
  return true;
}

}  // namespace postern::proxy
