#include "types/logical_type.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/codes/types.hpp"

namespace postern::types {
namespace {

constexpr std::int32_t kVarHeader = 4;  // PostgreSQL's VARHDRSZ, part of varchar's typmod

struct Row {
  TypeKind kind;
  TypeFamily family;
  Oid oid;
  std::int16_t length;
  std::string_view tag;
  std::string_view sql_name;
};

// One row per type, in the order of TypeKind. OIDs and lengths: pg_type.dat of PostgreSQL 15.
constexpr std::array<Row, 7> kTypes = {{
    {TypeKind::kText, TypeFamily::kText, 25, -1, "text", "text"},
    {TypeKind::kVarchar, TypeFamily::kText, 1043, -1, "varchar", "character varying"},
    {TypeKind::kInt2, TypeFamily::kInteger, 21, 2, "int2", "smallint"},
    {TypeKind::kInt4, TypeFamily::kInteger, 23, 4, "int4", "integer"},
    {TypeKind::kInt8, TypeFamily::kInteger, 20, 8, "int8", "bigint"},
    {TypeKind::kUuid, TypeFamily::kUuid, 2950, 16, "uuid", "uuid"},
    {TypeKind::kDate, TypeFamily::kDate, 1082, 4, "date", "date"},
}};

const Row& row_of(TypeKind kind) {
  return kTypes[static_cast<std::size_t>(kind)];
}

Error unsupported(std::string_view what) {
  return make_error(pst::kTypeNotSupported, std::string(what));
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Lower case, runs of white space as one space, none at the ends or around parentheses.
std::string normalise(std::string_view name) {
  std::string out;
  bool gap = false;
  for (const char c : name) {
    if (is_space(c)) {
      gap = true;
      continue;
    }
    const bool joins = c == '(' || c == ')' || out.empty() || out.back() == '(';
    if (gap && !joins) out.push_back(' ');
    gap = false;
    out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return out;
}

const Row* find_name(std::string_view name) {
  if (name == "int") return &row_of(TypeKind::kInt4);
  const auto it = std::find_if(kTypes.begin(), kTypes.end(), [&](const Row& row) {
    return name == row.tag || name == row.sql_name;
  });
  return it == kTypes.end() ? nullptr : &*it;
}

bool is_length(std::int32_t n) {
  return n >= 1 && n <= kMaxVarcharLength;
}

}  // namespace

TypeFamily type_family(const LogicalType& type) {
  return row_of(type.kind).family;
}

std::string_view type_tag(const LogicalType& type) {
  return row_of(type.kind).tag;
}

std::string_view family_tag(TypeFamily family) {
  switch (family) {
    case TypeFamily::kText:
      return "text";
    case TypeFamily::kInteger:
      return "integer";
    case TypeFamily::kUuid:
      return "uuid";
    case TypeFamily::kDate:
      return "date";
  }
  return {};
}

Result<LogicalType> from_oid(Oid oid, std::int32_t typmod) {
  const auto it =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const Row& row) { return row.oid == oid; });
  if (it == kTypes.end()) return unsupported("oid " + std::to_string(oid));
  if (typmod == -1) return LogicalType{it->kind, 0};
  const bool acceptable =
      it->kind == TypeKind::kVarchar && typmod > kVarHeader && is_length(typmod - kVarHeader);
  if (!acceptable) return unsupported("type modifier " + std::to_string(typmod));
  return LogicalType{it->kind, typmod - kVarHeader};
}

Result<LogicalType> from_name(std::string_view name) {
  const std::string normal = normalise(name);
  const std::size_t open = normal.find('(');
  const std::string_view base = std::string_view(normal).substr(0, open);
  const Row* row = find_name(base);
  if (row == nullptr) return unsupported("\"" + normal + "\"");
  if (open == std::string::npos) return LogicalType{row->kind, 0};
  std::int32_t length = 0;
  const char* last = normal.data() + normal.size() - 1;
  const auto [end, error] = std::from_chars(normal.data() + open + 1, last, length);
  const bool acceptable = row->kind == TypeKind::kVarchar && *last == ')' && end == last &&
                          error == std::errc{} && is_length(length);
  if (!acceptable) return unsupported("\"" + normal + "\"");
  return LogicalType{row->kind, length};
}

Oid type_oid(const LogicalType& type) {
  return row_of(type.kind).oid;
}

std::int32_t type_typmod(const LogicalType& type) {
  return type.length == 0 ? -1 : type.length + kVarHeader;
}

std::int16_t type_length(const LogicalType& type) {
  return row_of(type.kind).length;
}

std::string sql_name(const LogicalType& type) {
  std::string name(row_of(type.kind).sql_name);
  if (type.length != 0) name += "(" + std::to_string(type.length) + ")";
  return name;
}

LogicalType operand_type(const LogicalType& type) {
  return {type.kind, 0};
}

}  // namespace postern::types
