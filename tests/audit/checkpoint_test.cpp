#include "audit/checkpoint.hpp"

#include <cstdlib>
#include <sys/stat.h>

#include "base/codes/audit.hpp"
#include "tests/audit/support.hpp"

using namespace postern;
using namespace postern::audit;
using namespace postern::audit::test;

TEST_CASE("keys and signatures of the signed-note reference implementation are understood") {
  // From the documentation of golang.org/x/mod/sumdb/note.
  constexpr std::string_view kText =
      "If you think cryptography is the answer to your problem,\n"
      "then you don't know what your problem is.\n";
  const auto verifier =
      VerifierKey::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
  REQUIRE(verifier);
  CHECK(to_hex(verifier->id()) == "c74f20a3");
  const auto signature = base64_decode(
      "x08go/ZJkuBS9UG/"
      "SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=");
  REQUIRE(signature);
  CHECK(verify_signature(verifier->public_key, kText, ByteView(*signature).substr(4)));
  const auto key = LogKey::parse(
      "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz");
  REQUIRE(key);
  CHECK(key->verifier().text() == verifier->text());
  CHECK(verifier->id() + sign(key->key, kText) == *signature);
}

TEST_CASE("a checkpoint has the form of C2SP tlog-checkpoint") {
  const LogKey key{"example.org/log", signing_key_from_seed(std::string(32, 'k'))};
  const TreeHead head{12, leaf_hash("x")};
  const std::string note = sign_checkpoint(key, head);
  CHECK(note.starts_with("example.org/log\n12\n" + base64_encode(bytes_of(head.root)) +
                         "\n\n\xE2\x80\x94 example.org/log "));
  const auto read = open_checkpoint(key.verifier(), note);
  REQUIRE(read);
  CHECK(*read == head);
}

TEST_CASE("no other bytes pass as the same checkpoint") {
  const LogKey key{"example.org/log", signing_key_from_seed(std::string(32, 'k'))};
  const std::string note = sign_checkpoint(key, {12, leaf_hash("x")});
  for (std::size_t i = 0; i < note.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = note;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      CHECK_FALSE(open_checkpoint(key.verifier(), bad));
    }
  }
  const auto longer = open_checkpoint(key.verifier(), note + "\n");
  REQUIRE_FALSE(longer);
  CHECK(longer.error().code == pst::kAuditCheckpointBad);
  CHECK_FALSE(open_checkpoint(key.verifier(), note + note));
  CHECK_FALSE(open_checkpoint(LogKey::generate("example.org/log").verifier(), note));
  const LogKey renamed{"example.org/other", signing_key_from_seed(std::string(32, 'k'))};
  CHECK_FALSE(open_checkpoint(renamed.verifier(), note));
}

TEST_CASE("openssl agrees with the signature of a checkpoint") {
  const TempFolder temp;
  const LogKey key = LogKey::generate("example.org/log");
  const std::string note = sign_checkpoint(key, {3, leaf_hash("x")});
  const std::size_t text_end = note.find("\n\n") + 1;
  const std::string line = note.substr(note.rfind(' ') + 1);
  const auto signature = base64_decode(line.substr(0, line.size() - 1));
  REQUIRE(signature);
  write_file(temp.path + "/text", note.substr(0, text_end));
  write_file(temp.path + "/signature", signature->substr(4));
  // RFC 8410: the fixed front of an Ed25519 SubjectPublicKeyInfo.
  write_file(temp.path + "/key", *from_hex("302a300506032b6570032100") + key.key.public_key);
  const std::string verify = "cd " + temp.path +
                             " && openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey key"
                             " -in text -sigfile signature >/dev/null 2>&1";
  CHECK(std::system(verify.c_str()) == 0);
  write_file(temp.path + "/text", note.substr(0, text_end) + "x");
  CHECK(std::system(verify.c_str()) != 0);
}

TEST_CASE("key files: private, readable again, never overwritten") {
  const TempFolder temp;
  const std::string path = temp.path + "/key";
  const LogKey key = LogKey::generate("example.org/log");
  REQUIRE(store_log_key(path, key));
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const auto loaded = load_log_key(path);
  REQUIRE(loaded);
  CHECK(loaded->verifier().text() == key.verifier().text());
  CHECK(slurp(path + ".pub") == key.verifier().text() + "\n");
  CHECK_FALSE(store_log_key(path, key));
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  const auto open_key = load_log_key(path);
  REQUIRE_FALSE(open_key);
  CHECK(open_key.error().code == pst::kAuditKeyBad);
  const std::string text(key.text().reveal());
  CHECK_FALSE(LogKey::parse(text + " "));
  CHECK_FALSE(LogKey::parse(text.substr(0, text.size() - 1)));
  CHECK_FALSE(LogKey::parse("PRIVATE+KEY+a+b"));
  CHECK_FALSE(VerifierKey::parse(text));
}

TEST_CASE("origins hold at their limit") {
  CHECK(valid_origin(std::string(kMaxOriginBytes, 'o')));
  CHECK_FALSE(valid_origin(std::string(kMaxOriginBytes + 1, 'o')));
  for (const char* bad : {"", "a b", "a+b", "a\n", "\x7F", "\xC3\xA9"})
    CHECK_FALSE(valid_origin(bad));
}

TEST_CASE("a file of notes falls into notes and a torn rest") {
  const LogKey key = LogKey::generate("o");
  const std::string first = sign_checkpoint(key, {1, leaf_hash("1")});
  const std::string both = first + sign_checkpoint(key, {2, leaf_hash("2")});
  for (std::size_t n = 0; n <= both.size(); ++n) {
    std::uint64_t torn = 0;
    const auto notes = split_notes(std::string_view(both).substr(0, n), torn);
    CHECK(notes.size() == (n == both.size() ? 2 : n >= first.size() ? 1 : 0));
    CHECK(torn == (n == both.size() ? n : n >= first.size() ? first.size() : 0));
  }
}
