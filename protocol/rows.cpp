#include "protocol/rows.hpp"

#include <charconv>
#include <cstring>

#include "protocol/cursor.hpp"

namespace postern::protocol {
namespace {

constexpr std::size_t kFieldFixedBytes = 18;  // everything of a field behind its name

}  // namespace

Field RowDescription::Iterator::operator*() const {
  Field field;
  field.name = ByteView(at_);  // decode() has seen the terminator
  const char* p = at_ + field.name.size() + 1;
  field.table_oid = load_be32(p);
  field.attnum = static_cast<std::int16_t>(load_be16(p + 4));
  field.type_oid = load_be32(p + 6);
  field.typlen = static_cast<std::int16_t>(load_be16(p + 10));
  field.typmod = static_cast<std::int32_t>(load_be32(p + 12));
  field.format = static_cast<std::int16_t>(load_be16(p + 16));
  return field;
}

RowDescription::Iterator& RowDescription::Iterator::operator++() {
  at_ += std::strlen(at_) + 1 + kFieldFixedBytes;
  return *this;
}

Result<RowDescription> RowDescription::decode(ByteView body) {
  Cursor in(body);
  RowDescription message;
  POSTERN_ASSIGN(message.count_, in.count16(1 + kFieldFixedBytes));
  message.fields_ = in.peek();
  for (std::uint16_t i = 0; i < message.count_; ++i) {
    POSTERN_TRY(in.cstring());
    POSTERN_TRY(in.bytes(kFieldFixedBytes));
  }
  POSTERN_TRY(in.done());
  return message;
}

Status RowDescription::encode(Bytes& out) const {
  MessageWriter m(out, BackendType::kRowDescription);
  m.u16(count_);
  m.bytes(fields_);
  return m.finish();
}

RowDescriptionWriter::RowDescriptionWriter(Bytes& out, std::uint16_t columns)
    : message_(out, BackendType::kRowDescription), missing_(columns) {
  message_.u16(columns);
}

void RowDescriptionWriter::field(const Field& field) {
  if (missing_ == 0) return message_.refuse();
  --missing_;
  message_.cstring(field.name);
  message_.u32(field.table_oid);
  message_.i16(field.attnum);
  message_.u32(field.type_oid);
  message_.i16(field.typlen);
  message_.i32(field.typmod);
  message_.i16(field.format);
}

Status RowDescriptionWriter::finish() {
  if (missing_ != 0) message_.refuse();
  return message_.finish();
}

Result<DataRow> DataRow::decode(ByteView body) {
  Cursor in(body);
  DataRow row;
  POSTERN_ASSIGN(row.values, ValueList::read(in));
  POSTERN_TRY(in.done());
  return row;
}

Status DataRow::encode(Bytes& out) const {
  MessageWriter m(out, BackendType::kDataRow);
  values.write(m);
  return m.finish();
}

DataRowWriter::DataRowWriter(Bytes& out, std::uint16_t columns)
    : message_(out, BackendType::kDataRow), missing_(columns) {
  message_.u16(columns);
}

void DataRowWriter::value(Value value) {
  if (missing_ == 0) return message_.refuse();
  --missing_;
  if (value) {
    message_.counted(*value);
  } else {
    message_.i32(-1);
  }
}

Status DataRowWriter::finish() {
  if (missing_ != 0) message_.refuse();
  return message_.finish();
}

Result<CommandComplete> CommandComplete::decode(ByteView body) {
  Cursor in(body);
  POSTERN_ASSIGN(const ByteView tag, in.cstring());
  POSTERN_TRY(in.done());
  return CommandComplete{tag};
}

Status CommandComplete::encode(Bytes& out) const {
  MessageWriter m(out, BackendType::kCommandComplete);
  m.cstring(tag);
  return m.finish();
}

std::uint64_t CommandComplete::rows() const {
  const ByteView word = tag.substr(tag.rfind(' ') + 1);
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
  return error == std::errc{} && end == word.data() + word.size() ? count : 0;
}

Result<ReadyForQuery> ReadyForQuery::decode(ByteView body) {
  Cursor in(body);
  POSTERN_ASSIGN(const std::uint8_t status, in.u8());
  POSTERN_TRY(in.done());
  if (status != 'I' && status != 'T' && status != 'E') return violation("transaction status");
  return ReadyForQuery{static_cast<TransactionStatus>(status)};
}

void ReadyForQuery::encode(Bytes& out) const {
  MessageWriter m(out, BackendType::kReadyForQuery);
  m.u8(static_cast<std::uint8_t>(status));
  m.finish_checked();
}

}  // namespace postern::protocol
