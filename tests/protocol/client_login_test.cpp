#include "protocol/client_login.hpp"

#include <tuple>

#include "base/codes/auth.hpp"
#include "base/codes/wire.hpp"
#include "protocol/auth.hpp"
#include "protocol/error_message.hpp"
#include "protocol/session_setup.hpp"
#include "tests/protocol/support.hpp"

using namespace postern;
using namespace postern::protocol;
using namespace postern::protocol::test;

namespace {

using Kind = LoginStep::Kind;

/// Drives a login as the net layer does: feeds bytes, drops what was consumed, collects output.
struct Driver {
  explicit Driver(TlsPolicy tls = TlsPolicy::kRefuse)
      : login({tls, &kOpenssl, "mock key", 4096, openssl_md5}) {}

  Kind feed(ByteView bytes) {
    unread += bytes;
    step = login.advance(unread, out);
    REQUIRE(step.consumed <= unread.size());
    unread.erase(0, step.consumed);
    if (step.kind == Kind::kRead) CHECK(step.need > unread.size());
    return step.kind;
  }
  Kind answer(UserAnswer a) {
    login.answer(std::move(a));
    return feed("");
  }
  Bytes take() { return std::exchange(out, {}); }

  ClientLogin login;
  Bytes unread;
  Bytes out;
  LoginStep step;
};

Bytes startup(std::uint16_t minor = 0,
              std::vector<std::pair<ByteView, ByteView>> parameters = {{"user", "alice"}}) {
  Bytes out;
  REQUIRE(StartupMessage{protocol_version(3, minor), std::move(parameters)}.encode(out));
  return out;
}
Bytes ssl_request() {
  Bytes out;
  SslRequest{}.encode(out);
  return out;
}
Bytes gss_request() {
  Bytes out;
  GssEncRequest{}.encode(out);
  return out;
}

ScramSecret secret_of(ByteView password) {
  auto secret = build_scram_secret(kOpenssl, password, "0123456789abcdef", 64);
  REQUIRE(secret);
  return std::move(*secret);
}

ScramClient scram_client(ByteView password, Bytes binding = {}) {
  const auto kind =
      binding.empty() ? ScramClient::Binding::kUnsupported : ScramClient::Binding::kUsed;
  return ScramClient(
      {&kOpenssl, Secret(Bytes(password)), "clientnonce", {}, kind, std::move(binding)});
}

Bytes initial(ScramClient& client) {
  Bytes out;
  const Bytes first = *client.first();
  REQUIRE(SaslInitialResponse{client.mechanism(), first}.encode(out));
  return out;
}

/// The data of an AuthenticationSASLContinue that is alone in `wire`.
Bytes challenge(const Bytes& wire) {
  const auto decoded = Authentication::decode(ByteView(wire).substr(5));
  REQUIRE(decoded);
  REQUIRE(decoded->kind == AuthKind::kSaslContinue);
  return Bytes(decoded->data);
}

Bytes response(ScramClient& client, const Bytes& wire) {
  Bytes out;
  const auto final = client.respond(challenge(wire));
  REQUIRE(final);
  REQUIRE(SaslResponse{*final}.encode(out));
  return out;
}

Bytes sasl_offer(std::initializer_list<ByteView> mechanisms) {
  Bytes out;
  REQUIRE(Authentication{AuthKind::kSasl, {}, mechanisms}.encode(out));
  return out;
}

const Bytes kAuthOk = message('R', be32(0));

/// The failure went to the client as a FATAL ErrorResponse, last in the output.
void check_failed(Driver& driver, Pst code, ByteView before = {}) {
  CHECK(driver.step.kind == Kind::kFailed);
  CHECK(driver.login.error().code == code);
  Bytes expected(before);
  append_error(expected, driver.login.error(), Report::kFatal);
  CHECK(driver.take() == expected);
}

}  // namespace

TEST_CASE("a trusted user is let in at once") {
  Driver d;
  CHECK(d.feed(startup(0, {{"user", "alice"}, {"application_name", "a"}, {"TimeZone", "UTC"}})) ==
        Kind::kLookupUser);
  CHECK(d.login.request().user == "alice");
  CHECK(d.login.request().database == "alice");
  CHECK(d.login.request().minor == 0);
  CHECK(d.login.request().replication == Replication::kNone);
  CHECK(d.login.request().parameters ==
        std::vector<std::pair<Bytes, Bytes>>{{"application_name", "a"}, {"TimeZone", "UTC"}});
  CHECK(d.out.empty());
  CHECK(d.answer(TrustUser{}) == Kind::kAuthenticated);
  CHECK(d.out == kAuthOk);
}

TEST_CASE("SCRAM, with the input cut at every byte") {
  const Bytes hello = startup(2, {{"user", "alice"}, {"database", "app"}});
  for (std::size_t cut = 1; cut < 60; ++cut) {
    Driver d;
    const auto feed_cut = [&](const Bytes& bytes) {
      if (cut < bytes.size()) {
        CHECK(d.feed(ByteView(bytes).substr(0, cut)) == Kind::kRead);
        return d.feed(ByteView(bytes).substr(cut));
      }
      return d.feed(bytes);
    };
    CHECK(feed_cut(hello) == Kind::kLookupUser);
    CHECK(d.answer(KnownUser{secret_of("pw")}) == Kind::kRead);
    CHECK(d.take() == sasl_offer({"SCRAM-SHA-256"}));
    ScramClient client = scram_client("pw");
    CHECK(feed_cut(initial(client)) == Kind::kRead);
    CHECK(feed_cut(response(client, d.take())) == Kind::kAuthenticated);
    REQUIRE(d.out.ends_with(kAuthOk));
    const Bytes final = d.out.substr(0, d.out.size() - kAuthOk.size());
    CHECK(client.verify(Authentication::decode(ByteView(final).substr(5))->data));
    const LoginRequest request = d.login.take_request();
    CHECK(request.database == "app");
    CHECK(request.minor == 2);
  }
}

TEST_CASE("wrong password and unknown user look the same") {
  const auto attempt = [](UserAnswer answer) {
    Driver d;
    d.feed(startup());
    d.answer(std::move(answer));
    CHECK(d.take() == sasl_offer({"SCRAM-SHA-256"}));
    ScramClient client = scram_client("wrong");
    CHECK(d.feed(initial(client)) == Kind::kRead);
    CHECK(d.feed(response(client, d.take())) == Kind::kFailed);
    CHECK(d.login.error().code == pst::kAuthFailed);
    return d.take();
  };
  CHECK(attempt(KnownUser{secret_of("pw")}) == attempt(UnknownUser{}));
}

TEST_CASE("the proof gives the keys that the verifier was made from") {
  Driver d;
  d.feed(startup());
  d.answer(KnownUser{secret_of("pw")});
  d.take();
  ScramClient client = scram_client("pw");
  d.feed(initial(client));
  REQUIRE(d.feed(response(client, d.take())) == Kind::kAuthenticated);
  const LoginProof proof = d.login.take_proof();
  REQUIRE(proof.scram);
  const auto keys = derive_scram_keys(kOpenssl, "pw", "0123456789abcdef", 64);
  REQUIRE(keys);
  CHECK(proof.scram->keys.client_key.reveal() == keys->client_key.reveal());
  CHECK(proof.scram->keys.server_key.reveal() == keys->server_key.reveal());
  CHECK(proof.scram->salt == "0123456789abcdef");
  CHECK(proof.scram->iterations == 64);
  CHECK(proof.password.empty());
}

TEST_CASE("a password in clear is taken inside TLS only") {
  const auto hello = [](Driver& d, UserAnswer answer) {
    d.feed(ssl_request());
    d.take();
    d.login.tls_established();
    d.feed(startup());
    d.answer(std::move(answer));
  };
  Driver plain;
  plain.feed(startup());
  plain.answer(PasswordUser{{secret_of("pw"), {}}});
  check_failed(plain, pst::kPasswordNeedsTls);

  const Bytes request = message('R', be32(3));
  const auto hash = md5_hash(openssl_md5, "pw", "alice");
  REQUIRE(hash);
  for (const bool by_hash : {false, true}) {
    for (const auto& [sent, good] :
         {std::pair{"pw", true}, {"pW", false}, {"", false}, {"pw2", false}}) {
      Driver d(TlsPolicy::kOffer);
      StoredPassword stored;
      if (by_hash) stored.md5 = hash->clone();
      if (!by_hash) stored.scram = secret_of("pw");
      hello(d, PasswordUser{std::move(stored)});
      CHECK(d.take() == request);
      const Kind kind = d.feed(message('p', Bytes(sent) + '\0'));
      CHECK((kind == Kind::kAuthenticated) == good);
      if (good) CHECK(d.login.take_proof().password.reveal() == "pw");
      if (!good) check_failed(d, pst::kAuthFailed);
    }
  }
  Driver unknown(TlsPolicy::kOffer);
  hello(unknown, PasswordUser{});
  CHECK(unknown.take() == request);
  unknown.feed(message('p', lit("pw\0")));
  check_failed(unknown, pst::kAuthFailed);
}

TEST_CASE("md5 against the stored hash, with a fresh salt, inside TLS only") {
  // md5("pwalice"), from md5sum.
  const auto hash = md5_hash(openssl_md5, "pw", "alice");
  REQUIRE(hash);
  CHECK(is_md5_hash(hash->reveal()));
  CHECK_FALSE(is_md5_hash(hash->reveal().substr(1)));
  CHECK_FALSE(is_md5_hash(Bytes("md5") + Bytes(32, 'G')));
  for (const auto& [password, known, good] :
       {std::tuple{"pw", true, true}, {"px", true, false}, {"pw", false, false}}) {
    Driver d(TlsPolicy::kOffer);
    d.feed(ssl_request());
    d.take();
    d.login.tls_established();
    d.feed(startup());
    d.answer(Md5User{known ? hash->clone() : Secret()});
    const Bytes asked = d.take();
    REQUIRE(asked.size() == 13);
    const Bytes salt = asked.substr(9);
    const auto own = md5_hash(openssl_md5, password, "alice");
    const auto answer = md5_answer(openssl_md5, own->reveal(), salt);
    REQUIRE(answer);
    const Kind kind = d.feed(message('p', Bytes(answer->reveal()) + '\0'));
    CHECK((kind == Kind::kAuthenticated) == good);
    if (!good) check_failed(d, pst::kAuthFailed);
  }
  Driver plain;
  plain.feed(startup());
  plain.answer(Md5User{hash->clone()});
  check_failed(plain, pst::kMd5NeedsTls);
}

TEST_CASE("a rejected user gets the caller's error, as FATAL") {
  Driver d;
  d.feed(startup(0, {{"user", "alice"}, {"replication", "true"}}));
  CHECK(d.login.request().replication == Replication::kPhysical);
  d.answer(RejectUser{make_error(pst::kReplicationRefused)});
  check_failed(d, pst::kReplicationRefused);
}

TEST_CASE("the replication parameter is understood as PostgreSQL does") {
  const std::pair<const char*, Replication> good[] = {
      {"database", Replication::kLogical}, {"on", Replication::kPhysical},
      {"TRUE", Replication::kPhysical},    {"t", Replication::kPhysical},
      {"1", Replication::kPhysical},       {"y", Replication::kPhysical},
      {"off", Replication::kNone},         {"of", Replication::kNone},
      {"no", Replication::kNone},          {"0", Replication::kNone}};
  for (const auto& [value, expected] : good) {
    Driver d;
    CHECK(d.feed(startup(0, {{"user", "a"}, {"replication", value}})) == Kind::kLookupUser);
    CHECK(d.login.request().replication == expected);
  }
  for (const char* value : {"", "o", "maybe", "truex", "2", "Database"}) {
    Driver d;
    d.feed(startup(0, {{"user", "a"}, {"replication", value}}));
    check_failed(d, pst::kBadStartup);
  }
}

TEST_CASE("a user is required; the last of repeated keys counts") {
  Driver none;
  none.feed(startup(0, {{"database", "app"}}));
  check_failed(none, pst::kBadStartup);
  Driver empty;
  empty.feed(startup(0, {{"user", ""}}));
  check_failed(empty, pst::kBadStartup);
  Driver twice;
  twice.feed(startup(0, {{"user", "a"}, {"user", "b"}}));
  CHECK(twice.login.request().user == "b");
}

TEST_CASE("newer minors and unknown options are negotiated exactly once, before authentication") {
  struct Row {
    std::uint16_t asked;
    bool option;
    std::uint16_t agreed;
  };
  for (const Row& row :
       {Row{0, true, 0}, Row{2, true, 2}, Row{1, false, 0}, Row{3, false, 2}, Row{9999, true, 2}}) {
    Driver d;
    std::vector<std::pair<ByteView, ByteView>> parameters = {{"user", "a"}};
    NegotiateProtocolVersion expected{protocol_version(3, row.agreed), {}};
    if (row.option) {
      parameters.emplace_back("_pq_.first", "1");
      parameters.emplace_back("_pq_.test_protocol_negotiation", "");
      expected.unknown_options = {"_pq_.first", "_pq_.test_protocol_negotiation"};
    }
    CHECK(d.feed(startup(row.asked, parameters)) == Kind::kLookupUser);
    Bytes wire;
    REQUIRE(expected.encode(wire));
    CHECK(d.take() == wire);
    CHECK(d.feed("") == Kind::kLookupUser);  // asked again while the look-up is pending
    CHECK(d.out.empty());
    CHECK(d.login.request().minor == row.agreed);
    CHECK(d.login.request().parameters.empty());
    CHECK(d.answer(TrustUser{}) == Kind::kAuthenticated);
    CHECK(d.out == kAuthOk);
  }
}

TEST_CASE("encryption requests are answered in either order, each once") {
  Driver d;
  CHECK(d.feed(gss_request()) == Kind::kRead);
  CHECK(d.take() == "N");
  CHECK(d.feed(ssl_request()) == Kind::kRead);
  CHECK(d.take() == "N");
  CHECK(d.feed(startup()) == Kind::kLookupUser);

  for (const Bytes& request : {gss_request(), ssl_request()}) {
    Driver again;
    again.feed(request);
    again.feed(request);
    check_failed(again, pst::kUnsupportedProtocol, "N");
  }
}

TEST_CASE("TLS upgrade") {
  Driver d(TlsPolicy::kRequire);
  CHECK(d.feed(ssl_request()) == Kind::kUpgradeTls);
  CHECK(d.take() == "S");
  d.login.tls_established("certificate hash");
  CHECK(d.login.encrypted());
  CHECK(d.feed(startup()) == Kind::kLookupUser);
  d.answer(KnownUser{secret_of("pw")});
  CHECK(d.take() == sasl_offer({"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}));
  ScramClient client = scram_client("pw", "certificate hash");
  d.feed(initial(client));
  CHECK(d.feed(response(client, d.take())) == Kind::kAuthenticated);
}

TEST_CASE("inside TLS no further encryption request is taken") {
  for (const Bytes& request : {gss_request(), ssl_request()}) {
    Driver d(TlsPolicy::kOffer);
    d.feed(ssl_request());
    d.take();
    d.login.tls_established();
    d.feed(request);
    check_failed(d, pst::kUnsupportedProtocol);
  }
}

TEST_CASE("plaintext behind an encryption request is refused (CVE-2021-23214)") {
  for (const TlsPolicy tls : {TlsPolicy::kRefuse, TlsPolicy::kOffer, TlsPolicy::kRequire}) {
    for (const Bytes& request : {gss_request(), ssl_request()}) {
      for (const Bytes& stuffing : {Bytes("x"), startup()}) {
        Driver d(tls);
        d.feed(request + stuffing);
        check_failed(d, pst::kPlaintextBeforeTls);
      }
    }
  }
}

TEST_CASE("TLS can be required of sessions") {
  Driver d(TlsPolicy::kRequire);
  d.feed(startup());
  check_failed(d, pst::kTlsRequired);
}

TEST_CASE("cancel requests, in the clear and inside TLS") {
  for (const std::size_t size : {4, 32, 256}) {
    const Bytes key(size, 'k');
    Bytes wire;
    REQUIRE(CancelRequest{77, key}.encode(wire));
    Driver d(TlsPolicy::kRequire);
    if (size == 32) {
      d.feed(ssl_request());
      d.take();
      d.login.tls_established();
    }
    CHECK(d.feed(wire) == Kind::kCancel);
    const CancelOrder order = d.login.take_cancel();
    CHECK(order.pid == 77);
    CHECK(order.key.reveal() == key);
    CHECK(d.out.empty());
  }
}

TEST_CASE("malformed and foreign first bytes") {
  struct Row {
    Bytes bytes;
    Pst code;
  };
  const Row rows[] = {
      {be32(7), pst::kProtocolViolation},
      {be32(10'005), pst::kMessageTooLarge},
      {be32(0xFFFF'FFFF), pst::kProtocolViolation},
      {lit("\x16\x03\x01\x02\x00"), pst::kUnsupportedProtocol},
      {Bytes("GET / HTTP/1.1\r\n"), pst::kMessageTooLarge},
      {packet(be32(0x0002'0000) + '\0'), pst::kUnsupportedProtocol},
      {packet(be32(0x0003'0000) + lit("user\0a\0")), pst::kProtocolViolation},
      {packet(be32(0x0003'0000) + lit("user\0a\0\0x")), pst::kProtocolViolation},
      {packet(be32(kCancelRequestCode) + be32(1) + "abc"), pst::kProtocolViolation}};
  for (const Row& row : rows) {
    Driver d;
    d.feed(row.bytes);
    check_failed(d, row.code);
  }
}

TEST_CASE("every wrong message at every step of SCRAM fails the login") {
  const Bytes wrong[] = {message('Q', lit("select 1\0")),
                         message('X', ""),
                         message('p', ""),
                         message('p', lit("SCRAM-SHA-256\0\xFF\xFF\xFF\xFF")),
                         message('p', lit("SCRAM-SHA-1\0\0\0\0\0")),
                         message('p', lit("SCRAM-SHA-256\0\0\0\0\x09n,,n=,r=a")),
                         ssl_request(),
                         Bytes("p") + be32(65'536)};
  for (std::size_t i = 0; i < std::size(wrong); ++i) {
    for (const int at : {0, 1}) {
      Driver d;
      d.feed(startup());
      d.answer(KnownUser{secret_of("pw")});
      ScramClient client = scram_client("pw");
      if (at == 1) d.feed(initial(client));
      d.take();
      CAPTURE(i);
      CAPTURE(at);
      const bool sound = i == 5 && at == 0;  // a good first message, in its place
      REQUIRE(d.feed(wrong[i]) == (sound ? Kind::kRead : Kind::kFailed));
      if (sound) continue;
      CHECK(d.out[0] == 'E');
    }
  }
}

TEST_CASE("bytes behind the last login message are left for the session") {
  Driver d;
  const Bytes query = message('Q', lit("select 1\0"));
  CHECK(d.feed(startup() + query) == Kind::kLookupUser);
  CHECK(d.answer(TrustUser{}) == Kind::kAuthenticated);
  CHECK(d.unread == query);
}

TEST_CASE("without randomness nobody logs in") {
  ScramPrimitives broken = kOpenssl;
  broken.random_bytes = [](char*, std::size_t) { return false; };
  Driver d;
  d.login = ClientLogin({TlsPolicy::kRefuse, &broken, "k", 4096});
  d.feed(startup());
  d.answer(KnownUser{secret_of("pw")});
  check_failed(d, pst::kCryptoFailed);
}
