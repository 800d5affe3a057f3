// Lists inside messages, read in place: no allocation, whatever their length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/cursor.hpp"
#include "protocol/writer.hpp"

namespace postern::protocol {

/// A list of big-endian int16 or uint32 as it lies in a message (format codes, type oids).
/// A view: valid as long as the bytes it was read from or packed into.
template <typename T>
class PackedList {
  static_assert(std::is_same_v<T, std::int16_t> || std::is_same_v<T, std::uint32_t>);

 public:
  PackedList() = default;
  /// Reads a 16-bit count and that many elements.
  static Result<PackedList> read(Cursor& in) {
    POSTERN_ASSIGN(const std::uint16_t count, in.count16(sizeof(T)));
    POSTERN_ASSIGN(const ByteView bytes, in.bytes(count * sizeof(T)));
    return PackedList(bytes);
  }
  /// Packs `items` into `storage` (replacing its content) and views it.
  static PackedList pack(std::span<const T> items, Bytes& storage) {
    storage.clear();
    for (const T item : items) {
      if constexpr (sizeof(T) == 2) {
        append_be16(storage, static_cast<std::uint16_t>(item));
      } else {
        append_be32(storage, item);
      }
    }
    return PackedList(storage);
  }

  [[nodiscard]] std::size_t size() const { return bytes_.size() / sizeof(T); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  /// `i` must be less than `size()`.
  T operator[](std::size_t i) const {
    POSTERN_CHECK(i < size());
    const char* p = bytes_.data() + i * sizeof(T);
    if constexpr (sizeof(T) == 2) {
      return static_cast<T>(load_be16(p));
    } else {
      return load_be32(p);
    }
  }
  /// Appends count and elements; more than 65,535 elements make the message not sendable.
  void write(MessageWriter& out) const {
    if (size() > 0xFFFF) out.refuse();
    out.u16(static_cast<std::uint16_t>(size()));
    out.bytes(bytes_);
  }
  friend bool operator==(const PackedList&, const PackedList&) = default;

 private:
  explicit PackedList(ByteView bytes) : bytes_(bytes) {}
  ByteView bytes_;
};

using FormatList = PackedList<std::int16_t>;
using OidList = PackedList<std::uint32_t>;

/// The format of item `i`: no codes = all text, one code = for all, else one each (protocol.sgml,
/// Bind). `i` must be less than the number of items the list was checked against.
inline std::int16_t format_of(const FormatList& formats, std::size_t i) {
  if (formats.empty()) return kTextFormat;
  return formats.size() == 1 ? formats[0] : formats[i];
}

/// Checks that codes are 0 or 1 and that there are none, one or `items` of them.
Status check_formats(const FormatList& formats, std::size_t items);

/// A value as PostgreSQL sends it; nullopt is SQL NULL.
using Value = std::optional<ByteView>;

/// Values of a row, of Bind or of FunctionCall as they lie in a message: int32 length (-1 = NULL)
/// and bytes, repeated. `read` walks all of them once, so iterating cannot fail.
/// A view: valid as long as the bytes it was read from or packed into.
class ValueList {
 public:
  class Iterator {
   public:
    using value_type = Value;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(const char* at) : at_(at) {}
    Value operator*() const {
      const std::uint32_t length = load_be32(at_);
      if (length == kNull) return std::nullopt;
      return ByteView(at_ + 4, length);
    }
    Iterator& operator++() {
      const std::uint32_t length = load_be32(at_);
      at_ += 4 + (length == kNull ? 0 : length);
      return *this;
    }
    Iterator operator++(int) {
      const Iterator old = *this;
      ++*this;
      return old;
    }
    friend bool operator==(Iterator, Iterator) = default;

   private:
    const char* at_ = nullptr;
  };

  ValueList() = default;
  /// Reads a 16-bit count and that many values, checking each length against the body.
  static Result<ValueList> read(Cursor& in);
  /// Appends one value to `storage` in wire form, for `over`.
  static void append(Bytes& storage, Value value);
  /// The `count` values that `storage` holds by `append`.
  static ValueList over(ByteView storage, std::uint16_t count) { return {storage, count}; }

  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] Iterator begin() const { return Iterator(bytes_.data()); }
  [[nodiscard]] Iterator end() const { return Iterator(bytes_.data() + bytes_.size()); }
  /// The value at `i` (less than `size()`), found by walking.
  Value operator[](std::size_t i) const;
  /// Lengths and bytes as on the wire, without the count.
  [[nodiscard]] ByteView wire() const { return bytes_; }
  /// Appends count and values.
  void write(MessageWriter& out) const;
  friend bool operator==(const ValueList&, const ValueList&) = default;

 private:
  static constexpr std::uint32_t kNull = 0xFFFF'FFFF;
  ValueList(ByteView bytes, std::uint16_t count) : bytes_(bytes), count_(count) {}

  ByteView bytes_;
  std::uint16_t count_ = 0;
};

}  // namespace postern::protocol
