#include <fstream>

#include <doctest/doctest.h>
#include <openssl/pem.h>

#include "base/codes/net.hpp"
#include "proxy/net/tls_context.hpp"
#include "tests/proxy/net_certs.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;

namespace {

TlsServerSettings server_settings() {
  return {.cert_file = pki().server.cert_file, .key_file = pki().server.key_file};
}

Pst code_of(const Result<TlsContext>& result) {
  REQUIRE_FALSE(result);
  CAPTURE(result.error().line());
  return result.error().code;
}

/// The hash openssl's command line computes over the DER certificate.
std::string cli_digest(const TestCert& cert, const std::string& hash) {
  return output_of("openssl x509 -in " + cert.cert_file + " -outform DER | openssl dgst -" + hash +
                   " -r | cut -d' ' -f1 | tr -d '\\n'");
}

}  // namespace

TEST_CASE("sslmode names and what they ask for") {
  CHECK(parse_tls_mode("verify-full") == TlsMode::kVerifyFull);
  CHECK(parse_tls_mode("disable") == TlsMode::kDisable);
  CHECK_FALSE(parse_tls_mode("Require"));
  CHECK_FALSE(parse_tls_mode(""));

  CHECK_FALSE(tls_mode_rules(TlsMode::kDisable).try_tls);
  CHECK(tls_mode_rules(TlsMode::kAllow).plain_first);
  CHECK(tls_mode_rules(TlsMode::kPrefer).allow_plain);
  CHECK_FALSE(tls_mode_rules(TlsMode::kPrefer).plain_first);
  for (const TlsMode mode : {TlsMode::kRequire, TlsMode::kVerifyCa, TlsMode::kVerifyFull}) {
    CHECK(tls_mode_rules(mode).try_tls);
    CHECK_FALSE(tls_mode_rules(mode).allow_plain);
    CHECK_FALSE(tls_mode_rules(mode).plain_first);
  }
  CHECK_FALSE(tls_mode_rules(TlsMode::kRequire).verify_chain);
  CHECK(tls_mode_rules(TlsMode::kVerifyCa).verify_chain);
  CHECK_FALSE(tls_mode_rules(TlsMode::kVerifyCa).verify_host);
  CHECK(tls_mode_rules(TlsMode::kVerifyFull).verify_host);
}

TEST_CASE("server context: files that cannot serve are refused with their code") {
  CHECK(TlsContext::server(server_settings()));

  TlsServerSettings settings = server_settings();
  settings.cert_file = pki().folder.file("absent.crt");
  CHECK(code_of(TlsContext::server(settings)) == pst::kTlsFileUnreadable);

  settings = server_settings();
  settings.key_file = pki().ca.key_file;
  CHECK(code_of(TlsContext::server(settings)) == pst::kTlsKeyMismatch);

  settings = server_settings();
  settings.key_file = pki().server.cert_file;
  CHECK(code_of(TlsContext::server(settings)) == pst::kTlsFileUnreadable);

  settings = server_settings();
  settings.require_client_cert = true;
  CHECK(code_of(TlsContext::server(settings)) == pst::kTlsSettings);
  settings.client_ca_file = pki().folder.file("absent.crt");
  CHECK(code_of(TlsContext::server(settings)) == pst::kTlsFileUnreadable);
}

TEST_CASE("a key with a passphrase is refused instead of asking on the terminal") {
  TempFolder folder;
  std::FILE* out = std::fopen(folder.file("locked.key").c_str(), "w");
  REQUIRE(out != nullptr);
  char passphrase[] = "correct horse";
  PEM_write_PrivateKey(out, pki().server.key.get(), EVP_aes_256_cbc(),
                       reinterpret_cast<unsigned char*>(passphrase), sizeof passphrase - 1, nullptr,
                       nullptr);
  std::fclose(out);
  TlsServerSettings settings = server_settings();
  settings.key_file = folder.file("locked.key");
  CHECK(code_of(TlsContext::server(settings)) == pst::kTlsFileUnreadable);
}

TEST_CASE("client context: verification without anything to verify against is refused") {
  CHECK(TlsContext::client({.mode = TlsMode::kRequire}));
  CHECK(code_of(TlsContext::client({.mode = TlsMode::kVerifyCa})) == pst::kTlsSettings);
  CHECK(code_of(TlsContext::client({.mode = TlsMode::kVerifyFull})) == pst::kTlsSettings);
  CHECK(code_of(TlsContext::client({.mode = TlsMode::kVerifyCa, .ca_file = "system"})) ==
        pst::kTlsSettings);
  CHECK(TlsContext::client({.mode = TlsMode::kVerifyFull, .ca_file = "system"}));
  CHECK(code_of(TlsContext::client({.mode = TlsMode::kVerifyCa, .ca_file = "/absent"})) ==
        pst::kTlsFileUnreadable);
  CHECK(code_of(TlsContext::client({.cert_file = pki().server.cert_file})) == pst::kTlsSettings);
  const auto full =
      TlsContext::client({.mode = TlsMode::kVerifyFull, .ca_file = pki().ca.cert_file});
  REQUIRE(full);
  CHECK(full->verifies_host());
}

TEST_CASE("tls-server-end-point follows the certificate's signature hash, checked with openssl") {
  TempFolder folder;
  const TestCert sha256 = make_cert(folder, {.name = "a", .issuer = &pki().ca});
  const TestCert sha384 = make_cert(folder, {.name = "b", .issuer = &pki().ca, .digest = "SHA384"});
  const TestCert sha1 = make_cert(folder, {.name = "c", .digest = "SHA1", .key_type = "RSA"});
  CHECK(to_hex(*server_end_point(sha256.x509.get())) == cli_digest(sha256, "sha256"));
  CHECK(to_hex(*server_end_point(sha384.x509.get())) == cli_digest(sha384, "sha384"));
  CHECK(to_hex(*server_end_point(sha1.x509.get())) == cli_digest(sha1, "sha256"));

  const TestCert ed = make_cert(folder, {.name = "d", .digest = "", .key_type = "ED25519"});
  const auto none = server_end_point(ed.x509.get());
  REQUIRE_FALSE(none);
  CHECK(none.error().code == pst::kTlsBinding);
  CHECK_FALSE(server_end_point(nullptr));
}
