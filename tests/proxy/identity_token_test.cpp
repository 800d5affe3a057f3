// Tokens: what a verifier takes, and every way in which it does not.
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "base/codes/auth.hpp"
#include "crypto/base64.hpp"
#include "crypto/hash.hpp"
#include "crypto/init.hpp"
#include "proxy/identity/token.hpp"

using namespace postern;
using namespace postern::proxy;
using Json = nlohmann::json;

namespace {

const std::string kSecret = "0123456789abcdef0123456789abcdef";
const std::string kOther = "ABCDEF0123456789ABCDEF0123456789";
constexpr std::int64_t kNow = 1'700'000'000;
constexpr std::int64_t kMicros = 1'000'000;

std::string base64url(std::string_view bytes) {
  std::string text = crypto::base64_encode(bytes);
  for (char& c : text) {
    if (c == '+') c = '-';
    if (c == '/') c = '_';
  }
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::string sign_raw(const std::string& header, const std::string& claims,
                     const std::string& secret = kSecret) {
  const std::string message = base64url(header) + "." + base64url(claims);
  const auto mac = crypto::hmac_sha256(secret, message);
  return message + "." + base64url(mac.view());
}

std::string sign(const Json& claims, const Json& header = {{"alg", "HS256"}, {"kid", "one"}}) {
  return sign_raw(header.dump(), claims.dump());
}

Json good_claims() {
  return {{"iss", "https://issuer"}, {"aud", {"other", "postern"}},
          {"exp", kNow + 60},        {"sub", "ann"},
          {"tenant", "acme"},        {"roles", {"clerk", "lead"}}};
}

std::string key_set(const std::vector<Json>& keys) {
  return Json{{"keys", keys}}.dump();
}

Json hmac_key(const std::string& kid, const std::string& secret = kSecret) {
  return {{"kty", "oct"}, {"kid", kid}, {"alg", "HS256"}, {"k", base64url(secret)}};
}

config::JwtOptions options() {
  config::JwtOptions o;
  o.issuer = "https://issuer";
  o.audience = "postern";
  return o;
}

TokenVerifier verifier(const config::JwtOptions& o = options()) {
  REQUIRE(crypto::init());
  auto keys = KeySet::parse(key_set({hmac_key("one"), hmac_key("two", kOther)}));
  REQUIRE(keys);
  return {o, std::move(*keys)};
}

Result<TokenIdentity> verify(const std::string& token, std::int64_t seconds = kNow) {
  return verifier().verify(token, seconds * kMicros);
}

Json with(Json claims, const char* name, Json value) {
  claims[name] = std::move(value);
  return claims;
}

Json without(Json claims, const char* name) {
  claims.erase(name);
  return claims;
}

}  // namespace

TEST_CASE("a token names login, tenant, subject, roles and its end") {
  const auto token = verify(sign(good_claims()));
  REQUIRE(token);
  CHECK(token->login == "ann");
  CHECK(token->tenant == "acme");
  CHECK(token->subject == "ann");
  CHECK(token->roles == std::vector<std::string>{"clerk", "lead"});
  CHECK(token->purpose.empty());
  CHECK(token->valid_until_us == (kNow + 60 + 30) * kMicros);
}

TEST_CASE("claims are found by the names configured, numbers and nested ones too") {
  config::JwtOptions o = options();
  o.tenant_claim = "app.tenant";
  o.purpose_claim = "why";
  o.roles_claim = "https://x/roles";
  Json claims = good_claims();
  claims["app"] = {{"tenant", 42}};
  claims["why"] = "ticket 7";
  claims["https://x/roles"] = {"a"};
  const auto token = verifier(o).verify(sign(claims), kNow * kMicros);
  REQUIRE(token);
  CHECK(token->tenant == "42");
  CHECK(token->purpose == "ticket 7");
  CHECK(token->roles == std::vector<std::string>{"a"});
}

TEST_CASE("what is wrong with a token is said by its code") {
  struct Case {
    const char* name;
    std::string token;
    Pst code;
  };
  const Json good = good_claims();
  const std::string valid = sign(good);
  const std::string none =
      base64url(R"({"alg":"none","kid":"one"})") + "." + base64url(good.dump());
  const std::vector<Case> cases = {
      {"empty", "", pst::kTokenMalformed},
      {"no dots", "abc", pst::kTokenMalformed},
      {"two parts", valid.substr(0, valid.rfind('.')), pst::kTokenMalformed},
      {"four parts", valid + ".x", pst::kTokenMalformed},
      {"padding", valid + "=", pst::kTokenMalformed},
      {"too long", valid + std::string(kMaxTokenBytes, 'a'), pst::kTokenMalformed},
      {"header no object", sign_raw("[]", good.dump()), pst::kTokenMalformed},
      {"header no JSON", sign_raw("{", good.dump()), pst::kTokenMalformed},
      {"alg twice", sign_raw(R"({"alg":"HS256","alg":"none","kid":"one"})", good.dump()),
       pst::kTokenMalformed},
      {"crit", sign(good, {{"alg", "HS256"}, {"kid", "one"}, {"crit", {"exp"}}}),
       pst::kTokenMalformed},
      {"kid no text", sign(good, {{"alg", "HS256"}, {"kid", 1}}), pst::kTokenMalformed},
      {"none", none + ".", pst::kTokenAlgorithm},
      {"none with signature", none + ".AAAA", pst::kTokenAlgorithm},
      {"no alg", sign(good, {{"kid", "one"}}), pst::kTokenAlgorithm},
      {"alg of another key", sign(good, {{"alg", "RS256"}, {"kid", "one"}}), pst::kTokenAlgorithm},
      {"HS384", sign(good, {{"alg", "HS384"}, {"kid", "one"}}), pst::kTokenAlgorithm},
      {"no kid", sign(good, {{"alg", "HS256"}}), pst::kTokenKeyUnknown},
      {"unknown kid", sign(good, {{"alg", "HS256"}, {"kid", "three"}}), pst::kTokenKeyUnknown},
      {"empty kid", sign(good, {{"alg", "HS256"}, {"kid", ""}}), pst::kTokenKeyUnknown},
      {"another key's", sign(good, {{"alg", "HS256"}, {"kid", "two"}}), pst::kTokenSignature},
      {"short signature", valid.substr(0, valid.rfind('.')) + ".AAAA", pst::kTokenSignature},
      {"claims no JSON", sign_raw(R"({"alg":"HS256","kid":"one"})", "{"), pst::kTokenMalformed},
      {"claim twice", sign_raw(R"({"alg":"HS256","kid":"one"})", R"({"tenant":"a","tenant":"b"})"),
       pst::kTokenMalformed},
      {"issuer", sign(with(good, "iss", "https://evil")), pst::kTokenIssuer},
      {"no issuer", sign(without(good, "iss")), pst::kTokenIssuer},
      {"audience", sign(with(good, "aud", "other")), pst::kTokenIssuer},
      {"audience part", sign(with(good, "aud", {"poster", "posternx"})), pst::kTokenIssuer},
      {"no audience", sign(without(good, "aud")), pst::kTokenIssuer},
      {"no end", sign(without(good, "exp")), pst::kTokenClaims},
      {"end no number", sign(with(good, "exp", "1700000060")), pst::kTokenClaims},
      {"end beyond time", sign(with(good, "exp", 1e300)), pst::kTokenClaims},
      {"end negative", sign(with(good, "exp", -1)), pst::kTokenClaims},
      {"too long a life", sign(with(good, "exp", kNow + 86'400 * 2)), pst::kTokenClaims},
      {"tenant list", sign(with(good, "tenant", Json::array({"acme"}))), pst::kTokenClaims},
      {"tenant empty", sign(with(good, "tenant", "")), pst::kTokenClaims},
      {"tenant true", sign(with(good, "tenant", true)), pst::kTokenClaims},
      {"tenant fraction", sign(with(good, "tenant", 1.5)), pst::kTokenClaims},
      {"roles text", sign(with(good, "roles", "clerk")), pst::kTokenClaims},
      {"role number", sign(with(good, "roles", {1})), pst::kTokenClaims},
      {"role long", sign(with(good, "roles", {std::string(64, 'r')})), pst::kTokenClaims},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const auto token = verify(c.token);
    REQUIRE_FALSE(token);
    CHECK(pst_label(token.error().code) == pst_label(c.code));
    CHECK(token.error().message().find("acme") == std::string::npos);
  }
}

TEST_CASE("times hold within the leeway, to the second") {
  const std::string plain = sign(good_claims());
  CHECK(verify(plain, kNow + 89));
  CHECK(verify(plain, kNow + 90).error().code == pst::kTokenExpired);
  const std::string later = sign(with(good_claims(), "nbf", kNow + 30));
  CHECK(verify(later, kNow));
  CHECK(verify(later, kNow - 1).error().code == pst::kTokenNotYet);
  const std::string issued = sign(with(good_claims(), "iat", kNow + 31));
  CHECK(verify(issued, kNow).error().code == pst::kTokenNotYet);
  const std::string fraction = sign(with(good_claims(), "exp", kNow + 0.5));
  CHECK(verify(fraction, kNow + 30));
  CHECK_FALSE(verify(fraction, kNow + 31));
}

TEST_CASE("roles are taken up to the limit") {
  Json roles = Json::array();
  for (std::size_t i = 0; i < kMaxTokenRoles; ++i) roles.push_back("r" + std::to_string(i));
  CHECK(verify(sign(with(good_claims(), "roles", roles)))->roles.size() == kMaxTokenRoles);
  roles.push_back("one more");
  CHECK(verify(sign(with(good_claims(), "roles", roles))).error().code == pst::kTokenClaims);
}

TEST_CASE("cut at every byte, a token is refused") {
  const std::string token = sign(good_claims());
  for (std::size_t size = 0; size < token.size(); ++size)
    CHECK_FALSE(verify(token.substr(0, size)));
}

TEST_CASE("a key set says for every key what it is for") {
  REQUIRE(crypto::init());
  const Json rsa_as_hmac = {{"kty", "RSA"}, {"kid", "x"}, {"alg", "HS256"}, {"n", "AQAB"}};
  const std::vector<std::string> bad = {
      "",
      "[]",
      "{}",
      R"({"keys":{}})",
      R"({"keys":[]})",
      R"({"keys":[1]})",
      key_set({{{"kty", "oct"}, {"k", base64url(kSecret)}}}),
      key_set({{{"kty", "oct"}, {"alg", "none"}, {"k", base64url(kSecret)}}}),
      key_set({hmac_key("a", std::string(31, 'k'))}),
      key_set({hmac_key("a"), hmac_key("a", kOther)}),
      key_set({hmac_key("a"), without(hmac_key("a", kOther), "kid")}),
      key_set({rsa_as_hmac}),
      key_set({with(hmac_key("a"), "use", "enc")}),
      std::string(kMaxKeySetBytes + 1, ' '),
  };
  for (const std::string& text : bad) {
    CAPTURE(text.substr(0, 100));
    const auto keys = KeySet::parse(text);
    REQUIRE_FALSE(keys);
    CHECK(keys.error().code == pst::kKeySetUnusable);
  }
  CHECK(KeySet::parse(key_set({without(hmac_key("a"), "kid")})));
  CHECK(KeySet::parse(key_set({with(hmac_key("a"), "key_ops", {"verify"})})));
  CHECK_FALSE(KeySet::parse(key_set({with(hmac_key("a"), "key_ops", {"sign"})})));
  std::vector<Json> many;
  for (std::size_t i = 0; i < kMaxKeys; ++i) many.push_back(hmac_key("k" + std::to_string(i)));
  CHECK(KeySet::parse(key_set(many)));
  many.push_back(hmac_key("one more"));
  CHECK_FALSE(KeySet::parse(key_set(many)));
}
