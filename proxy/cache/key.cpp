#include "proxy/cache/key.hpp"

#include <initializer_list>

#include "crypto/hash.hpp"

namespace postern::proxy {
namespace {

constexpr std::size_t kNameBytes = 32;
constexpr std::uint8_t kFormatVersion = 1;

void append_part(Bytes& out, ByteView part) {
  append_be64(out, part.size());
  out.append(part);
}

Bytes canonical_formats(std::span<const std::int16_t> formats) {
  Bytes out;
  for (const std::int16_t format : formats) append_be16(out, static_cast<std::uint16_t>(format));
  return out;
}

}  // namespace

Bytes canonical_params(std::span<const CacheParam> params) {
  Bytes out;
  append_be32(out, static_cast<std::uint32_t>(params.size()));
  for (const CacheParam& param : params) {
    append_be32(out, param.type);
    append_be16(out, static_cast<std::uint16_t>(param.format));
    out.push_back(param.null ? '\1' : '\0');
    append_part(out, param.null ? ByteView{} : param.value);
  }
  return out;
}

Bytes canonical_settings(std::span<const std::pair<std::string_view, std::string_view>> settings) {
  Bytes out;
  append_be32(out, static_cast<std::uint32_t>(settings.size()));
  for (const auto& [name, value] : settings) {
    append_part(out, name);
    append_part(out, value);
  }
  return out;
}

CacheKey make_cache_key(const CacheKeyParts& parts, ByteView name_key) {
  CacheKey key;
  key.tenant = parts.tenant;
  Bytes& out = key.canonical;
  out.push_back(static_cast<char>(kFormatVersion));
  out.push_back(static_cast<char>(parts.shape));
  out.push_back(parts.decrypts ? '\1' : '\0');
  append_be64(out, parts.protection);
  const Bytes formats = canonical_formats(parts.result_formats);
  for (const ByteView part : std::initializer_list<ByteView>{
           parts.cluster, parts.database, parts.epoch, parts.server_text, parts.params, formats,
           parts.upstream_role, parts.login, parts.tenant, parts.acting, parts.search_path,
           parts.settings}) {
    append_part(out, part);
  }
  key.name = to_hex(crypto::blake2b(out, kNameBytes, name_key));
  return key;
}

}  // namespace postern::proxy
