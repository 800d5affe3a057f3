#include "protocol/session_setup.hpp"

#include "protocol/cursor.hpp"
#include "protocol/writer.hpp"

namespace postern::protocol {

Result<NegotiateProtocolVersion> NegotiateProtocolVersion::decode(ByteView body) {
  Cursor in(body);
  NegotiateProtocolVersion message;
  POSTERN_ASSIGN(message.version, in.u32());
  POSTERN_ASSIGN(const std::uint32_t count, in.u32());
  if (count > in.remaining()) return violation("element count exceeds the message");
  for (std::uint32_t i = 0; i < count; ++i) {
    POSTERN_ASSIGN(const ByteView option, in.cstring());
    message.unknown_options.push_back(option);
  }
  POSTERN_TRY(in.done());
  return message;
}

Status NegotiateProtocolVersion::encode(Bytes& out) const {
  MessageWriter m(out, BackendType::kNegotiateProtocolVersion);
  m.u32(version);
  m.u32(static_cast<std::uint32_t>(unknown_options.size()));
  for (const ByteView option : unknown_options) m.cstring(option);
  return m.finish();
}

Result<BackendKeyData> BackendKeyData::decode(ByteView body) {
  Cursor in(body);
  BackendKeyData message;
  POSTERN_ASSIGN(message.pid, in.u32());
  message.key = in.rest();
  if (message.key.size() < kMinCancelKey || message.key.size() > kMaxCancelKey) {
    return violation("invalid length of cancel key");
  }
  return message;
}

Status BackendKeyData::encode(Bytes& out) const {
  MessageWriter m(out, BackendType::kBackendKeyData);
  if (key.size() < kMinCancelKey || key.size() > kMaxCancelKey) m.refuse();
  m.u32(pid);
  m.bytes(key);
  return m.finish();
}

Result<ParameterStatus> ParameterStatus::decode(ByteView body) {
  Cursor in(body);
  ParameterStatus message;
  POSTERN_ASSIGN(message.name, in.cstring());
  POSTERN_ASSIGN(message.value, in.cstring());
  POSTERN_TRY(in.done());
  return message;
}

Status ParameterStatus::encode(Bytes& out) const {
  MessageWriter m(out, BackendType::kParameterStatus);
  m.cstring(name);
  m.cstring(value);
  return m.finish();
}

}  // namespace postern::protocol
