// SCRAM messages of a client and of a server that may say anything, and stored secrets.
#include "protocol/base64.hpp"
#include "protocol/scram.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::protocol;

namespace {

void as_server(fuzz::Feed& feed) {
  ScramServer::Options options;
  options.primitives = &fuzz::kFakePrimitives;
  options.secret = build_scram_secret(fuzz::kFakePrimitives, "secret", "0123456789abcdef").value();
  const bool mock = feed.below(2) == 1;
  if (mock) options.credential = ScramServer::Credential::kMock;
  options.nonce = "server-nonce";
  if (feed.below(2) == 1) options.channel_binding = Bytes(32, 'b');
  ScramServer server(std::move(options));
  const ByteView mechanism = feed.below(2) == 0 ? kScramSha256 : kScramSha256Plus;
  const auto first = server.first(mechanism, feed.text());
  const auto final = server.final(feed.rest());
  POSTERN_CHECK(first || !final);
  POSTERN_CHECK(!mock || !final);
  if (final) (void)server.take_pass();
  POSTERN_CHECK(!server.final("c=biws,r=x,p=y").has_value());  // each call exactly once
}

void as_client(fuzz::Feed& feed) {
  ScramClient::Options options;
  options.primitives = &fuzz::kFakePrimitives;
  options.password = Secret("secret");
  options.nonce = "client-nonce";
  options.binding = static_cast<ScramClient::Binding>(feed.below(3));
  if (options.binding == ScramClient::Binding::kUsed) options.channel_binding = Bytes(32, 'b');
  ScramClient client(std::move(options));
  POSTERN_CHECK(client.first().has_value());
  const bool responded = client.respond(feed.text()).has_value();
  const bool verified = client.verify(feed.rest()).has_value();
  POSTERN_CHECK(responded || !verified);
}

void secrets(ByteView text) {
  if (const auto secret = ScramSecret::parse(text)) {
    const auto again = ScramSecret::parse(secret->format());
    POSTERN_CHECK(again && again->format() == secret->format());
  }
  if (const auto bytes = from_base64(text)) POSTERN_CHECK(to_base64(*bytes) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Feed feed(fuzz::view(data, size));
  switch (feed.below(3)) {
    case 0:
      as_server(feed);
      break;
    case 1:
      as_client(feed);
      break;
    default:
      secrets(feed.rest());
  }
  return 0;
}
