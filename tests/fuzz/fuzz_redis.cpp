// Replies of a Redis that may send anything, in arbitrary pieces.
#include "proxy/cache/redis_codec.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using proxy::RedisReader;
using proxy::RedisReply;

namespace {

void check(const RedisReply& reply, int depth) {
  POSTERN_CHECK(reply.elements.size() <= RedisReader::kMaxElements && depth < 16);
  for (const RedisReply& element : reply.elements) check(element, depth + 1);
}

void commands(ByteView bytes) {
  const ByteView half = bytes.substr(bytes.size() / 2);
  const ByteView arguments[] = {bytes, half};
  Bytes out;
  proxy::append_redis_command(arguments, out);
  RedisReader reader;
  POSTERN_CHECK(reader.feed(out).has_value());
  const auto reply = reader.next();
  POSTERN_CHECK(reply && *reply && (*reply)->elements.size() == 2);
  POSTERN_CHECK((*reply)->elements[0].text == bytes && (*reply)->elements[1].text == half);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Feed feed(fuzz::view(data, size));
  const std::size_t step = 1 + feed.below(64);
  ByteView stream = feed.rest();
  commands(stream);
  RedisReader reader;
  while (!stream.empty()) {
    if (!reader.feed(stream.substr(0, step))) return 0;
    stream.remove_prefix(std::min(step, stream.size()));
    for (;;) {
      const auto reply = reader.next();
      if (!reply) return 0;
      if (!*reply) break;
      check(**reply, 0);
    }
  }
  return 0;
}
