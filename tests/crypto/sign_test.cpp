#include "crypto/sign.hpp"

#include <doctest/doctest.h>

#include "base/codes/crypto.hpp"
#include "crypto/aead.hpp"
#include "crypto/uuid.hpp"
#include "tests/crypto/support.hpp"

using namespace postern;
using namespace postern::crypto;
using postern::crypto::testing::hex;

TEST_CASE("Ed25519: RFC 8032 section 7.1, tests 1 and 2") {
  struct Vector {
    const char* seed;
    const char* public_key;
    const char* message;
    const char* signature;
  };
  const Vector vectors[] = {
      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701c"
       "f9b46bd25bf5f0595bbe24655141438e7a100b"},
      {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0"
       "f11d8c387b2eaeb4302aeeb00d291612bb0c00"}};
  for (const Vector& v : vectors) {
    const SigningKey key = SigningKey::from_seed(hex(v.seed)).value();
    CHECK(to_hex(key.public_key()) == v.public_key);
    CHECK(to_hex(key.sign(hex(v.message))) == v.signature);
    CHECK(verify_signature(key.public_key(), hex(v.message), hex(v.signature)));
  }
}

TEST_CASE("Ed25519: every changed byte, wrong lengths and wrong keys are refused") {
  const SigningKey key = SigningKey::from_seed(Bytes(32, 's')).value();
  const SigningKey other = SigningKey::from_seed(Bytes(32, 't')).value();
  const Bytes signature = key.sign("message");
  for (std::size_t i = 0; i < signature.size(); ++i) {
    Bytes bad = signature;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    CHECK_FALSE(verify_signature(key.public_key(), "message", bad));
  }
  CHECK_FALSE(verify_signature(key.public_key(), "Message", signature));
  CHECK_FALSE(verify_signature(other.public_key(), "message", signature));
  CHECK_FALSE(verify_signature(key.public_key(), "message", signature.substr(1)));
  CHECK_FALSE(verify_signature({}, "message", signature));
  CHECK(SigningKey::from_seed(Bytes(31, 's')).error().code == pst::kBadKeyMaterial);
  CHECK(SigningKey::from_seed(Bytes(33, 's')).error().code == pst::kBadKeyMaterial);
}

TEST_CASE("XChaCha20-Poly1305: draft-irtf-cfrg-xchacha-03 appendix A.3.1") {
  const Bytes key = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const Bytes nonce = hex("404142434445464748494a4b4c4d4e4f5051525354555657");
  const Bytes aad = hex("50515253c0c1c2c3c4c5c6c7");
  const std::string_view text =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
      "sunscreen would be it.";
  Bytes sealed = "kept";
  aead_seal({key, nonce, aad}, text, sealed);
  CHECK(
      to_hex(sealed.substr(4)) ==
      "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4ed"
      "a7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b238"
      "3565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49");
  Bytes opened = "kept";
  REQUIRE(aead_open({key, nonce, aad}, ByteView(sealed).substr(4), opened));
  CHECK(opened == "kept" + std::string(text));
  CHECK(aead_open({key, nonce, "other"}, ByteView(sealed).substr(4), opened).error().code ==
        pst::kDecryptFailed);
  CHECK(aead_open({key, nonce, aad}, "short", opened).error().code == pst::kDecryptFailed);
  CHECK(opened.size() == 4 + text.size());
}

TEST_CASE("UUIDs: text both ways, strict, and random ones are version 4") {
  const Uuid uuid = parse_uuid("A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11").value();
  CHECK(to_text(uuid) == "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
  for (const char* bad :
       {"", "a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d6-bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1"}) {
    CHECK(parse_uuid(bad).error().code == pst::kBadUuid);
  }
  REQUIRE(init());
  const std::string random = to_text(random_uuid());
  CHECK(random[14] == '4');
  CHECK(std::string("89ab").find(random[19]) != std::string::npos);
}
