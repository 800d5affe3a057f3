#include "proxy/cache/redis_link.hpp"

#include <array>
#include <deque>
#include <optional>
#include <utility>

#include "base/codes/cache.hpp"
#include "proxy/net/connect.hpp"
#include "proxy/net/event.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {

/// A call under way. Its timer is both the deadline and the wake-up.
struct RedisLink::Pending {
  Pending(const Executor& executor, RedisCall c)
      : call(std::move(c)), size(call.bytes()), timer(executor) {}

  void finish(Result<RedisReply> result) {
    outcome = std::move(result);
    timer.cancel();
  }

  RedisCall call;
  std::size_t size;
  Timer timer;
  std::optional<Result<RedisReply>> outcome;
  bool given_up = false;
};

/// One connection, owned by the coroutines that read and write it.
struct RedisLink::Channel {
  explicit Channel(const Executor& executor) : wake(executor) {}

  void push(std::shared_ptr<Pending> pending) {
    if (closed) return pending->finish(make_error(pst::kCacheUnavailable));
    in_flight += pending->size;
    queue.push_back(std::move(pending));
    wake.set();
  }
  /// The reply to the oldest call sent.
  void answer(RedisReply reply) {
    const std::shared_ptr<Pending> pending = std::move(sent.front());
    sent.pop_front();
    in_flight -= pending->size;
    pending->finish(std::move(reply));
  }
  void close(const Error& error) {
    if (std::exchange(closed, true)) return;
    if (transport) transport->close();
    wake.set();
    for (const auto& pending : sent) pending->finish(error);
    for (const auto& pending : queue) pending->finish(error);
    sent.clear();
    queue.clear();
  }
  void format(const Pending& pending, Bytes& out) const;

  std::optional<Transport> transport;
  RedisReader reader;
  std::array<char, 16 * 1024> buffer;
  std::array<std::string, kRedisScripts> digests;  ///< of the scripts, as the server named them
  std::deque<std::shared_ptr<Pending>> queue;      ///< to be sent
  std::deque<std::shared_ptr<Pending>> sent;
  std::size_t in_flight = 0;
  Event wake;
  bool closed = false;
};

std::size_t RedisCall::bytes() const {
  std::size_t sum = 64;
  for (const std::string& key : keys) sum += key.size() + 16;
  for (const Bytes& argument : arguments) sum += argument.size() + 16;
  return sum;
}

void RedisLink::Channel::format(const Pending& pending, Bytes& out) const {
  const RedisCall& call = pending.call;
  const std::string count = std::to_string(call.keys.size());
  std::vector<ByteView> words = {"EVALSHA", digests[static_cast<std::size_t>(call.script)], count};
  words.insert(words.end(), call.keys.begin(), call.keys.end());
  words.insert(words.end(), call.arguments.begin(), call.arguments.end());
  append_redis_command(words, out);
}

Task<Result<RedisReply>> RedisLink::call(RedisCall call, std::chrono::milliseconds deadline) {
  if (overloaded(call)) co_return make_error(pst::kCacheUnavailable, "too much is under way");
  if (!breaker_.allow(SteadyClock::now())) co_return make_error(pst::kCacheUnavailable);
  Result<RedisReply> outcome = co_await exchange(std::move(call), deadline);
  settle(outcome);
  co_return outcome;
}

Task<Result<RedisReply>> RedisLink::exchange(RedisCall call, std::chrono::milliseconds deadline) {
  const ChannelPtr channel = open();
  auto pending = std::make_shared<Pending>(worker_->executor(), std::move(call));
  pending->timer.expires_after(deadline);
  channel->push(pending);
  if (!pending->outcome) {
    auto waiting = pending->timer.async_wait(kAwait);
    co_await std::move(waiting);
  }
  if (!pending->outcome) {
    pending->given_up = true;
    co_return make_error(pst::kCacheUnavailable, "no reply in time");
  }
  if (*pending->outcome && (*pending->outcome)->type == RedisReply::Type::kError) {
    // The first word is Redis' own code; what follows may quote arguments.
    const Bytes& text = (*pending->outcome)->text;
    const Error error = make_error(pst::kCacheProtocol, text.substr(0, text.find(' ')));
    if (text.starts_with("NOSCRIPT")) channel->close(error);
    co_return error;
  }
  co_return std::move(*pending->outcome);
}

bool RedisLink::overloaded(const RedisCall& call) const {
  const ChannelPtr channel = channel_.lock();
  return (channel != nullptr ? channel->in_flight : 0) + call.bytes() > kMaxInFlight;
}

void RedisLink::settle(const Result<RedisReply>& outcome) {
  if (outcome) {
    if (breaker_.success()) log_info("cache_available", {{"redis", access_->endpoint.text()}});
    return;
  }
  if (breaker_.failure(SteadyClock::now())) {
    log_failure("cache_unavailable", outcome.error(), {{"redis", access_->endpoint.text()}});
  }
  if (breaker_.is_closed()) return;
  if (const ChannelPtr channel = channel_.lock()) channel->close(outcome.error());
}

RedisLink::ChannelPtr RedisLink::open() {
  ChannelPtr channel = channel_.lock();
  if (channel != nullptr && !channel->closed) return channel;
  channel = std::make_shared<Channel>(worker_->executor());
  channel_ = channel;
  worker_->spawn(run(channel, worker_, access_));
  return channel;
}

Task<void> RedisLink::run(ChannelPtr channel, Worker* worker, const RedisAccess* access) {
  Result<Transport> made = co_await connect(worker, access->endpoint, access->connect_timeout);
  if (!made) {
    channel->close(made.error());
    co_return;
  }
  if (channel->closed) co_return;
  channel->transport.emplace(std::move(*made));
  Status status = co_await prepare(channel.get(), access);
  if (status) {
    worker->spawn(write_calls(channel));
    status = co_await read_replies(channel.get());
  }
  channel->close(status ? make_error(pst::kCacheUnavailable, "connection ended") : status.error());
}

Task<Result<RedisReply>> RedisLink::read_reply(Channel* channel) {
  std::array<char, 16 * 1024>& buffer = channel->buffer;
  for (;;) {
    Result<std::optional<RedisReply>> reply = channel->reader.next();
    if (!reply) co_return reply.error();
    if (*reply) co_return std::move(**reply);
    const Result<std::size_t> got =
        co_await channel->transport->read_some(buffer.data(), buffer.size());
    if (!got) co_return got.error();
    if (*got == 0) co_return make_error(pst::kCacheUnavailable, "connection ended");
    const Status fed = channel->reader.feed(ByteView(buffer.data(), *got));
    if (!fed) co_return fed.error();
  }
}

namespace {

Bytes opening_commands(const RedisAccess& access) {
  Bytes out;
  if (!access.password.empty()) {
    append_redis_command(std::array<ByteView, 2>{"AUTH", access.password.reveal()}, out);
  }
  for (std::size_t i = 0; i < kRedisScripts; ++i) {
    const std::string text = redis_script_text(static_cast<RedisScript>(i));
    append_redis_command(std::array<ByteView, 3>{"SCRIPT", "LOAD", text}, out);
  }
  return out;
}

}  // namespace

Task<Status> RedisLink::prepare(Channel* channel, const RedisAccess* access) {
  Bytes opening = opening_commands(*access);
  const ByteView view = opening;
  const Status written = co_await channel->transport->write(view);
  wipe(opening);
  if (!written) co_return written.error();
  const std::size_t skipped = access->password.empty() ? 0 : 1;
  for (std::size_t i = 0; i < kRedisScripts + skipped; ++i) {
    Result<RedisReply> reply = co_await read_reply(channel);
    if (!reply) co_return reply.error();
    if (reply->type != RedisReply::Type::kText) {
      const std::string word = reply->text.substr(0, reply->text.find(' '));
      co_return make_error(pst::kCacheProtocol, "opening: " + word);
    }
    if (i >= skipped) channel->digests[i - skipped] = std::move(reply->text);
  }
  co_return ok();
}

Task<Status> RedisLink::read_replies(Channel* channel) {
  while (!channel->closed) {
    Result<RedisReply> reply = co_await read_reply(channel);
    if (!reply) co_return reply.error();
    if (channel->closed) break;
    if (channel->sent.empty()) co_return make_error(pst::kCacheProtocol, "reply to nothing");
    channel->answer(std::move(*reply));
  }
  co_return ok();
}

Task<void> RedisLink::write_calls(ChannelPtr channel) {
  Bytes out;
  while (!channel->closed) {
    out.clear();
    while (!channel->queue.empty()) {
      std::shared_ptr<Pending> pending = std::move(channel->queue.front());
      channel->queue.pop_front();
      if (pending->given_up) {
        channel->in_flight -= pending->size;
        continue;
      }
      channel->format(*pending, out);
      channel->sent.push_back(std::move(pending));
    }
    if (out.empty()) {
      co_await channel->wake.wait();
      continue;
    }
    const ByteView view = out;
    const Status written = co_await channel->transport->write(view);
    if (!written) channel->close(written.error());
  }
}

}  // namespace postern::proxy
