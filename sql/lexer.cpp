#include "sql/lexer.hpp"

#include <algorithm>

namespace postern::sql {

namespace {

constexpr std::size_t kMaxOperatorBytes = 63;  // NAMEDATALEN - 1
constexpr std::size_t kBytesPerToken = 4;      // of most texts, blanks included
constexpr std::size_t kExpectedTokens = 128;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}
bool is_newline(char c) {
  return c == '\n' || c == '\r';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_tag_part(char c) {
  return is_word_start(c) || is_digit(c);
}
bool is_word_part(char c) {
  return is_tag_part(c) || c == '$';
}
bool is_operator_char(char c) {
  return std::string_view("~!@#^&|`?+-*/%<>=").find(c) != std::string_view::npos;
}

class Lexer {
 public:
  explicit Lexer(std::string_view sql) : sql_(sql) {
    out_.list.reserve(std::min(sql.size() / kBytesPerToken, kExpectedTokens));
  }

  Tokens run(std::size_t max_tokens) {
    while (out_.error == nullptr && skip_blanks()) {
      if (out_.list.size() >= max_tokens) {
        fail("too many tokens", at_);
        break;
      }
      next();
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0';
  }
  [[nodiscard]] bool starts(std::string_view text) const {
    return sql_.substr(at_, text.size()) == text;
  }
  void fail(const char* what, std::size_t where) {
    out_.error = what;
    out_.error_at = static_cast<std::uint32_t>(where);
  }
  void emit(TokenKind kind, std::size_t begin) {
    out_.list.push_back({kind, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(at_)});
  }

  bool skip_blanks();
  bool skip_comment();
  void next();
  void word();
  bool prefixed_string();
  void number();
  void dollar();
  void quoted(TokenKind kind, std::size_t begin);
  bool quoted_part(TokenKind kind, std::size_t begin);
  bool continues();
  void quoted_word(std::size_t begin);
  void operator_or_symbol();
  void operator_run();

  std::string_view sql_;
  std::size_t at_ = 0;
  Tokens out_;
};

/// False at the end of the text or after an error.
bool Lexer::skip_blanks() {
  while (at_ < sql_.size()) {
    if (is_space(sql_[at_])) {
      ++at_;
    } else if (starts("--")) {
      while (at_ < sql_.size() && !is_newline(sql_[at_])) ++at_;
    } else if (starts("/*")) {
      if (!skip_comment()) return false;
    } else {
      return true;
    }
  }
  return false;
}

bool Lexer::skip_comment() {
  const std::size_t begin = at_;
  std::size_t depth = 0;
  while (at_ < sql_.size()) {
    if (starts("/*")) {
      ++depth;
      at_ += 2;
    } else if (starts("*/")) {
      at_ += 2;
      if (--depth == 0) return true;
    } else {
      ++at_;
    }
  }
  fail("unterminated /* comment", begin);
  return false;
}

void Lexer::next() {
  const char c = peek();
  if (is_word_start(c)) {
    if (!prefixed_string()) word();
  } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
    number();
  } else if (c == '\'') {
    quoted(TokenKind::kString, at_);
  } else if (c == '"') {
    quoted_word(at_);
  } else if (c == '$') {
    dollar();
  } else {
    operator_or_symbol();
  }
}

void Lexer::word() {
  const std::size_t begin = at_;
  while (at_ < sql_.size() && is_word_part(sql_[at_])) ++at_;
  emit(TokenKind::kWord, begin);
}

/// E'', B'', X'', N'', U&'' and U&"": a letter directly before a quote.
bool Lexer::prefixed_string() {
  const std::size_t begin = at_;
  const char letter = static_cast<char>(peek() | 0x20);
  if (peek(1) == '\'') {
    if (letter == 'n') {  // the server reads the keyword NCHAR, then a plain string
      ++at_;
      emit(TokenKind::kWord, begin);
      quoted(TokenKind::kString, at_);
      return true;
    }
    if (letter != 'e' && letter != 'b' && letter != 'x') return false;
    ++at_;
    quoted(letter == 'e' ? TokenKind::kEscapeString : TokenKind::kBitString, begin);
    return true;
  }
  if (letter != 'u' || peek(1) != '&' || (peek(2) != '\'' && peek(2) != '"')) return false;
  at_ += 2;
  if (peek() == '"') {
    quoted_word(begin);
  } else {
    quoted(TokenKind::kUnicodeString, begin);
  }
  return true;
}

/// At an opening quote; takes continuation parts on following lines as well.
void Lexer::quoted(TokenKind kind, std::size_t begin) {
  do {
    if (!quoted_part(kind, begin)) return;
  } while (continues());
  emit(kind, begin);
}

bool Lexer::quoted_part(TokenKind kind, std::size_t begin) {
  ++at_;
  while (at_ < sql_.size()) {
    const char c = sql_[at_++];
    if (c == '\\' && kind == TokenKind::kEscapeString) {
      ++at_;
    } else if (c == '\'') {
      // A doubled quote stands for one, except in bit strings, which cannot hold any.
      if (peek() != '\'' || kind == TokenKind::kBitString) return true;
      ++at_;
    }
  }
  fail("unterminated quoted string", begin);
  return false;
}

/// Moves to the next quote if only blanks with at least one newline, or "--" comments, lie between.
bool Lexer::continues() {
  std::size_t i = at_;
  bool newline = false;
  while (i < sql_.size()) {
    if (is_space(sql_[i])) {
      newline = newline || is_newline(sql_[i]);
      ++i;
    } else if (sql_.substr(i, 2) == "--") {
      while (i < sql_.size() && !is_newline(sql_[i])) ++i;
    } else {
      break;
    }
  }
  if (!newline || i >= sql_.size() || sql_[i] != '\'') return false;
  at_ = i;
  return true;
}

void Lexer::quoted_word(std::size_t begin) {
  const std::size_t body = ++at_;
  while (at_ < sql_.size()) {
    if (sql_[at_++] != '"') continue;
    if (peek() != '"') {
      if (at_ - 1 == body) return fail("zero-length delimited identifier", begin);
      return emit(TokenKind::kQuotedWord, begin);
    }
    ++at_;
  }
  fail("unterminated quoted identifier", begin);
}

void Lexer::number() {
  const std::size_t begin = at_;
  TokenKind kind = TokenKind::kInteger;
  while (is_digit(peek())) ++at_;
  if (peek() == '.' && peek(1) != '.') {
    kind = TokenKind::kFloat;
    ++at_;
    while (is_digit(peek())) ++at_;
  }
  if ((peek() | 0x20) == 'e') {
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if (is_digit(peek(1 + sign))) {
      kind = TokenKind::kFloat;
      at_ += 1 + sign;
      while (is_digit(peek())) ++at_;
    }
  }
  if (is_word_start(peek())) return fail("trailing junk after numeric literal", begin);
  emit(kind, begin);
}

void Lexer::dollar() {
  const std::size_t begin = at_++;
  if (is_digit(peek())) {
    while (is_digit(peek())) ++at_;
    if (is_word_start(peek())) return fail("trailing junk after parameter", begin);
    return emit(TokenKind::kParam, begin);
  }
  if (is_word_start(peek())) {
    while (is_tag_part(peek())) ++at_;
  }
  if (peek() != '$') return fail("stray $", begin);
  ++at_;
  const std::string_view delimiter = sql_.substr(begin, at_ - begin);
  const std::size_t close = sql_.find(delimiter, at_);
  if (close == std::string_view::npos) return fail("unterminated dollar-quoted string", begin);
  at_ = close + delimiter.size();
  emit(TokenKind::kDollarString, begin);
}

void Lexer::operator_or_symbol() {
  const std::size_t begin = at_;
  const char c = peek();
  if (is_operator_char(c)) return operator_run();
  for (std::string_view pair : {"::", ":=", ".."}) {
    if (starts(pair)) {
      at_ += 2;
      return emit(TokenKind::kOperator, begin);
    }
  }
  if (std::string_view("()[],;.:").find(c) == std::string_view::npos) {
    return fail("unexpected character", begin);
  }
  ++at_;
  emit(TokenKind::kSymbol, begin);
}

/// An operator ends before a comment; a trailing + or - belongs to it only if it also holds one
/// of the characters that no standard operator has.
void Lexer::operator_run() {
  const std::size_t begin = at_;
  std::size_t end = at_;
  while (end < sql_.size() && is_operator_char(sql_[end])) {
    const std::string_view two = sql_.substr(end, 2);
    if (two == "--" || two == "/*") break;
    ++end;
  }
  const std::string_view run = sql_.substr(begin, end - begin);
  if (run.find_first_of("~!@#^&|`?%") == std::string_view::npos) {
    while (end > begin + 1 && (sql_[end - 1] == '+' || sql_[end - 1] == '-')) --end;
  }
  if (end - begin > kMaxOperatorBytes) return fail("operator too long", begin);
  at_ = end;
  emit(TokenKind::kOperator, begin);
}

}  // namespace

bool is_literal(TokenKind kind) {
  return kind >= TokenKind::kString && kind <= TokenKind::kFloat;
}

Tokens tokenize(std::string_view sql, std::size_t max_tokens) {
  return Lexer(sql).run(max_tokens);
}

bool is_keyword(std::string_view word, std::string_view keyword) {
  return word.size() == keyword.size() &&
         std::equal(word.begin(), word.end(), keyword.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a | 0x20) : a) == b;
         });
}

}  // namespace postern::sql
