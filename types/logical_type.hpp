// The PostgreSQL types a protected column may have, and their names, OIDs and families.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace postern::types {

enum class TypeKind : std::uint8_t { kText, kVarchar, kInt2, kInt4, kInt8, kUuid, kDate };

/// Types of one family share their canonical form, so equal values have equal bytes: deterministic
/// columns of one family can be joined.
enum class TypeFamily : std::uint8_t { kText, kInteger, kUuid, kDate };

/// Largest n of varchar(n), as in PostgreSQL.
inline constexpr std::int32_t kMaxVarcharLength = 10485760;

/// A type as a column declares it.
struct LogicalType {
  TypeKind kind = TypeKind::kText;
  std::int32_t length = 0;  ///< n of varchar(n) in characters; 0 = no limit

  friend bool operator==(const LogicalType&, const LogicalType&) = default;
};

TypeFamily type_family(const LogicalType& type);

/// Names bound into encrypted values; they must never change. The tag leaves the length out, so
/// that widening varchar(n) needs no re-encryption.
std::string_view type_tag(const LogicalType& type);  ///< "text", "varchar", "int2", ..., "date"
std::string_view family_tag(TypeFamily family);      ///< "text", "integer", "uuid", "date"

/// From pg_attribute.atttypid and atttypmod (-1 = none). kTypeNotSupported for other types and for
/// modifiers that the type does not have.
Result<LogicalType> from_oid(Oid oid, std::int32_t typmod);
/// From a name as users write it: text, varchar, varchar(40), character varying(40), int2,
/// smallint, int4, int, integer, int8, bigint, uuid, date; any case, spaces allowed.
/// kTypeNotSupported else.
Result<LogicalType> from_name(std::string_view name);

Oid type_oid(const LogicalType& type);              ///< pg_type.oid
std::int32_t type_typmod(const LogicalType& type);  ///< atttypmod: n + 4, or -1
std::int16_t type_length(const LogicalType& type);  ///< pg_type.typlen: bytes, or -1 for variable
std::string sql_name(const LogicalType& type);      ///< as format_type(): "character varying(40)"

/// The type a comparison operand is read as: PostgreSQL compares varchar(n) as unlimited text, so
/// an overlong operand is no error there, just never equal.
LogicalType operand_type(const LogicalType& type);

}  // namespace postern::types
