#include "policy/findings.hpp"

namespace postern::policy {

std::optional<Refusal> Findings::take(Mode mode) {
  std::optional<Found>* chosen = strict_ ? &strict_ : &waivable_;
  const bool both = strict_ && waivable_;
  if (both && mode != Mode::kObserve && waivable_->order < strict_->order) chosen = &waivable_;
  if (!*chosen) return std::nullopt;
  return std::move((*chosen)->refusal);
}

void Findings::add(std::optional<Found>& slot, Pst code, std::string what, std::string rule,
                   std::uint32_t byte_position) {
  const std::uint32_t order = next_++;
  if (slot) return;
  Error error = make_error(code, std::move(what));
  error.position = character_position(text_, byte_position);
  slot = Found{Refusal{std::move(error), std::move(rule)}, order};
}

std::uint32_t character_position(std::string_view text, std::uint32_t byte_offset) {
  std::uint32_t characters = 0;
  for (std::size_t i = 0; i < text.size() && i < byte_offset; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0) != 0x80) ++characters;  // every byte but UTF-8's continuations
  }
  return characters + 1;
}

}  // namespace postern::policy
