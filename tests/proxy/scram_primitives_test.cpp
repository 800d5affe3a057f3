#include "proxy/session/scram_primitives.hpp"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "crypto/hash.hpp"
#include "crypto/init.hpp"

using namespace postern;
using namespace postern::proxy;

namespace {

constexpr std::size_t kKeyBytes = 32;

std::string derived(ByteView password, ByteView salt, std::uint32_t iterations) {
  std::string key(kKeyBytes, '\0');
  const auto& primitives = remembering_scram_primitives();
  REQUIRE(primitives.pbkdf2_sha256(password, salt, iterations, key.data()));
  return key;
}

}  // namespace

TEST_CASE("keys that are kept are those of this password, salt and number of iterations") {
  REQUIRE(crypto::init());
  for (int round = 0; round < 2; ++round) {
    for (const char* password : {"a", "ab", ""}) {
      for (const char* salt : {"b", "c", "bc"}) {
        for (const std::uint32_t iterations : {1U, 2U, 12U}) {
          const auto wanted = crypto::pbkdf2_sha256(password, salt, iterations);
          REQUIRE(wanted);
          CHECK(derived(password, salt, iterations) == wanted->reveal());
        }
      }
    }
  }
  // More than are kept.
  for (int i = 0; i < 600; ++i) {
    const std::string salt = std::to_string(i % 300);
    CHECK(derived("a", salt, 1) == crypto::pbkdf2_sha256("a", salt, 1)->reveal());
  }
}

TEST_CASE("a key is derived once") {
  REQUIRE(crypto::init());
  using Clock = std::chrono::steady_clock;
  const auto begun = Clock::now();
  const std::string first = derived("password", "salt", 300'000);
  const auto once = Clock::now() - begun;
  const auto again = Clock::now();
  for (int i = 0; i < 20; ++i) CHECK(derived("password", "salt", 300'000) == first);
  CHECK(Clock::now() - again < once);
}
