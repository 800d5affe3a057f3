// /metrics, /healthz and /readyz over HTTP.
#pragma once

#include <memory>

#include "base/result.hpp"
#include "proxy/net/worker.hpp"

namespace postern::proxy {

struct Runtime;

/// A small HTTP/1.1 listener on [metrics]: GET only, no state, one request a connection. Bind it to
/// an address that only monitoring reaches; it asks for no credentials and shows no tenant data.
class MetricsListener {
 public:
  /// Requests larger than this are refused.
  static constexpr std::size_t kMaxRequestBytes = 8 * 1024;
  static constexpr std::chrono::seconds kRequestTimeout{5};

  /// Listens at once; answers on `home`'s thread. Both must outlive the listener. kListenFailed.
  static Result<MetricsListener> open(Worker* home, Runtime* runtime);
  MetricsListener(MetricsListener&&) noexcept;
  MetricsListener& operator=(MetricsListener&&) noexcept;
  ~MetricsListener();

 private:
  struct State;
  explicit MetricsListener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace postern::proxy
