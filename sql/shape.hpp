// Texts that differ in values, blanks and comments only share one analysis: the facts of the first
// are moved onto the next, without parsing it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sql/facts.hpp"
#include "sql/lexer.hpp"

namespace postern::sql {

/// A text without its values: what is equal for all texts that PostgreSQL's grammar takes alike.
struct Shape {
  /// Every token's bytes, except that string, dollar-quoted, bit and numeric literals are reduced
  /// to their kind; blanks and comments are reduced to whether there are any. Unambiguous: equal
  /// keys mean equal tokens but for those literals. Texts under another search path, catalog or
  /// limits must not share keys.
  std::string key;
  Tokens tokens;
};

/// nullopt for text that no analysis can be reused for: a lexical error, a NUL byte, more than
/// `max_tokens` tokens, or bytes that are not UTF-8. About 1 us for 100 bytes.
std::optional<Shape> shape_of(std::string_view text, std::size_t max_tokens);

/// The facts of one text, ready to be moved onto others of its shape. Immutable.
class FactsTemplate {
 public:
  /// nullopt where facts may not be reused: an opaque statement, a statement of another kind than
  /// queries, INSERT, UPDATE, DELETE, MERGE and transaction control, or no literal and no comment
  /// in the text, so that every other text of its shape is the same.
  static std::optional<FactsTemplate> make(std::string_view text, const Shape& shape,
                                           std::shared_ptr<const Facts> facts);

  /// The facts that analyze() would give for `text`, whose shape has the same key; nullptr where a
  /// literal that is not merely a value (Literal::merely_value) differs. About 1 us.
  [[nodiscard]] std::shared_ptr<const Facts> facts_for(std::string_view text,
                                                       const Shape& shape) const;

  /// Bytes of memory it holds, about.
  [[nodiscard]] std::size_t footprint() const;

 private:
  struct Fixed {
    std::uint32_t token = 0;  ///< index
    std::string text;
  };

  std::shared_ptr<const Facts> facts_;
  std::vector<Span> tokens_;  ///< of the first text
  std::vector<Fixed> fixed_;
};

}  // namespace postern::sql
