#include "proxy/session/bytea.hpp"

namespace postern::proxy {
namespace {

bool is_octal(char c, char highest) {
  return c >= '0' && c <= highest;
}

}  // namespace

std::optional<Bytes> parse_bytea_text(ByteView text) {
  if (text.starts_with("\\x")) return from_hex(text.substr(2));
  Bytes out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '\\') {
      out.push_back(text[i++]);
    } else if (text.substr(i, 2) == "\\\\") {
      out.push_back('\\');
      i += 2;
    } else if (text.size() - i >= 4 && is_octal(text[i + 1], '3') && is_octal(text[i + 2], '7') &&
               is_octal(text[i + 3], '7')) {
      out.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                      (text[i + 3] - '0')));
      i += 4;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

std::string bytea_text(ByteView bytes) {
  return "\\x" + to_hex(bytes);
}

}  // namespace postern::proxy
