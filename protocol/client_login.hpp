// A client logs in to us: from the first byte to AuthenticationOk, as a state machine.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "protocol/framer.hpp"
#include "protocol/password.hpp"
#include "protocol/scram.hpp"
#include "protocol/startup.hpp"

namespace postern::protocol {

/// kRefuse answers SSLRequest with 'N', kOffer and kRequire with 'S'; kRequire refuses sessions
/// (not cancel requests) without TLS.
enum class TlsPolicy : std::uint8_t { kRefuse, kOffer, kRequire };

/// The `replication` startup parameter. The caller decides whether it can serve it.
enum class Replication : std::uint8_t { kNone, kPhysical, kLogical };

/// What the client asked for. Owned: independent of any buffer.
struct LoginRequest {
  Bytes user;      ///< never empty
  Bytes database;  ///< the user's name where the client named none
  Replication replication = Replication::kNone;
  std::uint16_t minor = 0;  ///< of the protocol in use from now on: 0 or 2
  /// Everything but user, database, replication and `_pq_.` options, in order; names may repeat
  /// (the last wins). Untrusted: never apply them to a service connection.
  std::vector<std::pair<Bytes, Bytes>> parameters;
};

/// A request to cancel the query of another session. Answer nothing; close.
struct CancelOrder {
  std::uint32_t pid = 0;
  Secret key;  ///< 4 to 256 bytes; compare in constant time
};

/// The caller's answers to kLookupUser.
struct TrustUser {};  ///< no password asked
struct KnownUser {
  ScramSecret secret;
};  ///< SCRAM-SHA-256 against this secret
struct UnknownUser {};  ///< mock exchange that fails at its end
struct PasswordUser {
  StoredPassword stored;
};  ///< password in clear, over TLS only
struct Md5User {
  Secret hash;
};  ///< MD5 challenge against md5_hash(); empty: fails
struct TokenUser {
  std::function<Status(ByteView)> verify;
};  ///< a token in place of the password, over TLS or a unix socket; its errors end the login
struct RejectUser {
  Error error;
};  ///< end the login with this error now
using UserAnswer =
    std::variant<TrustUser, KnownUser, UnknownUser, PasswordUser, Md5User, TokenUser, RejectUser>;

/// What an authenticated client gave away about its password: for logging in elsewhere in its name.
/// At most one is there.
struct LoginProof {
  std::optional<ScramPass> scram;
  Secret password;
};

/// The machine. It neither reads nor writes; its driver loops:
///
///   LoginStep step = login.advance(unread, out);
///   drop step.consumed bytes from the front of unread; write out;
///   kRead        read more until unread has step.need bytes, then advance
///   kUpgradeTls  do the TLS handshake, login.tls_established(...), advance with an empty buffer
///   kLookupUser  login.answer(...), then advance (unread may be empty)
///   kAuthenticated  take_request(); AuthenticationOk is in `out`; the session follows with
///                ParameterStatus, BackendKeyData and ReadyForQuery
///   kCancel      take_cancel(), close after acting on it
///   kFailed      error() for the log; `out` holds the ErrorResponse; close after writing it
///
/// Not for use from several threads at once. After kAuthenticated, kCancel and kFailed the machine
/// must not be advanced.
struct LoginStep {
  enum class Kind : std::uint8_t {
    kRead,
    kUpgradeTls,
    kLookupUser,
    kAuthenticated,
    kCancel,
    kFailed
  };
  Kind kind = Kind::kRead;
  std::size_t consumed = 0;  ///< bytes of `unread` used up
  std::size_t need = 0;      ///< kRead: unread bytes needed in total (after dropping `consumed`)
};

class ClientLogin {
 public:
  struct Options {
    TlsPolicy tls = TlsPolicy::kRefuse;
    const ScramPrimitives* primitives = nullptr;  ///< must outlive the machine
    Bytes mock_key;  ///< secret of this installation, see mock_scram_secret
    std::uint32_t mock_iterations = kScramIterations;
    Md5 md5 = nullptr;   ///< needed with Md5User
    bool local = false;  ///< a unix socket: nobody else can read it
  };
  explicit ClientLogin(Options options);

  LoginStep advance(ByteView unread, Bytes& out);
  /// Instead of the first advance(): the connection begins with TLS (protocol-flow.html, direct
  /// SSL). Do the handshake, then tls_established(). An encryption request inside is refused.
  void begin_direct_tls();
  /// After kUpgradeTls. `channel_binding` is the tls-server-end-point hash of our certificate;
  /// with it SCRAM-SHA-256-PLUS is offered, empty leaves it out.
  void tls_established(Bytes channel_binding = {});
  /// After kLookupUser, exactly once.
  void answer(UserAnswer answer);

  [[nodiscard]] bool encrypted() const { return encrypted_; }
  /// Valid from kLookupUser on.
  [[nodiscard]] const LoginRequest& request() const { return request_; }
  [[nodiscard]] LoginRequest take_request() { return std::move(request_); }
  /// After kAuthenticated, once.
  [[nodiscard]] LoginProof take_proof() { return std::move(proof_); }
  [[nodiscard]] CancelOrder take_cancel() { return std::move(cancel_); }
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  enum class State : std::uint8_t {
    kStartup,
    kTlsHandshake,
    kAwaitAnswer,
    kAnswered,
    kSaslInitial,
    kSaslResponse,
    kPassword,
    kToken,
    kMd5Password,
    kDone
  };
  // One frame handled: what the driver must do now, or nullopt to go on with the next frame.
  using Outcome = Result<std::optional<LoginStep::Kind>>;
  LoginStep fail(Error error, std::size_t consumed, Bytes& out);
  Outcome on_frame(const Frame& frame, ByteView behind, Bytes& out);
  Outcome on_startup(const Frame& frame, ByteView behind, Bytes& out);
  Outcome on_ssl_request(ByteView behind, Bytes& out);
  Outcome on_gss_request(ByteView behind, Bytes& out);
  Outcome on_session(const StartupMessage& message, Bytes& out);
  Outcome on_answer(Bytes& out);
  Outcome start_scram(ScramServer::Credential credential, ScramSecret secret, Bytes& out);
  Outcome start_password(StoredPassword stored, Bytes& out);
  Outcome start_token(TokenUser user, Bytes& out);
  Outcome start_md5(Secret hash, Bytes& out);
  Outcome on_password(ByteView body, Bytes& out);
  Outcome on_token(ByteView body, Bytes& out);
  Outcome on_md5_password(ByteView body, Bytes& out);
  Outcome admit(Bytes& out);
  [[nodiscard]] Result<bool> fits(ByteView password) const;
  [[nodiscard]] Result<ScramSecret> mock() const;
  Outcome on_sasl_initial(ByteView body, Bytes& out);
  Outcome on_sasl_response(ByteView body, Bytes& out);
  [[nodiscard]] Error framing_failure(ByteView unread, Error error) const;
  [[nodiscard]] Error login_failure(Error error) const;

  Options options_;
  Framer framer_;
  State state_ = State::kStartup;
  bool ssl_asked_ = false;
  bool gss_asked_ = false;
  bool encrypted_ = false;
  Bytes channel_binding_;
  LoginRequest request_;
  CancelOrder cancel_;
  std::optional<UserAnswer> answer_;
  std::optional<ScramServer> scram_;
  StoredPassword stored_;
  TokenUser token_;
  Bytes md5_salt_;
  LoginProof proof_;
  Error error_;
};

}  // namespace postern::protocol
