#include "proxy/session/splice.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace postern::proxy {
namespace {

// UTF-8 characters: every byte that is not a continuation byte begins one.
std::uint32_t characters(std::string_view text) {
  return static_cast<std::uint32_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

}  // namespace

SplicedText::SplicedText(std::string_view original, std::vector<Splice> splices) {
  std::uint32_t done = 0;
  const auto keep = [&](std::uint32_t end) {
    const auto part = original.substr(done, end - done);
    text_.append(part);
    pieces_.push_back({characters(part), characters(part), false});
    done = end;
  };
  for (const Splice& splice : splices) {
    POSTERN_CHECK(splice.span.begin >= done && splice.span.end >= splice.span.begin &&
                  splice.span.end <= original.size());
    keep(splice.span.begin);
    text_.append(splice.text);
    const auto replaced = original.substr(done, splice.span.end - done);
    pieces_.push_back({characters(splice.text), characters(replaced), true});
    done = splice.span.end;
  }
  keep(static_cast<std::uint32_t>(original.size()));
}

std::uint32_t SplicedText::original_position(std::uint32_t position) const {
  if (position == 0) return 0;
  std::uint32_t before = 0;  // characters of the original before the current piece
  std::uint32_t rest = position - 1;
  for (const Piece& piece : pieces_) {
    if (rest < piece.characters) return before + (piece.replaced ? 0 : rest) + 1;
    rest -= piece.characters;
    before += piece.original_characters;
  }
  return before + rest + 1;
}

}  // namespace postern::proxy
