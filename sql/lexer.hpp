// A lexer for PostgreSQL 15 SQL with standard_conforming_strings = on, after the rules of
// src/backend/parser/scan.l. It finds where tokens start and end; it decodes nothing.
//
// It serves where libpg_query does not: limits before the parser sees deep input, the ends of
// literals (the syntax tree gives starts only), and text free of literals for audit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace postern::sql {

enum class TokenKind : std::uint8_t {
  kWord,           ///< unquoted identifier or keyword
  kQuotedWord,     ///< "..." and U&"..."
  kString,         ///< '...' with continuation lines; also the string of N'...'
  kEscapeString,   ///< E'...'
  kUnicodeString,  ///< U&'...', without a UESCAPE that may follow
  kDollarString,   ///< $tag$...$tag$
  kBitString,      ///< B'...' and X'...'
  kInteger,
  kFloat,
  kParam,     ///< $1
  kOperator,  ///< one or several characters, "::", ":=", "..", "=>" included
  kSymbol,    ///< one of ( ) [ ] , ; . :
};

struct Token {
  TokenKind kind = TokenKind::kWord;
  std::uint32_t begin = 0;  ///< byte offset
  std::uint32_t end = 0;    ///< one past the last byte

  [[nodiscard]] std::string_view text(std::string_view sql) const {
    return sql.substr(begin, end - begin);
  }
};

/// True for strings, bit strings and numbers.
bool is_literal(TokenKind kind);

/// All tokens of `sql`, blanks and comments left out.
struct Tokens {
  std::vector<Token> list;
  /// Set where the text stops being SQL: what is wrong and at which byte. `list` then holds the
  /// tokens before it.
  const char* error = nullptr;
  std::uint32_t error_at = 0;
};

/// Stops with the error "too many tokens" at `max_tokens`. Linear in the text; no recursion.
/// Text longer than 4 GiB is not supported (callers cap it far below).
Tokens tokenize(std::string_view sql, std::size_t max_tokens);

/// Does the unquoted word equal `keyword` (given in lower case), ignoring ASCII case?
bool is_keyword(std::string_view word, std::string_view keyword);

}  // namespace postern::sql
