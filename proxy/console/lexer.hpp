// Words of the console's statements.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::proxy::console {

/// A word, a quoted name or text, or one of = , ( ) * and other single characters.
struct Token {
  std::string text;     ///< unquoted
  bool quoted = false;  ///< by " or '
};

/// Comments and blanks separate. An unterminated quote or comment reaches to the end.
std::vector<Token> tokens_of(std::string_view text);

/// Where the first statement ends: at a semicolon outside quotes and comments, or at the end.
std::size_t statement_end(std::string_view text);

/// ASCII upper case.
std::string upper(std::string_view text);

}  // namespace postern::proxy::console
