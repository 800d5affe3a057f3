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

/// The pair sent in BackendKeyData.
struct CancelKey {
  std::uint32_t process_id = 0;
  Bytes secret;
};

/// Thread-safe. A session registers at login and unregisters when it ends.
class CancelRegistry {
 public:
  /// Runs on the session's worker when its key is presented.
  using Handler = std::function<void()>;

  /// A fresh key for a client; `secret_bytes` is 4 for protocol 3.0, 32 for 3.2.
  CancelKey add(Worker* worker, std::size_t secret_bytes, Handler handler);
  void remove(std::uint32_t process_id);
  /// Posts the handler of the session whose key this is. False: no such key; the secret is compared
  /// in constant time and nothing is told to the sender either way.
  bool cancel(std::uint32_t process_id, ByteView secret) const;

 private:
  struct Entry {
    Bytes secret;
    Worker* worker;
    std::shared_ptr<Handler> handler;
  };
  mutable std::mutex mutex_;
  std::unordered_map<std::uint32_t, Entry> entries_;
};

}  // namespace postern::proxy
