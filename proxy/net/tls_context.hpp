// TLS settings turned into OpenSSL contexts: certificates, trust, and what PostgreSQL allows.
//
// Both roles: TLS 1.2 or newer, no renegotiation, no session tickets or cache, no compression,
// ALPN "postgresql" (protocol-flow.html, "SSL Session Encryption").
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

struct ssl_ctx_st;
struct x509_st;

namespace postern::proxy {

/// libpq's sslmode (libpq-ssl.html, table 34.1).
enum class TlsMode : std::uint8_t { kDisable, kAllow, kPrefer, kRequire, kVerifyCa, kVerifyFull };

/// "disable", "allow", "prefer", "require", "verify-ca", "verify-full"; nullopt otherwise.
std::optional<TlsMode> parse_tls_mode(std::string_view text);

/// What a mode asks for.
struct TlsModeRules {
  bool try_tls;       ///< TLS is asked for (SSLRequest) at some point
  bool plain_first;   ///< a plain connection is tried before TLS
  bool allow_plain;   ///< going on without TLS is acceptable
  bool verify_chain;  ///< the server's certificate must lead to a trusted CA
  bool verify_host;   ///< and name the host connected to
};
TlsModeRules tls_mode_rules(TlsMode mode);

/// How Postern presents itself to its clients.
struct TlsServerSettings {
  std::string cert_file;             ///< PEM: own certificate first, then intermediates
  std::string key_file;              ///< PEM, no passphrase
  std::string client_ca_file;        ///< PEM; empty: clients are not asked for certificates
  bool require_client_cert = false;  ///< needs client_ca_file; else a certificate is optional
};

/// How Postern speaks TLS to PostgreSQL.
struct TlsClientSettings {
  TlsMode mode = TlsMode::kPrefer;
  /// PEM, or "system" for the system's CAs (verify-full only). As in libpq, `require` with a CA
  /// file verifies the chain.
  std::string ca_file;
  std::string cert_file;  ///< own certificate, optional; needs key_file
  std::string key_file;
};

/// An immutable OpenSSL context. Engines made from it keep what they need alive, so it may be
/// replaced at a reload while connections go on. Any thread.
class TlsContext {
 public:
  enum class Role : std::uint8_t { kServer, kClient };

  /// kTlsFileUnreadable, kTlsKeyMismatch, kTlsSettings.
  static Result<TlsContext> server(const TlsServerSettings& settings);
  static Result<TlsContext> client(const TlsClientSettings& settings);

  [[nodiscard]] Role role() const { return role_; }
  /// Client role: the host given to the engine must match the server's certificate.
  [[nodiscard]] bool verifies_host() const { return verify_host_; }
  /// For TlsEngine only.
  [[nodiscard]] ssl_ctx_st* native() const { return ctx_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* ctx) const noexcept;
  };
  TlsContext() = default;
  static Result<TlsContext> make(Role role);

  std::unique_ptr<ssl_ctx_st, Free> ctx_;
  Role role_ = Role::kServer;
  bool verify_host_ = false;
};

/// tls-server-end-point (RFC 5929 section 4.1): the hash of the DER certificate with the hash
/// function of its signature, SHA-256 in place of MD5 and SHA-1. kTlsBinding where the signature
/// has no single hash (Ed25519).
Result<Bytes> server_end_point(x509_st* certificate);

/// The oldest error of this thread's OpenSSL queue as text, without secrets; empties the queue.
std::string take_openssl_error();

}  // namespace postern::proxy
