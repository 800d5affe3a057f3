#include "sql/parse_tree.hpp"

#include <pg_query.h>

#include "sql/tree_reader.hpp"

namespace postern::sql {

namespace {

/// libpg_query counts characters from 1; byte offset of that character.
std::uint32_t byte_offset(std::string_view text, int character) {
  std::size_t at = 0;
  for (int i = 1; i < character && at < text.size(); ++i) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) ++at;
  }
  return static_cast<std::uint32_t>(at);
}

/// The parser's message without the word of the text that it quotes: it may be a literal.
std::string harmless(const char* message) {
  std::string_view text = message == nullptr ? "syntax error" : message;
  return std::string(text.substr(0, text.find(" at or near")));
}

}  // namespace

ParseTree::ParseTree(const std::string& text) {
  PgQueryParseResult parsed = pg_query_parse(text.c_str());
  if (parsed.error != nullptr) {
    error_ = harmless(parsed.error->message);
    error_at_ = byte_offset(text, parsed.error->cursorpos);
  } else {
    root_ = read_tree(parsed.parse_tree, arena_);
    if (root_ == nullptr) error_ = "syntax tree cannot be read";
  }
  pg_query_free_parse_result(parsed);
}

}  // namespace postern::sql
