// Private to sql/: finds the extent of things whose start the syntax tree tells.
#pragma once

#include <cstdint>
#include <string_view>

#include "sql/facts.hpp"
#include "sql/lexer.hpp"

namespace postern::sql {

/// The tokens of a text, searchable by byte offset. Both references must outlive it.
class TokenIndex {
 public:
  TokenIndex(std::string_view sql, const Tokens& tokens) : sql_(sql), list_(tokens.list) {}

  struct LiteralToken {
    Span span;
    TokenKind kind = TokenKind::kWord;
    bool found = false;
  };
  /// The literal that starts at `begin`: a sign and its number, U&'' with UESCAPE, a keyword such
  /// as NULL, or one token.
  [[nodiscard]] LiteralToken literal_at(std::uint32_t begin) const;

  [[nodiscard]] std::string_view slice(Span span) const {
    return sql_.substr(span.begin, span.end - span.begin);
  }

  /// `inner` together with the cast around it: "x::type" (cast_at = "::"), "CAST(x AS type)"
  /// (cast_at = CAST), "type 'x'" (type_at before inner). Equal to `inner` where the form is not
  /// recognised.
  [[nodiscard]] Span cast_around(Span inner, std::int32_t cast_at, std::int32_t type_at) const;

  /// First to last token within [begin, end), semicolons left out.
  [[nodiscard]] Span statement(std::uint32_t begin, std::uint32_t end) const;

 private:
  [[nodiscard]] std::size_t index_from(std::uint32_t offset) const;
  [[nodiscard]] std::string_view text(std::size_t i) const {
    return i < list_.size() ? list_[i].text(sql_) : std::string_view{};
  }
  [[nodiscard]] std::size_t type_end(std::size_t i) const;
  [[nodiscard]] std::size_t skip_brackets(std::size_t i) const;
  [[nodiscard]] Span postfix_cast(Span inner, std::size_t cast) const;

  std::string_view sql_;
  const std::vector<Token>& list_;
};

}  // namespace postern::sql
