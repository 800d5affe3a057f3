#include "proxy/identity/token.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/codes/auth.hpp"
#include "config/assign.hpp"

namespace postern::proxy {
namespace {

using Json = nlohmann::json;

constexpr double kMicros = 1e6;
/// Times beyond the year 9999 are nonsense, and do not fit where they are computed with.
constexpr double kMaxSeconds = 253'402'300'800.0;

// An object, or nothing: no duplicates of a name, which parsers understand differently.
std::optional<Json> parse_object(std::string_view text) {
  bool twice = false;
  std::vector<std::vector<std::string>> names;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) names.emplace_back();
    if (event == Json::parse_event_t::object_end) names.pop_back();
    if (event == Json::parse_event_t::key) {
      auto name = parsed.get<std::string>();
      auto& known = names.back();
      twice = twice || std::find(known.begin(), known.end(), name) != known.end();
      known.push_back(std::move(name));
    }
    return true;
  };
  Json json = Json::parse(text, watch, false);
  if (json.is_discarded() || !json.is_object() || twice) return std::nullopt;
  return json;
}

std::optional<std::string> text_member(const Json& object, std::string_view name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string()) return std::nullopt;
  return it->get<std::string>();
}

Bytes binary_member(const Json& object, std::string_view name) {
  const auto text = text_member(object, name);
  const auto bytes = text ? crypto::base64url_decode(*text) : std::nullopt;
  return bytes.value_or(Bytes());
}

// ---- Key set --------------------------------------------------------------------------------

std::optional<crypto::JwsKey> make_key(const Json& jwk, crypto::JwsAlgorithm algorithm) {
  const std::string type = text_member(jwk, "kty").value_or("");
  const std::string curve = text_member(jwk, "crv").value_or("");
  switch (algorithm) {
    case crypto::JwsAlgorithm::kEdDsa:
      if (type != "OKP" || curve != "Ed25519") return std::nullopt;
      return crypto::JwsKey::ed25519(binary_member(jwk, "x"));
    case crypto::JwsAlgorithm::kEs256:
      if (type != "EC" || curve != "P-256") return std::nullopt;
      return crypto::JwsKey::p256(binary_member(jwk, "x"), binary_member(jwk, "y"));
    case crypto::JwsAlgorithm::kRs256:
      if (type != "RSA") return std::nullopt;
      return crypto::JwsKey::rsa(binary_member(jwk, "n"), binary_member(jwk, "e"));
    case crypto::JwsAlgorithm::kHs256: {
      if (type != "oct") return std::nullopt;
      Bytes secret = binary_member(jwk, "k");
      auto key = crypto::JwsKey::hmac(secret);
      wipe(secret);
      return key;
    }
  }
  return std::nullopt;
}

bool verifies_signatures(const Json& jwk) {
  if (jwk.contains("use") && text_member(jwk, "use") != "sig") return false;
  const auto operations = jwk.find("key_ops");
  if (operations == jwk.end()) return true;
  return operations->is_array() &&
         std::find(operations->begin(), operations->end(), Json("verify")) != operations->end();
}

Error unusable(std::string what) {
  return make_error(pst::kKeySetUnusable, std::move(what));
}

// ---- Claims ---------------------------------------------------------------------------------

Error bad_claim(std::string_view name) {
  return make_error(pst::kTokenClaims, std::string(name));
}

// A member of the claims; a name with dots leads into objects where no member has it whole.
const Json* find_claim(const Json& claims, std::string_view name) {
  const auto whole = claims.find(name);
  if (whole != claims.end()) return &*whole;
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return nullptr;
  const auto outer = claims.find(name.substr(0, dot));
  if (outer == claims.end() || !outer->is_object()) return nullptr;
  return find_claim(*outer, name.substr(dot + 1));
}

// Empty where the configuration does not ask for it or the token does not have it. A number is a
// text too: tenants often are.
Result<std::string> text_claim(const Json& claims, const std::string& name) {
  if (name.empty()) return std::string();
  const Json* claim = find_claim(claims, name);
  if (claim == nullptr) return std::string();
  if (claim->is_number_integer()) return claim->dump();
  if (!claim->is_string()) return bad_claim(name);
  auto text = claim->get<std::string>();
  const bool good = !text.empty() && text.size() <= 255 && text.find('\0') == std::string::npos;
  if (!good) return bad_claim(name);
  return text;
}

Result<std::vector<std::string>> roles_claim(const Json& claims, const std::string& name) {
  std::vector<std::string> roles;
  const Json* claim = name.empty() ? nullptr : find_claim(claims, name);
  if (claim == nullptr) return roles;
  if (!claim->is_array() || claim->size() > kMaxTokenRoles) return bad_claim(name);
  for (const Json& role : *claim) {
    if (!role.is_string()) return bad_claim(name);
    roles.push_back(role.get<std::string>());
    const std::string& text = roles.back();
    const bool good =
        !text.empty() && text.size() <= kMaxRoleBytes && text.find('\0') == std::string::npos;
    if (!good) return bad_claim(name);
  }
  return roles;
}

// Seconds since 1970 (RFC 7519 section 2, NumericDate); nullopt: not there.
Result<std::optional<std::int64_t>> time_claim(const Json& claims, std::string_view name) {
  using Answer = std::optional<std::int64_t>;
  const auto it = claims.find(name);
  if (it == claims.end()) return Answer();
  if (!it->is_number()) return bad_claim(name);
  const auto seconds = it->get<double>();
  if (!(seconds >= 0 && seconds < kMaxSeconds)) return bad_claim(name);
  return Answer(static_cast<std::int64_t>(std::floor(seconds * kMicros)));
}

bool holds(const Json& claims, std::string_view name, const std::string& wanted) {
  const auto it = claims.find(name);
  if (it == claims.end()) return false;
  if (it->is_string()) return it->get<std::string>() == wanted;
  return it->is_array() && std::find(it->begin(), it->end(), Json(wanted)) != it->end();
}

std::int64_t micros(config::Millis span) {
  constexpr std::int64_t kPerMilli = 1'000;
  return span.count() * kPerMilli;
}

// Issuer, audience and times (RFC 7519 section 4.1). The end, leeway included.
Result<std::int64_t> check_registered(const Json& claims, const config::JwtOptions& options,
                                      std::int64_t now_us) {
  if (text_member(claims, "iss") != options.issuer || !holds(claims, "aud", options.audience)) {
    return make_error(pst::kTokenIssuer);
  }
  POSTERN_ASSIGN(const auto expires, time_claim(claims, "exp"));
  POSTERN_ASSIGN(const auto begins, time_claim(claims, "nbf"));
  POSTERN_ASSIGN(const auto issued, time_claim(claims, "iat"));
  if (!expires) return bad_claim("exp");
  const std::int64_t leeway = micros(options.leeway);
  if (now_us >= *expires + leeway) return make_error(pst::kTokenExpired);
  if (begins && now_us < *begins - leeway) return make_error(pst::kTokenNotYet);
  if (issued && now_us < *issued - leeway) return make_error(pst::kTokenNotYet);
  if (*expires - now_us > micros(options.max_age) + leeway) {
    return make_error(pst::kTokenClaims, "exp is later than identity.jwt.max_age allows");
  }
  return *expires + leeway;
}

Result<TokenIdentity> identity_of(const Json& claims, const config::JwtOptions& options,
                                  std::int64_t until_us) {
  TokenIdentity out;
  out.valid_until_us = until_us;
  POSTERN_ASSIGN(out.login, text_claim(claims, options.login_claim));
  POSTERN_ASSIGN(out.tenant, text_claim(claims, options.tenant_claim));
  POSTERN_ASSIGN(out.subject, text_claim(claims, options.subject_claim));
  POSTERN_ASSIGN(out.purpose, text_claim(claims, options.purpose_claim));
  POSTERN_ASSIGN(out.roles, roles_claim(claims, options.roles_claim));
  return out;
}

/// The three parts of a compact token, and what the signature is over.
struct Parts {
  std::string_view header;
  std::string_view claims;
  std::string_view signature;
  std::string_view signed_part;
};

std::optional<Parts> split(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  if (token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
  return Parts{token.substr(0, first), token.substr(first + 1, second - first - 1),
               token.substr(second + 1), token.substr(0, second)};
}

std::optional<Json> decode_object(std::string_view part) {
  const auto bytes = crypto::base64url_decode(part);
  return bytes ? parse_object(*bytes) : std::nullopt;
}

}  // namespace

Result<KeySet> KeySet::parse(std::string_view json) {
  if (json.size() > kMaxKeySetBytes) return unusable("it is too long");
  const auto set = parse_object(json);
  if (!set || !set->contains("keys") || !set->at("keys").is_array()) {
    return unusable("it is no key set");
  }
  KeySet out;
  for (const Json& jwk : set->at("keys")) {
    if (!jwk.is_object()) return unusable("a key is no object");
    if (!verifies_signatures(jwk)) continue;
    const std::string kid = text_member(jwk, "kid").value_or("");
    const std::string name = "key \"" + kid + "\"";
    const auto algorithm = crypto::jws_algorithm(text_member(jwk, "alg").value_or(""));
    if (!algorithm) return unusable(name + " has no alg of EdDSA, ES256, RS256, HS256");
    auto key = make_key(jwk, *algorithm);
    if (!key) return unusable(name + " is malformed, too short, or not of its alg");
    const bool twice = std::any_of(out.keys_.begin(), out.keys_.end(),
                                   [&](const Entry& entry) { return entry.kid == kid; });
    if (twice) return unusable(name + " stands twice");
    out.keys_.push_back({kid, std::move(*key)});
  }
  if (out.keys_.empty()) return unusable("it has no key for signatures");
  if (out.keys_.size() > kMaxKeys) return unusable("it has too many keys");
  const bool nameless = std::any_of(out.keys_.begin(), out.keys_.end(),
                                    [](const Entry& entry) { return entry.kid.empty(); });
  if (nameless && out.keys_.size() > 1)
    return unusable("a key has no kid, and is not the only one");
  return out;
}

Result<const crypto::JwsKey*> KeySet::find(const std::optional<std::string>& kid) const {
  if (!kid) {
    if (keys_.size() == 1) return &keys_.front().key;
    return make_error(pst::kTokenKeyUnknown, "it names no kid");
  }
  const auto it = std::find_if(keys_.begin(), keys_.end(),
                               [&](const Entry& entry) { return entry.kid == *kid; });
  if (it == keys_.end() || it->kid.empty()) return make_error(pst::kTokenKeyUnknown);
  return &it->key;
}

Result<std::shared_ptr<const TokenVerifier>> TokenVerifier::open(
    const config::JwtOptions& options) {
  Result<Bytes> text = config::read_whole_file(options.jwks_file.path, kMaxKeySetBytes);
  if (!text) return unusable("its file cannot be read");
  auto keys = KeySet::parse(*text);
  wipe(*text);
  if (!keys) return keys.error();
  return std::make_shared<const TokenVerifier>(options, std::move(*keys));
}

Result<TokenIdentity> TokenVerifier::verify(std::string_view token, std::int64_t now_us) const {
  const auto parts = token.size() <= kMaxTokenBytes ? split(token) : std::nullopt;
  if (!parts) return make_error(pst::kTokenMalformed);
  const auto header = decode_object(parts->header);
  const auto signature = crypto::base64url_decode(parts->signature);
  if (!header || !signature) return make_error(pst::kTokenMalformed);
  // Extensions that must be understood (RFC 7515 section 4.1.11): none are.
  if (header->contains("crit")) return make_error(pst::kTokenMalformed, "crit");
  const auto algorithm = crypto::jws_algorithm(text_member(*header, "alg").value_or(""));
  if (!algorithm) return make_error(pst::kTokenAlgorithm);
  if (header->contains("kid") && !text_member(*header, "kid")) {
    return make_error(pst::kTokenMalformed, "kid");
  }
  POSTERN_ASSIGN(const crypto::JwsKey* key, keys_.find(text_member(*header, "kid")));
  if (key->algorithm() != *algorithm) return make_error(pst::kTokenAlgorithm);
  if (!key->verifies(parts->signed_part, *signature)) return make_error(pst::kTokenSignature);
  const auto claims = decode_object(parts->claims);
  if (!claims) return make_error(pst::kTokenMalformed);
  POSTERN_ASSIGN(const std::int64_t until, check_registered(*claims, options_, now_us));
  return identity_of(*claims, options_, until);
}

}  // namespace postern::proxy
