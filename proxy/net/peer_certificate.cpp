#include "proxy/net/peer_certificate.hpp"

#include <ctime>
#include <memory>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

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

void add_name(std::vector<std::string>& names, const ASN1_IA5STRING* name) {
  const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name));
  std::string copy(text, static_cast<std::size_t>(ASN1_STRING_length(name)));
  if (!copy.empty() && copy.find('\0') == std::string::npos) names.push_back(std::move(copy));
}

void add_alternative_names(X509* peer, PeerCertificate& out) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(peer, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  const int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names.get());
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) add_name(out.uris, name->d.uniformResourceIdentifier);
    if (name->type == GEN_DNS) add_name(out.dns, name->d.dNSName);
    if (name->type == GEN_EMAIL) add_name(out.emails, name->d.rfc822Name);
  }
}

// 0 where it cannot be read, which the verified chain rules out.
std::int64_t end_of_validity(const X509* peer) {
  std::tm time{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(peer), &time) != 1) return 0;
  constexpr std::int64_t kMicros = 1'000'000;
  return static_cast<std::int64_t>(timegm(&time)) * kMicros;
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
  PeerCertificate certificate{std::move(*cn), std::move(*dn), {}, {}, {}, 0};
  add_alternative_names(peer.get(), certificate);
  certificate.not_after_us = end_of_validity(peer.get());
  return certificate;
}

}  // namespace postern::proxy
