#include "protocol/extended.hpp"

#include "protocol/cursor.hpp"

namespace postern::protocol {
namespace {

Result<Target> decode_target(Cursor& in) {
  POSTERN_ASSIGN(const std::uint8_t kind, in.u8());
  if (kind != 'S' && kind != 'P') return violation("neither statement nor portal");
  return static_cast<Target>(kind);
}

/// Describe and Close have the same body.
template <typename Message>
Result<Message> decode_named(ByteView body) {
  Cursor in(body);
  Message message;
  POSTERN_ASSIGN(message.target, decode_target(in));
  POSTERN_ASSIGN(message.name, in.cstring());
  POSTERN_TRY(in.done());
  return message;
}

template <typename Message>
Status encode_named(const Message& message, FrontendType type, Bytes& out) {
  MessageWriter m(out, type);
  m.u8(static_cast<std::uint8_t>(message.target));
  m.cstring(message.name);
  return m.finish();
}

}  // namespace

Result<Parse> Parse::decode(ByteView body) {
  Cursor in(body);
  Parse message;
  POSTERN_ASSIGN(message.statement, in.cstring());
  POSTERN_ASSIGN(message.text, in.cstring());
  POSTERN_ASSIGN(message.parameter_types, OidList::read(in));
  POSTERN_TRY(in.done());
  return message;
}

Status Parse::encode(Bytes& out) const {
  MessageWriter m(out, FrontendType::kParse);
  m.cstring(statement);
  m.cstring(text);
  parameter_types.write(m);
  return m.finish();
}

Result<Bind> Bind::decode(ByteView body) {
  Cursor in(body);
  Bind message;
  POSTERN_ASSIGN(message.portal, in.cstring());
  POSTERN_ASSIGN(message.statement, in.cstring());
  POSTERN_ASSIGN(message.parameter_formats, FormatList::read(in));
  POSTERN_ASSIGN(message.values, ValueList::read(in));
  POSTERN_ASSIGN(message.result_formats, FormatList::read(in));
  POSTERN_TRY(in.done());
  return message;
}

Status Bind::encode(Bytes& out) const {
  MessageWriter m(out, FrontendType::kBind);
  m.cstring(portal);
  m.cstring(statement);
  parameter_formats.write(m);
  values.write(m);
  result_formats.write(m);
  return m.finish();
}

Result<Describe> Describe::decode(ByteView body) {
  return decode_named<Describe>(body);
}

Status Describe::encode(Bytes& out) const {
  return encode_named(*this, FrontendType::kDescribe, out);
}

Result<Close> Close::decode(ByteView body) {
  return decode_named<Close>(body);
}

Status Close::encode(Bytes& out) const {
  return encode_named(*this, FrontendType::kClose, out);
}

Result<Execute> Execute::decode(ByteView body) {
  Cursor in(body);
  Execute message;
  POSTERN_ASSIGN(message.portal, in.cstring());
  POSTERN_ASSIGN(message.max_rows, in.i32());
  POSTERN_TRY(in.done());
  return message;
}

Status Execute::encode(Bytes& out) const {
  MessageWriter m(out, FrontendType::kExecute);
  m.cstring(portal);
  m.i32(max_rows);
  return m.finish();
}

Result<ParameterDescription> ParameterDescription::decode(ByteView body) {
  Cursor in(body);
  ParameterDescription message;
  POSTERN_ASSIGN(message.types, OidList::read(in));
  POSTERN_TRY(in.done());
  return message;
}

Status ParameterDescription::encode(Bytes& out) const {
  MessageWriter m(out, BackendType::kParameterDescription);
  types.write(m);
  return m.finish();
}

}  // namespace postern::protocol
