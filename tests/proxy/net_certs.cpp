#include "tests/proxy/net_certs.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace postern::test {
namespace {

EVP_PKEY* make_key(const std::string& type) {
  if (type == "RSA") return EVP_RSA_gen(2048);
  if (type == "ED25519") return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  return EVP_EC_gen("P-256");
}

void add_extension(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  REQUIRE(extension != nullptr);
  X509_add_ext(cert, extension, -1);
  X509_EXTENSION_free(extension);
}

void save(const std::string& file, X509* cert, EVP_PKEY* key) {
  std::FILE* out = std::fopen(file.c_str(), "w");
  REQUIRE(out != nullptr);
  if (cert != nullptr) PEM_write_X509(out, cert);
  if (key != nullptr) PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(out);
}

}  // namespace

TempFolder::TempFolder() {
  std::string path = std::filesystem::temp_directory_path() / "postern-net-XXXXXX";
  REQUIRE(::mkdtemp(path.data()) != nullptr);
  path_ = path;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

TestCert make_cert(const TempFolder& folder, const CertOptions& options) {
  static long serial = 1;
  TestCert made;
  made.key.reset(make_key(options.key_type));
  made.x509.reset(X509_new());
  X509* cert = made.x509.get();
  X509_set_version(cert, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
  X509_set_pubkey(cert, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(options.name.c_str()), -1, -1,
                             0);
  X509* issuer = options.issuer != nullptr ? options.issuer->x509.get() : cert;
  X509_set_issuer_name(cert, X509_get_subject_name(issuer));
  const bool is_ca = options.issuer == nullptr;
  add_extension(cert, issuer, NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "CA:FALSE");
  if (!options.alt_names.empty()) {
    add_extension(cert, issuer, NID_subject_alt_name, options.alt_names);
  }
  EVP_PKEY* signer = options.issuer != nullptr ? options.issuer->key.get() : made.key.get();
  const std::string digest = options.digest;
  const EVP_MD* md = digest.empty() ? nullptr : EVP_get_digestbyname(digest.c_str());
  REQUIRE(X509_sign(cert, signer, md) > 0);
  made.cert_file = folder.file(options.name + ".crt");
  made.key_file = folder.file(options.name + ".key");
  save(made.cert_file, cert, nullptr);
  save(made.key_file, nullptr, made.key.get());
  return made;
}

TestPki::TestPki()
    : ca(make_cert(folder, {.name = "test-ca"})),
      server(make_cert(folder, {.name = "test-server",
                                .issuer = &ca,
                                .alt_names = "DNS:localhost,DNS:*.example.com,IP:127.0.0.1"})) {}

const TestPki& pki() {
  static const TestPki made;
  return made;
}

RawTls::RawTls(bool server) : server_(server) {
  ctx_.reset(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
  if (!server) return;
  const TestCert& cert = pki().server;
  REQUIRE(SSL_CTX_use_certificate(ctx(), cert.x509.get()) == 1);
  REQUIRE(SSL_CTX_use_PrivateKey(ctx(), cert.key.get()) == 1);
}

RawTls::~RawTls() = default;

void RawTls::start() {
  ssl_.reset(SSL_new(ctx()));
  in_ = BIO_new(BIO_s_mem());
  out_ = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(in_, -1);
  SSL_set_bio(ssl(), in_, out_);
  server_ ? SSL_set_accept_state(ssl()) : SSL_set_connect_state(ssl());
}

void RawTls::feed(const std::string& bytes) {
  if (!bytes.empty()) BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
}

std::string RawTls::output() {
  std::string bytes(BIO_ctrl_pending(out_), '\0');
  if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

bool RawTls::handshake() {
  return SSL_do_handshake(ssl()) == 1;
}

std::string RawTls::read() {
  std::string all;
  char buffer[4096];
  for (int n = 0; (n = SSL_read(ssl(), buffer, sizeof buffer)) > 0;) all.append(buffer, n);
  return all;
}

bool RawTls::write(const std::string& plaintext) {
  return SSL_write(ssl(), plaintext.data(), static_cast<int>(plaintext.size())) ==
         static_cast<int>(plaintext.size());
}

std::string output_of(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string text;
  char buffer[512];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    text.append(buffer, n);
  }
  ::pclose(pipe);
  return text;
}

}  // namespace postern::test
