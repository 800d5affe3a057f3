#include "protocol/error_message.hpp"

#include "protocol/cursor.hpp"
#include "protocol/writer.hpp"

namespace postern::protocol {

Result<ErrorFields> ErrorFields::decode(ByteView body) {
  Cursor in(body);
  ErrorFields message;
  while (true) {
    POSTERN_ASSIGN(const std::uint8_t code, in.u8());
    if (code == 0) break;
    POSTERN_ASSIGN(const ByteView value, in.cstring());
    message.fields.emplace_back(static_cast<char>(code), value);
  }
  POSTERN_TRY(in.done());
  return message;
}

Status ErrorFields::encode(BackendType type, Bytes& out) const {
  MessageWriter m(out, type);
  for (const auto& [code, value] : fields) {
    if (code == 0) m.refuse();
    m.u8(static_cast<std::uint8_t>(code));
    m.cstring(value);
  }
  m.u8(0);
  return m.finish();
}

std::optional<ByteView> ErrorFields::get(char code) const {
  for (const auto& [c, value] : fields) {
    if (c == code) return value;
  }
  return std::nullopt;
}

ErrorWriter::ErrorWriter(Bytes& out, Kind kind) : out_(out), start_(out.size()) {
  out_.push_back(static_cast<char>(kind));
  out_.append(4, '\0');
}

ErrorWriter& ErrorWriter::field(char code, ByteView value) {
  value = value.substr(0, value.find('\0'));
  if (value.empty()) return *this;
  out_.push_back(code);
  out_.append(value);
  out_.push_back('\0');
  return *this;
}

void ErrorWriter::finish() {
  out_.push_back('\0');
  store_be32(out_.data() + start_ + 1, static_cast<std::uint32_t>(out_.size() - start_ - 1));
}

void append_error(Bytes& out, const Error& error, Report report) {
  const PstInfo& info = pst_info(error.code);
  const bool fatal = report == Report::kFatal || info.severity == Severity::kFatal;
  const ByteView severity = fatal ? "FATAL" : "ERROR";
  ErrorWriter writer(out, ErrorWriter::Kind::kError);
  writer.field(kFieldSeverity, severity)
      .field(kFieldSeverityPlain, severity)
      .field(kFieldSqlstate, info.sqlstate)
      .field(kFieldMessage, error.message())
      .field(kFieldDetail, pst_label(error.code))
      .field(kFieldHint, error.effective_hint());
  if (error.position != 0) writer.field(kFieldPosition, std::to_string(error.position));
  writer.finish();
}

void append_notice(Bytes& out, ByteView severity, ByteView sqlstate, ByteView message) {
  ErrorWriter writer(out, ErrorWriter::Kind::kNotice);
  writer.field(kFieldSeverity, severity)
      .field(kFieldSeverityPlain, severity)
      .field(kFieldSqlstate, sqlstate)
      .field(kFieldMessage, message);
  writer.finish();
}

OwnedErrorFields OwnedErrorFields::copy(const ErrorFields& from) {
  OwnedErrorFields owned;
  for (const auto& [code, value] : from.fields) owned.fields.emplace_back(code, value);
  return owned;
}

ByteView OwnedErrorFields::get(char code) const {
  for (const auto& [c, value] : fields) {
    if (c == code) return value;
  }
  return {};
}

}  // namespace postern::protocol
