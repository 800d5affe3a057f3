#include "crypto/key_store.hpp"

#include <algorithm>
#include <thread>

#include <doctest/doctest.h>

#include "base/codes/crypto.hpp"
#include "crypto/base64.hpp"
#include "crypto/column_cipher.hpp"
#include "crypto/file_io.hpp"
#include "crypto/hash.hpp"
#include "tests/crypto/support.hpp"

using namespace postern;
using namespace postern::crypto;
using namespace postern::crypto::testing;

namespace {

constexpr StretchCost kCheap{1, kMinStretchMemory};
constexpr std::int64_t kNow = 1700000000;

struct Fixture {
  TempFolder folder;
  KeyStore::Options options{folder.file("keys"),
                            {RootKeySource::Kind::kKeyFile, folder.file("root")}};

  Fixture() { REQUIRE(create_root_key_file(options.root.path)); }
  KeyStore create() const {
    auto store = KeyStore::create(options, kNow, kCheap);
    REQUIRE(store);
    return std::move(*store);
  }
  [[nodiscard]] KeyStore open() const {
    auto store = KeyStore::open(options);
    REQUIRE(store);
    return std::move(*store);
  }
  [[nodiscard]] Pst open_error() const {
    const auto store = KeyStore::open(options);
    REQUIRE_FALSE(store);
    return store.error().code;
  }
};

ColumnSpec column(Scheme scheme) {
  return {Uuid{}, Uuid{}, scheme, KeyScope::kTenant, "text", "text"};
}

KeyId current(const KeyStore& store, const TenantId& t, KeyPurpose purpose) {
  return store.snapshot()->current_key(t, purpose).value().id();
}

// The file with its sum made right again, as someone would who edits it on purpose.
std::string with_right_sum(std::string text) {
  const std::size_t sum = text.rfind("sum ");
  REQUIRE(sum != std::string::npos);
  text.resize(sum);
  return text + "sum " + to_hex(sha256(text).view()) + "\n";
}

}  // namespace

TEST_CASE("key store: create, add, list, open again") {
  Fixture f;
  KeyStore store = f.create();
  CHECK(mode_of(f.options.path) == 0600);
  CHECK(mode_of(f.options.root.path) == 0600);
  REQUIRE(store.add_tenant(tenant("acme"), kNow + 1));
  const auto list = f.open().list();
  REQUIRE(list.size() == 2);
  CHECK(list[0].tenant == global_owner());
  CHECK(list[1].tenant == tenant("acme"));
  CHECK(list[1].created == kNow + 1);
  REQUIRE(list[1].keys.size() == 2);
  CHECK(list[1].keys[0].purpose == KeyPurpose::kRandomized);
  CHECK(list[1].keys[1].purpose == KeyPurpose::kDeterministic);
  CHECK(list[1].keys[0].id == current(store, tenant("acme"), KeyPurpose::kRandomized));
  CHECK(store.snapshot()->key_by_id(list[1].keys[1].id).value().owner() == tenant("acme"));
  CHECK(f.folder.entries() == 3);  // root, keys, lock: no temporary file stays
}

TEST_CASE("key store: values survive reopening, and the file holds wrappings only") {
  Fixture f;
  Bytes container;
  {
    KeyStore store = f.create();
    REQUIRE(store.add_tenant(tenant("acme"), kNow));
    container = ColumnCipher(store.snapshot(), column(Scheme::kRandomized))
                    .encrypt(tenant("acme"), "value")
                    .value();
  }
  ColumnCipher c(f.open().snapshot(), column(Scheme::kRandomized));
  CHECK(c.decrypt(tenant("acme"), container).value().reveal() == "value");
  const std::string root = read_file(f.options.root.path);
  CHECK(read_file(f.options.path).find(root.substr(0, 64)) == std::string::npos);
}

TEST_CASE("rotation: new values under a new key, old ones still open, equality unharmed") {
  Fixture f;
  KeyStore store = f.create();
  const TenantId acme = tenant("acme");
  REQUIRE(store.add_tenant(acme, kNow));
  const KeyId first = current(store, acme, KeyPurpose::kRandomized);
  const KeyId index = current(store, acme, KeyPurpose::kDeterministic);
  ColumnCipher c(store.snapshot(), column(Scheme::kRandomized));
  const Bytes old_value = c.encrypt(acme, "value").value();

  const KeyId second = store.rotate_tenant(acme, kNow + 5).value();
  CHECK(second != first);
  CHECK(current(store, acme, KeyPurpose::kRandomized) == second);
  CHECK(current(store, acme, KeyPurpose::kDeterministic) == index);
  c.use(f.open().snapshot());
  CHECK(c.decrypt(acme, old_value).value().reveal() == "value");
  const Bytes new_value = c.encrypt(acme, "value").value();
  CHECK(read_header(new_value).value().key_id == second);

  const auto keys = store.list()[1].keys;
  REQUIRE(keys.size() == 3);
  CHECK(keys[0].state == KeyInfo::State::kOld);
  CHECK(keys[1].state == KeyInfo::State::kCurrent);
  CHECK(keys[2].state == KeyInfo::State::kCurrent);
  REQUIRE(store.rotate_tenant(global_owner(), kNow));
  CHECK(store.rotate_tenant(tenant("nobody"), kNow).error().code == pst::kTenantHasNoKey);
}

TEST_CASE("shredding: nothing opens any more, the wrappings are gone, the name stays taken") {
  Fixture f;
  KeyStore store = f.create();
  const TenantId acme = tenant("acme");
  REQUIRE(store.add_tenant(acme, kNow));
  REQUIRE(store.add_tenant(tenant("beta"), kNow));
  ColumnCipher c(store.snapshot(), column(Scheme::kRandomized));
  const Bytes container = c.encrypt(acme, "value").value();
  const KeyId id = current(store, acme, KeyPurpose::kRandomized);
  REQUIRE(store.rotate_tenant(acme, kNow));

  REQUIRE(store.shred_tenant(acme));
  for (const auto& snapshot : {store.snapshot(), f.open().snapshot()}) {
    c.use(snapshot);
    CHECK(c.decrypt(acme, container).error().code == pst::kKeyShredded);
    CHECK(c.encrypt(acme, "value").error().code == pst::kKeyShredded);
    CHECK(snapshot->key_by_id(id).error().code == pst::kKeyShredded);
    CHECK(c.encrypt(tenant("beta"), "value"));
  }
  const std::string text = read_file(f.options.path);
  CHECK(text.find("tenant acme shredded 1700000000 -\n") != std::string::npos);
  CHECK(text.find(" acme randomized shredded 1700000000 -\n") != std::string::npos);
  CHECK(text.find("acme active") == std::string::npos);
  CHECK(store.list()[1].shredded);
  CHECK(store.add_tenant(acme, kNow).error().code == pst::kKeyShredded);
  CHECK(store.shred_tenant(acme).error().code == pst::kKeyShredded);
  CHECK(store.rotate_tenant(acme, kNow).error().code == pst::kKeyShredded);
  CHECK(store.shred_tenant(tenant("nobody")).error().code == pst::kTenantHasNoKey);
  CHECK(store.shred_tenant(global_owner()).error().code == pst::kTenantHasNoKey);
}

TEST_CASE("adding twice is refused and changes nothing") {
  Fixture f;
  KeyStore store = f.create();
  REQUIRE(store.add_tenant(tenant("acme"), kNow));
  const std::string before = read_file(f.options.path);
  CHECK(store.add_tenant(tenant("acme"), kNow).error().code == pst::kTenantExists);
  CHECK(store.add_tenant(global_owner(), kNow).error().code == pst::kTenantExists);
  const TenantId some[] = {tenant("beta"), tenant("acme"), tenant("gamma")};
  CHECK(store.add_tenants(some, kNow).error().code == pst::kTenantExists);
  CHECK(read_file(f.options.path) == before);
}

TEST_CASE("reload: another process's key is unknown first, known after, and old snapshots stay") {
  Fixture f;
  KeyStore serving = f.create();
  KeyStore tool = f.open();
  const auto before = serving.snapshot();
  REQUIRE(tool.add_tenant(tenant("acme"), kNow));
  const KeyId id = current(tool, tenant("acme"), KeyPurpose::kRandomized);
  CHECK(serving.snapshot()->key_by_id(id).error().code == pst::kUnknownKeyId);
  CHECK(serving.reload().value());
  CHECK(serving.snapshot()->key_by_id(id));
  CHECK(serving.snapshot()->generation() > before->generation());
  CHECK(before->key_by_id(id).error().code == pst::kUnknownKeyId);
  CHECK_FALSE(serving.reload().value());
  // A change starts from the file, not from what this process knew.
  REQUIRE(serving.add_tenant(tenant("beta"), kNow));
  REQUIRE(tool.add_tenant(tenant("gamma"), kNow));
  CHECK(f.open().list().size() == 4);
}

TEST_CASE("reload: an older file, another store and a damaged file leave the keys in use") {
  Fixture f;
  KeyStore store = f.create();
  const std::string older = read_file(f.options.path);
  REQUIRE(store.add_tenant(tenant("acme"), kNow));
  const auto snapshot = store.snapshot();

  write_file(f.options.path, older);
  CHECK(store.reload().error().code == pst::kKeyFileRolledBack);
  CHECK(store.add_tenant(tenant("beta"), kNow).error().code == pst::kKeyFileRolledBack);
  std::filesystem::remove(f.options.path);
  CHECK(store.reload().error().code == pst::kKeyFileUnreadable);
  REQUIRE(KeyStore::create(f.options, kNow));
  CHECK(store.reload().error().code == pst::kKeyFileRolledBack);
  write_file(f.options.path, "damaged\n");
  CHECK(store.reload().error().code == pst::kKeyFileCorrupt);
  CHECK(store.snapshot() == snapshot);
}

TEST_CASE("two threads as two processes: no change is lost") {
  Fixture f;
  REQUIRE(KeyStore::create(f.options, kNow));
  const auto work = [&](const std::string& prefix) {
    KeyStore store = f.open();
    for (int i = 0; i < 8; ++i) {
      REQUIRE(store.add_tenant(tenant(prefix + std::to_string(i)), kNow));
    }
  };
  std::thread other(work, "a");
  work("b");
  other.join();
  CHECK(f.open().list().size() == 17);
}

TEST_CASE("the wrong root key, and key file and passphrase exchanged, are told apart from damage") {
  Fixture f;
  f.create();
  std::filesystem::remove(f.options.root.path);
  REQUIRE(create_root_key_file(f.options.root.path));
  CHECK(f.open_error() == pst::kWrongRootKey);
  f.options.root.kind = RootKeySource::Kind::kPassphraseFile;
  CHECK(f.open_error() == pst::kWrongRootKey);
}

TEST_CASE("every changed, missing or doubled byte of the file is an error") {
  Fixture f;
  KeyStore store = f.create();
  REQUIRE(store.add_tenant(tenant("acme"), kNow));
  REQUIRE(store.add_tenant(tenant("gone"), kNow));
  REQUIRE(store.shred_tenant(tenant("gone")));
  const std::string good = read_file(f.options.path);
  for (std::size_t i = 0; i < good.size(); ++i) {
    CAPTURE(i);
    for (const int mask : {0x01, 0x20, 0x80}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ mask);
      write_file(f.options.path, bad);
      CHECK(f.open_error() == pst::kKeyFileCorrupt);
    }
    write_file(f.options.path, std::string(good).erase(i, 1));
    CHECK(f.open_error() == pst::kKeyFileCorrupt);
    write_file(f.options.path, good.substr(0, i));
    CHECK(f.open_error() == pst::kKeyFileCorrupt);
  }
  write_file(f.options.path, good + "\n");
  CHECK(f.open_error() == pst::kKeyFileCorrupt);
  write_file(f.options.path, good);
  CHECK(KeyStore::open(f.options));
}

TEST_CASE("a forger without the root key changes nothing either, sum or no sum") {
  Fixture f;
  KeyStore store = f.create();
  REQUIRE(store.add_tenant(tenant("acme"), kNow));
  REQUIRE(store.add_tenant(tenant("beta"), kNow));
  const std::string good = read_file(f.options.path);
  const std::size_t body = good.rfind("sum ");
  for (std::size_t i = 0; i < body; ++i) {
    CAPTURE(i);
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x01);
    write_file(f.options.path, with_right_sum(bad));
    const Pst code = f.open_error();
    CHECK((code == pst::kKeyFileCorrupt || code == pst::kWrongRootKey));
  }
  // Exchanging two tenants' names, a line less, two lines swapped.
  std::string swapped = good;
  for (std::size_t at = 0; (at = swapped.find("acme", at)) != std::string::npos;) {
    swapped.replace(at, 4, "BETA");
  }
  write_file(f.options.path, with_right_sum(swapped));
  CHECK(f.open_error() == pst::kKeyFileCorrupt);
  std::string shorter = good;
  const std::size_t line = shorter.find("key ");
  shorter.erase(line, shorter.find('\n', line) + 1 - line);
  write_file(f.options.path, with_right_sum(shorter));
  CHECK(f.open_error() == pst::kKeyFileCorrupt);
}

TEST_CASE("permissions: anything for group or others refuses both files") {
  Fixture f;
  f.create();
  for (const std::string& path : {f.options.path, f.options.root.path}) {
    for (const mode_t mode : {0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666}) {
      CAPTURE(mode);
      REQUIRE(::chmod(path.c_str(), mode) == 0);
      CHECK(f.open_error() == pst::kKeyFilePermissions);
    }
    for (const mode_t mode : {0400, 0600, 0700}) {
      REQUIRE(::chmod(path.c_str(), mode) == 0);
      CHECK(KeyStore::open(f.options));
    }
  }
}

TEST_CASE("unreadable: missing, a folder, a FIFO") {
  Fixture f;
  CHECK(f.open_error() == pst::kKeyFileUnreadable);
  f.create();
  KeyStore::Options options = f.options;
  options.root.path = f.folder.file("missing");
  CHECK(KeyStore::open(options).error().code == pst::kKeyFileUnreadable);
  options.root.path = f.folder.file("");
  CHECK(KeyStore::open(options).error().code == pst::kKeyFileUnreadable);
  options.root.path = f.folder.file("fifo");
  REQUIRE(::mkfifo(options.root.path.c_str(), 0600) == 0);
  CHECK(KeyStore::open(options).error().code == pst::kKeyFileUnreadable);
}

TEST_CASE("unwritable: no folder; existing files are never overwritten") {
  Fixture f;
  KeyStore::Options options = f.options;
  options.path = f.folder.file("no/such/keys");
  CHECK(KeyStore::create(options, kNow).error().code == pst::kKeyStoreWrite);
  CHECK(create_root_key_file(options.path).error().code == pst::kKeyStoreWrite);
  f.create();
  const std::string before = read_file(f.options.path);
  CHECK(KeyStore::create(f.options, kNow).error().code == pst::kKeyFileExists);
  CHECK(create_root_key_file(f.options.root.path).error().code == pst::kKeyFileExists);
  CHECK(read_file(f.options.path) == before);
}

TEST_CASE("root key files: hexadecimal or base64 of exactly 32 bytes") {
  Fixture f;
  f.create();
  const std::string digits = read_file(f.options.root.path);
  const Bytes key = hex(ByteView(digits).substr(0, 64));
  for (const std::string& text : {digits.substr(0, 64), digits.substr(0, 64) + "\r\n",
                                  base64_encode(key), base64_encode(key) + "\n"}) {
    write_file(f.options.root.path, text);
    CHECK(KeyStore::open(f.options));
  }
  for (const std::string& text :
       {std::string(), digits.substr(0, 63), digits.substr(0, 62), digits + "\n", "x" + digits,
        base64_encode(ByteView(key).substr(1)), base64_encode(key + "x")}) {
    write_file(f.options.root.path, text);
    CHECK(f.open_error() == pst::kBadKeyMaterial);
  }
}

TEST_CASE("key stores beyond their size limit are not read") {
  Fixture f;
  write_file(f.options.path, "");
  REQUIRE(::truncate(f.options.path.c_str(), kMaxKeyFileBytes) == 0);
  CHECK(f.open_error() == pst::kKeyFileCorrupt);
  REQUIRE(::truncate(f.options.path.c_str(), kMaxKeyFileBytes + 1) == 0);
  CHECK(f.open_error() == pst::kBadKeyMaterial);
}

TEST_CASE("many tenants in one write") {
  Fixture f;
  KeyStore store = f.create();
  std::vector<TenantId> tenants;
  for (int i = 0; i < 1000; ++i) tenants.push_back(tenant("t" + std::to_string(i)));
  REQUIRE(store.add_tenants(tenants, kNow));
  CHECK(f.open().list().size() == 1001);
}

TEST_CASE("secret files hold at their size limit and are refused one byte past it") {
  TempFolder folder;
  const std::string path = folder.file("secret");
  write_file(path, Bytes(kMaxRootFileBytes, 'p'));
  CHECK(read_private_file(path, kMaxRootFileBytes).value().size() == kMaxRootFileBytes);
  write_file(path, Bytes(kMaxRootFileBytes + 1, 'p'));
  CHECK(read_private_file(path, kMaxRootFileBytes).error().code == pst::kBadKeyMaterial);
}

TEST_CASE("passphrase: Argon2id, its length limit, and the stored cost's bounds") {
  Fixture f;
  f.options.root = {RootKeySource::Kind::kPassphraseFile, f.folder.file("passphrase")};
  write_file(f.options.root.path, "1234567\n");
  CHECK(KeyStore::create(f.options, kNow, kCheap).error().code == pst::kBadKeyMaterial);
  write_file(f.options.root.path, "12345678\n");
  KeyStore store = f.create();
  REQUIRE(store.add_tenant(tenant("acme"), kNow));
  CHECK(f.open().list().size() == 2);
  write_file(f.options.root.path, "12345679\n");
  CHECK(f.open_error() == pst::kWrongRootKey);

  write_file(f.options.root.path, "12345678\n");
  const std::string good = read_file(f.options.path);
  const std::string cost = "passphrase 1 8192 ";
  REQUIRE(good.find(cost) != std::string::npos);
  for (const char* forged : {"passphrase 17 8192 ", "passphrase 0 8192 ", "passphrase 1 8191 ",
                             "passphrase 1 1073741825 "}) {
    std::string bad = good;
    bad.replace(bad.find(cost), cost.size(), forged);
    write_file(f.options.path, with_right_sum(bad));
    CHECK(f.open_error() == pst::kBadKeyMaterial);
  }
}

TEST_CASE("passphrase: the key is Argon2id of the text as another implementation makes it") {
  // Made with OpenSSL's Argon2id through Python's cryptography 48: salt 00..0f, 3 passes, 64 KiB.
  TempFolder folder;
  REQUIRE(init());
  write_file(folder.file("p"), "correct horse\n");
  Bytes salt;
  for (char c = 0; c < 16; ++c) salt.push_back(c);
  const auto key =
      load_root_key({RootKeySource::Kind::kPassphraseFile, folder.file("p")}, {{3, 65536}, salt});
  REQUIRE(key);
  CHECK(to_hex(key->slot(0)) == "a1dc6a57c61d5fb470584e24085ea3216fd369c61bcd5f845745f9cb0ed02fca");
}
