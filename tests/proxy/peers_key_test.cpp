#include <set>

#include <doctest/doctest.h>

#include "proxy/peers/routed_key.hpp"
#include "proxy/session/cancel_registry.hpp"

using namespace postern;
using namespace postern::proxy;

namespace {

constexpr std::uint32_t kPid = 4711;

struct Fixture {
  Secret secret{Bytes(32, 's')};
  RoutedKeys first{1, secret};
  RoutedKeys last{65'535, secret};
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "every instance with the secret reads who issued a key") {
  CHECK(first.issuer(kPid, first.make(kPid)) == 1);
  CHECK(last.issuer(kPid, first.make(kPid)) == 1);
  CHECK(first.issuer(kPid, last.make(kPid)) == 65'535);
  CHECK(first.make(kPid).size() == RoutedKeys::kBytes);
}

TEST_CASE_FIXTURE(Fixture, "keys are never the same") {
  std::set<Bytes> keys;
  for (int i = 0; i < 1'000; ++i) keys.insert(first.make(kPid));
  CHECK(keys.size() == 1'000);
}

TEST_CASE_FIXTURE(Fixture, "no other key names an issuer") {
  const Bytes key = first.make(kPid);
  for (std::size_t size = 0; size < key.size(); ++size) {
    CHECK_FALSE(first.issuer(kPid, ByteView(key).substr(0, size)));
  }
  CHECK_FALSE(first.issuer(kPid, key + "x"));
  for (std::size_t bit = 0; bit < 8 * key.size(); ++bit) {
    Bytes other = key;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
    CAPTURE(bit);
    CHECK_FALSE(first.issuer(kPid, other));
  }
  CHECK_FALSE(first.issuer(kPid + 1, key));
  CHECK_FALSE(RoutedKeys(1, Secret(Bytes(32, 't'))).issuer(kPid, key));
}

TEST_CASE_FIXTURE(Fixture, "the registry routes keys that have room, and only those") {
  WorkerGroup workers{1, WorkerOptions{}};
  CancelRegistry registry;
  registry.route_by(&last);
  const CancelKey routed = registry.add(&workers.at(0), kPid, 32, [] {});
  CHECK(first.issuer(kPid, routed.secret) == 65'535);
  CHECK(registry.cancel(kPid, routed.secret));
  // Its issuer made it, but no session has it.
  CHECK_FALSE(registry.cancel(kPid, last.make(kPid)));
  CHECK(registry.add(&workers.at(0), kPid, 4, [] {}).secret.size() == 4);
}
