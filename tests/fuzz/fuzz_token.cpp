// Tokens and key sets: whoever reaches the listener may send a token. A key set is read as well, so
// that both are found by one target. Comments of statements come from clients too.
#include "proxy/identity/claims.hpp"
#include "proxy/identity/token.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::proxy;

namespace {

constexpr std::int64_t kNow = 1'300'000'000'000'000;

// The key of RFC 7515 appendix A.1, so that its token gets past the signature.
const TokenVerifier& verifier() {
  static const TokenVerifier one = [] {
    config::JwtOptions options;
    options.issuer = "joe";
    options.audience = "x";
    auto keys = KeySet::parse(
        R"({"keys":[{"kty":"oct","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-)"
        R"(1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]})");
    return TokenVerifier(options, std::move(*keys));
  }();
  return one;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input = fuzz::view(data, size);
  // Nobody without the key makes a token that is taken: its audience is wrong in the only one.
  POSTERN_CHECK(!verifier().verify(input, kNow).has_value());
  const auto keys = KeySet::parse(input);
  if (keys) (void)TokenVerifier({}, *keys).verify(input, kNow).has_value();
  const auto claims = read_comments(input);
  if (claims && claims->subject) (void)check_claim(*claims->subject).has_value();
  return 0;
}
