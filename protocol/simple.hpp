// Simple queries, notifications and the end of a session.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/wire.hpp"
#include "protocol/writer.hpp"

namespace postern::protocol {

/// Text of one or more statements.
struct Query {
  ByteView text;  ///< without terminator; view into the body decoded
  static Result<Query> decode(ByteView body);
  Status encode(Bytes& out) const;
};

/// Delivery of NOTIFY; may arrive at any time between messages.
struct NotificationResponse {
  std::uint32_t pid = 0;
  ByteView channel;
  ByteView payload;
  static Result<NotificationResponse> decode(ByteView body);
  Status encode(Bytes& out) const;
};

using Terminate = EmptyMessage<FrontendType::kTerminate>;

}  // namespace postern::protocol
