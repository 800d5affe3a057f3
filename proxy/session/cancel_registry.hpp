// Which session a CancelRequest means. Keys are Postern's own: a server's key never reaches a
// client, so a key that was once a client's can never cancel the next user of a pooled server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/bytes.hpp"
#include "proxy/net/worker.hpp"

namespace postern::proxy {

/// What BackendKeyData carries, and the registry's own name of it.
struct CancelKey {
  std::uint32_t process_id = 0;
  Bytes secret;
  std::uint32_t registration = 0;
};

class RoutedKeys;

/// Thread-safe. A session registers at login and unregisters when it ends.
class CancelRegistry {
 public:
  /// Before the first add(): keys that have room name their instance. `keys` outlives the
  /// registry's use; null, as without this call: all of a key is random.
  void route_by(const RoutedKeys* keys) { keys_ = keys; }

  /// Runs on the session's worker when its key is presented.
  using Handler = std::function<void()>;

  /// A fresh key for a client; `secret_bytes` is 4 for protocol 3.0, 32 for 3.2. Several sessions
  /// may bear one process id: those of servers on different hosts, and one that ends while the next
  /// has its server connection. The secret tells them apart. 0: a random process id.
  CancelKey add(Worker* worker, std::uint32_t process_id, std::size_t secret_bytes,
                Handler handler);
  void remove(std::uint32_t registration);
  /// Posts the handler of the session whose key this is. False: no such key; secrets are compared
  /// in constant time and nothing is told to the sender either way.
  bool cancel(std::uint32_t process_id, ByteView secret) const;

 private:
  struct Entry {
    std::uint32_t registration;
    Bytes secret;
    Worker* worker;
    std::shared_ptr<Handler> handler;
  };
  const RoutedKeys* keys_ = nullptr;
  mutable std::mutex mutex_;
  std::uint32_t last_registration_ = 0;
  std::unordered_multimap<std::uint32_t, Entry> by_process_id_;
  std::unordered_map<std::uint32_t, std::uint32_t> process_ids_;  ///< by registration
};

}  // namespace postern::proxy
