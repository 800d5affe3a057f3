// The client's side of SCRAM; see scram.hpp.
#include <charconv>

#include "base/codes/auth.hpp"
#include "protocol/base64.hpp"
#include "protocol/scram.hpp"
#include "protocol/scram_text.hpp"

namespace postern::protocol {
namespace {

Error crypto_failed() {
  return make_error(pst::kCryptoFailed);
}

Bytes gs2_header(ScramClient::Binding binding) {
  switch (binding) {
    case ScramClient::Binding::kUsed:
      return "p=tls-server-end-point,,";
    case ScramClient::Binding::kNotOffered:
      return "y,,";
    case ScramClient::Binding::kUnsupported:
      break;
  }
  return "n,,";
}

struct Challenge {
  ByteView nonce;
  Bytes salt;
  std::uint32_t iterations = 0;
};

Result<Challenge> read_challenge(ByteView message) {
  ScramReader in(message);
  Challenge challenge;
  POSTERN_ASSIGN(challenge.nonce, in.attribute('r'));
  POSTERN_ASSIGN(const ByteView salt, in.attribute('s'));
  POSTERN_ASSIGN(const ByteView iterations, in.attribute('i'));
  POSTERN_TRY(in.skip_extensions());
  std::optional<Bytes> raw = from_base64(salt);
  if (!raw || raw->empty() || raw->size() > kMaxScramSaltBytes) return sasl_error("malformed salt");
  challenge.salt = std::move(*raw);
  const char* last = iterations.data() + iterations.size();
  const auto [end, error] = std::from_chars(iterations.data(), last, challenge.iterations);
  if (error != std::errc{} || end != last || challenge.iterations == 0 ||
      challenge.iterations > kMaxScramIterations) {
    return sasl_error("unacceptable iteration count");
  }
  return challenge;
}

}  // namespace

ScramClient::ScramClient(Options options)
    : options_(std::move(options)), gs2_header_(gs2_header(options_.binding)) {
  POSTERN_CHECK(options_.primitives != nullptr);
  POSTERN_CHECK(is_nonce(options_.nonce));
  POSTERN_CHECK((options_.binding == Binding::kUsed) == !options_.channel_binding.empty() ||
                options_.binding == Binding::kNotOffered);
}

ByteView ScramClient::mechanism() const {
  return options_.binding == Binding::kUsed ? kScramSha256Plus : kScramSha256;
}

Result<Bytes> ScramClient::first() {
  if (state_ != State::kFirst) return sasl_error("message out of order");
  state_ = State::kRespond;
  first_bare_ = "n=" + escape_name(options_.user) + ",r=" + options_.nonce;
  return gs2_header_ + first_bare_;
}

Result<Bytes> ScramClient::respond(ByteView message) {
  if (state_ != State::kRespond) return sasl_error("message out of order");
  state_ = State::kDone;  // until proven sound
  POSTERN_ASSIGN(const Challenge challenge, read_challenge(message));
  const ByteView nonce = challenge.nonce;
  const bool extended = nonce.size() > options_.nonce.size() && is_nonce(nonce);
  if (!extended || !nonce.starts_with(options_.nonce)) {
    return sasl_error("server nonce does not continue ours");
  }
  POSTERN_ASSIGN(const ScramClientKeys keys, keys_for(challenge.salt, challenge.iterations));
  Bytes binding = gs2_header_;
  if (options_.binding == Binding::kUsed) binding += options_.channel_binding;
  Bytes without_proof = "c=" + to_base64(binding) + ",r=" + Bytes(nonce);
  auth_message_ = first_bare_ + "," + Bytes(message) + "," + without_proof;
  POSTERN_ASSIGN(Bytes reply, prove(keys, std::move(without_proof)));
  state_ = State::kVerify;
  return reply;
}

Result<ScramClientKeys> ScramClient::keys_for(ByteView salt, std::uint32_t iterations) const {
  const auto& pass = options_.pass;
  if (pass && pass->salt == salt && pass->iterations == iterations) return pass->keys;
  if (options_.password.empty()) return make_error(pst::kUpstreamSecretDiffers);
  return derive_scram_keys(*options_.primitives, options_.password.reveal(), salt, iterations);
}

Result<Bytes> ScramClient::prove(const ScramClientKeys& keys, Bytes without_proof) {
  const ScramPrimitives& p = *options_.primitives;
  ScramKey stored_key;
  ScramKey proof;
  const bool good =
      p.sha256(keys.client_key.reveal(), stored_key.data()) &&
      p.hmac_sha256(stored_key.reveal(), auth_message_, proof.data()) &&
      p.hmac_sha256(keys.server_key.reveal(), auth_message_, expected_signature_.data());
  if (!good) return crypto_failed();
  const ByteView client_key = keys.client_key.reveal();
  for (std::size_t i = 0; i < kScramKeyBytes; ++i) proof.data()[i] ^= client_key[i];
  return without_proof + ",p=" + to_base64(proof.reveal());
}

Status ScramClient::verify(ByteView message) {
  if (state_ != State::kVerify) return sasl_error("message out of order");
  state_ = State::kDone;
  ScramReader in(message);
  if (message.starts_with("e=")) return sasl_error("the server reports a SCRAM error");
  POSTERN_ASSIGN(const ByteView text, in.attribute('v'));
  POSTERN_TRY(in.skip_extensions());
  const std::optional<Bytes> signature = from_base64(text);
  if (!signature || !equal_constant_time(*signature, expected_signature_.reveal())) {
    return make_error(pst::kUpstreamNotProven);
  }
  return ok();
}

}  // namespace postern::protocol
