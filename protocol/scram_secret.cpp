#include "protocol/scram_secret.hpp"

#include <algorithm>
#include <charconv>

#include "base/codes/auth.hpp"
#include "protocol/base64.hpp"
#include "protocol/scram.hpp"

namespace postern::protocol {
namespace {

constexpr std::size_t kNonceBytes = 18;  // SCRAM_RAW_NONCE_LEN

Error bad_secret() {
  return make_error(pst::kBadScramSecret);
}

Error crypto_failed() {
  return make_error(pst::kCryptoFailed);
}

/// Cuts `text` at the first `separator`: what was before it is returned, the rest stays.
Result<ByteView> cut(ByteView& text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == ByteView::npos) return bad_secret();
  const ByteView head = text.substr(0, at);
  text.remove_prefix(at + 1);
  return head;
}

Result<ScramKey> parse_key(ByteView text) {
  std::optional<Bytes> bytes = from_base64(text);
  if (!bytes || bytes->size() != kScramKeyBytes) return bad_secret();
  ScramKey key;
  std::copy(bytes->begin(), bytes->end(), key.data());
  wipe(*bytes);
  return key;
}

Result<std::uint32_t> parse_iterations(ByteView text) {
  std::uint32_t iterations = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), iterations);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || iterations == 0 || iterations > kMaxScramIterations) return bad_secret();
  return iterations;
}

Status derive(const ScramPrimitives& p, ScramKey& salted, ScramClientKeys& keys) {
  const bool good = p.hmac_sha256(salted.reveal(), "Client Key", keys.client_key.data()) &&
                    p.hmac_sha256(salted.reveal(), "Server Key", keys.server_key.data());
  if (!good) return crypto_failed();
  return ok();
}

}  // namespace

Result<ScramSecret> ScramSecret::parse(ByteView text) {
  ScramSecret secret;
  POSTERN_ASSIGN(const ByteView mechanism, cut(text, '$'));
  if (mechanism != kScramSha256) return bad_secret();
  POSTERN_ASSIGN(const ByteView iterations, cut(text, ':'));
  POSTERN_ASSIGN(const ByteView salt, cut(text, '$'));
  POSTERN_ASSIGN(const ByteView stored, cut(text, ':'));
  POSTERN_ASSIGN(secret.iterations, parse_iterations(iterations));
  std::optional<Bytes> raw_salt = from_base64(salt);
  if (!raw_salt || raw_salt->empty() || raw_salt->size() > kMaxScramSaltBytes) return bad_secret();
  secret.salt = std::move(*raw_salt);
  POSTERN_ASSIGN(secret.stored_key, parse_key(stored));
  POSTERN_ASSIGN(secret.server_key, parse_key(text));
  return secret;
}

Bytes ScramSecret::format() const {
  return Bytes(kScramSha256) + "$" + std::to_string(iterations) + ":" + to_base64(salt) + "$" +
         to_base64(stored_key.reveal()) + ":" + to_base64(server_key.reveal());
}

Result<ScramClientKeys> derive_scram_keys(const ScramPrimitives& primitives, ByteView password,
                                          ByteView salt, std::uint32_t iterations) {
  Bytes normalised;
  const bool prepared = primitives.saslprep(password, normalised);
  const Secret input(prepared ? std::move(normalised) : Bytes(password));
  ScramKey salted;
  if (!primitives.pbkdf2_sha256(input.reveal(), salt, iterations, salted.data())) {
    return crypto_failed();
  }
  ScramClientKeys keys;
  POSTERN_TRY(derive(primitives, salted, keys));
  return keys;
}

Result<ScramSecret> build_scram_secret(const ScramPrimitives& primitives, ByteView password,
                                       ByteView salt, std::uint32_t iterations) {
  if (salt.empty() || salt.size() > kMaxScramSaltBytes) return bad_secret();
  if (iterations == 0 || iterations > kMaxScramIterations) return bad_secret();
  POSTERN_ASSIGN(const ScramClientKeys keys,
                 derive_scram_keys(primitives, password, salt, iterations));
  ScramSecret secret{iterations, Bytes(salt), {}, keys.server_key};
  if (!primitives.sha256(keys.client_key.reveal(), secret.stored_key.data())) {
    return crypto_failed();
  }
  return secret;
}

Result<ScramSecret> mock_scram_secret(const ScramPrimitives& primitives, ByteView mock_key,
                                      ByteView user, std::uint32_t iterations) {
  ScramKey digest;
  if (!primitives.hmac_sha256(mock_key, user, digest.data())) return crypto_failed();
  return ScramSecret{iterations, Bytes(digest.reveal().substr(0, kScramSaltBytes)), {}, {}};
}

Result<Bytes> make_scram_nonce(const ScramPrimitives& primitives) {
  Bytes raw(kNonceBytes, '\0');
  if (!primitives.random_bytes(raw.data(), raw.size())) return crypto_failed();
  return to_base64(raw);
}

}  // namespace postern::protocol
