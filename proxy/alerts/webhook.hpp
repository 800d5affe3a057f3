// Carries alerts to a URL: one thread, one request at a time, a bounded queue in front.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.hpp"
#include "config/options_identity.hpp"

namespace postern::proxy {

/// Thread-safe. put() never waits for the network.
class Webhook {
 public:
  struct Counts {
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> failed{0};   ///< given up after the last attempt
    std::atomic<std::uint64_t> dropped{0};  ///< the queue was full, or the process stopped
  };
  /// `options` must outlive it. kWebhookUnusable where the authorities' file cannot be read.
  static Result<std::unique_ptr<Webhook>> open(const config::AlertsOptions* options);
  Webhook(const Webhook&) = delete;
  Webhook& operator=(const Webhook&) = delete;
  /// Ends a request under way; what waits is dropped.
  ~Webhook();

  void put(std::string body);
  [[nodiscard]] const Counts& counts() const { return counts_; }

  /// The header that proves body and time to whoever knows the secret: "t=<seconds>,v1=<hex of the
  /// HMAC-SHA-256 over seconds, a dot and the body>".
  static std::string signature(const Secret& secret, std::int64_t seconds, std::string_view body);

 private:
  enum class Verdict : std::uint8_t { kTaken, kAgain, kRefused };

  explicit Webhook(const config::AlertsOptions* options) : options_(options) {}
  void run();
  void deliver(const std::string& body);
  Verdict request(const std::string& body);
  bool pause(std::chrono::milliseconds span);
  static int watch(void* self, long, long, long, long);

  const config::AlertsOptions* options_;
  Counts counts_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::string> queue_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace postern::proxy
