#include "proxy/net/tls_context.hpp"

#include <array>
#include <utility>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/codes/net.hpp"

namespace postern::proxy {
namespace {

constexpr std::array<std::pair<std::string_view, TlsMode>, 6> kModes = {{
    {"disable", TlsMode::kDisable},
    {"allow", TlsMode::kAllow},
    {"prefer", TlsMode::kPrefer},
    {"require", TlsMode::kRequire},
    {"verify-ca", TlsMode::kVerifyCa},
    {"verify-full", TlsMode::kVerifyFull},
}};

constexpr std::string_view kSystemCa = "system";
constexpr unsigned char kAlpn[] = "\x0apostgresql";  // length, then name
constexpr unsigned kAlpnSize = sizeof kAlpn - 1;

/// A key with a passphrase must fail instead of asking on the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

/// PostgreSQL 17's rule: no ALPN is fine, ALPN without "postgresql" is not.
int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                unsigned in_size, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kAlpn, kAlpnSize, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Error file_error(const std::string& file) {
  return make_error(pst::kTlsFileUnreadable, file + ": " + take_openssl_error());
}

Status load_key_pair(SSL_CTX* ctx, const std::string& cert_file, const std::string& key_file) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(ctx, cert_file.c_str()) != 1) {
    return file_error(cert_file);
  }
  if (SSL_CTX_use_PrivateKey_file(ctx, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    // OpenSSL checks the key against the certificate while it loads it.
    const bool mismatch = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509;
    const std::string reason = take_openssl_error();
    return make_error(mismatch ? pst::kTlsKeyMismatch : pst::kTlsFileUnreadable,
                      key_file + ": " + reason);
  }
  if (SSL_CTX_check_private_key(ctx) != 1) {
    return make_error(pst::kTlsKeyMismatch, key_file + ": " + take_openssl_error());
  }
  return ok();
}

Status trust_clients(SSL_CTX* ctx, const TlsServerSettings& settings) {
  if (settings.client_ca_file.empty()) {
    if (!settings.require_client_cert) return ok();
    return make_error(pst::kTlsSettings, "client certificates are required without a client CA");
  }
  ERR_clear_error();
  const char* file = settings.client_ca_file.c_str();
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(file);
  if (names == nullptr || SSL_CTX_load_verify_file(ctx, file) != 1) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return file_error(settings.client_ca_file);
  }
  SSL_CTX_set_client_CA_list(ctx, names);  // takes ownership
  const int required = settings.require_client_cert ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE | required, nullptr);
  return ok();
}

Status trust_server(SSL_CTX* ctx, const TlsClientSettings& settings, const TlsModeRules& rules) {
  const bool require_with_ca = settings.mode == TlsMode::kRequire && !settings.ca_file.empty();
  if (!rules.verify_chain && !require_with_ca) return ok();
  if (settings.ca_file.empty()) {
    return make_error(pst::kTlsSettings, "the server's certificate cannot be verified without CA");
  }
  ERR_clear_error();
  if (settings.ca_file == kSystemCa) {
    // Anyone can get a certificate from a public CA, so the name has to be checked as well.
    if (!rules.verify_host) {
      return make_error(pst::kTlsSettings, "the system's CAs without verify-full");
    }
    if (SSL_CTX_set_default_verify_paths(ctx) != 1) return file_error(settings.ca_file);
  } else if (SSL_CTX_load_verify_file(ctx, settings.ca_file.c_str()) != 1) {
    return file_error(settings.ca_file);
  }
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  return ok();
}

}  // namespace

std::optional<TlsMode> parse_tls_mode(std::string_view text) {
  for (const auto& [name, mode] : kModes) {
    if (name == text) return mode;
  }
  return std::nullopt;
}

TlsModeRules tls_mode_rules(TlsMode mode) {
  switch (mode) {
    case TlsMode::kDisable:
      return {.try_tls = false, .plain_first = true, .allow_plain = true};
    case TlsMode::kAllow:
      return {.try_tls = true, .plain_first = true, .allow_plain = true};
    case TlsMode::kPrefer:
      return {.try_tls = true, .plain_first = false, .allow_plain = true};
    case TlsMode::kRequire:
      return {.try_tls = true};
    case TlsMode::kVerifyCa:
      return {.try_tls = true, .verify_chain = true};
    case TlsMode::kVerifyFull:
      break;
  }
  return {.try_tls = true, .verify_chain = true, .verify_host = true};
}

void TlsContext::Free::operator()(ssl_ctx_st* ctx) const noexcept {
  SSL_CTX_free(ctx);
}

Result<TlsContext> TlsContext::make(Role role) {
  ERR_clear_error();
  TlsContext context;
  context.role_ = role;
  context.ctx_.reset(
      SSL_CTX_new(role == Role::kServer ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* ctx = context.native();
  if (ctx == nullptr || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
    return make_error(pst::kTlsSettings, take_openssl_error());
  }
  SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 0);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
  if (role == Role::kServer) {
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, nullptr);
  } else if (SSL_CTX_set_alpn_protos(ctx, kAlpn, kAlpnSize) != 0) {  // 0 is success here
    return make_error(pst::kTlsSettings, take_openssl_error());
  }
  return context;
}

Result<TlsContext> TlsContext::server(const TlsServerSettings& settings) {
  POSTERN_ASSIGN(TlsContext context, make(Role::kServer));
  POSTERN_TRY(load_key_pair(context.native(), settings.cert_file, settings.key_file));
  POSTERN_TRY(trust_clients(context.native(), settings));
  return context;
}

Result<TlsContext> TlsContext::client(const TlsClientSettings& settings) {
  POSTERN_ASSIGN(TlsContext context, make(Role::kClient));
  const TlsModeRules rules = tls_mode_rules(settings.mode);
  context.verify_host_ = rules.verify_host;
  POSTERN_TRY(trust_server(context.native(), settings, rules));
  if (settings.cert_file.empty() != settings.key_file.empty()) {
    return make_error(pst::kTlsSettings, "a client certificate needs its key and the reverse");
  }
  if (!settings.cert_file.empty()) {
    POSTERN_TRY(load_key_pair(context.native(), settings.cert_file, settings.key_file));
  }
  return context;
}

Result<Bytes> server_end_point(x509_st* certificate) {
  int hash = NID_undef;
  if (certificate == nullptr ||
      X509_get_signature_info(certificate, &hash, nullptr, nullptr, nullptr) != 1) {
    return make_error(pst::kTlsBinding, "there is no certificate or its signature is unknown");
  }
  if (hash == NID_md5 || hash == NID_sha1) hash = NID_sha256;
  const EVP_MD* digest = hash == NID_undef ? nullptr : EVP_get_digestbynid(hash);
  if (digest == nullptr) return make_error(pst::kTlsBinding, "its signature names no hash");
  unsigned char value[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(certificate, digest, value, &size) != 1) {
    return make_error(pst::kTlsBinding, take_openssl_error());
  }
  return Bytes(reinterpret_cast<const char*>(value), size);
}

std::string take_openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown reason";
  if (ERR_SYSTEM_ERROR(code)) {
    char text[128] = {};
    ERR_error_string_n(code, text, sizeof text);
    return text;
  }
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

}  // namespace postern::proxy
