#include "proxy/session/pins.hpp"

namespace postern::proxy {

std::string pin_text(Pin pins) {
  std::string text;
  for (const auto& [pin, word] : kPinWords) {
    if (!has(pins, pin)) continue;
    text.append(text.empty() ? "" : ", ").append(word);
  }
  return text;
}

void CountedPins::change(Pin pins) {
  for (std::size_t i = 0; i < kPinWords.size(); ++i) {
    const Pin pin = kPinWords[i].pin;
    metrics_->pinned[i].add((has(pins, pin) ? 1 : 0) - (has(pins_, pin) ? 1 : 0));
  }
  pins_ = pins;
}

}  // namespace postern::proxy
