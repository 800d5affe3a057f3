#include "protocol/startup.hpp"

#include "base/codes/wire.hpp"
#include "protocol/cursor.hpp"
#include "protocol/wire.hpp"
#include "protocol/writer.hpp"

namespace postern::protocol {
namespace {

void encode_request(Bytes& out, std::uint32_t code) {
  MessageWriter m = MessageWriter::untyped(out);
  m.u32(code);
  m.finish_checked();
}

Result<StartupPacket> decode_cancel(Cursor in) {
  POSTERN_ASSIGN(const std::uint32_t pid, in.u32());
  const ByteView key = in.rest();
  if (key.size() < kMinCancelKey || key.size() > kMaxCancelKey) {
    return violation("invalid length of cancel key");
  }
  return StartupPacket(CancelRequest{pid, key});
}

Result<StartupPacket> decode_parameters(std::uint32_t version, Cursor in) {
  StartupMessage message{version, {}};
  while (true) {
    POSTERN_ASSIGN(const ByteView name, in.cstring());
    if (name.empty()) break;
    POSTERN_ASSIGN(const ByteView value, in.cstring());
    message.parameters.emplace_back(name, value);
  }
  POSTERN_TRY(in.done());
  return StartupPacket(std::move(message));
}

}  // namespace

Status StartupMessage::encode(Bytes& out) const {
  MessageWriter m = MessageWriter::untyped(out);
  m.u32(version);
  for (const auto& [name, value] : parameters) {
    if (name.empty()) m.refuse();  // an empty name would end the list
    m.cstring(name);
    m.cstring(value);
  }
  m.u8(0);
  return m.finish(kMaxStartupLength);
}

void SslRequest::encode(Bytes& out) const {
  encode_request(out, kSslRequestCode);
}

void GssEncRequest::encode(Bytes& out) const {
  encode_request(out, kGssEncRequestCode);
}

Status CancelRequest::encode(Bytes& out) const {
  MessageWriter m = MessageWriter::untyped(out);
  if (key.size() < kMinCancelKey || key.size() > kMaxCancelKey) m.refuse();
  m.u32(kCancelRequestCode);
  m.u32(pid);
  m.bytes(key);
  return m.finish();
}

Result<StartupPacket> decode_startup(ByteView body) {
  Cursor in(body);
  POSTERN_ASSIGN(const std::uint32_t version, in.u32());
  if (version == kCancelRequestCode) return decode_cancel(in);
  if (version == kSslRequestCode || version == kGssEncRequestCode) {
    POSTERN_TRY(in.done());
    if (version == kSslRequestCode) return StartupPacket(SslRequest{});
    return StartupPacket(GssEncRequest{});
  }
  if (protocol_major(version) != 3) {
    return make_error(pst::kUnsupportedProtocol, std::to_string(protocol_major(version)) + "." +
                                                     std::to_string(protocol_minor(version)));
  }
  return decode_parameters(version, in);
}

}  // namespace postern::protocol
