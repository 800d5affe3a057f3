#include "tests/sqlcorpus/script.hpp"

#include <algorithm>

#include "sql/lexer.hpp"

namespace postern::sqlcorpus {

namespace {

using sql::is_keyword;
using sql::Token;

constexpr std::size_t kMaxTokens = 1'000'000;

std::size_t line_end(std::string_view text, std::size_t at) {
  return std::min(text.find('\n', at), text.size());
}

class Splitter {
 public:
  explicit Splitter(std::string_view script) : script_(script) {}

  std::vector<std::string> run() {
    while (at_ < script_.size()) chunk();
    return std::move(found_);
  }

 private:
  /// Up to the next thing that is no SQL: a backslash command, mostly.
  void chunk() {
    const std::string_view rest = script_.substr(at_);
    const sql::Tokens tokens = sql::tokenize(rest, kMaxTokens);
    begin_ = at_;
    depth_ = atomic_ = 0;
    for (std::size_t i = 0; i < tokens.list.size(); ++i) {
      token(tokens.list[i], i + 1 < tokens.list.size() ? &tokens.list[i + 1] : nullptr, rest);
      if (copied_) return copy_data();
    }
    const std::size_t stop = tokens.error != nullptr ? at_ + tokens.error_at : script_.size();
    add(stop);
    at_ = line_end(script_, stop) + 1;
  }

  void token(const Token& token, const Token* next, std::string_view rest) {
    const std::string_view word = token.text(rest);
    if (word == "(") ++depth_;
    if (word == ")") --depth_;
    const bool begins =
        is_keyword(word, "begin") && next != nullptr && is_keyword(next->text(rest), "atomic");
    if (begins || (atomic_ > 0 && is_keyword(word, "case"))) ++atomic_;
    if (atomic_ > 0 && is_keyword(word, "end")) --atomic_;
    if (word != ";" || depth_ > 0 || atomic_ > 0) return;
    const std::size_t base = at_ + token.begin;
    const bool data = is_copy_from_stdin(script_.substr(begin_, base - begin_));
    add(base);
    begin_ = base + 1;
    copied_ = data;
  }

  static bool is_copy_from_stdin(std::string_view statement) {
    const sql::Tokens tokens = sql::tokenize(statement, kMaxTokens);
    if (tokens.list.empty() || !is_keyword(tokens.list.front().text(statement), "copy"))
      return false;
    return std::any_of(tokens.list.begin(), tokens.list.end(),
                       [&](const Token& t) { return is_keyword(t.text(statement), "stdin"); });
  }

  void copy_data() {
    copied_ = false;
    at_ = begin_;
    while (at_ < script_.size()) {
      const std::size_t end = line_end(script_, at_);
      const std::string_view line = script_.substr(at_, end - at_);
      at_ = end + 1;
      if (line == "\\.") return;
    }
  }

  void add(std::size_t end) {
    if (end <= begin_) return;
    const std::string_view text = script_.substr(begin_, end - begin_);
    const sql::Tokens tokens = sql::tokenize(text, kMaxTokens);
    if (tokens.list.empty()) return;
    const std::size_t first = tokens.list.front().begin;
    found_.emplace_back(text.substr(first, tokens.list.back().end - first));
  }

  std::string_view script_;
  std::size_t at_ = 0;
  std::size_t begin_ = 0;
  int depth_ = 0;
  int atomic_ = 0;
  bool copied_ = false;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> statements_of(std::string_view script) {
  return Splitter(script).run();
}

}  // namespace postern::sqlcorpus
