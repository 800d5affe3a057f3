// Other texts of the same shape: every literal gets another value of its kind, and blanks and
// comments move.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sql/lexer.hpp"

namespace postern::sql::test {

/// A value of the same kind, made from `seed`. Escapes (E'', U&'') stay as they are.
inline std::string other_value(const Token& token, std::string_view text, std::uint64_t seed) {
  static constexpr std::string_view kStrings[] = {"''",           "'it''s'",    "'é $1 \"x\" -- y'",
                                                  "'2031-01-01'", "'a'\n  'b'", "'pg_class'"};
  const std::string_view old = token.text(text);
  switch (token.kind) {
    case TokenKind::kString:
      return std::string(kStrings[seed % 6]);
    case TokenKind::kDollarString:
      return seed % 2 == 0 ? "$x$a ' b$x$" : "$$$$";
    case TokenKind::kBitString:
      return std::string(1, old[0]) + "'10'";
    case TokenKind::kInteger:
      if (old.size() > 9) return std::string(old);  // its type depends on its size
      return std::to_string(seed % 2 == 0 ? seed % 10 : seed % 2'000'000'000);
    case TokenKind::kFloat:
      return seed % 2 == 0 ? "0.5" : "1e300";
    default:
      return std::string(old);
  }
}

inline std::string mutate(std::string_view text, const Tokens& tokens, std::uint64_t seed) {
  static constexpr std::string_view kBlanks[] = {" ", "\n\t ", " /* c '1' */ ", " --x\n"};
  std::string out;
  std::uint32_t last_end = 0;
  for (const Token& token : tokens.list) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    if (token.begin > last_end) out.append(kBlanks[(seed >> 40) % 4]);
    last_end = token.end;
    out.append(other_value(token, text, seed >> 33));
  }
  return out;
}

}  // namespace postern::sql::test
