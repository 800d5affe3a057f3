// Certificates made on the spot for TLS tests, and a plain OpenSSL peer as foreign oracle.
#pragma once

#include <memory>
#include <string>

#include <openssl/ssl.h>

namespace postern::test {

/// A throw-away folder, removed with what is in it.
class TempFolder {
 public:
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Free {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
};

/// A certificate and its key in files.
struct TestCert {
  std::unique_ptr<X509, Free> x509;
  std::unique_ptr<EVP_PKEY, Free> key;
  std::string cert_file;
  std::string key_file;
};

struct CertOptions {
  std::string name;                  ///< common name and file name
  const TestCert* issuer = nullptr;  ///< null: self-signed
  std::string alt_names;             ///< "DNS:localhost,IP:127.0.0.1"
  const char* digest = "SHA256";     ///< "" for Ed25519
  const char* key_type = "EC";       ///< EC (P-256), RSA, ED25519
};
TestCert make_cert(const TempFolder& folder, const CertOptions& options);

/// A CA, and a server certificate for localhost and 127.0.0.1 issued by it.
struct TestPki {
  TestPki();
  TempFolder folder;
  TestCert ca;
  TestCert server;
};
/// One for the whole binary.
const TestPki& pki();

/// OpenSSL as it comes, over memory BIOs: what another implementation of the peer would be.
class RawTls {
 public:
  explicit RawTls(bool server);
  RawTls(const RawTls&) = delete;
  RawTls& operator=(const RawTls&) = delete;
  ~RawTls();

  /// Context to change before start().
  SSL_CTX* ctx() { return ctx_.get(); }
  SSL* ssl() { return ssl_.get(); }
  void start();
  void feed(const std::string& bytes);
  std::string output();
  /// Handshake as far as possible; true when finished.
  bool handshake();
  /// All plaintext there is.
  std::string read();
  bool write(const std::string& plaintext);

 private:
  bool server_;
  std::unique_ptr<SSL_CTX, Free> ctx_;
  std::unique_ptr<SSL, Free> ssl_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
};

/// Runs a command and returns its standard output.
std::string output_of(const std::string& command);

}  // namespace postern::test
