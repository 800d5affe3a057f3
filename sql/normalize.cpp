#include "sql/normalize.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"

namespace postern::sql {

namespace {

constexpr std::uint32_t kMaxParam = 65535;

std::uint32_t highest_param(std::string_view sql, const Tokens& tokens) {
  std::uint32_t highest = 0;
  for (const Token& token : tokens.list) {
    if (token.kind != TokenKind::kParam) continue;
    const std::string_view digits = token.text(sql).substr(1);
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc{} && number <= kMaxParam) highest = std::max(highest, number);
  }
  return highest;
}

/// Lower-cases ASCII, as the server does with unquoted words.
void fold(std::string_view word, std::string& out) {
  for (char c : word) out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c);
}

/// The token as it counts for the fingerprint: "?" for anything that carries a value.
void shape(std::string_view sql, const Token& token, std::string& out) {
  if (is_literal(token.kind) || token.kind == TokenKind::kParam) {
    out.push_back('?');
  } else if (token.kind == TokenKind::kWord) {
    fold(token.text(sql), out);
  } else {
    out.append(token.text(sql));
  }
}

/// Words of the shape joined by blanks; "?, ?, ?" counts as "?" and "(?), (?)" as "(?)".
class Shape {
 public:
  void add(std::string word) {
    words_.push_back(std::move(word));
    if (ends_with({"?", ",", "?"})) drop(2);
    if (words_.back() == ")") fold_group();
  }
  [[nodiscard]] std::string text() const {
    std::string out;
    for (const std::string& word : words_) out.append(word).push_back(' ');
    return out;
  }

 private:
  [[nodiscard]] bool ends_with(std::initializer_list<std::string_view> tail) const {
    return words_.size() >= tail.size() &&
           std::equal(tail.begin(), tail.end(), words_.end() - static_cast<long>(tail.size()));
  }
  void drop(std::size_t n) { words_.resize(words_.size() - n); }
  void fold_group() {
    if (ends_with({"(", "?", ")", ",", "(", "?", ")"})) drop(4);
  }
  std::vector<std::string> words_;
};

std::string hash_hex(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325ULL;  // FNV-1a, then a finaliser to spread the low bits
  for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdULL;
  h ^= h >> 33;
  std::string out(16, '0');
  for (std::size_t i = 0; i < 16; ++i) out[15 - i] = "0123456789abcdef"[(h >> (4 * i)) & 15];
  return out;
}

}  // namespace

NormalizedText normalize(std::string_view sql, const Tokens& tokens) {
  NormalizedText out;
  Shape shapes;
  std::uint32_t next = highest_param(sql, tokens);
  std::uint32_t last_end = 0;
  out.text.reserve(sql.size());
  for (const Token& token : tokens.list) {
    if (token.begin > last_end && !out.text.empty()) out.text.push_back(' ');
    last_end = token.end;
    if (is_literal(token.kind)) {
      const bool glued = !out.text.empty() && std::isalnum(byte_at(out.text, out.text.size() - 1));
      out.text.append(glued ? " $" : "$").append(std::to_string(++next));
    } else {
      out.text.append(token.text(sql));
    }
    std::string word;
    shape(sql, token, word);
    shapes.add(std::move(word));
  }
  if (tokens.error != nullptr) {
    out.text.append(out.text.empty() ? "..." : " ...");
    shapes.add("...");
  }
  out.fingerprint = hash_hex(shapes.text());
  return out;
}

}  // namespace postern::sql
