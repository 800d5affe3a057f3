#include "protocol/auth.hpp"

#include "protocol/cursor.hpp"
#include "protocol/password.hpp"
#include "protocol/writer.hpp"

namespace postern::protocol {
namespace {

Result<std::vector<ByteView>> decode_mechanisms(Cursor& in) {
  std::vector<ByteView> mechanisms;
  while (true) {
    POSTERN_ASSIGN(const ByteView name, in.cstring());
    if (name.empty()) break;
    mechanisms.push_back(name);
  }
  if (mechanisms.empty()) return violation("empty list of SASL mechanisms");
  return mechanisms;
}

Result<ByteView> decode_data(AuthKind kind, Cursor& in) {
  switch (kind) {
    case AuthKind::kMd5Password:
      return in.bytes(kMd5SaltBytes);
    case AuthKind::kGssContinue:
    case AuthKind::kSaslContinue:
    case AuthKind::kSaslFinal:
      return in.rest();
    case AuthKind::kOk:
    case AuthKind::kKerberosV5:
    case AuthKind::kCleartextPassword:
    case AuthKind::kGss:
    case AuthKind::kSspi:
      return ByteView{};
    case AuthKind::kSasl:
      break;
  }
  return violation("unknown authentication request");
}

}  // namespace

Result<Authentication> Authentication::decode(ByteView body) {
  Cursor in(body);
  Authentication message;
  POSTERN_ASSIGN(const std::uint32_t kind, in.u32());
  message.kind = static_cast<AuthKind>(kind);
  if (message.kind == AuthKind::kSasl) {
    POSTERN_ASSIGN(message.mechanisms, decode_mechanisms(in));
  } else {
    POSTERN_ASSIGN(message.data, decode_data(message.kind, in));
  }
  POSTERN_TRY(in.done());
  return message;
}

Status Authentication::encode(Bytes& out) const {
  MessageWriter m(out, BackendType::kAuthentication);
  m.u32(static_cast<std::uint32_t>(kind));
  if (kind == AuthKind::kMd5Password && data.size() != kMd5SaltBytes) m.refuse();
  m.bytes(data);
  if (kind == AuthKind::kSasl) {
    for (const ByteView mechanism : mechanisms) m.cstring(mechanism);
    m.u8(0);
  }
  return m.finish();
}

Result<PasswordMessage> PasswordMessage::decode(ByteView body) {
  Cursor in(body);
  POSTERN_ASSIGN(const ByteView password, in.cstring());
  POSTERN_TRY(in.done());
  return PasswordMessage{password};
}

Status PasswordMessage::encode(Bytes& out) const {
  MessageWriter m(out, FrontendType::kPassword);
  m.cstring(password);
  return m.finish(kMaxAuthLength);
}

Result<SaslInitialResponse> SaslInitialResponse::decode(ByteView body) {
  Cursor in(body);
  SaslInitialResponse message;
  POSTERN_ASSIGN(message.mechanism, in.cstring());
  POSTERN_ASSIGN(const std::uint32_t length, in.u32());
  if (length != 0xFFFF'FFFF) {
    POSTERN_ASSIGN(message.response, in.bytes(length));
  }
  POSTERN_TRY(in.done());
  return message;
}

Status SaslInitialResponse::encode(Bytes& out) const {
  MessageWriter m(out, FrontendType::kPassword);
  m.cstring(mechanism);
  if (response) {
    m.counted(*response);
  } else {
    m.i32(-1);
  }
  return m.finish(kMaxAuthLength);
}

Result<SaslResponse> SaslResponse::decode(ByteView body) {
  return SaslResponse{body};
}

Status SaslResponse::encode(Bytes& out) const {
  MessageWriter m(out, FrontendType::kPassword);
  m.bytes(data);
  return m.finish(kMaxAuthLength);
}

}  // namespace postern::protocol
