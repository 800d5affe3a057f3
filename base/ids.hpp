// Identifiers that several floors speak about.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace postern {

/// PostgreSQL object identifier; 0 = InvalidOid.
using Oid = std::uint32_t;
inline constexpr Oid kInvalidOid = 0;

/// A tenant: 1 to 63 bytes of [A-Za-z0-9_.-], compared byte by byte. "-" alone is reserved for
/// rows and statements without tenant.
class TenantId {
 public:
  static constexpr std::size_t kMaxBytes = 63;

  /// The reserved tenant of tables without one.
  TenantId() : text_("-") {}

  /// ZP001-class error kBadTenant (PST-1601) where the text is not a tenant id.
  static Result<TenantId> parse(std::string_view text);
  [[nodiscard]] static TenantId none() { return {}; }

  [[nodiscard]] bool is_none() const { return text_ == "-"; }
  [[nodiscard]] const std::string& text() const { return text_; }

  friend bool operator==(const TenantId&, const TenantId&) = default;
  friend auto operator<=>(const TenantId&, const TenantId&) = default;

 private:
  explicit TenantId(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// One column of one relation, as the catalog numbers it.
struct ColumnRef {
  Oid relation = kInvalidOid;
  std::int16_t attnum = 0;
  friend bool operator==(const ColumnRef&, const ColumnRef&) = default;
  friend auto operator<=>(const ColumnRef&, const ColumnRef&) = default;
};

}  // namespace postern

template <>
struct std::hash<postern::TenantId> {
  std::size_t operator()(const postern::TenantId& id) const noexcept {
    return std::hash<std::string>{}(id.text());
  }
};

template <>
struct std::hash<postern::ColumnRef> {
  std::size_t operator()(const postern::ColumnRef& c) const noexcept {
    return (static_cast<std::size_t>(c.relation) << 16) ^ static_cast<std::uint16_t>(c.attnum);
  }
};
