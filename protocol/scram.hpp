// SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both sides, as state machines (RFC 5802, RFC 7677, RFC 5929
// tls-server-end-point; src/backend/libpq/auth-scram.c, src/interfaces/libpq/fe-auth-scram.c).
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "protocol/scram_secret.hpp"

namespace postern::protocol {

inline constexpr ByteView kScramSha256 = "SCRAM-SHA-256";
inline constexpr ByteView kScramSha256Plus = "SCRAM-SHA-256-PLUS";

/// The server's side of one exchange: `first`, then `final`, each exactly once.
/// Errors: kSaslMalformed for messages RFC 5802 forbids (also out of order), kAuthFailed for a
/// wrong proof, a mock secret or foreign channel binding, kCryptoFailed. After an error the machine
/// is dead: every call fails.
class ScramServer {
 public:
  /// kMock runs the exchange to its end and fails it there, taking the same time.
  enum class Credential : std::uint8_t { kReal, kMock };

  struct Options {
    const ScramPrimitives* primitives = nullptr;  ///< must outlive the machine
    ScramSecret secret;
    Credential credential = Credential::kReal;
    Bytes nonce;            ///< our half, from make_scram_nonce
    Bytes channel_binding;  ///< hash of our certificate; empty = PLUS was not offered
  };
  explicit ScramServer(Options options);

  /// Takes the chosen mechanism and client-first-message, gives server-first-message.
  Result<Bytes> first(ByteView mechanism, ByteView message);
  /// Takes client-final-message, gives server-final-message: the client is authenticated.
  Result<Bytes> final(ByteView message);
  /// After a successful final(), once: the keys that the proof gave away.
  [[nodiscard]] ScramPass take_pass();

 private:
  enum class State : std::uint8_t { kFirst, kFinal, kDone };
  Status read_first(ByteView mechanism, ByteView message);
  Status read_gs2(ByteView mechanism, ByteView& message);
  Status check_binding(ByteView attribute) const;
  Result<bool> proof_fits(ByteView proof);

  Options options_;
  State state_ = State::kFirst;
  Bytes gs2_header_;
  bool bound_ = false;  // PLUS: the client binds to our certificate
  Bytes nonce_;         // both halves
  Bytes auth_message_;  // grows to client-first-bare,server-first,client-final-without-proof
  ScramKey client_key_;
};

/// The client's side: `first`, `respond`, `verify`, each exactly once. Errors: kSaslMalformed,
/// kUpstreamNotProven where the server's signature is wrong, kCryptoFailed.
class ScramClient {
 public:
  /// What the client knows about channel binding; decides the gs2 flag.
  enum class Binding : std::uint8_t {
    kUnsupported,  ///< 'n': no TLS, or no binding data
    kNotOffered,   ///< 'y': we could, the server did not offer it
    kUsed,         ///< 'p': with `channel_binding`
  };

  struct Options {
    const ScramPrimitives* primitives = nullptr;  ///< must outlive the machine
    Secret password;                              ///< empty: `pass` alone
    Bytes nonce;                                  ///< our half, from make_scram_nonce
    Bytes user;  ///< PostgreSQL ignores it and libpq leaves it empty
    Binding binding = Binding::kUnsupported;
    Bytes channel_binding;                         ///< hash of the server's certificate, for kUsed
    std::optional<ScramPass> pass = std::nullopt;  ///< where the server's salt and iterations fit
  };
  explicit ScramClient(Options options);

  /// The mechanism to name in SASLInitialResponse.
  [[nodiscard]] ByteView mechanism() const;
  /// client-first-message.
  Result<Bytes> first();
  /// Takes server-first-message, gives client-final-message. Runs PBKDF2 (milliseconds) unless
  /// `pass` fits. kUpstreamSecretDiffers: it does not, and there is no password.
  Result<Bytes> respond(ByteView message);
  /// Takes server-final-message; success means that the server knows the secret.
  Status verify(ByteView message);

 private:
  enum class State : std::uint8_t { kFirst, kRespond, kVerify, kDone };
  [[nodiscard]] Result<ScramClientKeys> keys_for(ByteView salt, std::uint32_t iterations) const;
  Result<Bytes> prove(const ScramClientKeys& keys, Bytes without_proof);

  Options options_;
  State state_ = State::kFirst;
  Bytes gs2_header_;
  Bytes first_bare_;
  Bytes auth_message_;
  ScramKey expected_signature_;
};

}  // namespace postern::protocol
