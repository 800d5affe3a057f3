// The published examples: RFC 7515 appendix A.1 to A.3, RFC 8037 appendix A.4.
#include "crypto/jws.hpp"

#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "crypto/init.hpp"

using namespace postern;
using namespace postern::crypto;

namespace {

const std::string kJoe =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
    "fQ";
const std::string kModulus =
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4"
    "QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdb"
    "BYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-D"
    "WNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

struct Vector {
  const char* name;
  std::optional<JwsKey> key;
  std::string message;
  std::string signature;
};

Bytes decoded(std::string_view text) {
  return base64url_decode(text).value();
}

std::vector<Vector> vectors() {
  REQUIRE(crypto::init());
  std::vector<Vector> out;
  out.push_back({"HS256",
                 JwsKey::hmac(decoded("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3"
                                      "Yj0iPS4hcgUuTwjAzZr1Z9CAow")),
                 "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + kJoe,
                 "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"});
  out.push_back(
      {"RS256", JwsKey::rsa(decoded(kModulus), decoded("AQAB")), "eyJhbGciOiJSUzI1NiJ9." + kJoe,
       "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp"
       "5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQB"
       "MHl"
       "b1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2"
       "w9Q"
       "OYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"});
  out.push_back({"ES256",
                 JwsKey::p256(decoded("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
                              decoded("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")),
                 "eyJhbGciOiJFUzI1NiJ9." + kJoe,
                 "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-"
                 "Kg6NU"
                 "1Q"});
  out.push_back({"EdDSA", JwsKey::ed25519(decoded("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")),
                 "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                 "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_"
                 "MuM0K"
                 "Ag"});
  return out;
}

}  // namespace

TEST_CASE("published signatures verify") {
  for (const Vector& vector : vectors()) {
    CAPTURE(vector.name);
    REQUIRE(vector.key);
    CHECK(vector.key->algorithm() == jws_algorithm(vector.name));
    CHECK(vector.key->verifies(vector.message, decoded(vector.signature)));
  }
}

TEST_CASE("every changed byte of message or signature, and every other length, is refused") {
  for (const Vector& vector : vectors()) {
    CAPTURE(vector.name);
    const Bytes signature = decoded(vector.signature);
    for (std::size_t i = 0; i < signature.size(); ++i) {
      Bytes changed = signature;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      CHECK_FALSE(vector.key->verifies(vector.message, changed));
    }
    for (std::size_t i = 0; i < vector.message.size(); i += 7) {
      std::string changed = vector.message;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      CHECK_FALSE(vector.key->verifies(changed, signature));
    }
    CHECK_FALSE(vector.key->verifies(vector.message, ByteView(signature).substr(1)));
    CHECK_FALSE(vector.key->verifies(vector.message, signature + "x"));
    CHECK_FALSE(vector.key->verifies(vector.message, ""));
  }
}

TEST_CASE("no key verifies what another one signed") {
  const auto all = vectors();
  for (const Vector& key : all) {
    for (const Vector& other : all) {
      if (key.name == other.name) continue;
      CHECK_FALSE(key.key->verifies(other.message, decoded(other.signature)));
    }
  }
}

TEST_CASE("weak and malformed keys are none") {
  REQUIRE(crypto::init());
  CHECK_FALSE(JwsKey::hmac(std::string(31, 'k')));
  CHECK(JwsKey::hmac(std::string(32, 'k')));
  CHECK_FALSE(JwsKey::ed25519(std::string(31, 'k')));
  CHECK_FALSE(JwsKey::p256(std::string(32, 'x'), std::string(32, 'y')));  // not on the curve
  CHECK_FALSE(JwsKey::p256(std::string(31, 'x'), std::string(32, 'y')));
  const Bytes modulus = decoded(kModulus);
  CHECK(JwsKey::rsa(modulus, decoded("AQAB")));
  CHECK_FALSE(JwsKey::rsa(ByteView(modulus).substr(1), decoded("AQAB")));  // 2040 bits
  CHECK_FALSE(JwsKey::rsa(modulus, "\x01"));
  CHECK_FALSE(JwsKey::rsa(modulus, "\x04"));
  CHECK_FALSE(JwsKey::rsa(std::string(1025, '\xff'), decoded("AQAB")));
}

TEST_CASE("base64url is strict") {
  CHECK(base64url_decode("") == Bytes());
  CHECK(base64url_decode("_-8") == Bytes("\xff\xef"));
  for (const char* bad : {"_-8=", "/+8", "a", "ab c", "_-9", "a\n"}) {
    CAPTURE(bad);
    CHECK_FALSE(base64url_decode(bad));
  }
  CHECK_FALSE(jws_algorithm("none"));
  CHECK_FALSE(jws_algorithm("None"));
  CHECK_FALSE(jws_algorithm("hs256"));
  CHECK_FALSE(jws_algorithm("HS384"));
}
