#include "proxy/net/peer_certificate.hpp"

#include <memory>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace postern::proxy {
namespace {

std::optional<std::string> common_name(X509_NAME* subject) {
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return std::string();
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return std::nullopt;
  std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  if (name.find('\0') != std::string::npos) return std::nullopt;
  return name;
}

std::optional<std::string> distinguished_name(X509_NAME* subject) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
  if (out == nullptr || X509_NAME_print_ex(out.get(), subject, 0, XN_FLAG_RFC2253) < 0) {
    return std::nullopt;
  }
  const char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  std::string name(text, static_cast<std::size_t>(size));
  if (name.find('\0') != std::string::npos) return std::nullopt;
  return name;
}

}  // namespace

std::optional<PeerCertificate> read_peer_certificate(ssl_st* ssl) {
  const std::unique_ptr<X509, decltype(&X509_free)> peer(SSL_get1_peer_certificate(ssl), X509_free);
  const bool verified =
      SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(ssl) == X509_V_OK;
  if (peer == nullptr || !verified) return std::nullopt;
  X509_NAME* subject = X509_get_subject_name(peer.get());
  auto cn = common_name(subject);
  auto dn = distinguished_name(subject);
  if (!cn || !dn) return std::nullopt;
  return PeerCertificate{std::move(*cn), std::move(*dn)};
}

}  // namespace postern::proxy
