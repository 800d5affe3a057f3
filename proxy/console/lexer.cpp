#include "proxy/console/lexer.hpp"

#include <algorithm>

namespace postern::proxy::console {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

// Length of a comment at the beginning of `text`; 0: there is none.
std::size_t comment_size(std::string_view text) {
  if (text.starts_with("--")) return std::min(text.find('\n'), text.size());
  if (!text.starts_with("/*")) return 0;
  const std::size_t end = text.find("*/", 2);
  return end == std::string_view::npos ? text.size() : end + 2;
}

// Length of a quoted name or text, both quotes included; a doubled quote stands for itself.
std::size_t quoted_size(std::string_view text) {
  const char quote = text.front();
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] != quote) continue;
    if (i + 1 >= text.size() || text[i + 1] != quote) return i + 1;
    ++i;
  }
  return text.size();
}

std::string unquoted(std::string_view text) {
  const char quote = text.front();
  const bool closed = text.size() > 1 && text.back() == quote;
  text = text.substr(1, text.size() - (closed ? 2 : 1));
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    out.push_back(text[i]);
    if (text[i] == quote) ++i;
  }
  return out;
}

}  // namespace

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  while (!text.empty()) {
    const char c = text.front();
    std::size_t size = comment_size(text);
    if (size == 0 && is_blank(c)) size = 1;
    if (size > 0) {
      text.remove_prefix(size);
      continue;
    }
    if (c == '"' || c == '\'') {
      size = quoted_size(text);
      tokens.push_back({unquoted(text.substr(0, size)), true});
    } else {
      size = 1;
      while (is_word(c) && size < text.size() && is_word(text[size]) &&
             comment_size(text.substr(size)) == 0) {
        ++size;
      }
      tokens.push_back({std::string(text.substr(0, size)), false});
    }
    text.remove_prefix(size);
  }
  return tokens;
}

std::size_t statement_end(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    if (rest.front() == ';') return at;
    if (const std::size_t comment = comment_size(rest)) {
      at += comment;
    } else if (rest.front() == '"' || rest.front() == '\'') {
      at += quoted_size(rest);
    } else {
      ++at;
    }
  }
  return at;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

}  // namespace postern::proxy::console
