// Text that audit and reports may show: no literal of any kind survives.
#pragma once

#include <string>
#include <string_view>

#include "sql/lexer.hpp"

namespace postern::sql {

struct NormalizedText {
  /// Every literal token replaced by $n (numbers go on after the highest parameter in the text),
  /// comments dropped, blanks between tokens reduced to one. Text after a lexical error is cut and
  /// shown as "...", for it may hold half a literal.
  std::string text;
  /// 64-bit hash as 16 lower-case hex digits. Equal for texts that differ in literals, comments,
  /// blanks, letter case of unquoted words, the length of a list of literals, or the number of
  /// VALUES rows. Not cryptographic: for grouping, never for a security decision.
  std::string fingerprint;
};

/// `tokens` must come from tokenize(sql).
NormalizedText normalize(std::string_view sql, const Tokens& tokens);

}  // namespace postern::sql
