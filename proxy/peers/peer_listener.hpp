// Where the other instances pass cancel requests on to this one.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "config/options_run.hpp"
#include "proxy/net/worker.hpp"

namespace postern::proxy {

class CancelRegistry;
class Peers;

/// A listener apart from the clients': one order a connection, acted on here and never passed on.
/// Who has not the shared secret learns 25 random bytes and is closed.
class PeerListener {
 public:
  /// Connections at the same moment; one more is closed at once.
  static constexpr std::uint32_t kMaxConnections = 128;
  /// From the connection to the answer.
  static constexpr std::chrono::milliseconds kTimeout{2'000};
  /// Least distance of two log lines about refused orders.
  static constexpr std::chrono::milliseconds kLogDistance{1'000};

  /// Listens at once, on a thread of its own; `home` accepts. All must outlive the listener.
  /// `shares` as listen.so_reuseport: a successor may take over the address. kListenFailed,
  /// kResolveFailed.
  struct Parts {
    Worker* home;
    const Peers* peers;
    const CancelRegistry* cancels;
    bool shares;
  };
  static Result<PeerListener> open(const config::PeersOptions& options, Parts parts);
  PeerListener(PeerListener&&) noexcept;
  PeerListener& operator=(PeerListener&&) noexcept;
  ~PeerListener();

 private:
  struct State;
  explicit PeerListener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace postern::proxy
