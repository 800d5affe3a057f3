#include <random>

#include <doctest/doctest.h>

#include "base/codes/net.hpp"
#include "proxy/net/tls_engine.hpp"
#include "tests/proxy/net_certs.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;

namespace {

using Engine = std::unique_ptr<TlsEngine>;

TlsContext server_context() {
  auto made =
      TlsContext::server({.cert_file = pki().server.cert_file, .key_file = pki().server.key_file});
  REQUIRE(made);
  return std::move(*made);
}

TlsContext client_context(TlsMode mode = TlsMode::kVerifyFull) {
  const bool verify = tls_mode_rules(mode).verify_chain;
  auto made = TlsContext::client({.mode = mode, .ca_file = verify ? pki().ca.cert_file : ""});
  REQUIRE(made);
  return std::move(*made);
}

Engine engine(const TlsContext& context, const std::string& host = "localhost") {
  auto made = TlsEngine::create(context, host);
  REQUIRE(made);
  return std::move(*made);
}

Bytes drain(TlsEngine& from) {
  Bytes bytes(from.pending());
  from.sent(bytes.size());
  return bytes;
}

/// Delivers in pieces of `step` bytes, driving the receiver's handshake after each.
Status deliver(const Bytes& bytes, TlsEngine& to, std::size_t step) {
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    to.feed(ByteView(bytes).substr(at, step));
    if (auto state = to.handshake(); !state) return state.error();
  }
  return ok();
}

/// Runs both handshakes to the end; the first error wins.
Status shake(TlsEngine& client, TlsEngine& server, std::size_t step = 1 << 20) {
  if (auto first = client.handshake(); !first) return first.error();
  for (int i = 0; i < 10 && (client.wants_output() || server.wants_output()); ++i) {
    const Status up = deliver(drain(client), server, step);
    const Status down = deliver(drain(server), client, step);
    POSTERN_TRY(down);
    POSTERN_TRY(up);
  }
  return ok();
}

struct Pair {
  TlsContext server_ctx = server_context();
  TlsContext client_ctx = client_context();
  Engine server = engine(server_ctx);
  Engine client = engine(client_ctx);
  Pair() {
    REQUIRE(shake(*client, *server));
    REQUIRE(client->is_open());
    REQUIRE(server->is_open());
  }
};

/// Everything `to` can decrypt from `bytes` in pieces of `step`, with a small target buffer.
Result<Bytes> decrypt_all(TlsEngine& to, ByteView bytes, std::size_t step, std::size_t room) {
  Bytes plain;
  Bytes buffer(room, '\0');
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    ByteView more = bytes.substr(at, step);
    do {
      POSTERN_ASSIGN(const std::size_t n, to.decrypt(more, {buffer.data(), buffer.size()}));
      plain.append(buffer, 0, n);
      more = {};
    } while (!to.wants_input() && !to.peer_closed());
  }
  return plain;
}

Bytes random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

Pst code_of(const Status& status) {
  REQUIRE_FALSE(status);
  CAPTURE(status.error().line());
  return status.error().code;
}

/// Handshake of a foreign client with our server engine.
bool shake_raw(RawTls& client, TlsEngine& server) {
  bool client_done = false;
  for (int i = 0; i < 10; ++i) {
    client_done = client.handshake();
    server.feed(client.output());
    if (!server.handshake()) {
      client.feed(drain(server));
      client.handshake();
      return false;
    }
    client.feed(drain(server));
  }
  return client_done && server.is_open();
}

}  // namespace

TEST_CASE("handshake, ALPN and channel binding agree on both sides") {
  Pair p;
  CHECK(std::string(p.client->version()) == "TLSv1.3");
  CHECK(p.client->alpn_agreed());
  CHECK(p.server->alpn_agreed());
  const auto own = p.server->channel_binding();
  const auto peers = p.client->channel_binding();
  REQUIRE(own);
  REQUIRE(peers);
  CHECK(*own == *peers);
  CHECK(own->size() == 32);
}

TEST_CASE("handshake with the input cut at every byte") {
  const TlsContext server_ctx = server_context();
  const TlsContext client_ctx = client_context();
  for (const std::size_t step : {1, 2, 3, 7, 64, 1000}) {
    Engine server = engine(server_ctx);
    Engine client = engine(client_ctx);
    CHECK(shake(*client, *server, step));
    CHECK(client->is_open());
    CHECK(server->is_open());
  }
}

TEST_CASE("a handshake that ends early never opens, wherever it is cut") {
  const TlsContext server_ctx = server_context();
  const TlsContext client_ctx = client_context();
  Engine hello = engine(client_ctx);
  REQUIRE(hello->handshake());
  const Bytes flight = drain(*hello);
  REQUIRE(flight.size() > 100);
  for (std::size_t cut = 0; cut < flight.size(); ++cut) {
    Engine server = engine(server_ctx);
    server->feed(ByteView(flight).substr(0, cut));
    const auto state = server->handshake();
    REQUIRE(state);
    CHECK(*state == TlsEngine::Handshake::kNeedsInput);
    CHECK_FALSE(server->wants_output());
    CHECK(code_of(server->end_of_input()) == pst::kTlsTruncated);
  }
}

TEST_CASE("big transfer in both directions, cut anywhere, through a small buffer") {
  Pair p;
  const Bytes data = random_bytes(3 * 1024 * 1024 + 17, 1);
  std::mt19937 random(2);
  for (TlsEngine* from : {p.client.get(), p.server.get()}) {
    TlsEngine& to = from == p.client.get() ? *p.server : *p.client;
    Bytes received;
    for (std::size_t at = 0; at < data.size();) {
      const std::size_t size = 1 + random() % TlsEngine::kMaxRecord;
      const ByteView piece = ByteView(data).substr(at, size);
      REQUIRE(from->encrypt(piece));
      at += piece.size();
      const auto plain = decrypt_all(to, drain(*from), 1 + random() % 20000, 1 + random() % 9000);
      REQUIRE(plain);
      received += *plain;
    }
    CHECK(received == data);
    CHECK(to.wants_input());
  }
}

TEST_CASE("one record cut at every byte") {
  Pair p;
  const Bytes data = random_bytes(200, 3);
  for (std::size_t cut = 0; cut < 222; ++cut) {
    REQUIRE(p.client->encrypt(data));
    const Bytes record = drain(*p.client);
    REQUIRE(record.size() == 222);
    Bytes buffer(400, '\0');
    const auto first = p.server->decrypt(ByteView(record).substr(0, cut), buffer);
    REQUIRE(first);
    CHECK(*first == 0);
    CHECK(p.server->wants_input());
    const auto second = p.server->decrypt(ByteView(record).substr(cut), buffer);
    REQUIRE(second);
    CHECK(buffer.substr(0, *second) == data);
  }
}

TEST_CASE("close_notify ends the stream, a bare end is truncation") {
  Pair p;
  char buffer[64];
  REQUIRE(p.client->encrypt("last words"));
  p.client->close();
  p.client->close();
  CHECK(code_of(p.client->encrypt("more")) == pst::kTransportClosed);
  auto got = p.server->decrypt(drain(*p.client), buffer);
  REQUIRE(got);
  CHECK(ByteView(buffer, *got) == "last words");
  got = p.server->decrypt({}, buffer);
  REQUIRE(got);
  CHECK(*got == 0);
  CHECK(p.server->peer_closed());
  CHECK_FALSE(p.server->wants_input());
  CHECK(p.server->end_of_input());
  // The other direction is still open (RFC 8446 section 6.1).
  REQUIRE(p.server->encrypt("answer"));
  got = p.client->decrypt(drain(*p.server), buffer);
  REQUIRE(got);
  CHECK(ByteView(buffer, *got) == "answer");
  CHECK(code_of(p.client->end_of_input()) == pst::kTlsTruncated);
}

TEST_CASE("garbage instead of a handshake is an error") {
  const TlsContext server_ctx = server_context();
  for (const char* garbage : {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff garbage",
                              "0123456789abcdef0123456789", "Q"}) {
    Engine server = engine(server_ctx);
    server->feed(garbage);
    server->feed(Bytes(64, '\0'));
    const auto state = server->handshake();
    REQUIRE_FALSE(state);
    CHECK(state.error().code == pst::kTlsHandshake);
    CHECK(server->handshake().error().code == pst::kTlsHandshake);
    CHECK_FALSE(server->is_open());
  }
}

TEST_CASE("plaintext or an altered record after the handshake breaks the connection for good") {
  char buffer[64];
  SUBCASE("plaintext") {
    Pair p;
    const auto got = p.server->decrypt("SELECT 1, and more", buffer);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == pst::kTlsProtocol);
    CHECK(p.server->encrypt("x").error().code == pst::kTlsProtocol);
  }
  SUBCASE("every byte of a record") {
    for (std::size_t i = 0; i < 30; ++i) {
      Pair p;
      REQUIRE(p.client->encrypt("12345678"));
      Bytes record = drain(*p.client);
      REQUIRE(record.size() == 30);
      record[i] = static_cast<char>(record[i] ^ 0x01);
      const auto got = p.server->decrypt(record, buffer);
      CHECK((!got || *got == 0));  // a longer length makes it wait for more
      if (!got) CHECK(got.error().code == pst::kTlsProtocol);
    }
  }
  SUBCASE("authentic bytes before the damage are delivered first") {
    Pair p;
    REQUIRE(p.client->encrypt("good"));
    Bytes records = drain(*p.client);
    records += Bytes(40, 'X');
    const auto got = p.server->decrypt(records, buffer);
    REQUIRE(got);
    CHECK(ByteView(buffer, *got) == "good");
    CHECK(p.server->decrypt({}, buffer).error().code == pst::kTlsProtocol);
    CHECK(p.server->wants_output());  // the alert
  }
}

TEST_CASE("data before the end of the handshake is refused") {
  const TlsContext server_ctx = server_context();
  Engine server = engine(server_ctx);
  char buffer[8];
  CHECK(server->decrypt("abc", buffer).error().code == pst::kTlsHandshake);
  CHECK(server->encrypt("abc").error().code == pst::kTransportClosed);
}

TEST_CASE("verification of the server's certificate") {
  const TlsContext server_ctx = server_context();
  TempFolder folder;
  const TestCert other_ca = make_cert(folder, {.name = "other-ca"});
  auto strange = TlsContext::client({.mode = TlsMode::kVerifyCa, .ca_file = other_ca.cert_file});
  REQUIRE(strange);
  const TlsContext full = client_context();
  const TlsContext ca_only = client_context(TlsMode::kVerifyCa);
  const TlsContext any = client_context(TlsMode::kRequire);
  auto attempt = [&](const TlsContext& client_ctx, const std::string& host) {
    Engine server = engine(server_ctx);
    Engine client = engine(client_ctx, host);
    return shake(*client, *server);
  };
  CHECK(attempt(full, "localhost"));
  CHECK(attempt(full, "127.0.0.1"));
  CHECK(attempt(full, "db.example.com"));
  CHECK(code_of(attempt(full, "elsewhere.test")) == pst::kTlsHostMismatch);
  CHECK(code_of(attempt(full, "127.0.0.2")) == pst::kTlsHostMismatch);
  CHECK(code_of(attempt(full, "a.b.example.com")) == pst::kTlsHostMismatch);
  CHECK(attempt(ca_only, "elsewhere.test"));
  CHECK(attempt(any, "elsewhere.test"));
  CHECK(attempt(any, ""));
  CHECK(code_of(attempt(*strange, "localhost")) == pst::kTlsCertificate);
  auto nameless = TlsEngine::create(full, "");
  REQUIRE_FALSE(nameless);
  CHECK(nameless.error().code == pst::kTlsSettings);
}

TEST_CASE("client certificates are verified where a CA is given, demanded where required") {
  const TestCert& cert = pki().server;
  auto demanding = TlsContext::server({.cert_file = cert.cert_file,
                                       .key_file = cert.key_file,
                                       .client_ca_file = pki().ca.cert_file,
                                       .require_client_cert = true});
  auto with_cert = TlsContext::client({.mode = TlsMode::kVerifyFull,
                                       .ca_file = pki().ca.cert_file,
                                       .cert_file = cert.cert_file,
                                       .key_file = cert.key_file});
  REQUIRE(demanding);
  REQUIRE(with_cert);
  Engine server = engine(*demanding);
  Engine client = engine(*with_cert);
  CHECK(shake(*client, *server));
  CHECK(server->is_open());

  const TlsContext without = client_context();
  server = engine(*demanding);
  client = engine(without);
  CHECK(code_of(shake(*client, *server)) == pst::kTlsHandshake);
  CHECK_FALSE(server->is_open());
}

TEST_CASE("foreign clients: versions and ALPN") {
  const TlsContext server_ctx = server_context();
  SUBCASE("TLS 1.2 without ALPN is fine, and said so") {
    RawTls raw(false);
    SSL_CTX_set_max_proto_version(raw.ctx(), TLS1_2_VERSION);
    raw.start();
    Engine server = engine(server_ctx);
    REQUIRE(shake_raw(raw, *server));
    CHECK(std::string(server->version()) == "TLSv1.2");
    CHECK_FALSE(server->alpn_agreed());
  }
  SUBCASE("another application protocol is refused") {
    RawTls raw(false);
    const unsigned char http[] = "\x08http/1.1";
    SSL_CTX_set_alpn_protos(raw.ctx(), http, 9);
    raw.start();
    Engine server = engine(server_ctx);
    CHECK_FALSE(shake_raw(raw, *server));
  }
  SUBCASE("TLS 1.1 is refused") {
    RawTls raw(false);
    SSL_CTX_set_security_level(raw.ctx(), 0);
    SSL_CTX_set_min_proto_version(raw.ctx(), TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(raw.ctx(), TLS1_1_VERSION);
    raw.start();
    Engine server = engine(server_ctx);
    CHECK_FALSE(shake_raw(raw, *server));
  }
}

TEST_CASE("no session tickets and no resumption") {
  const TlsContext server_ctx = server_context();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    RawTls raw(false);
    SSL_CTX_set_max_proto_version(raw.ctx(), version);
    SSL_CTX_set_session_cache_mode(raw.ctx(), SSL_SESS_CACHE_CLIENT);
    raw.start();
    Engine server = engine(server_ctx);
    REQUIRE(shake_raw(raw, *server));
    REQUIRE(server->encrypt("x"));
    raw.feed(drain(*server));
    CHECK(raw.read() == "x");
    SSL_SESSION* session = SSL_get1_session(raw.ssl());
    CHECK(SSL_SESSION_has_ticket(session) == 0);
    CHECK(SSL_SESSION_is_resumable(session) == 0);
    SSL_SESSION_free(session);
  }
}

TEST_CASE("key updates are followed in both directions") {
  const TlsContext server_ctx = server_context();
  RawTls raw(false);
  raw.start();
  Engine server = engine(server_ctx);
  REQUIRE(shake_raw(raw, *server));
  Bytes buffer(256, '\0');
  for (int i = 0; i < 20; ++i) {
    const std::string text = "message " + std::to_string(i);
    REQUIRE(SSL_key_update(raw.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(raw.write(text));
    const auto got = server->decrypt(raw.output(), buffer);
    REQUIRE(got);
    CHECK(buffer.substr(0, *got) == text);
    REQUIRE(server->encrypt(text));
    raw.feed(drain(*server));
    CHECK(raw.read() == text);
  }
}

TEST_CASE("asking for renegotiation ends the connection") {
  const TlsContext server_ctx = server_context();
  RawTls raw(false);
  SSL_CTX_set_max_proto_version(raw.ctx(), TLS1_2_VERSION);
  raw.start();
  Engine server = engine(server_ctx);
  REQUIRE(shake_raw(raw, *server));
  REQUIRE(SSL_renegotiate(raw.ssl()) == 1);
  raw.handshake();
  Bytes buffer(256, '\0');
  const auto got = server->decrypt(raw.output(), buffer);
  REQUIRE_FALSE(got);
  CHECK(got.error().message().find("renegotiation") != std::string::npos);
  CHECK(server->wants_output());  // the alert
}

TEST_CASE("an engine holds no output once it is sent, and encrypts exactly one record at a time") {
  Pair p;
  REQUIRE(p.client->encrypt(Bytes(TlsEngine::kMaxRecord, 'a')));
  const std::size_t all = p.client->pending().size();
  CHECK(all == TlsEngine::kMaxRecord + 22);
  p.client->sent(1000);
  CHECK(p.client->pending().size() == all - 1000);
  p.client->sent(all - 1000);
  CHECK_FALSE(p.client->wants_output());
}
