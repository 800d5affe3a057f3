// We log in to a PostgreSQL server: from the first byte to the first ReadyForQuery, as a state
// machine.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "protocol/auth.hpp"
#include "protocol/error_message.hpp"
#include "protocol/framer.hpp"
#include "protocol/password.hpp"
#include "protocol/scram.hpp"

namespace postern::protocol {

/// libpq's sslmode as far as the protocol is concerned; certificates are checked by the TLS layer.
enum class SslMode : std::uint8_t { kDisable, kPrefer, kRequire };

/// Reports of a server during login, beyond which it is refused.
inline constexpr std::size_t kMaxParameterReports = 256;

/// What the server said while logging us in. Owned.
struct ServerFacts {
  std::vector<std::pair<Bytes, Bytes>> parameters;  ///< ParameterStatus, last value per name
  std::uint32_t pid = 0;                            ///< 0 where the server sent no key
  Secret cancel_key;                                ///< empty likewise
  std::uint16_t minor = 0;                          ///< protocol minor version in use
  /// Value of a parameter, empty where not reported. Valid as long as this object is unchanged.
  [[nodiscard]] ByteView parameter(ByteView name) const;
};

/// What the driver must do next; `consumed` bytes of `unread` are used up, `out` is to be written
/// first in every case.
struct ServerStep {
  enum class Kind : std::uint8_t {
    kRead,         ///< read until `need` unread bytes are there, then advance
    kReadOneByte,  ///< read exactly one byte (never more: CVE-2021-23222), then advance
    kUpgradeTls,   ///< TLS handshake, tls_established(...), then advance with an empty buffer
    kReady,        ///< take_facts(); the connection is idle, unread is empty
    kFailed,       ///< error() and, where the server sent one, server_error(); close
  };
  Kind kind = Kind::kRead;
  std::size_t consumed = 0;
  std::size_t need = 0;
};

/// Call `advance({}, out)` first; see ServerStep for what follows. Not for use from several threads
/// at once. Not to be advanced after kReady or kFailed.
class ServerLogin {
 public:
  struct Options {
    SslMode ssl = SslMode::kPrefer;
    Bytes user;
    Bytes database;
    Secret password;                                  ///< empty: `pass`, or nothing to prove with
    std::optional<ScramPass> pass;                    ///< for SCRAM, where it fits the server
    std::vector<std::pair<Bytes, Bytes>> parameters;  ///< further startup parameters
    std::uint16_t minor = 0;                          ///< 0 or 2
    const ScramPrimitives* primitives = nullptr;      ///< must outlive the machine
    WeakMethod cleartext = WeakMethod::kNever;        ///< AuthenticationCleartextPassword
    WeakMethod md5_password = WeakMethod::kNever;     ///< AuthenticationMD5Password
    Md5 md5 = nullptr;                                ///< needed with md5_password
  };
  explicit ServerLogin(Options options);

  ServerStep advance(ByteView unread, Bytes& out);
  /// After kUpgradeTls. `channel_binding` is the tls-server-end-point hash of the server's
  /// certificate; with it SCRAM-SHA-256-PLUS is used where the server offers it.
  void tls_established(Bytes channel_binding = {});

  [[nodiscard]] bool encrypted() const { return encrypted_; }
  [[nodiscard]] ServerFacts take_facts() { return std::move(facts_); }
  /// Never holds text a server sent before TLS (CVE-2024-10977).
  [[nodiscard]] const Error& error() const { return error_; }
  /// The server's own ErrorResponse, where it caused kFailed.
  [[nodiscard]] const std::optional<OwnedErrorFields>& server_error() const {
    return server_error_;
  }

 private:
  enum class State : std::uint8_t {
    kStart,
    kSslReply,
    kTlsHandshake,
    kAuthRequest,
    kSaslContinue,
    kSaslFinal,
    kAuthOk,
    kSettling,
    kDone
  };
  using Outcome = Result<std::optional<ServerStep::Kind>>;
  Result<ServerStep> loop(ByteView unread, std::size_t& consumed, Bytes& out);
  Result<std::optional<ServerStep>> on_ssl_reply(ByteView unread);
  Status send_startup(Bytes& out);
  Outcome on_frame(const Frame& frame, Bytes& out);
  Outcome on_ready(ByteView body);
  Status on_authentication(ByteView body, Bytes& out);
  Status on_auth_request(const Authentication& message, Bytes& out);
  Status start_scram(const Authentication& message, Bytes& out);
  [[nodiscard]] Status need_password() const;
  Status send_password(Bytes& out);
  Status send_md5(ByteView salt, Bytes& out);
  Status on_negotiate(ByteView body);
  Status on_parameter(ByteView body);
  Status on_key(ByteView body);
  Error on_error(ByteView body);

  Options options_;
  Framer framer_;
  State state_ = State::kStart;
  bool negotiated_ = false;
  bool encrypted_ = false;
  Bytes channel_binding_;
  std::optional<ScramClient> scram_;
  ServerFacts facts_;
  Error error_;
  std::optional<OwnedErrorFields> server_error_;
};

}  // namespace postern::protocol
