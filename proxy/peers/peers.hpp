// The other instances behind the same address, and how a cancel request is passed on to them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "config/options_run.hpp"
#include "proxy/cache/log_limit.hpp"
#include "proxy/net/endpoint.hpp"
#include "proxy/net/transport.hpp"
#include "proxy/net/worker.hpp"
#include "proxy/peers/peer_message.hpp"
#include "proxy/peers/routed_key.hpp"

namespace postern::proxy {

/// What became of a cancel request that met no session here.
struct PeersAnswer {
  std::uint16_t known_by = 0;  ///< the instance whose session it was; 0: nobody's
  unsigned asked = 0;          ///< instances it was sent to
  bool busy = false;           ///< not passed on: too many are under way
};

/// Thread-safe; immutable but for counters. Outlives the workers' coroutines.
class Peers {
 public:
  /// Cancel requests being passed on at the same moment; one more is dropped.
  static constexpr unsigned kMaxOrders = 32;
  /// Longest wait for a peer's connection, and again for its answer.
  static constexpr std::chrono::milliseconds kTimeout{2'000};
  /// A peer that says nothing at all, not even no, is left alone for so long.
  static constexpr std::chrono::milliseconds kPause{1'000};
  /// Least distance of two log lines about one peer.
  static constexpr std::chrono::milliseconds kLogDistance{5'000};

  /// Reads the shared secret: kPeerSecret.
  static Result<std::unique_ptr<Peers>> open(const config::PeersOptions& options);

  [[nodiscard]] const RoutedKeys& keys() const { return keys_; }
  [[nodiscard]] const PeerMessages& messages() const { return messages_; }
  [[nodiscard]] std::uint16_t id() const { return keys_.instance(); }

  /// Asks the instance that issued the key, or all where a key of protocol 3.0 cannot say; none for
  /// other keys. Returns with the first that knows it, else with the last answer. Runs on
  /// `worker`'s thread.
  Task<PeersAnswer> ask(Worker* worker, std::uint32_t process_id, Secret key);

 private:
  struct Peer {
    Peer(std::uint16_t i, Endpoint e) : id(i), endpoint(std::move(e)), log_limit(kLogDistance) {}
    const std::uint16_t id;
    const Endpoint endpoint;
    LogLimit log_limit;
    std::atomic<std::int64_t> paused_until{0};  ///< steady clock, milliseconds
  };
  struct Inquiry;

  Peers(std::uint16_t id, const Secret& shared) : keys_(id, shared), messages_(shared) {}
  std::vector<Peer*> addressees(std::uint32_t process_id, ByteView key);
  Task<void> ask_one(Worker* worker, Peer* peer, std::shared_ptr<Inquiry> inquiry);
  Task<Result<bool>> exchange(Worker* worker, Peer* peer, const Inquiry* inquiry);
  static void note_failure(Peer& peer, const Error& error);

  RoutedKeys keys_;
  PeerMessages messages_;
  std::deque<Peer> peers_;
  std::atomic<unsigned> orders_{0};
};

/// Reads exactly `size` bytes. kTransportClosed where the stream ends before; errors of read_some.
Task<Status> read_exactly(Transport* transport, char* into, std::size_t size);

}  // namespace postern::proxy
