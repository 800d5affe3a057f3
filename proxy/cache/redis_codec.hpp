// The Redis protocol (RESP2): hiredis as a codec, without its sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

struct redisReader;

namespace postern::proxy {

/// One reply.
struct RedisReply {
  enum class Type : std::uint8_t { kNil, kText, kInteger, kArray, kError };
  Type type = Type::kNil;
  Bytes text;                ///< kText, kError; simple strings are kText
  std::int64_t integer = 0;  ///< kInteger
  std::vector<RedisReply> elements;
};

/// Appends a command of whole arguments.
void append_redis_command(std::span<const ByteView> arguments, Bytes& out);

/// Cuts a stream of bytes into replies. What a server sends is not trusted: sizes are bounded
/// before memory is taken. One thread at a time.
class RedisReader {
 public:
  /// Most elements of one array; our scripts return four.
  static constexpr std::size_t kMaxElements = 64;
  /// Longest reply: the largest entry and its envelope.
  static constexpr std::size_t kMaxReplyBytes = (64u << 20) + (64u << 10);

  RedisReader();

  /// kCacheProtocol where the bytes cannot belong to a reply or exceed the limits; the reader is
  /// of no use afterwards.
  Status feed(ByteView bytes);
  /// The next whole reply, nothing where bytes are missing, or kCacheProtocol.
  Result<std::optional<RedisReply>> next();

 private:
  struct Free {
    void operator()(redisReader* reader) const;
  };
  std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace postern::proxy
