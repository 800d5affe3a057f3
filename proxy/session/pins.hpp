// Which server connections stay with their sessions, and why: in words for who asks where a pool
// has gone, and counted for /metrics.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "proxy/session/pooled_state.hpp"
#include "proxy/sinks/metrics.hpp"

namespace postern::proxy {

struct PinWord {
  Pin pin;
  std::string_view word;
};

/// In the order of Metrics::pinned.
inline constexpr std::array<PinWord, kPinReasons> kPinWords = {{
    {Pin::kTemporary, "temporary objects"},
    {Pin::kAdvisory, "advisory locks"},
    {Pin::kListen, "LISTEN"},
    {Pin::kCursor, "cursors WITH HOLD"},
    {Pin::kPrepared, "PREPARE"},
    {Pin::kUnfollowed, "not followed"},
    {Pin::kIdleLimit, "idle_session_timeout"},
}};

/// "temporary objects, LISTEN"; empty where nothing pins.
std::string pin_text(Pin pins);

/// What pins one server connection, counted in the gauges of the process for as long as it lives.
class CountedPins {
 public:
  explicit CountedPins(Metrics* metrics) : metrics_(metrics) {}
  CountedPins(const CountedPins&) = delete;
  CountedPins& operator=(const CountedPins&) = delete;
  ~CountedPins() { set(Pin::kNone); }

  void set(Pin pins) {
    if (pins != pins_) change(pins);
  }
  [[nodiscard]] Pin value() const { return pins_; }

 private:
  void change(Pin pins);

  Metrics* metrics_;
  Pin pins_ = Pin::kNone;
};

}  // namespace postern::proxy
