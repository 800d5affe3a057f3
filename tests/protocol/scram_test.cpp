#include "protocol/scram.hpp"

#include "base/codes/auth.hpp"
#include "protocol/base64.hpp"
#include "tests/protocol/support.hpp"

using namespace postern;
using namespace postern::protocol;
using namespace postern::protocol::test;

namespace {

// RFC 7677 section 3.
constexpr std::string_view kClientNonce = "rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr std::string_view kSalt64 = "W22ZaJ0SNY7soEsUEjb6gQ==";
constexpr std::string_view kClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr std::string_view kClientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr std::string_view kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

ScramSecret vector_secret() {
  auto secret = build_scram_secret(kOpenssl, "pencil", *from_base64(kSalt64));
  REQUIRE(secret);
  return std::move(*secret);
}

ScramServer vector_server(Bytes binding = {},
                          ScramServer::Credential credential = ScramServer::Credential::kReal) {
  return ScramServer(
      {&kOpenssl, vector_secret(), credential, Bytes(kServerNonce), std::move(binding)});
}

ScramClient client(ScramClient::Binding binding = ScramClient::Binding::kUnsupported,
                   Bytes data = {}, Bytes password = "pencil") {
  return ScramClient({&kOpenssl, Secret(std::move(password)), Bytes(kClientNonce), "user", binding,
                      std::move(data)});
}

/// Runs both sides to their end; the code of the first error, kInternal if none.
Pst exchange(ScramClient& c, ScramServer& s) {
  const auto m1 = c.first();
  if (!m1) return m1.error().code;
  const auto m2 = s.first(c.mechanism(), *m1);
  if (!m2) return m2.error().code;
  const auto m3 = c.respond(*m2);
  if (!m3) return m3.error().code;
  const auto m4 = s.final(*m3);
  if (!m4) return m4.error().code;
  return code_of(c.verify(*m4));
}

Pst first_code(ByteView message, ByteView mechanism = kScramSha256) {
  ScramServer server = vector_server();
  return code_of(server.first(mechanism, message));
}

Pst final_code(ByteView message) {
  ScramServer server = vector_server();
  REQUIRE(server.first(kScramSha256, kClientFirst));
  return code_of(server.final(message));
}

}  // namespace

TEST_CASE("RFC 7677 test vector, server side") {
  ScramServer server = vector_server();
  const auto first = server.first(kScramSha256, kClientFirst);
  REQUIRE(first);
  CHECK(*first == kServerFirst);
  const auto final = server.final(kClientFinal);
  REQUIRE(final);
  CHECK(*final == kServerFinal);
}

TEST_CASE("RFC 7677 test vector, client side") {
  ScramClient c = client();
  CHECK(*c.first() == kClientFirst);
  CHECK(*c.respond(kServerFirst) == kClientFinal);
  CHECK(c.verify(kServerFinal));
}

TEST_CASE("every byte of the client's proof matters") {
  const std::size_t at = kClientFinal.find("p=") + 2;
  const Bytes proof = *from_base64(kClientFinal.substr(at));
  for (std::size_t i = 0; i < proof.size(); ++i) {
    for (const int bit : {0, 7}) {
      Bytes forged = proof;
      forged[i] = static_cast<char>(forged[i] ^ (1 << bit));
      CHECK(final_code(Bytes(kClientFinal.substr(0, at)) + to_base64(forged)) == pst::kAuthFailed);
    }
  }
  for (const std::size_t size : {0, 31, 33}) {
    CHECK(final_code(Bytes(kClientFinal.substr(0, at)) + to_base64(Bytes(size, 'x'))) ==
          pst::kSaslMalformed);
  }
}

TEST_CASE("every byte of the server's signature matters") {
  const Bytes signature = *from_base64(kServerFinal.substr(2));
  for (std::size_t i = 0; i < signature.size(); ++i) {
    ScramClient c = client();
    REQUIRE(c.first());
    REQUIRE(c.respond(kServerFirst));
    Bytes forged = signature;
    forged[i] = static_cast<char>(forged[i] ^ 1);
    CHECK(code_of(c.verify("v=" + to_base64(forged))) == pst::kUpstreamNotProven);
  }
}

TEST_CASE("no altered or shortened message of the exchange authenticates") {
  for (std::size_t i = 0; i < kClientFinal.size(); ++i) {
    CHECK(final_code(kClientFinal.substr(0, i)) != pst::kInternal);
    Bytes altered(kClientFinal);
    altered[i] = static_cast<char>(altered[i] ^ 1);
    CHECK(final_code(altered) != pst::kInternal);
  }
}

TEST_CASE("client and server agree, and disagree over the password") {
  ScramClient good = client();
  ScramServer one = vector_server();
  CHECK(exchange(good, one) == pst::kInternal);
  ScramClient bad = client(ScramClient::Binding::kUnsupported, {}, "Pencil");
  ScramServer two = vector_server();
  CHECK(exchange(bad, two) == pst::kAuthFailed);
}

TEST_CASE("a mock secret fails at the end, even with the right password") {
  ScramClient c = client();
  ScramServer s = vector_server({}, ScramServer::Credential::kMock);
  CHECK(exchange(c, s) == pst::kAuthFailed);
}

TEST_CASE("mock salts depend on user and key only") {
  const auto a = mock_scram_secret(kOpenssl, "key", "alice");
  const auto again = mock_scram_secret(kOpenssl, "key", "alice");
  const auto b = mock_scram_secret(kOpenssl, "key", "bob");
  const auto other = mock_scram_secret(kOpenssl, "yek", "alice");
  CHECK(a->salt.size() == kScramSaltBytes);
  CHECK(a->salt == again->salt);
  CHECK(a->salt != b->salt);
  CHECK(a->salt != other->salt);
  CHECK(a->iterations == 4096);
}

TEST_CASE("messages out of order and repeated are refused, and end the exchange") {
  ScramServer server = vector_server();
  CHECK(code_of(server.final(kClientFinal)) == pst::kSaslMalformed);
  REQUIRE(server.first(kScramSha256, kClientFirst));
  CHECK(code_of(server.first(kScramSha256, kClientFirst)) == pst::kSaslMalformed);
  REQUIRE(server.final(kClientFinal));
  CHECK(code_of(server.final(kClientFinal)) == pst::kSaslMalformed);

  ScramClient c = client();
  CHECK(code_of(c.respond(kServerFirst)) == pst::kSaslMalformed);
  REQUIRE(c.first());
  CHECK(code_of(c.first()) == pst::kSaslMalformed);
  CHECK(code_of(c.verify(kServerFinal)) == pst::kSaslMalformed);
  REQUIRE(c.respond(kServerFirst));
  CHECK(code_of(c.respond(kServerFirst)) == pst::kSaslMalformed);
  REQUIRE(c.verify(kServerFinal));
  CHECK(code_of(c.verify(kServerFinal)) == pst::kSaslMalformed);
}

TEST_CASE("an exchange that failed once cannot be resumed") {
  ScramServer server = vector_server();
  REQUIRE(server.first(kScramSha256, kClientFirst));
  REQUIRE_FALSE(server.final("c=biws").has_value());
  CHECK_FALSE(server.final(kClientFinal).has_value());
}

TEST_CASE("malformed first messages") {
  CHECK(first_code(kClientFirst) == pst::kInternal);
  CHECK(first_code("n,,n=,r=abc") == pst::kInternal);
  CHECK(first_code("y,,n=,r=abc") == pst::kInternal);
  CHECK(first_code("n,,n=,r=abc,x=ext,y=ext") == pst::kInternal);
  for (const char* bad : {"",
                          "n",
                          "n,",
                          "n,,",
                          "x,,n=,r=abc",
                          "n,a=admin,n=,r=abc",
                          "n,,r=abc,n=",
                          "n,,n=",
                          "n,,n=,r=",
                          "n,,n=,r=a b",
                          "n,,n=,r=\x7f",
                          "n,,n=,r=abc,",
                          "n,,n=,r=abc,r=abc",
                          "n,,n=,r=abc,m=x",
                          "n,,m=x,n=,r=abc",
                          "n,,n=,r=abc,n=x",
                          "n,,n=,r=abc,1=x",
                          "n,,n=,r=abc,x",
                          "p=tls-server-end-point,,n=,r=abc",
                          "p=,,n=,r=abc",
                          "nn,,n=,r=abc"}) {
    CAPTURE(bad);
    CHECK(first_code(bad) == pst::kSaslMalformed);
  }
  CHECK(first_code(lit("n,,n=\0,r=abc")) == pst::kSaslMalformed);
  CHECK(first_code(lit("n,,n=,r=abc,\0=x")) == pst::kSaslMalformed);
  CHECK(first_code(kClientFirst, "SCRAM-SHA-1") == pst::kSaslMalformed);
  CHECK(first_code(kClientFirst, "scram-sha-256") == pst::kSaslMalformed);
  CHECK(first_code(kClientFirst, kScramSha256Plus) == pst::kSaslMalformed);
}

TEST_CASE("malformed final messages") {
  const Bytes nonce = Bytes(kClientNonce) + Bytes(kServerNonce);
  const Bytes proof = Bytes(kClientFinal.substr(kClientFinal.find("p=")));
  CHECK(final_code("c=biws,r=" + nonce + "," + proof) == pst::kInternal);
  for (const Bytes& bad :
       {Bytes(), "c=biws,r=" + nonce, "c=eSws,r=" + nonce + "," + proof,
        "c=biws,r=" + Bytes(kClientNonce) + "," + proof, "c=biws,r=" + nonce + "x," + proof,
        "r=" + nonce + ",c=biws," + proof, "c=biws,c=biws,r=" + nonce + "," + proof,
        "c=biws,r=" + nonce + ",r=" + nonce + "," + proof,
        "c=biws,r=" + nonce + "," + proof + ",x=y", "c=biws,r=" + nonce + "," + proof + ",",
        "c=biws,r=" + nonce + ",p=####", "c=biws,r=" + nonce + ",p="}) {
    CHECK(final_code(bad) == pst::kSaslMalformed);
  }
}

TEST_CASE("the client refuses foreign nonces, bad salts and iteration counts") {
  const Bytes nonce = Bytes(kClientNonce) + Bytes(kServerNonce);
  const auto respond = [](const Bytes& message) {
    ScramClient c = client();
    REQUIRE(c.first());
    return code_of(c.respond(message));
  };
  const Bytes tail = ",s=" + Bytes(kSalt64) + ",i=4096";
  CHECK(respond("r=" + nonce + tail) == pst::kInternal);
  for (const Bytes& bad : {"r=" + Bytes(kClientNonce) + tail, "r=x" + nonce + tail, "r=" + tail,
                           "r=" + nonce + ",s=,i=4096", "r=" + nonce + ",s=!,i=4096",
                           "r=" + nonce + ",s=" + Bytes(kSalt64) + ",i=0",
                           "r=" + nonce + ",s=" + Bytes(kSalt64) + ",i=-1",
                           "r=" + nonce + ",s=" + Bytes(kSalt64) + ",i=4096x",
                           "r=" + nonce + ",s=" + Bytes(kSalt64) + ",i=99999999999",
                           "r=" + nonce + ",s=" + Bytes(kSalt64), Bytes("e=other-error"),
                           "m=x,r=" + nonce + tail, "r=" + nonce + tail + ",i=1",
                           "r=" + nonce + ",s=" + to_base64(Bytes(1025, 's')) + ",i=1"}) {
    CHECK(respond(bad) == pst::kSaslMalformed);
  }
  CHECK(respond("r=" + nonce + ",s=" + to_base64(Bytes(1024, 's')) + ",i=1") == pst::kInternal);
}

TEST_CASE("iterations are accepted up to one million") {
  static std::uint32_t asked = 0;
  ScramPrimitives fast = kOpenssl;
  fast.pbkdf2_sha256 = [](ByteView, ByteView, std::uint32_t iterations, char*) {
    asked = iterations;
    return true;
  };
  for (const std::uint32_t n : {1'000'000U, 1'000'001U}) {
    ScramClient c({&fast, Secret("x"), Bytes(kClientNonce), {}, {}, {}});
    REQUIRE(c.first());
    const auto reply =
        c.respond("r=" + Bytes(kClientNonce) + "x,s=" + Bytes(kSalt64) + ",i=" + std::to_string(n));
    CHECK(reply.has_value() == (n == 1'000'000U));
  }
  CHECK(asked == 1'000'000U);
}

TEST_CASE("channel binding: agreed, foreign, suppressed, unknown") {
  using Binding = ScramClient::Binding;
  ScramClient bound = client(Binding::kUsed, "hash");
  CHECK(bound.mechanism() == kScramSha256Plus);
  ScramServer offering = vector_server("hash");
  CHECK(exchange(bound, offering) == pst::kInternal);

  ScramClient elsewhere = client(Binding::kUsed, "another hash");
  ScramServer mine = vector_server("hash");
  CHECK(exchange(elsewhere, mine) == pst::kAuthFailed);

  // 'y' while we offered it: a man in the middle took PLUS off the list.
  ScramClient misled = client(Binding::kNotOffered, "hash");
  ScramServer offered = vector_server("hash");
  CHECK(exchange(misled, offered) == pst::kSaslMalformed);

  ScramClient told = client(Binding::kNotOffered, "hash");
  ScramServer without = vector_server();
  CHECK(exchange(told, without) == pst::kInternal);

  ScramClient unable = client();
  ScramServer tolerant = vector_server("hash");
  CHECK(exchange(unable, tolerant) == pst::kInternal);

  for (const char* bad : {"p=tls-unique,,n=,r=abc", "n,,n=,r=abc", "y,,n=,r=abc"}) {
    ScramServer server = vector_server("hash");
    CHECK(code_of(server.first(kScramSha256Plus, bad)) == pst::kSaslMalformed);
  }
}

TEST_CASE("secrets are read and written as PostgreSQL does") {
  const Bytes text = vector_secret().format();
  const auto parsed = ScramSecret::parse(text);
  REQUIRE(parsed);
  CHECK(parsed->format() == text);
  CHECK(parsed->iterations == 4096);
  const Bytes key = to_base64(Bytes(32, 'k'));
  const auto good = [](const Bytes& t) { return ScramSecret::parse(t).has_value(); };
  CHECK(good("SCRAM-SHA-256$1000000:c2FsdA==$" + key + ":" + key));
  for (const Bytes& bad :
       {Bytes(), Bytes("md5abc"), "SCRAM-SHA-1$4096:c2FsdA==$" + key + ":" + key,
        "SCRAM-SHA-256$0:c2FsdA==$" + key + ":" + key,
        "SCRAM-SHA-256$1000001:c2FsdA==$" + key + ":" + key,
        "SCRAM-SHA-256$x:c2FsdA==$" + key + ":" + key, "SCRAM-SHA-256$4096:$" + key + ":" + key,
        "SCRAM-SHA-256$4096:c2FsdA$" + key + ":" + key, "SCRAM-SHA-256$4096:c2FsdA==$" + key,
        "SCRAM-SHA-256$4096:c2FsdA==$" + key + ":" + key + "x",
        "SCRAM-SHA-256$4096:c2FsdA==$" + key + ":" + to_base64(Bytes(31, 'k'))}) {
    const auto refused = ScramSecret::parse(bad);
    CHECK(code_of(refused) == pst::kBadScramSecret);
  }
}

TEST_CASE("a failing primitive fails the exchange") {
  ScramPrimitives broken = kOpenssl;
  broken.hmac_sha256 = [](ByteView, ByteView, char*) { return false; };
  broken.random_bytes = [](char*, std::size_t) { return false; };
  CHECK(code_of(make_scram_nonce(broken)) == pst::kCryptoFailed);
  CHECK(code_of(mock_scram_secret(broken, "k", "u")) == pst::kCryptoFailed);
  CHECK(code_of(build_scram_secret(broken, "p", "salt")) == pst::kCryptoFailed);
  ScramServer server({&broken, vector_secret(), {}, Bytes(kServerNonce), {}});
  REQUIRE(server.first(kScramSha256, kClientFirst));
  CHECK(code_of(server.final(kClientFinal)) == pst::kCryptoFailed);
}

TEST_CASE("base64 is strict") {
  for (std::size_t n = 0; n < 50; ++n) {
    Bytes raw(n, '\0');
    for (std::size_t i = 0; i < n; ++i) raw[i] = static_cast<char>(i * 37 + n);
    Bytes expected(4 * ((n + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(u(expected.data()), u(raw), static_cast<int>(n));
    expected.resize(static_cast<std::size_t>(size));
    CHECK(to_base64(raw) == expected);
    CHECK(from_base64(expected) == raw);
  }
  for (const char* bad : {"A", "AA", "AAA", "A===", "====", "AA=A", "AB==", "AAB=", "AA==AAAA",
                          "AAA\n", " AAA", "AA-_"}) {
    CAPTURE(bad);
    CHECK_FALSE(from_base64(bad).has_value());
  }
}
