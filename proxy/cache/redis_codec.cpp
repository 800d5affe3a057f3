#include "proxy/cache/redis_codec.hpp"

#include <cstdlib>
#include <new>

#include <hiredis/hiredis.h>

#include "base/codes/cache.hpp"

namespace postern::proxy {
namespace {

/// Puts a new value into its place: an element of the parent's array, or a root of its own.
RedisReply* place(const redisReadTask* task) noexcept {
  if (task->parent == nullptr) return new (std::nothrow) RedisReply();
  return &static_cast<RedisReply*>(task->parent->obj)
              ->elements[static_cast<std::size_t>(task->idx)];
}

RedisReply::Type text_type(int type) {
  return type == REDIS_REPLY_ERROR ? RedisReply::Type::kError : RedisReply::Type::kText;
}

// Called from C, so no exception may leave them; null makes the reader fail.
void* create_text(const redisReadTask* task, char* text, std::size_t size) noexcept {
  RedisReply* reply = place(task);
  if (reply == nullptr) return nullptr;
  reply->type = text_type(task->type);
  reply->text.assign(text, size);
  return reply;
}

void* create_array(const redisReadTask* task, int count) noexcept {
  if (count < 0 || static_cast<std::size_t>(count) > RedisReader::kMaxElements) return nullptr;
  RedisReply* reply = place(task);
  if (reply == nullptr) return nullptr;
  reply->type = RedisReply::Type::kArray;
  reply->elements.resize(static_cast<std::size_t>(count));
  return reply;
}

void* create_integer(const redisReadTask* task, long long value) noexcept {
  RedisReply* reply = place(task);
  if (reply == nullptr) return nullptr;
  reply->type = RedisReply::Type::kInteger;
  reply->integer = value;
  return reply;
}

void* create_nil(const redisReadTask* task) noexcept {
  return place(task);
}

void free_reply(void* reply) noexcept {
  delete static_cast<RedisReply*>(reply);
}

redisReplyObjectFunctions functions = {create_text, create_array, create_integer, create_nil,
                                       free_reply};

}  // namespace

void append_redis_command(std::span<const ByteView> arguments, Bytes& out) {
  std::vector<const char*> data;
  std::vector<std::size_t> sizes;
  for (const ByteView argument : arguments) {
    data.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  char* text = nullptr;
  const int size =
      redisFormatCommandArgv(&text, static_cast<int>(data.size()), data.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  out.append(text, static_cast<std::size_t>(size));
  redisFreeCommand(text);
}

void RedisReader::Free::operator()(redisReader* reader) const {
  redisReaderFree(reader);
}

RedisReader::RedisReader() : reader_(redisReaderCreateWithFunctions(&functions)) {
  if (reader_ == nullptr) throw std::bad_alloc();
}

Status RedisReader::feed(ByteView bytes) {
  if (reader_->len - reader_->pos + bytes.size() > kMaxReplyBytes) {
    return make_error(pst::kCacheProtocol, "reply too long");
  }
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) {
    return make_error(pst::kCacheProtocol);
  }
  return ok();
}

Result<std::optional<RedisReply>> RedisReader::next() {
  void* made = nullptr;
  if (redisReaderGetReply(reader_.get(), &made) != REDIS_OK) {
    return make_error(pst::kCacheProtocol);
  }
  if (made == nullptr) return std::optional<RedisReply>();
  const std::unique_ptr<RedisReply> reply(static_cast<RedisReply*>(made));
  return std::optional<RedisReply>(std::move(*reply));
}

}  // namespace postern::proxy
