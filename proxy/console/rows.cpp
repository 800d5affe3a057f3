#include "proxy/console/rows.hpp"

#include "base/bytes.hpp"
#include "protocol/extended.hpp"
#include "protocol/rows.hpp"

namespace postern::proxy::console {
namespace {

struct WireType {
  Oid oid;
  std::int16_t size;
};

// pg_type: text, int4, int8.
WireType wire_type(Type type) {
  switch (type) {
    case Type::kInt4:
      return {23, 4};
    case Type::kInt8:
      return {20, 8};
    case Type::kText:
      break;
  }
  return {25, -1};
}

std::int16_t format_at(std::span<const std::int16_t> formats, std::size_t i) {
  return formats.empty() ? std::int16_t{0} : formats[i];
}

Bytes binary(Type type, std::int64_t value) {
  Bytes out;
  if (type == Type::kInt4) {
    append_be32(out, static_cast<std::uint32_t>(value));
  } else {
    append_be64(out, static_cast<std::uint64_t>(value));
  }
  return out;
}

// Text is the same in both formats.
std::optional<Bytes> value_of(const Cell& cell, Type type, std::int16_t format) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    if (format == 0 || type == Type::kText) return std::to_string(*number);
    return binary(type, *number);
  }
  return std::nullopt;
}

}  // namespace

Status describe_columns(std::span<const Column> columns, std::span<const std::int16_t> formats,
                        Bytes& out) {
  if (columns.empty()) {
    protocol::NoData{}.encode(out);
    return ok();
  }
  protocol::RowDescriptionWriter writer(out, static_cast<std::uint16_t>(columns.size()));
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const WireType type = wire_type(columns[i].type);
    protocol::Field field;
    field.name = columns[i].name;
    field.type_oid = type.oid;
    field.typlen = type.size;
    field.format = format_at(formats, i);
    writer.field(field);
  }
  return writer.finish();
}

Status append_row(std::span<const Column> columns, std::span<const std::int16_t> formats,
                  const Row& row, Bytes& out) {
  POSTERN_CHECK(row.size() == columns.size());
  protocol::DataRowWriter writer(out, static_cast<std::uint16_t>(columns.size()));
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::optional<Bytes> value = value_of(row[i], columns[i].type, format_at(formats, i));
    writer.value(value ? protocol::Value(*value) : protocol::Value());
  }
  return writer.finish();
}

}  // namespace postern::proxy::console
