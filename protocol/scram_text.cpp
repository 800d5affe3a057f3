#include "protocol/scram_text.hpp"

#include <algorithm>

#include "base/codes/auth.hpp"

namespace postern::protocol {

Error sasl_error(std::string_view what) {
  return make_error(pst::kSaslMalformed, std::string(what));
}

Result<ByteView> ScramReader::attribute(char name) {
  if (rest_.size() < 2 || rest_[0] != name || rest_[1] != '=') {
    return sasl_error(std::string("attribute \"") + name + "\" expected");
  }
  rest_.remove_prefix(2);
  const ByteView value = rest_.substr(0, rest_.find(','));
  if (value.find('\0') != ByteView::npos) return sasl_error("zero byte");
  rest_.remove_prefix(value.size());
  if (!rest_.empty()) {
    rest_.remove_prefix(1);
    if (rest_.empty()) return sasl_error("comma at the end");
  }
  return value;
}

Status ScramReader::skip_extensions(char stop) {
  constexpr std::string_view kReserved = "anmrcsipve";
  while (!rest_.empty()) {
    const char name = rest_[0];
    if (stop != '\0' && name == stop) break;
    const bool letter = (name >= 'a' && name <= 'z') || (name >= 'A' && name <= 'Z');
    if (!letter || kReserved.find(name) != std::string_view::npos) {
      return sasl_error("repeated, misplaced or unsupported attribute");
    }
    POSTERN_TRY(attribute(name));
  }
  return ok();
}

Status ScramReader::done() const {
  if (!rest_.empty()) return sasl_error("excess text");
  return ok();
}

bool is_nonce(ByteView text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return c > 0x20 && c < 0x7F && c != ','; });
}

Bytes escape_name(ByteView name) {
  Bytes escaped;
  for (const char c : name) {
    if (c == '=') {
      escaped += "=3D";
    } else if (c == ',') {
      escaped += "=2C";
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

}  // namespace postern::protocol
