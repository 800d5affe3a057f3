#include "proxy/cache/seal.hpp"

#include "base/codes/cache.hpp"
#include "crypto/aead.hpp"
#include "crypto/hash.hpp"
#include "crypto/init.hpp"

namespace postern::proxy {
namespace {

constexpr std::size_t kKeyBytes = 32;

Secret tenant_key(const SealScope& scope) {
  return Secret(crypto::blake2b("tenant:" + scope.key->tenant, kKeyBytes, scope.seal_key));
}

void append_part(Bytes& out, ByteView part) {
  append_be32(out, static_cast<std::uint32_t>(part.size()));
  out.append(part);
}

Bytes associated_data(const SealScope& scope) {
  Bytes aad;
  append_part(aad, scope.key->canonical);
  append_part(aad, scope.scope);
  append_be32(aad, static_cast<std::uint32_t>(scope.versions->tables.size()));
  for (const Oid table : scope.versions->tables) append_be32(aad, table);
  append_part(aad, scope.versions->tokens);
  return aad;
}

/// A bounded cursor over an opened entry; what is short leaves `good` false.
struct Cursor {
  ByteView left;
  bool good = true;

  ByteView take(std::size_t size) {
    if (size > left.size()) {
      good = false;
      return {};
    }
    const ByteView part = left.substr(0, size);
    left.remove_prefix(size);
    return part;
  }
  std::uint64_t be64() {
    const ByteView raw = take(8);
    return good ? load_be64(raw.data()) : 0;
  }
};

}  // namespace

Secret derive_cache_key(ByteView secret, ByteView purpose) {
  const Secret key(crypto::blake2b(secret, kKeyBytes));
  return Secret(crypto::blake2b(purpose, kKeyBytes, key.reveal()));
}

Bytes seal_answer(const SealScope& scope, const CachedAnswer& answer, std::uint64_t expires_at) {
  Bytes plain;
  plain.reserve(32 + answer.row_description.size() + answer.command_tag.size() +
                answer.rows.size());
  append_be64(plain, expires_at);
  append_be64(plain, answer.row_count);
  append_be64(plain, answer.command_tag.size());
  append_be64(plain, answer.row_description.size());
  plain += answer.command_tag;
  plain += answer.row_description;
  plain += answer.rows;
  const Secret key = tenant_key(scope);
  const Bytes aad = associated_data(scope);
  const Bytes nonce = crypto::random_bytes(crypto::kAeadNonceBytes);
  Bytes entry = scope.versions->tokens + nonce;
  crypto::aead_seal({key.reveal(), nonce, aad}, plain, entry);
  wipe(plain);
  return entry;
}

Result<std::optional<CachedAnswer>> open_answer(const SealScope& scope, ByteView entry,
                                                std::uint64_t now) {
  Cursor outer{entry};
  if (outer.take(scope.versions->tokens.size()) != scope.versions->tokens) {
    return std::optional<CachedAnswer>();
  }
  const ByteView nonce = outer.take(crypto::kAeadNonceBytes);
  if (!outer.good) return make_error(pst::kCacheEntry);
  const Secret key = tenant_key(scope);
  const Bytes aad = associated_data(scope);
  Bytes plain;
  if (!crypto::aead_open({key.reveal(), nonce, aad}, outer.left, plain)) {
    return make_error(pst::kCacheEntry);
  }
  Cursor inner{plain};
  const std::uint64_t expires_at = inner.be64();
  CachedAnswer answer;
  answer.row_count = inner.be64();
  const std::uint64_t tag_size = inner.be64();
  const std::uint64_t description_size = inner.be64();
  answer.command_tag = inner.take(tag_size);
  answer.row_description = inner.take(description_size);
  answer.rows = inner.left;
  const bool good = inner.good;
  wipe(plain);
  if (!good) return make_error(pst::kCacheEntry);
  if (now >= expires_at) return std::optional<CachedAnswer>();
  return std::optional<CachedAnswer>(std::move(answer));
}

}  // namespace postern::proxy
