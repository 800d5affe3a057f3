#include "proxy/session/literal_text.hpp"

#include <array>

#include "base/bytes.hpp"
#include "base/codes/session.hpp"

namespace postern::proxy {
namespace {

Error not_understood(const char* what) {
  return make_error(pst::kLiteralNotUnderstood, what);
}

Result<Secret> plain_string(std::string_view body) {
  Bytes out;
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] == '\'') {
      if (i + 1 >= body.size() || body[i + 1] != '\'') return not_understood("continued string");
      ++i;
    }
    out.push_back(body[i]);
  }
  return Secret(std::move(out));
}

void append_utf8(Bytes& out, std::uint32_t code) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
    return;
  }
  const int tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr std::array<std::uint32_t, 4> kLead = {0, 0xC0, 0xE0, 0xF0};
  out.push_back(static_cast<char>(kLead[static_cast<std::size_t>(tail)] | (code >> (6 * tail))));
  for (int i = tail - 1; i >= 0; --i) {
    out.push_back(static_cast<char>(0x80U | ((code >> (6 * i)) & 0x3FU)));
  }
}

// Up to `most` digits of a base at `at`; advances over them.
std::uint32_t digits(std::string_view body, std::size_t& at, std::size_t most, unsigned base) {
  std::uint32_t value = 0;
  for (std::size_t n = 0; n < most && at < body.size(); ++n, ++at) {
    const char c = body[at];
    unsigned digit = 99;
    if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<unsigned>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') digit = static_cast<unsigned>(c - 'A' + 10);
    if (digit >= base) break;
    value = value * base + digit;
  }
  return value;
}

// One escape of E'...' behind its backslash; advances over it.
Status escape(std::string_view body, std::size_t& at, Bytes& out) {
  const char c = body[at];
  constexpr std::string_view kNames = "bfnrt";
  constexpr std::string_view kValues = "\b\f\n\r\t";
  if (const std::size_t i = kNames.find(c); i != std::string_view::npos) {
    out.push_back(kValues[i]);
    ++at;
    return ok();
  }
  if (c >= '0' && c <= '7') {
    constexpr std::size_t kOctalDigits = 3;
    out.push_back(static_cast<char>(digits(body, at, kOctalDigits, 8)));
    return ok();
  }
  if (c != 'x' && c != 'u' && c != 'U') {
    out.push_back(c);
    ++at;
    return ok();
  }
  const std::size_t most = c == 'x' ? 2 : c == 'u' ? 4 : 8;
  const std::size_t begin = ++at;
  const std::uint32_t value = digits(body, at, most, 16);
  if (c == 'x') {
    if (at == begin) return not_understood("\\x without digits");
    out.push_back(static_cast<char>(value));
    return ok();
  }
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (at - begin != most || surrogate || value == 0 || value > 0x10FFFF) {
    return not_understood("Unicode escape");
  }
  append_utf8(out, value);
  return ok();
}

Result<Secret> escape_string(std::string_view body) {
  Bytes out;
  for (std::size_t i = 0; i < body.size();) {
    if (body[i] == '\\') {
      if (++i >= body.size()) return not_understood("trailing backslash");
      POSTERN_TRY(escape(body, i, out));
      continue;
    }
    if (body[i] == '\'') {
      if (i + 1 >= body.size() || body[i + 1] != '\'') return not_understood("continued string");
      ++i;
    }
    out.push_back(body[i++]);
  }
  return Secret(std::move(out));
}

Result<std::string_view> inside(std::string_view token, std::size_t prefix) {
  if (token.size() < prefix + 1 || token.back() != '\'') return not_understood("string");
  return token.substr(prefix, token.size() - prefix - 1);
}

Result<Secret> dollar_string(std::string_view token) {
  const std::size_t tag_end = token.find('$', 1);
  if (token.empty() || token.front() != '$' || tag_end == std::string_view::npos) {
    return not_understood("dollar quotes");
  }
  const std::size_t tag = tag_end + 1;
  if (token.size() < 2 * tag) return not_understood("dollar quotes");
  return Secret(Bytes(token.substr(tag, token.size() - 2 * tag)));
}

}  // namespace

Result<Secret> literal_text(std::string_view token, sql::TokenClass token_class) {
  switch (token_class) {
    case sql::TokenClass::kString: {
      POSTERN_ASSIGN(const auto body, inside(token, 1));
      return plain_string(body);
    }
    case sql::TokenClass::kEscapeString: {
      POSTERN_ASSIGN(const auto body, inside(token, 2));
      return escape_string(body);
    }
    case sql::TokenClass::kDollarString:
      return dollar_string(token);
    case sql::TokenClass::kInteger:
    case sql::TokenClass::kFloat:
      return Secret(Bytes(token));
    default:
      return not_understood("form of literal");
  }
}

}  // namespace postern::proxy
