#include "crypto/hash.hpp"

#include <doctest/doctest.h>

#include "base/codes/crypto.hpp"
#include "crypto/base64.hpp"
#include "crypto/context_mac.hpp"
#include "crypto/saslprep.hpp"
#include "tests/crypto/support.hpp"

using namespace postern;
using namespace postern::crypto;
using postern::crypto::testing::hex;

namespace {

std::string hex_of(const Digest& digest) {
  return to_hex(digest.view());
}

Bytes exclusive_or(ByteView a, ByteView b) {
  Bytes out(a);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
  return out;
}

std::string prepared(ByteView password) {
  return Bytes(saslprep(password).reveal());
}

}  // namespace

TEST_CASE("SHA-256: FIPS 180-4 examples, whole and in parts") {
  CHECK(hex_of(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex_of(sha256("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex_of(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const Bytes block(1000, 'a');
  Sha256 hash;
  for (int i = 0; i < 1000; ++i) hash.update(block);
  CHECK(hex_of(hash.finish()) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  CHECK(hash.update("abc").finish() == sha256("abc"));
}

TEST_CASE("HMAC-SHA-256: RFC 4231 test cases") {
  CHECK(hex_of(hmac_sha256(Bytes(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex_of(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex_of(hmac_sha256(Bytes(20, '\xaa'), Bytes(50, '\xdd'))) ==
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  CHECK(hex_of(hmac_sha256(Bytes(131, '\xaa'),
                           "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("PBKDF2-HMAC-SHA-256: RFC 7914 section 11, and the iteration limits") {
  CHECK(to_hex(pbkdf2_sha256("passwd", "salt", 1).value().reveal()) ==
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
  CHECK(to_hex(pbkdf2_sha256("Password", "NaCl", 80000).value().reveal()) ==
        "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
  CHECK(pbkdf2_sha256("p", "s", 0).error().code == pst::kBadKeyMaterial);
  CHECK(pbkdf2_sha256("p", "s", kMaxPbkdf2Iterations + 1).error().code == pst::kBadKeyMaterial);
}

TEST_CASE("SCRAM-SHA-256: the exchange of RFC 7677 section 3") {
  const Bytes salt = base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==").value();
  const Secret salted = pbkdf2_sha256("pencil", salt, 4096).value();
  const std::string auth =
      "n=user,r=rOprNGfwEbeRWgbNEkqO,"
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const Digest client_key = hmac_sha256(salted.reveal(), "Client Key");
  const Digest signature = hmac_sha256(sha256(client_key.view()).view(), auth);
  CHECK(base64_encode(exclusive_or(client_key.view(), signature.view())) ==
        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  const Digest server_key = hmac_sha256(salted.reveal(), "Server Key");
  CHECK(base64_encode(hmac_sha256(server_key.view(), auth).view()) ==
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST_CASE("MD5: RFC 1321 test suite") {
  CHECK(md5_hex("").value() == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(md5_hex("message digest").value() == "f96b697d7cb7938d525a2f31aaf161d0");
}

TEST_CASE("BLAKE2b: RFC 7693 appendix A, and the keyed known-answer test") {
  CHECK(to_hex(blake2b("abc", 64)) ==
        "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
        "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
  Bytes key;
  for (char c = 0; c < 64; ++c) key.push_back(c);
  CHECK(to_hex(blake2b("", 64, key)) ==
        "10ebb67700b1868efb4417987acf4690ae9d972fb7a590c2f02871799aaa4786"
        "b5e996e8f0f4eb981fc214b005f42d2ff4233499391653df7aefcbc13fc51568");
  CHECK(blake2b("x", 24, "k").size() == 24);
}

TEST_CASE("base64: RFC 4648 section 10, and one spelling only") {
  CHECK(base64_encode("") == "");
  CHECK(base64_encode("fo") == "Zm8=");
  CHECK(base64_encode("foobar") == "Zm9vYmFy");
  CHECK(base64_decode("Zm9vYg==").value() == "foob");
  CHECK(base64_decode("").value().empty());
  for (const char* bad : {"Zm8", "Zm8==", "Zm9=", "Zm 8=", "Zm8=\n", "Zm-_", "=", "Zg=a", "===="}) {
    CAPTURE(bad);
    CHECK_FALSE(base64_decode(bad));
  }
}

TEST_CASE("SASLprep: RFC 4013 examples as PostgreSQL applies them") {
  CHECK(prepared("user") == "user");
  CHECK(prepared("I\xC2\xADX") == "IX");    // soft hyphen maps to nothing
  CHECK(prepared("\xC2\xAA") == "a");       // NFKC
  CHECK(prepared("\xE2\x85\xA8") == "IX");  // NFKC
  CHECK(prepared("a\xC2\xA0"
                 "b") == "a b");  // other spaces become a space
  CHECK(prepared("caf\xC3\xA9") == "caf\xC3\xA9");
  CHECK(prepared("cafe\xCC\x81") == "caf\xC3\xA9");
}

TEST_CASE("SASLprep: what cannot be prepared is used raw") {
  CHECK(prepared("\x07") == "\x07");          // ASCII is never looked at
  CHECK(prepared("\xC2\xAD") == "\xC2\xAD");  // would become empty
  CHECK(prepared("\xD8\xA7"
                 "1") ==
        "\xD8\xA7"
        "1");                                   // bidirectional rule
  CHECK(prepared("a\xC2\x85") == "a\xC2\x85");  // prohibited control character
  CHECK(prepared("\xC8\xA1x") == "\xC8\xA1x");  // U+0221, unassigned in Unicode 3.2
  CHECK(prepared("\xFF\xFE") == "\xFF\xFE");    // not UTF-8
  CHECK(prepared("") == "");
}

TEST_CASE("the context MAC is HMAC, and its blocks give it with plain SHA-256") {
  CHECK(context_mac_hex("Jefe", "what do ya want for nothing?") ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  REQUIRE(init());
  for (const std::size_t size : {0, 1, 32, 63, 64, 65, 131}) {
    const Bytes key = random_bytes(size);
    const MacKeyBlocks blocks = mac_key_blocks(key);
    CHECK(blocks.inner.size() == kMacBlockBytes);
    CHECK(blocks.outer.size() == kMacBlockBytes);
    const Digest inner = sha256(Bytes(blocks.inner.reveal()) + "tenant=acme");
    const Digest outer = sha256(Bytes(blocks.outer.reveal()) + inner.bytes());
    CHECK(hex_of(outer) == context_mac_hex(key, "tenant=acme"));
  }
  const Secret key = generate_guard_key();
  CHECK(key.size() == kGuardKeyBytes);
  CHECK(key.reveal() != generate_guard_key().reveal());
}
