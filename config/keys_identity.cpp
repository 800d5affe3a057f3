// Rows of identity and alerts.
#include "config/key.hpp"

namespace postern::config {
namespace {

using enum Reload;
using enum Need;

constexpr std::string_view kSources[] = {"login",   "certificate", "jwt",
                                         "startup", "set",         "comment"};
constexpr std::string_view kFields[] = {"uri", "dns", "email", "cn", "dn"};
constexpr Millis kMinute{60'000};
constexpr Millis kDay{86'400'000};
constexpr std::size_t kMaxClaimName = 64;

}  // namespace

std::span<const std::string_view> identity_source_names() {
  return kSources;
}

KeyRows keys_of(IdentityOptions& o) {
  return {
      {"sources", TextsKey{&o.sources}, kYes,
       "in order, of \"login\", \"certificate\", \"jwt\", \"startup\", \"set\", \"comment\": the "
       "first that names a tenant decides, and none may name another"},
      {"map", list(o.maps), kYes,
       "tenant and subject of a client certificate: the first that fits"},
      {"jwt", section(o.jwt), kYes, "tokens that name login, tenant, subject and roles"},
  };
}

KeyRows keys_of(IdentityMapEntry& o) {
  return {
      {"field", choice(o.field, kFields), kYes,
       "what of the certificate is looked at: an alternative name or a name of the subject",
       kRequired},
      {"match", TextKey{&o.match, 256}, kYes,
       "the name; behind \"/\" a regular expression for the whole name", kRequired},
      {"tenant", TextKey{&o.tenant, 63}, kYes, "\\1 to \\9 stand for the expression's groups"},
      {"subject", TextKey{&o.subject, 255}, kYes, "end user; likewise"},
  };
}

KeyRows keys_of(JwtOptions& o) {
  return {
      {"jwks_file", PathKey{&o.jwks_file}, kYes,
       "JSON Web Key Set of the issuer; every key needs `alg`: EdDSA, ES256, RS256 or HS256",
       kRequired},
      {"issuer", TextKey{&o.issuer, 512}, kYes, "what `iss` has to be", kRequired},
      {"audience", TextKey{&o.audience, 512}, kYes, "what `aud` has to be or hold", kRequired},
      {"leeway", DurationKey{&o.leeway, Millis(0), 10 * kMinute}, kYes,
       "by which clocks may differ"},
      {"max_age", DurationKey{&o.max_age, Millis(1'000), 30 * kDay}, kYes,
       "a token that is valid for longer from now is refused"},
      {"tenant_claim", TextKey{&o.tenant_claim, kMaxClaimName}, kYes,
       "claim that names the tenant; empty: tokens name none"},
      {"subject_claim", TextKey{&o.subject_claim, kMaxClaimName}, kYes,
       "claim that names the end user"},
      {"roles_claim", TextKey{&o.roles_claim, kMaxClaimName}, kYes,
       "claim with the end user's roles: a list of texts"},
      {"purpose_claim", TextKey{&o.purpose_claim, kMaxClaimName}, kYes,
       "claim with the purpose, for the access log"},
      {"login_claim", TextKey{&o.login_claim, kMaxClaimName}, kYes,
       "claim that has to equal the login where a rule says \"jwt\"; empty: the rule alone "
       "decides"},
  };
}

KeyRows keys_of(AlertsOptions& o) {
  return {
      {"webhook", TextKey{&o.webhook, 2048}, kNo, "http or https URL; absent: counted and logged"},
      {"secret", SecretKey{&o.secret}, kNo, "signs requests: HMAC-SHA-256, at least 32 bytes"},
      {"secret_file", SecretFileKey{&o.secret}, kNo, "file with the secret"},
      {"ca_file", PathKey{&o.ca_file}, kNo,
       "authorities of an https webhook; absent: the system's"},
      {"timeout", DurationKey{&o.timeout, Millis(100), kMinute}, kNo, "of one request"},
      {"backoff", DurationKey{&o.backoff, Millis(10), 10 * kMinute}, kNo,
       "before the second attempt, doubled for each further one"},
      {"attempts", NumberKey{&o.attempts, 1, 20}, kNo, "then the alert is given up and counted"},
      {"queue", NumberKey{&o.queue, 1, 100'000}, kNo,
       "alerts that may wait; more are dropped and counted"},
      {"repeat_after", DurationKey{&o.repeat_after, Millis(0), kDay}, kNo,
       "the same rule and fingerprint is told again after this, with the count of what came "
       "between"},
  };
}

}  // namespace postern::config
