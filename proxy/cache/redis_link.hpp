// One worker's connection to Redis: pipelined calls, each with a deadline of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "proxy/cache/breaker.hpp"
#include "proxy/cache/redis_codec.hpp"
#include "proxy/cache/redis_scripts.hpp"
#include "proxy/net/endpoint.hpp"
#include "proxy/net/worker.hpp"

namespace postern::proxy {

/// How Redis is reached. Outlives the links.
struct RedisAccess {
  Endpoint endpoint;
  Secret password;  ///< empty: no AUTH
  std::chrono::milliseconds connect_timeout{0};
  std::chrono::milliseconds breaker_pause{0};
};

/// One call of a script.
struct RedisCall {
  RedisScript script = RedisScript::kTime;
  std::vector<std::string> keys;
  std::vector<Bytes> arguments;

  [[nodiscard]] std::size_t bytes() const;
};

/// Used on its worker's thread only, but for construction and destruction. The connection itself
/// belongs to coroutines of the worker, so a link may be destroyed after its worker.
class RedisLink {
 public:
  /// Bytes of calls without a reply; beyond them calls fail at once. Also bounds what one call, and
  /// so one entry, can hold.
  static constexpr std::size_t kMaxInFlight = 16u << 20;

  RedisLink(Worker* worker, const RedisAccess* access)
      : worker_(worker), access_(access), breaker_(access->breaker_pause) {}

  /// Connects where needed and returns the reply within `deadline`. kCacheUnavailable where there
  /// is none in time (the script may have run, or run later), kCacheProtocol where the server
  /// reports an error or speaks nonsense.
  Task<Result<RedisReply>> call(RedisCall call, std::chrono::milliseconds deadline);

 private:
  struct Pending;
  struct Channel;
  using ChannelPtr = std::shared_ptr<Channel>;

  ChannelPtr open();
  Task<Result<RedisReply>> exchange(RedisCall call, std::chrono::milliseconds deadline);
  [[nodiscard]] bool overloaded(const RedisCall& call) const;
  void settle(const Result<RedisReply>& outcome);

  static Task<void> run(ChannelPtr channel, Worker* worker, const RedisAccess* access);
  static Task<Status> prepare(Channel* channel, const RedisAccess* access);
  static Task<Result<RedisReply>> read_reply(Channel* channel);
  static Task<Status> read_replies(Channel* channel);
  static Task<void> write_calls(ChannelPtr channel);

  Worker* worker_;
  const RedisAccess* access_;
  Breaker breaker_;
  std::weak_ptr<Channel> channel_;
};

}  // namespace postern::proxy
