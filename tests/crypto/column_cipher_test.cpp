#include "crypto/column_cipher.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <doctest/doctest.h>

#include "base/codes/crypto.hpp"
#include "tests/crypto/support.hpp"

using namespace postern;
using namespace postern::crypto;
using namespace postern::crypto::testing;

namespace {

constexpr KeyId kAcmeData = 0x01020304;
constexpr KeyId kAcmeIndex = 0x01020305;

Uuid filled_uuid(int first) {
  Uuid uuid;
  for (char& c : uuid) c = static_cast<char>(first++);
  return uuid;
}

Bytes counting_key() {
  Bytes key;
  for (char c = 0; c < 32; ++c) key.push_back(c);
  return key;
}

// Two tenants and the global scope, each with a key of both purposes. acme's two keys are the same
// bytes, so that the reference script needs one key only.
std::shared_ptr<const KeySnapshot> keys() {
  const auto random = KeyPurpose::kRandomized;
  const auto fixed = KeyPurpose::kDeterministic;
  return snapshot_of(
      {{kAcmeData, tenant("acme"), random, true, false, 0},
       {kAcmeIndex, tenant("acme"), fixed, true, false, 0},
       {3, tenant("beta"), random, true, false, 1},
       {4, tenant("beta"), fixed, true, false, 2},
       {5, global_owner(), random, true, false, 3},
       {6, global_owner(), fixed, true, false, 4}},
      {counting_key(), Bytes(32, 'b'), Bytes(32, 'c'), Bytes(32, 'd'), Bytes(32, 'e')});
}

ColumnSpec spec(Scheme scheme) {
  return {filled_uuid(0xA0), filled_uuid(0xC0), scheme, KeyScope::kTenant, "varchar", "text"};
}

ColumnCipher cipher(const ColumnSpec& column) {
  return {keys(), column};
}

Bytes opened(ColumnCipher& c, const TenantId& t, ByteView container) {
  auto plain = c.decrypt(t, container);
  REQUIRE(plain);
  return Bytes(plain->reveal());
}

Pst refusal(ColumnCipher& c, const TenantId& t, ByteView container) {
  const auto plain = c.decrypt(t, container);
  REQUIRE_FALSE(plain);
  return plain.error().code;
}

constexpr Scheme kSchemes[] = {Scheme::kRandomized, Scheme::kDeterministic};

}  // namespace

TEST_CASE("containers equal those of the independent reference (pe1_reference.py)") {
  const auto acme = snapshot_of(
      {{kAcmeData, tenant("acme"), KeyPurpose::kRandomized, true, false, 0}}, {counting_key()});
  ColumnCipher randomized(acme, spec(Scheme::kRandomized));
  CHECK(
      opened(randomized, tenant("acme"),
             hex("f550010101020304000102030405060708090a0b0c0d0e0f1011121314151617d69ee86f49a02344"
                 "d9898c6266b5bdbc505b4548a26b59d4ffae8376986b9181a6")) == "alice@example.org");
  const auto index = snapshot_of(
      {{kAcmeData, tenant("acme"), KeyPurpose::kDeterministic, true, false, 0}}, {counting_key()});
  ColumnCipher deterministic(index, spec(Scheme::kDeterministic));
  CHECK(
      to_hex(deterministic.encrypt(tenant("acme"), "alice@example.org").value()) ==
      "f5500111010203047dffd3a8596c1f47910c7aa4a57d2236e55cafdf0fdb0314258986270c3217f1f6e6a1a48e1a"
      "3eb07607924f8d29f6993b896081a58ef64e9c");
}

TEST_CASE("values of all sizes come back, 48 bytes longer in between") {
  for (const Scheme scheme : kSchemes) {
    ColumnCipher c = cipher(spec(scheme));
    for (const std::size_t size : {0, 1, 15, 16, 63, 64, 65, 1000, 100000}) {
      const Bytes plain = random_bytes(size);
      const Bytes container = c.encrypt(tenant("acme"), plain).value();
      CHECK(container.size() == size + kContainerOverhead);
      CHECK(looks_like_container(container));
      CHECK(opened(c, tenant("acme"), container) == plain);
    }
  }
}

TEST_CASE("a value holds at 16 MB and is refused one byte past it, both ways") {
  for (const Scheme scheme : kSchemes) {
    ColumnCipher c = cipher(spec(scheme));
    const Bytes largest(kMaxPlaintextBytes, 'x');
    const Bytes container = c.encrypt(tenant("acme"), largest).value();
    CHECK(opened(c, tenant("acme"), container) == largest);
    CHECK(c.encrypt(tenant("acme"), largest + "x").error().code == pst::kPlaintextTooLarge);
    CHECK(refusal(c, tenant("acme"), container + "x") == pst::kNotAContainer);
  }
}

TEST_CASE("structure: what looks like a container and what does not") {
  ColumnCipher c = cipher(spec(Scheme::kRandomized));
  const Bytes smallest = c.encrypt(tenant("acme"), "").value();
  CHECK(smallest.size() == kContainerOverhead);
  CHECK(looks_like_container(smallest));
  CHECK_FALSE(looks_like_container(ByteView(smallest).substr(0, kContainerOverhead - 1)));
  CHECK_FALSE(looks_like_container(""));
  CHECK_FALSE(looks_like_container(Bytes(100, 'x')));
  for (const std::size_t i : {0, 1, 2, 3}) {
    Bytes bad = smallest;
    bad[i] = static_cast<char>(bad[i] ^ 0x40);
    CHECK_FALSE(looks_like_container(bad));
    CHECK(read_header(bad).error().code == pst::kNotAContainer);
  }
  CHECK(read_header(smallest).value() == ContainerHeader{Suite::kRandomized, kAcmeData});
}

TEST_CASE("tampering: every changed bit of every byte, every cut and every insertion fails") {
  for (const Scheme scheme : kSchemes) {
    ColumnCipher c = cipher(spec(scheme));
    const Bytes good = c.encrypt(tenant("acme"), "alice@example.org").value();
    for (std::size_t i = 0; i < good.size(); ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        Bytes bad = good;
        bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
        CHECK_FALSE(c.decrypt(tenant("acme"), bad));
      }
      CHECK_FALSE(c.decrypt(tenant("acme"), ByteView(good).substr(0, i)));
      CHECK_FALSE(c.decrypt(tenant("acme"), Bytes(good).insert(i, 1, 'x')));
      CHECK_FALSE(c.decrypt(tenant("acme"), Bytes(good).erase(i, 1)));
    }
    CHECK(opened(c, tenant("acme"), good) == "alice@example.org");
  }
}

TEST_CASE("swaps: a value of another tenant, column, type or scheme does not open") {
  const TenantId acme = tenant("acme");
  const TenantId beta = tenant("beta");
  for (const Scheme scheme : kSchemes) {
    ColumnCipher c = cipher(spec(scheme));
    const Bytes container = c.encrypt(acme, "value").value();
    CHECK(refusal(c, beta, container) == pst::kKeyOfOtherTenant);
    CHECK(refusal(c, TenantId::none(), container) == pst::kTenantHasNoKey);

    ColumnSpec other_uuid = spec(scheme);
    (scheme == Scheme::kRandomized ? other_uuid.column : other_uuid.link_group) = filled_uuid(1);
    ColumnCipher moved = cipher(other_uuid);
    CHECK(refusal(moved, acme, container) == pst::kDecryptFailed);

    ColumnSpec other_type = spec(scheme);
    (scheme == Scheme::kRandomized ? other_type.logical_type : other_type.type_family) = "uuid";
    ColumnCipher retyped = cipher(other_type);
    CHECK(refusal(retyped, acme, container) == pst::kDecryptFailed);

    ColumnCipher other_scheme =
        cipher(spec(scheme == Scheme::kRandomized ? Scheme::kDeterministic : Scheme::kRandomized));
    CHECK(refusal(other_scheme, acme, container) == pst::kSuiteNotAllowed);

    ColumnSpec other_scope = spec(scheme);
    other_scope.scope = KeyScope::kGlobal;
    ColumnCipher global = cipher(other_scope);
    CHECK(refusal(global, acme, container) == pst::kKeyOfOtherTenant);
  }
}

TEST_CASE("a header that names a key of the other purpose is refused") {
  ColumnCipher c = cipher(spec(Scheme::kRandomized));
  Bytes container = c.encrypt(tenant("acme"), "value").value();
  store_be32(container.data() + 4, kAcmeIndex);
  CHECK(refusal(c, tenant("acme"), container) == pst::kSuiteNotAllowed);
}

TEST_CASE("deterministic: equal within tenant, link group and family only; randomized: never") {
  ColumnCipher c = cipher(spec(Scheme::kDeterministic));
  const Bytes container = c.encrypt(tenant("acme"), "value").value();
  CHECK(c.encrypt(tenant("acme"), "value").value() == container);
  CHECK(c.encrypt(tenant("acme"), "Value").value() != container);
  CHECK(c.encrypt(tenant("beta"), "value").value().substr(8) != container.substr(8));

  ColumnSpec linked = spec(Scheme::kDeterministic);
  linked.column = filled_uuid(0x11);
  linked.logical_type = "text";
  ColumnCipher second = cipher(linked);
  CHECK(second.encrypt(tenant("acme"), "value").value() == container);
  CHECK(opened(second, tenant("acme"), container) == "value");

  ColumnSpec other_group = linked;
  other_group.link_group = filled_uuid(0x22);
  CHECK(cipher(other_group).encrypt(tenant("acme"), "value").value().substr(8) !=
        container.substr(8));
  ColumnSpec other_family = linked;
  other_family.type_family = "uuid";
  CHECK(cipher(other_family).encrypt(tenant("acme"), "value").value().substr(8) !=
        container.substr(8));

  ColumnCipher random = cipher(spec(Scheme::kRandomized));
  CHECK(random.encrypt(tenant("acme"), "value").value() !=
        random.encrypt(tenant("acme"), "value").value());
}

TEST_CASE("scope global uses its own key whoever asks; scope tenant never falls back to it") {
  ColumnSpec column = spec(Scheme::kDeterministic);
  column.scope = KeyScope::kGlobal;
  ColumnCipher global = cipher(column);
  const Bytes container = global.encrypt(tenant("acme"), "login@example.org").value();
  CHECK(global.encrypt(TenantId::none(), "login@example.org").value() == container);
  CHECK(opened(global, tenant("beta"), container) == "login@example.org");
  CHECK(global.owner(container).value() == global_owner());

  ColumnCipher scoped = cipher(spec(Scheme::kDeterministic));
  CHECK(scoped.encrypt(TenantId::none(), "x").error().code == pst::kTenantHasNoKey);
  CHECK(scoped.encrypt(tenant("gamma"), "x").error().code == pst::kTenantHasNoKey);
  CHECK(refusal(scoped, tenant("acme"), container) == pst::kKeyOfOtherTenant);
}

TEST_CASE("owner names the tenant by key id; an unknown or shredded key has its own error") {
  ColumnCipher c = cipher(spec(Scheme::kRandomized));
  const Bytes container = c.encrypt(tenant("beta"), "value").value();
  CHECK(c.owner(container).value() == tenant("beta"));
  CHECK(c.owner("no").error().code == pst::kNotAContainer);
  Bytes unknown = container;
  store_be32(unknown.data() + 4, 0xFFFFFFFF);
  CHECK(refusal(c, tenant("beta"), unknown) == pst::kUnknownKeyId);
  CHECK(c.owner(unknown).error().code == pst::kUnknownKeyId);

  c.use(snapshot_of({{3, tenant("beta"), KeyPurpose::kRandomized, false, true, 0}},
                    {Bytes(32, 'b')}));
  CHECK(refusal(c, tenant("beta"), container) == pst::kKeyShredded);
  CHECK(c.encrypt(tenant("beta"), "value").error().code == pst::kKeyShredded);
}

TEST_CASE("more keys than the cache holds: every value still opens") {
  const std::size_t count = ColumnCipher::kMaxCachedKeys + 1;
  std::vector<KeySnapshot::Entry> entries;
  std::vector<Bytes> deks;
  for (std::size_t i = 0; i < count; ++i) {
    entries.push_back({static_cast<KeyId>(i + 1), tenant("t" + std::to_string(i)),
                       KeyPurpose::kRandomized, true, false, i});
    deks.push_back(random_bytes(32));
  }
  const auto snapshot = snapshot_of(std::move(entries), deks);
  ColumnCipher writer(snapshot, spec(Scheme::kRandomized));
  ColumnCipher reader(snapshot, spec(Scheme::kRandomized));
  std::vector<Bytes> containers;
  for (std::size_t i = 0; i < count; ++i) {
    containers.push_back(
        writer.encrypt(tenant("t" + std::to_string(i)), std::to_string(i)).value());
  }
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(opened(reader, tenant("t" + std::to_string(i)), containers[i]) == std::to_string(i));
    }
  }
}

TEST_CASE("a cell costs microseconds") {
  using Clock = std::chrono::steady_clock;
  constexpr int kRounds = 20000;
  constexpr double kGenerousMicroseconds = 100;  // for shared test hosts; real figures are about 1
  for (const Scheme scheme : kSchemes) {
    ColumnCipher c = cipher(spec(scheme));
    const TenantId acme = tenant("acme");
    Bytes container;
    const auto start = Clock::now();
    for (int i = 0; i < kRounds; ++i) container = c.encrypt(acme, "alice@example.org").value();
    const auto middle = Clock::now();
    for (int i = 0; i < kRounds; ++i) CHECK_MESSAGE(c.decrypt(acme, container), "must open");
    const auto end = Clock::now();
    const std::chrono::duration<double, std::micro> sealing = middle - start;
    const std::chrono::duration<double, std::micro> opening = end - middle;
    CHECK(sealing.count() / kRounds < kGenerousMicroseconds);
    CHECK(opening.count() / kRounds < kGenerousMicroseconds);
    if (std::getenv("POSTERN_BENCH") != nullptr) {
      std::printf("suite %s: encrypt %.2f us, decrypt %.2f us\n",
                  scheme == Scheme::kRandomized ? "01" : "11", sealing.count() / kRounds,
                  opening.count() / kRounds);
    }
  }
}
