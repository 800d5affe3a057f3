// Decoders under arbitrary bytes, and the promise that rows cost no allocation.
#include <atomic>
#include <cstdlib>
#include <new>
#include <random>

#include "protocol/auth.hpp"
#include "protocol/client_login.hpp"
#include "protocol/copy.hpp"
#include "protocol/error_message.hpp"
#include "protocol/extended.hpp"
#include "protocol/framer.hpp"
#include "protocol/function_call.hpp"
#include "protocol/reply_queue.hpp"
#include "protocol/rows.hpp"
#include "protocol/server_login.hpp"
#include "protocol/session_setup.hpp"
#include "protocol/simple.hpp"
#include "protocol/startup.hpp"
#include "tests/protocol/support.hpp"

namespace {
std::atomic<std::size_t> allocations{0};
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

using namespace postern;
using namespace postern::protocol;
using namespace postern::protocol::test;

namespace {

/// What decodes also encodes, and decodes to the same again.
template <typename Message>
void decode_any(ByteView body) {
  const auto message = Message::decode(body);
  if (!message) return;
  Bytes out;
  if constexpr (std::is_void_v<decltype(message->encode(out))>) {
    message->encode(out);
  } else {
    REQUIRE(message->encode(out));
  }
  CHECK(out.substr(5) == body);
}

void decode_all(ByteView body) {
  decode_any<Query>(body);
  decode_any<NotificationResponse>(body);
  decode_any<Parse>(body);
  decode_any<Bind>(body);
  decode_any<Describe>(body);
  decode_any<Close>(body);
  decode_any<Execute>(body);
  decode_any<ParameterDescription>(body);
  decode_any<DataRow>(body);
  decode_any<RowDescription>(body);
  decode_any<CommandComplete>(body);
  decode_any<ReadyForQuery>(body);
  decode_any<CopyInResponse>(body);
  decode_any<CopyFail>(body);
  decode_any<FunctionCall>(body);
  decode_any<FunctionCallResponse>(body);
  decode_any<Authentication>(body);
  decode_any<PasswordMessage>(body);
  decode_any<SaslInitialResponse>(body);
  decode_any<NegotiateProtocolVersion>(body);
  decode_any<BackendKeyData>(body);
  decode_any<ParameterStatus>(body);
  (void)ErrorFields::decode(body).has_value();
  (void)decode_startup(body).has_value();
  (void)ScramSecret::parse(body).has_value();
}

/// Mostly zeros, small numbers and 0xFF, which make counts and lengths interesting.
Bytes random_body(std::mt19937& random) {
  Bytes body(random() % 40, '\0');
  for (char& c : body) {
    const std::uint32_t r = random();
    c = static_cast<char>(r % 4 == 0 ? r >> 8 : r % 4 == 1 ? (r >> 8) % 4 : r % 4 == 2 ? 0 : 0xFF);
  }
  return body;
}

}  // namespace

TEST_CASE("decoders take any bytes, and what they accept they reproduce") {
  std::mt19937 random(20240601);
  for (int i = 0; i < 20'000; ++i) decode_all(random_body(random));
}

TEST_CASE("logins take any bytes") {
  std::mt19937 random(7);
  for (int i = 0; i < 5'000; ++i) {
    Bytes out;
    ClientLogin client({TlsPolicy::kOffer, &kOpenssl, "k", 4096});
    (void)client.advance(packet(random_body(random)), out);
    ServerLogin::Options options;
    options.ssl = SslMode::kDisable;
    options.user = "u";
    options.password = Secret("p");
    options.primitives = &kOpenssl;
    ServerLogin server(std::move(options));
    (void)server.advance({}, out);
    (void)server.advance(message("RvENSKZ"[random() % 7], random_body(random)), out);
  }
}

TEST_CASE("passing and rewriting a row allocates nothing") {
  Bytes out;
  out.reserve(1 << 16);
  const Bytes row = [] {
    Bytes bytes;
    DataRowWriter w(bytes, 3);
    w.value("a value longer than any small string optimisation could hide");
    w.value(std::nullopt);
    w.value("b");
    REQUIRE(w.finish());
    return bytes;
  }();
  const Framer framer(Direction::kFromBackend, Phase::kReady);
  ReplyQueue queue;
  REQUIRE(queue.push({Request::kExecute, Disposition::kForward, 1}));
  bool good = true;
  const std::size_t before = allocations;
  for (int i = 0; i < 100; ++i) {
    const auto framed = framer.next(row);
    good = good && framed && queue.on_backend(framed->item.backend(), framed->item.body);
    const auto decoded = DataRow::decode(framed->item.body);
    out.clear();
    DataRowWriter writer(out, static_cast<std::uint16_t>(decoded->values.size()));
    for (const Value& value : decoded->values) writer.value(value);
    good = good && writer.finish().has_value() && out == row;
  }
  const std::size_t after = allocations;
  CHECK(good);
  CHECK(after == before);
}
