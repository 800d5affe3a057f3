// Replacing parts of a client's statement while everything else stays byte for byte its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sql/facts.hpp"

namespace postern::proxy {

/// One replacement: the bytes of `span` in the original become `text`.
struct Splice {
  sql::Span span;
  std::string text;
};

/// A statement text after splicing, able to say where its parts came from.
class SplicedText {
 public:
  /// `splices` ascending and disjoint, within `original`. Precondition checked.
  SplicedText(std::string_view original, std::vector<Splice> splices);

  [[nodiscard]] const std::string& text() const { return text_; }
  /// A 1-based character position (as in ErrorResponse field P, UTF-8) in text() as a position in
  /// the original; inside a replacement: the start of what was replaced. 0 stays 0.
  [[nodiscard]] std::uint32_t original_position(std::uint32_t position) const;

 private:
  struct Piece {
    std::uint32_t characters;           ///< length in text()
    std::uint32_t original_characters;  ///< length in the original
    bool replaced;
  };
  std::string text_;
  std::vector<Piece> pieces_;
};

}  // namespace postern::proxy
