// Types a tenant column may have, and when a tenant's text is a value of one of them.
#pragma once

#include <optional>
#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "sql/catalog.hpp"

namespace postern::policy {

/// How a tenant's text becomes a value of the tenant column.
enum class TenantType : std::uint8_t { kText, kBpchar, kInt2, kInt4, kInt8, kUuid };

/// The tenant type of a column type, domains followed; nullopt where tenants cannot be compared.
std::optional<TenantType> tenant_type(const sql::Catalog& catalog, Oid type);

/// Whether `tenant` is the one canonical spelling of a value: integers without sign of plus or
/// leading zeros and in range, UUIDs lower case with hyphens. Two tenant texts that mean the same
/// row value would share rows but not keys, so only one is let in. kBadTenant otherwise.
Status check_tenant(const TenantId& tenant, TenantType type);

/// SQL type that the context's tenant is cast to, schema-qualified; empty = text, no cast.
std::string_view cast_target(TenantType type);

}  // namespace postern::policy
