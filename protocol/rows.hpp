// Results: RowDescription, DataRow, CommandComplete, EmptyQueryResponse, ReadyForQuery.
// Rows are read in place and written column by column; neither allocates per row or column.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "protocol/lists.hpp"
#include "protocol/wire.hpp"
#include "protocol/writer.hpp"

namespace postern::protocol {

/// One column of a result.
struct Field {
  ByteView name;
  Oid table_oid = kInvalidOid;  ///< 0 where the column is not a plain table column
  std::int16_t attnum = 0;      ///< 0 likewise
  Oid type_oid = kInvalidOid;
  std::int16_t typlen = 0;  ///< pg_type.typlen; negative = variable width
  std::int32_t typmod = -1;
  std::int16_t format = 0;  ///< 0 text, 1 binary; 0 in the answer to Describe of a statement
  friend bool operator==(const Field&, const Field&) = default;
};

/// The columns of the rows that follow. A view into the body decoded; `decode` walks it once, so
/// iterating cannot fail.
class RowDescription {
 public:
  class Iterator {
   public:
    using value_type = Field;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(const char* at) : at_(at) {}
    Field operator*() const;
    Iterator& operator++();
    Iterator operator++(int) {
      const Iterator old = *this;
      ++*this;
      return old;
    }
    friend bool operator==(Iterator, Iterator) = default;

   private:
    const char* at_ = nullptr;
  };

  static Result<RowDescription> decode(ByteView body);
  Status encode(Bytes& out) const;

  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] Iterator begin() const { return Iterator(fields_.data()); }
  [[nodiscard]] Iterator end() const { return Iterator(fields_.data() + fields_.size()); }

 private:
  ByteView fields_;
  std::uint16_t count_ = 0;
};

/// Builds a RowDescription: one `field` call per announced column, then `finish`.
class RowDescriptionWriter {
 public:
  RowDescriptionWriter(Bytes& out, std::uint16_t columns);
  void field(const Field& field);
  /// kNotEncodable where fields are missing, too many, or a name holds a NUL.
  Status finish();

 private:
  MessageWriter message_;
  std::uint32_t missing_;
};

/// One row. `values` views the body decoded.
struct DataRow {
  ValueList values;
  static Result<DataRow> decode(ByteView body);
  Status encode(Bytes& out) const;
};

/// Builds a DataRow straight in the output: one `value` per announced column.
class DataRowWriter {
 public:
  DataRowWriter(Bytes& out, std::uint16_t columns);
  void value(Value value);
  /// kNotEncodable where columns are missing or too many, or the row exceeds 1 GiB - 1.
  Status finish();

 private:
  MessageWriter message_;
  std::uint32_t missing_;
};

struct CommandComplete {
  ByteView tag;  ///< e.g. "INSERT 0 5"
  static Result<CommandComplete> decode(ByteView body);
  Status encode(Bytes& out) const;
  /// First word of the tag.
  [[nodiscard]] ByteView command() const { return tag.substr(0, tag.find(' ')); }
  /// Last word of the tag as a number, 0 where it is none: rows affected or returned.
  [[nodiscard]] std::uint64_t rows() const;
};

using EmptyQueryResponse = EmptyMessage<BackendType::kEmptyQueryResponse>;

struct ReadyForQuery {
  TransactionStatus status = TransactionStatus::kIdle;
  static Result<ReadyForQuery> decode(ByteView body);
  void encode(Bytes& out) const;
};

}  // namespace postern::protocol
