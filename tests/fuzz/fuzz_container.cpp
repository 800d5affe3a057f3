// Encrypted values as they come from a database that may hold anything, and key store files.
#include "crypto/column_cipher.hpp"
#include "crypto/init.hpp"
#include "crypto/key_file.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::crypto;

namespace {

std::shared_ptr<const KeySnapshot> keys() {
  POSTERN_CHECK(init().has_value());
  GuardedSlab slab(2, 32);
  slab.store(0, Bytes(32, '0'));
  slab.store(1, Bytes(32, '1'));
  slab.freeze();
  const TenantId tenant = TenantId::parse("acme").value();
  std::vector<KeySnapshot::Entry> entries{{1, tenant, KeyPurpose::kRandomized, true, false, 0},
                                          {2, tenant, KeyPurpose::kDeterministic, true, false, 1}};
  return std::make_shared<const KeySnapshot>(std::move(entries), std::move(slab), 1);
}

ColumnCipher cipher(Scheme scheme) {
  static const std::shared_ptr<const KeySnapshot> snapshot = keys();
  ColumnSpec spec;
  spec.column.fill(7);
  spec.link_group.fill(8);
  spec.scheme = scheme;
  spec.logical_type = "text";
  spec.type_family = "text";
  return ColumnCipher(snapshot, std::move(spec));
}

/// What was not sealed here does not open, and what was sealed opens only unchanged.
void column(ColumnCipher& cipher, ByteView input) {
  const TenantId acme = TenantId::parse("acme").value();
  POSTERN_CHECK(!cipher.decrypt(acme, input).has_value());
  (void)cipher.owner(input).has_value();
  fuzz::Feed feed(input);
  const std::size_t at = feed.number() % 64;
  const auto flip = static_cast<char>(feed.byte());
  const ByteView plain = feed.rest();
  Bytes sealed = cipher.encrypt(acme, plain).value();
  const auto opened = cipher.decrypt(acme, sealed);
  POSTERN_CHECK(opened && opened->reveal() == plain);
  if (flip == 0) return;
  sealed[at % sealed.size()] = static_cast<char>(sealed[at % sealed.size()] ^ flip);
  POSTERN_CHECK(!cipher.decrypt(acme, sealed).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static ColumnCipher randomized = cipher(Scheme::kRandomized);
  static ColumnCipher deterministic = cipher(Scheme::kDeterministic);
  const ByteView input = fuzz::view(data, size);
  column(randomized, input);
  column(deterministic, input);
  if (looks_like_container(input)) POSTERN_CHECK(read_header(input).has_value());
  if (const auto file = parse_key_file(input)) POSTERN_CHECK(file_text(*file, file->mac) == input);
  return 0;
}
