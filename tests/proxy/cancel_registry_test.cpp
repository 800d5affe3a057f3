#include "proxy/session/cancel_registry.hpp"

#include <memory>

#include <doctest/doctest.h>

using namespace postern;
using namespace postern::proxy;

namespace {

constexpr std::size_t kSecretBytes = 4;

struct Fixture {
  WorkerGroup workers{1, WorkerOptions{}};
  CancelRegistry registry;

  CancelKey add(std::uint32_t process_id, std::size_t secret_bytes = kSecretBytes) {
    return registry.add(&workers.at(0), process_id, secret_bytes, [] {});
  }
  [[nodiscard]] bool cancels(const CancelKey& key) const {
    return registry.cancel(key.process_id, key.secret);
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a session bears the process id of its server") {
  const CancelKey key = add(4711);
  CHECK(key.process_id == 4711);
  CHECK(key.secret.size() == kSecretBytes);
  CHECK(add(4712, 32).secret.size() == 32);
  CHECK(add(0).process_id != 0);
}

TEST_CASE_FIXTURE(Fixture, "sessions of one process id are told apart by their secrets") {
  const CancelKey leaving = add(4711);
  const CancelKey next = add(4711);
  CHECK(next.process_id == 4711);
  CHECK(cancels(leaving));
  CHECK(cancels(next));

  registry.remove(leaving.registration);
  CHECK_FALSE(cancels(leaving));
  CHECK(cancels(next));

  registry.remove(next.registration);
  registry.remove(next.registration);
  CHECK_FALSE(cancels(next));
}

TEST_CASE_FIXTURE(Fixture, "only the whole key cancels") {
  const CancelKey key = add(4711);
  CHECK_FALSE(registry.cancel(4712, key.secret));
  CHECK_FALSE(registry.cancel(4711, ByteView(key.secret).substr(0, 3)));
  Bytes other = key.secret;
  other.front() = static_cast<char>(other.front() ^ 1);
  CHECK_FALSE(registry.cancel(4711, other));
  CHECK_FALSE(registry.cancel(4711, {}));
}
