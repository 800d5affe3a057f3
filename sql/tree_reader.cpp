#include "sql/tree_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace postern::sql {

namespace {

using Message = ProtobufCMessageDescriptor;
using Field = ProtobufCFieldDescriptor;

/// Field names in JSON and in the C structs differ in case and underscores only.
std::size_t canonical(std::string_view name, std::span<char> out) {
  std::size_t n = 0;
  for (char c : name) {
    if (c == '_') continue;
    if (n == out.size()) return 0;
    out[n++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  }
  return n;
}

/// The fields of every message type reachable from the root, by canonical name.
class Schema {
 public:
  static const Schema& instance() {
    static const Schema schema;
    return schema;
  }

  [[nodiscard]] const Field* find(const Message* message, std::string_view key) const {
    std::array<char, 64> buffer{};
    const std::string_view name(buffer.data(), canonical(key, buffer));
    const auto& fields = messages_.find(message)->second;
    const auto at = std::lower_bound(fields.begin(), fields.end(), name,
                                     [](const Entry& e, std::string_view n) { return e.name < n; });
    return at != fields.end() && at->name == name ? at->field : nullptr;
  }

 private:
  struct Entry {
    std::string name;
    const Field* field;
  };

  Schema() { add(&pg_query__parse_result__descriptor); }

  void add(const Message* message) {
    if (!messages_.try_emplace(message).second) return;
    std::vector<Entry> entries;
    for (unsigned i = 0; i < message->n_fields; ++i) {
      const Field* field = &message->fields[i];
      std::array<char, 64> buffer{};
      entries.push_back({std::string(buffer.data(), canonical(field->name, buffer)), field});
      if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        add(static_cast<const Message*>(field->descriptor));
      }
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.name < b.name; });
    messages_[message] = std::move(entries);
  }

  std::unordered_map<const Message*, std::vector<Entry>> messages_;
};

class Reader {
 public:
  Reader(std::string_view json, Arena& arena)
      : at_(json.data()), end_(json.data() + json.size()), arena_(arena) {}

  ProtobufCMessage* root() {
    ProtobufCMessage* tree = message(&pg_query__parse_result__descriptor);
    return failed_ || at_ != end_ ? nullptr : tree;
  }

 private:
  static constexpr std::size_t kFirstCapacity = 4;

  /// Consumes `c` if it is next.
  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) { failed_ = failed_ || !take(c); }

  ProtobufCMessage* message(const Message* type);
  void field(ProtobufCMessage* target, const Field* field);
  void repeated(ProtobufCMessage* target, const Field* field);
  void scalar(const Field* field, void* slot);
  std::string_view string();
  char* unescape(char* out);
  void append_code_point(char*& out);
  std::string_view bare();
  template <typename T>
  void number(void* slot);
  void enumerator(const Field* field, void* slot);

  const char* at_;
  const char* end_;
  Arena& arena_;
  bool failed_ = false;
};

ProtobufCMessage* Reader::message(const Message* type) {
  auto* made = static_cast<ProtobufCMessage*>(arena_.allocate(type->sizeof_message));
  type->message_init(made);
  expect('{');
  if (failed_ || take('}')) return made;
  do {
    const std::string_view key = string();
    expect(':');
    const Field* known = failed_ ? nullptr : Schema::instance().find(type, key);
    // CREATE FOREIGN TABLE: protobuf-c's structs have a member of that name already.
    if (known == nullptr && key == "base") known = Schema::instance().find(type, "base_stmt");
    if (known == nullptr) {
      failed_ = true;
      return made;
    }
    field(made, known);
  } while (!failed_ && take(','));
  expect('}');
  return made;
}

void Reader::field(ProtobufCMessage* target, const Field* field) {
  auto* base = reinterpret_cast<char*>(target);
  if (field->label == PROTOBUF_C_LABEL_REPEATED) return repeated(target, field);
  if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
    const auto which = static_cast<std::uint32_t>(field->id);
    std::memcpy(base + field->quantifier_offset, &which, sizeof which);
  }
  scalar(field, base + field->offset);
}

/// Arrays of messages or numbers of 8 bytes; the count stands beside the pointer.
void Reader::repeated(ProtobufCMessage* target, const Field* field) {
  auto* base = reinterpret_cast<char*>(target);
  expect('[');
  std::size_t count = 0;
  std::size_t capacity = 0;
  std::uint64_t* slots = nullptr;  // pointers and 64-bit numbers alike
  const bool wide = field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_UINT64;
  if (!wide) failed_ = true;  // no such array in the syntax tree of a statement
  if (failed_) return;
  if (!take(']')) {
    do {
      if (count == capacity) {
        capacity = std::max(kFirstCapacity, capacity * 2);
        auto* grown =
            static_cast<std::uint64_t*>(arena_.allocate(capacity * sizeof(std::uint64_t)));
        std::copy_n(slots, count, grown);
        slots = grown;
      }
      slots[count] = 0;
      scalar(field, &slots[count++]);
    } while (!failed_ && take(','));
    expect(']');
  }
  std::memcpy(base + field->quantifier_offset, &count, sizeof count);
  std::memcpy(base + field->offset, &slots, sizeof slots);
}

void Reader::scalar(const Field* field, void* slot) {
  switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE: {
      ProtobufCMessage* child = message(static_cast<const Message*>(field->descriptor));
      std::memcpy(slot, &child, sizeof child);
      return;
    }
    case PROTOBUF_C_TYPE_STRING: {
      const char* text = string().data();
      std::memcpy(slot, &text, sizeof text);
      return;
    }
    case PROTOBUF_C_TYPE_ENUM:
      return enumerator(field, slot);
    case PROTOBUF_C_TYPE_BOOL: {
      const protobuf_c_boolean value = bare() == "true" ? 1 : 0;
      std::memcpy(slot, &value, sizeof value);
      return;
    }
    case PROTOBUF_C_TYPE_INT32:
      return number<std::int32_t>(slot);
    case PROTOBUF_C_TYPE_UINT32:
      return number<std::uint32_t>(slot);
    case PROTOBUF_C_TYPE_INT64:
      return number<std::int64_t>(slot);
    case PROTOBUF_C_TYPE_UINT64:
      return number<std::uint64_t>(slot);
    default:
      failed_ = true;
  }
}

/// Letters, digits and signs up to the next delimiter.
std::string_view Reader::bare() {
  const char* begin = at_;
  while (at_ != end_ && *at_ != ',' && *at_ != '}' && *at_ != ']') ++at_;
  return {begin, static_cast<std::size_t>(at_ - begin)};
}

template <typename T>
void Reader::number(void* slot) {
  const std::string_view text = bare();
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) failed_ = true;
  std::memcpy(slot, &value, sizeof value);
}

void Reader::enumerator(const Field* field, void* slot) {
  const std::string_view name = string();  // ends with NUL
  const ProtobufCEnumValue* found = protobuf_c_enum_descriptor_get_value_by_name(
      static_cast<const ProtobufCEnumDescriptor*>(field->descriptor), name.data());
  if (found == nullptr) {
    failed_ = true;
    return;
  }
  std::memcpy(slot, &found->value, sizeof found->value);
}

/// A quoted string into the arena, with a NUL behind it.
std::string_view Reader::string() {
  expect('"');
  const char* close = at_;
  while (close != end_ && *close != '"') close += *close == '\\' && close + 1 != end_ ? 2 : 1;
  if (failed_ || close == end_) {
    failed_ = true;
    return {""};
  }
  auto* out = static_cast<char*>(arena_.allocate(static_cast<std::size_t>(close - at_) + 1));
  char* tail = out;
  while (at_ != close && !failed_) {
    if (*at_ == '\\') {
      tail = unescape(tail);
    } else {
      *tail++ = *at_++;
    }
  }
  *tail = '\0';
  expect('"');
  return {out, static_cast<std::size_t>(tail - out)};
}

char* Reader::unescape(char* out) {
  static constexpr std::string_view kFrom = "\"\\/bfnrt";
  static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
  ++at_;
  if (*at_ == 'u') {
    append_code_point(out);
    return out;
  }
  const std::size_t which = kFrom.find(*at_++);
  if (which == std::string_view::npos) {
    failed_ = true;
    return out;
  }
  *out++ = kTo[which];
  return out;
}

/// \u00XX: the writer escapes control characters only, everything else is UTF-8 as it is.
void Reader::append_code_point(char*& out) {
  unsigned code = 0;
  const char* digits = at_ + 1;
  if (end_ - digits < 4) {
    failed_ = true;
    return;
  }
  const auto [stop, error] = std::from_chars(digits, digits + 4, code, 16);
  if (error != std::errc{} || stop != digits + 4 || code == 0 || code >= 0x80) {
    failed_ = true;
    return;
  }
  *out++ = static_cast<char>(code);
  at_ = digits + 4;
}

}  // namespace

PgQuery__ParseResult* read_tree(std::string_view json, Arena& arena) {
  return reinterpret_cast<PgQuery__ParseResult*>(Reader(json, arena).root());
}

}  // namespace postern::sql
