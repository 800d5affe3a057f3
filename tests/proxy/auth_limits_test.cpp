#include <doctest/doctest.h>

#include "proxy/auth/failure_limit.hpp"
#include "proxy/auth/proof_ring.hpp"

using namespace postern;
using namespace postern::proxy;
using std::chrono::milliseconds;

namespace {

config::NetAddress address(const char* text) {
  const auto parsed = config::parse_net_address(text);
  REQUIRE(parsed);
  return *parsed;
}

const FailureLimit::Time kStart = FailureLimit::Time() + std::chrono::hours(1);

FailureLimit limit_of(std::uint32_t burst, std::size_t addresses = 4) {
  return FailureLimit({burst, milliseconds(100), addresses});
}

std::shared_ptr<const protocol::LoginProof> proof(const char* password) {
  auto made = std::make_shared<protocol::LoginProof>();
  made->password = Secret(password);
  return made;
}

}  // namespace

TEST_CASE("an address may fail as often as the burst says, and not once more") {
  FailureLimit limit = limit_of(3);
  const auto mallory = address("10.0.0.1");
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(limit.blocks(mallory, kStart));
    limit.note(mallory, kStart);
  }
  CHECK(limit.blocks(mallory, kStart));
  CHECK_FALSE(limit.blocks(address("10.0.0.2"), kStart));
}

TEST_CASE("one failure is forgiven per interval, all of them in time") {
  FailureLimit limit = limit_of(2);
  const auto who = address("10.0.0.1");
  limit.note(who, kStart);
  limit.note(who, kStart);
  CHECK(limit.blocks(who, kStart + milliseconds(99)));
  CHECK_FALSE(limit.blocks(who, kStart + milliseconds(100)));
  limit.note(who, kStart + milliseconds(100));
  CHECK(limit.blocks(who, kStart + milliseconds(199)));
  CHECK_FALSE(limit.blocks(who, kStart + milliseconds(400)));
  CHECK(limit.remembered() == 0);
}

TEST_CASE("failures beyond the burst do not prolong the refusal") {
  FailureLimit limit = limit_of(1);
  const auto who = address("10.0.0.1");
  for (int i = 0; i < 100; ++i) limit.note(who, kStart);
  CHECK(limit.blocks(who, kStart + milliseconds(99)));
  CHECK_FALSE(limit.blocks(who, kStart + milliseconds(100)));
}

TEST_CASE("without a burst nothing is limited or remembered") {
  FailureLimit limit = limit_of(0);
  const auto who = address("10.0.0.1");
  for (int i = 0; i < 10; ++i) limit.note(who, kStart);
  CHECK_FALSE(limit.blocks(who, kStart));
  CHECK(limit.remembered() == 0);
}

TEST_CASE("the table is bounded: who failed longest ago is forgotten") {
  FailureLimit limit = limit_of(1, 3);
  for (const char* text : {"10.0.0.1", "10.0.0.2", "10.0.0.3"}) limit.note(address(text), kStart);
  limit.note(address("10.0.0.1"), kStart);
  CHECK(limit.remembered() == 3);
  limit.note(address("10.0.0.4"), kStart);
  CHECK(limit.remembered() == 3);
  CHECK(limit.blocks(address("10.0.0.1"), kStart));
  CHECK_FALSE(limit.blocks(address("10.0.0.2"), kStart));
  CHECK(limit.blocks(address("10.0.0.4"), kStart));
}

TEST_CASE("IPv6 counts by its first half, mapped IPv4 as IPv4") {
  FailureLimit limit = limit_of(1);
  limit.note(address("2001:db8::1"), kStart);
  CHECK(limit.blocks(address("2001:db8::ffff:0:2"), kStart));
  CHECK_FALSE(limit.blocks(address("2001:db8:0:1::1"), kStart));
  limit.note(address("::ffff:10.0.0.1"), kStart);
  CHECK(limit.blocks(address("10.0.0.1"), kStart));
}

TEST_CASE("the latest proof of a login is kept, for a bounded number of logins") {
  ProofRing ring;
  CHECK(ring.find("alice") == nullptr);
  ring.keep("alice", std::make_shared<const protocol::LoginProof>());
  CHECK(ring.find("alice") == nullptr);
  ring.keep("alice", proof("one"));
  ring.keep("alice", proof("two"));
  CHECK(ring.find("alice")->password.reveal() == "two");
  for (std::size_t i = 1; i < ProofRing::kMaxLogins; ++i) {
    ring.keep("user" + std::to_string(i), proof("x"));
  }
  CHECK(ring.find("alice") != nullptr);
  ring.keep("alice", proof("three"));
  ring.keep("one more", proof("x"));
  CHECK(ring.find("alice") != nullptr);
  CHECK(ring.find("user1") == nullptr);
  CHECK(ring.find("user2") != nullptr);
}
