#include "proxy/cache/fill.hpp"

#include <algorithm>

namespace postern::proxy {

std::optional<std::uint64_t> CacheFill::required_position() const {
  std::uint64_t required = 0;
  for (const std::uint64_t position : versions_.positions) required = std::max(required, position);
  if (required >= kPositionUnknown) return std::nullopt;
  return required;
}

void CacheFill::from_replica(std::uint64_t position) {
  const std::optional<std::uint64_t> required = required_position();
  if (!required || position < *required) abandon();
}

bool CacheFill::take(Bytes& into, ByteView message) {
  if (!collecting()) return false;
  const std::size_t held = answer_.row_description.size() + answer_.rows.size();
  if (message.size() > limits_.max_bytes - held) {
    abandon();
    return false;
  }
  into.append(message);
  return true;
}

void CacheFill::add_description(ByteView message) {
  if (!answer_.row_description.empty() || answer_.row_count > 0) abandon();
  (void)take(answer_.row_description, message);
}

void CacheFill::add_row(ByteView message) {
  if (is_complete()) abandon();
  if (take(answer_.rows, message)) ++answer_.row_count;
}

void CacheFill::complete(std::string_view tag) {
  if (is_complete()) abandon();
  if (!collecting()) return;
  answer_.command_tag = tag;
  state_ = State::kComplete;
}

void CacheFill::abandon() {
  state_ = State::kAbandoned;
  answer_ = CachedAnswer{};
}

}  // namespace postern::proxy
