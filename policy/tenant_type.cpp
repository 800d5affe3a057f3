#include "policy/tenant_type.hpp"

#include <charconv>

#include "base/codes/wall.hpp"

namespace postern::policy {
namespace {

// pg_type.oid of built-in types: fixed by PostgreSQL for all versions.
constexpr Oid kTextOid = 25;
constexpr Oid kVarcharOid = 1043;
constexpr Oid kBpcharOid = 1042;
constexpr Oid kInt2Oid = 21;
constexpr Oid kInt4Oid = 23;
constexpr Oid kInt8Oid = 20;
constexpr Oid kUuidOid = 2950;
constexpr int kMaxDomainDepth = 32;

std::optional<TenantType> builtin(Oid type) {
  switch (type) {
    case kTextOid:
    case kVarcharOid:
      return TenantType::kText;
    case kBpcharOid:
      return TenantType::kBpchar;
    case kInt2Oid:
      return TenantType::kInt2;
    case kInt4Oid:
      return TenantType::kInt4;
    case kInt8Oid:
      return TenantType::kInt8;
    case kUuidOid:
      return TenantType::kUuid;
    default:
      return std::nullopt;
  }
}

template <typename Int>
bool canonical_integer(const std::string& text) {
  Int value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  return parsed.ec == std::errc{} && parsed.ptr == end && std::to_string(value) == text;
}

bool canonical_uuid(const std::string& text) {
  constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (text.size() != kShape.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (kShape[i] == 'x' ? !hex : text[i] != '-') return false;
  }
  return true;
}

bool canonical(const std::string& text, TenantType type) {
  switch (type) {
    case TenantType::kText:
    case TenantType::kBpchar:
      return true;
    case TenantType::kInt2:
      return canonical_integer<std::int16_t>(text);
    case TenantType::kInt4:
      return canonical_integer<std::int32_t>(text);
    case TenantType::kInt8:
      return canonical_integer<std::int64_t>(text);
    case TenantType::kUuid:
      return canonical_uuid(text);
  }
  return false;
}

}  // namespace

std::optional<TenantType> tenant_type(const sql::Catalog& catalog, Oid type) {
  for (int depth = 0; depth < kMaxDomainDepth; ++depth) {
    if (const auto found = builtin(type)) return found;
    const sql::Type* entry = catalog.type(type);
    if (entry == nullptr || entry->kind != 'd') return std::nullopt;
    type = entry->base;
  }
  return std::nullopt;
}

Status check_tenant(const TenantId& tenant, TenantType type) {
  if (tenant.is_none() || canonical(tenant.text(), type)) return ok();
  return make_error(pst::kBadTenant, "\"" + tenant.text() +
                                         "\" is not the canonical text of a value of type " +
                                         std::string(cast_target(type)));
}

std::string_view cast_target(TenantType type) {
  switch (type) {
    case TenantType::kText:
      return "";
    case TenantType::kBpchar:
      return "pg_catalog.bpchar";
    case TenantType::kInt2:
      return "pg_catalog.int2";
    case TenantType::kInt4:
      return "pg_catalog.int4";
    case TenantType::kInt8:
      return "pg_catalog.int8";
    case TenantType::kUuid:
      return "pg_catalog.uuid";
  }
  return "";
}

}  // namespace postern::policy
