// Private to sql/: text to syntax tree through libpg_query.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sql/arena.hpp"
#include "sql/ast.hpp"

namespace postern::sql {

/// The syntax tree of a text, in memory of its own. The tree's strings live as long as it does.
class ParseTree {
 public:
  /// `text` must be UTF-8 without NUL and within check_nesting's limits: deeper input can overflow
  /// the calling thread's stack. Thread-safe. A syntax error leaves the tree empty.
  explicit ParseTree(const std::string& text);

  /// nullptr after a syntax error.
  [[nodiscard]] const PgQuery__ParseResult* root() const { return root_; }
  /// The parser's message without anything quoted from the text. Empty where root() is set.
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] std::uint32_t error_at() const { return error_at_; }  ///< byte offset

 private:
  Arena arena_;
  PgQuery__ParseResult* root_ = nullptr;
  std::string error_;
  std::uint32_t error_at_ = 0;
};

}  // namespace postern::sql
