// The server's side of SCRAM; see scram.hpp.
#include <algorithm>

#include "base/codes/auth.hpp"
#include "protocol/base64.hpp"
#include "protocol/scram.hpp"
#include "protocol/scram_text.hpp"

namespace postern::protocol {
namespace {

constexpr ByteView kBindingType = "tls-server-end-point";

Error crypto_failed() {
  return make_error(pst::kCryptoFailed);
}

}  // namespace

ScramServer::ScramServer(Options options) : options_(std::move(options)) {
  POSTERN_CHECK(options_.primitives != nullptr);
  POSTERN_CHECK(is_nonce(options_.nonce));
}

Result<Bytes> ScramServer::first(ByteView mechanism, ByteView message) {
  if (state_ != State::kFirst) return sasl_error("message out of order");
  state_ = State::kDone;  // until proven sound
  POSTERN_TRY(read_first(mechanism, message));
  state_ = State::kFinal;
  Bytes reply = "r=" + nonce_ + ",s=" + to_base64(options_.secret.salt) +
                ",i=" + std::to_string(options_.secret.iterations);
  auth_message_ += "," + reply;
  return reply;
}

Status ScramServer::read_first(ByteView mechanism, ByteView message) {
  POSTERN_TRY(read_gs2(mechanism, message));
  ScramReader in(message);
  POSTERN_TRY(in.attribute('n'));  // PostgreSQL authenticates the user of the startup message
  POSTERN_ASSIGN(const ByteView nonce, in.attribute('r'));
  if (!is_nonce(nonce)) return sasl_error("non-printable characters in nonce");
  POSTERN_TRY(in.skip_extensions());
  nonce_ = Bytes(nonce) + options_.nonce;
  auth_message_ = Bytes(message);
  return ok();
}

// gs2-header: channel binding flag, then an authorization identity, which must be absent. What
// remains in `message` is client-first-message-bare.
Status ScramServer::read_gs2(ByteView mechanism, ByteView& message) {
  const bool offered = !options_.channel_binding.empty();
  bound_ = offered && mechanism == kScramSha256Plus;
  if (!bound_ && mechanism != kScramSha256) return sasl_error("mechanism was not offered");
  const std::size_t flag_end = message.find(',');
  if (flag_end == ByteView::npos) return sasl_error("no channel binding flag");
  const ByteView flag = message.substr(0, flag_end);
  if (bound_ != flag.starts_with("p=")) return sasl_error("flag and mechanism contradict");
  if (bound_ && flag.substr(2) != kBindingType) return sasl_error("unknown channel binding type");
  // The client believes that we cannot bind, but we offered it: someone removed the offer.
  if (flag == "y" && offered) return sasl_error("channel binding was suppressed on the way");
  if (!bound_ && flag != "y" && flag != "n") return sasl_error("unknown channel binding flag");
  if (message.substr(flag_end + 1, 1) != ",") return sasl_error("authorization identity");
  gs2_header_ = Bytes(message.substr(0, flag_end + 2));
  message.remove_prefix(flag_end + 2);
  return ok();
}

Status ScramServer::check_binding(ByteView attribute) const {
  Bytes expected = gs2_header_;
  if (bound_) expected += options_.channel_binding;
  if (equal_constant_time(attribute, to_base64(expected))) return ok();
  // With PLUS a mismatch means another TLS session than ours; without, the header was altered.
  if (bound_) return make_error(pst::kAuthFailed, "channel binding does not match");
  return sasl_error("channel binding attribute differs from the first message");
}

Result<Bytes> ScramServer::final(ByteView message) {
  if (state_ != State::kFinal) return sasl_error("message out of order");
  state_ = State::kDone;
  ScramReader in(message);
  POSTERN_ASSIGN(const ByteView binding, in.attribute('c'));
  POSTERN_ASSIGN(const ByteView nonce, in.attribute('r'));
  POSTERN_TRY(in.skip_extensions('p'));
  const std::size_t proof_at = message.size() - in.rest().size();
  POSTERN_ASSIGN(const ByteView proof_text, in.attribute('p'));
  POSTERN_TRY(in.done());
  if (!equal_constant_time(nonce, nonce_)) return sasl_error("nonce does not match");
  POSTERN_TRY(check_binding(binding));
  std::optional<Bytes> proof = from_base64(proof_text);
  if (!proof || proof->size() != kScramKeyBytes) return sasl_error("malformed proof");
  auth_message_.append(",").append(message.substr(0, proof_at - 1));
  POSTERN_ASSIGN(const bool fits, proof_fits(*proof));
  if (!fits || options_.credential == Credential::kMock) return make_error(pst::kAuthFailed);
  ScramKey signature;
  if (!options_.primitives->hmac_sha256(options_.secret.server_key.reveal(), auth_message_,
                                        signature.data())) {
    return crypto_failed();
  }
  return "v=" + to_base64(signature.reveal());
}

ScramPass ScramServer::take_pass() {
  return {options_.secret.iterations,
          std::move(options_.secret.salt),
          {client_key_, options_.secret.server_key}};
}

// ClientKey = proof XOR HMAC(StoredKey, AuthMessage); its hash must be StoredKey.
Result<bool> ScramServer::proof_fits(ByteView proof) {
  const ScramPrimitives& p = *options_.primitives;
  if (!p.hmac_sha256(options_.secret.stored_key.reveal(), auth_message_, client_key_.data())) {
    return crypto_failed();
  }
  for (std::size_t i = 0; i < kScramKeyBytes; ++i) client_key_.data()[i] ^= proof[i];
  ScramKey hashed;
  if (!p.sha256(client_key_.reveal(), hashed.data())) return crypto_failed();
  return equal_constant_time(hashed.reveal(), options_.secret.stored_key.reveal());
}

}  // namespace postern::protocol
