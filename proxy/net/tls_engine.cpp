#include "proxy/net/tls_engine.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/codes/net.hpp"

namespace postern::proxy {

/// OpenSSL's view of an engine: a BIO that reads from its input and appends to its output. Memory
/// BIOs of OpenSSL would copy once more and never give memory back.
struct TlsBio {
  static TlsEngine& engine(BIO* bio) { return *static_cast<TlsEngine*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, std::size_t size, std::size_t* moved) {
    BIO_clear_retry_flags(bio);
    *moved = engine(bio).take_input({into, size});
    if (*moved > 0) return 1;
    BIO_set_retry_read(bio);
    return 0;
  }

  static int write(BIO* bio, const char* from, std::size_t size, std::size_t* moved) {
    BIO_clear_retry_flags(bio);
    engine(bio).out_.append(from, size);
    *moved = size;
    return 1;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static const BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "postern");
      BIO_meth_set_read_ex(m, read);
      BIO_meth_set_write_ex(m, write);
      BIO_meth_set_ctrl(m, control);
      return m;
    }();
    return made;
  }

  static BIO* make(TlsEngine* engine) {
    BIO* bio = BIO_new(method());
    if (bio == nullptr) return nullptr;
    BIO_set_data(bio, engine);
    BIO_set_init(bio, 1);
    return bio;
  }
};

namespace {

constexpr std::string_view kAlpnName = "postgresql";

bool is_ip_address(const std::string& host) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(host.c_str());
  ASN1_OCTET_STRING_free(address);
  ERR_clear_error();
  return address != nullptr;
}

}  // namespace

void TlsEngine::Free::operator()(ssl_st* ssl) const noexcept {
  SSL_free(ssl);
}

TlsEngine::~TlsEngine() = default;

Result<std::unique_ptr<TlsEngine>> TlsEngine::create(const TlsContext& context,
                                                     const std::string& host) {
  ERR_clear_error();
  std::unique_ptr<TlsEngine> engine(new TlsEngine);
  engine->ssl_.reset(SSL_new(context.native()));
  BIO* bio = engine->ssl_ == nullptr ? nullptr : TlsBio::make(engine.get());
  if (bio == nullptr) return make_error(pst::kTlsHandshake, take_openssl_error());
  SSL_set_bio(engine->ssl_.get(), bio, bio);  // takes ownership
  if (context.role() == TlsContext::Role::kServer) {
    SSL_set_accept_state(engine->ssl_.get());
    return engine;
  }
  SSL_set_connect_state(engine->ssl_.get());
  POSTERN_TRY(engine->set_host(context, host));
  return engine;
}

Status TlsEngine::set_host(const TlsContext& context, const std::string& host) {
  if (host.empty()) {
    if (!context.verifies_host()) return ok();
    return make_error(pst::kTlsSettings, "verify-full without a host name");
  }
  SSL* ssl = ssl_.get();
  const bool ip = is_ip_address(host);
  bool done = ip || SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
  if (context.verifies_host() && ip) {
    done = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  } else if (context.verifies_host()) {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    done = done && SSL_set1_host(ssl, host.c_str()) == 1;
  }
  if (!done) return make_error(pst::kTlsSettings, "host: " + take_openssl_error());
  return ok();
}

void TlsEngine::feed(ByteView ciphertext) {
  keep(ciphertext);
}

Result<TlsEngine::Handshake> TlsEngine::handshake() {
  if (failed_) return *failed_;
  if (open_) return Handshake::kDone;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    open_ = true;
    return Handshake::kDone;
  }
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return Handshake::kNeedsInput;
  return fail_handshake();
}

Result<std::size_t> TlsEngine::decrypt(ByteView more, std::span<char> into) {
  POSTERN_CHECK(!into.empty());
  if (failed_) return *failed_;
  if (!open_) return make_error(pst::kTlsHandshake, "data before the end of the handshake");
  ERR_clear_error();
  const std::size_t out_before = out_.size();
  more_ = more;
  std::size_t total = 0;
  int result = 1;
  do {
    std::size_t n = 0;
    result = SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &n);
    total += n;
    // To hear from OpenSSL that it wants more costs as much as a small record.
    const bool spent = more_.empty() && wants_input();
    if (spent) break;
  } while (result == 1 && total < into.size());
  note_read_stop(result);
  const ByteView rest = std::exchange(more_, {});
  if (!rest.empty()) keep(rest);
  refuse_renegotiation(out_.size() - out_before);
  // What was decrypted before a failure is authentic: it goes first, the failure with the next
  // call.
  if (total == 0 && failed_) return *failed_;
  return total;
}

void TlsEngine::note_read_stop(int result) {
  if (result == 1) return;
  const int why = SSL_get_error(ssl_.get(), result);
  if (why == SSL_ERROR_WANT_READ) return;
  if (why == SSL_ERROR_ZERO_RETURN) {
    peer_closed_ = true;
  } else {
    set_failed(pst::kTlsProtocol, take_openssl_error());
  }
}

/// OpenSSL answers each request for renegotiation with a warning, as often as one is sent. Nothing
/// else makes reading TLS 1.2 produce output (a fatal alert apart), so the first one ends it.
void TlsEngine::refuse_renegotiation(std::size_t replied) {
  if (replied == 0 || failed_ || SSL_version(ssl_.get()) != TLS1_2_VERSION) return;
  set_failed(pst::kTlsProtocol, "the peer asked for renegotiation");
}

bool TlsEngine::wants_input() const {
  return !failed_ && !peer_closed_ && in_begin_ == in_.size() && SSL_pending(ssl_.get()) == 0;
}

Status TlsEngine::end_of_input() {
  if (failed_) return *failed_;
  if (peer_closed_) return ok();
  return fail(pst::kTlsTruncated, open_ ? "" : "during the handshake");
}

Status TlsEngine::encrypt(ByteView plaintext) {
  POSTERN_CHECK(!plaintext.empty() && plaintext.size() <= kMaxRecord);
  if (failed_) return *failed_;
  if (!open_ || closed_) return make_error(pst::kTransportClosed, "no TLS connection to write to");
  ERR_clear_error();
  std::size_t written = 0;
  const int result = SSL_write_ex(ssl_.get(), plaintext.data(), plaintext.size(), &written);
  if (result == 1 && written == plaintext.size()) return ok();
  return fail(pst::kTlsProtocol, take_openssl_error());
}

void TlsEngine::close() {
  if (!open_ || closed_ || failed_) return;
  closed_ = true;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());  // 0 and 1 both mean that close_notify is in the output
  ERR_clear_error();
}

void TlsEngine::sent(std::size_t size) {
  POSTERN_CHECK(size <= out_.size() - out_begin_);
  out_begin_ += size;
  if (out_begin_ < out_.size()) return;
  out_ = Bytes();
  out_begin_ = 0;
}

bool TlsEngine::alpn_agreed() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return ByteView(reinterpret_cast<const char*>(name), size) == kAlpnName;
}

const char* TlsEngine::version() const {
  return SSL_get_version(ssl_.get());
}

Result<Bytes> TlsEngine::channel_binding() const {
  if (SSL_is_server(ssl_.get()) != 0) return server_end_point(SSL_get_certificate(ssl_.get()));
  const std::unique_ptr<X509, decltype(&X509_free)> peer(SSL_get1_peer_certificate(ssl_.get()),
                                                         X509_free);
  return server_end_point(peer.get());
}

std::optional<PeerCertificate> TlsEngine::peer_certificate() const {
  return read_peer_certificate(ssl_.get());
}

void TlsEngine::set_failed(Pst code, std::string what) {
  failed_ = make_error(code, std::move(what));
}

Error TlsEngine::fail(Pst code, std::string what) {
  set_failed(code, std::move(what));
  return *failed_;
}

Error TlsEngine::fail_handshake() {
  const std::string reason = take_openssl_error();
  const long verdict = SSL_get_verify_mode(ssl_.get()) == SSL_VERIFY_NONE
                           ? X509_V_OK
                           : SSL_get_verify_result(ssl_.get());
  if (verdict == X509_V_OK) return fail(pst::kTlsHandshake, reason);
  const bool host =
      verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;
  return fail(host ? pst::kTlsHostMismatch : pst::kTlsCertificate,
              X509_verify_cert_error_string(verdict));
}

std::size_t TlsEngine::take_input(std::span<char> into) {
  if (in_begin_ < in_.size()) {
    const std::size_t n = std::min(into.size(), in_.size() - in_begin_);
    std::memcpy(into.data(), in_.data() + in_begin_, n);
    in_begin_ += n;
    if (in_begin_ == in_.size()) {
      in_ = Bytes();
      in_begin_ = 0;
    }
    return n;
  }
  const std::size_t n = std::min(into.size(), more_.size());
  if (n > 0) std::memcpy(into.data(), more_.data(), n);
  more_.remove_prefix(n);
  return n;
}

void TlsEngine::keep(ByteView rest) {
  in_.erase(0, in_begin_);
  in_begin_ = 0;
  in_.append(rest);
}

}  // namespace postern::proxy
