#include "protocol/simple.hpp"

#include "protocol/cursor.hpp"

namespace postern::protocol {

Result<Query> Query::decode(ByteView body) {
  Cursor in(body);
  POSTERN_ASSIGN(const ByteView text, in.cstring());
  POSTERN_TRY(in.done());
  return Query{text};
}

Status Query::encode(Bytes& out) const {
  MessageWriter m(out, FrontendType::kQuery);
  m.cstring(text);
  return m.finish();
}

Result<NotificationResponse> NotificationResponse::decode(ByteView body) {
  Cursor in(body);
  NotificationResponse message;
  POSTERN_ASSIGN(message.pid, in.u32());
  POSTERN_ASSIGN(message.channel, in.cstring());
  POSTERN_ASSIGN(message.payload, in.cstring());
  POSTERN_TRY(in.done());
  return message;
}

Status NotificationResponse::encode(Bytes& out) const {
  MessageWriter m(out, BackendType::kNotificationResponse);
  m.u32(pid);
  m.cstring(channel);
  m.cstring(payload);
  return m.finish();
}

}  // namespace postern::protocol
