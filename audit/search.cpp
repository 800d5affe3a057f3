#include "audit/search.hpp"

#include <unordered_set>

#include <nlohmann/json.hpp>

#include "audit/json.hpp"

namespace postern::audit {
namespace {

using Json = nlohmann::json;

// A damaged log may hold anything, so every step down is checked: nothing here throws.
const Json* find_key(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::string text_of(const Json& object, const char* key) {
  const Json* value = find_key(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::string text_at(const Json& object, const char* group, const char* key) {
  const Json* inner = find_key(object, group);
  return inner == nullptr ? std::string() : text_of(*inner, key);
}

std::int64_t integer_of(const Json& object, const char* key) {
  const Json* value = find_key(object, key);
  return value != nullptr && value->is_number_integer() ? value->get<std::int64_t>() : 0;
}

bool names_table(const Json& body, const std::string& table) {
  const Json* what = find_key(body, "what");
  const Json* relations = what == nullptr ? nullptr : find_key(*what, "relations");
  if (relations == nullptr || !relations->is_array()) return false;
  const bool qualified = table.find('.') != table.npos;
  for (const Json& relation : *relations) {
    const std::string name = text_of(relation, "name");
    if (name == table) return true;
    if (!qualified && name.substr(name.find('.') + 1) == table) return true;
  }
  return false;
}

bool has_code(const Json& body, const std::string& code) {
  return text_of(body, "code") == code || text_at(body, "decision", "code") == code ||
         text_at(body, "outcome", "code") == code || text_at(body, "outcome", "sqlstate") == code;
}

/// The filters, and which open intents passed those that an outcome inherits.
class Matcher {
 public:
  explicit Matcher(const SearchFilter& filter) : filter_(filter) {}

  bool matches(const RecordView& record) {
    const Json body = Json::parse(record.body, nullptr, false);
    if (!body.is_object()) return false;
    return actor_matches(record, body) && event_matches(record, body);
  }

 private:
  bool actor_matches(const RecordView& record, const Json& body) {
    const bool any = filter_.tenant.empty() && filter_.login.empty() && filter_.table.empty();
    if (any) return true;
    if (record.kind == Kind::kOutcome) {
      return intents_.erase(static_cast<std::uint64_t>(integer_of(body, "ref"))) > 0;
    }
    const bool good =
        (filter_.tenant.empty() || text_at(body, "who", "tenant") == filter_.tenant) &&
        (filter_.login.empty() || text_at(body, "who", "login") == filter_.login) &&
        (filter_.table.empty() || names_table(body, filter_.table));
    if (good && record.kind == Kind::kIntent) intents_.insert(record.index);
    return good;
  }

  bool event_matches(const RecordView& record, const Json& body) const {
    if (filter_.kind && record.kind != *filter_.kind) return false;
    if (!filter_.code.empty() && !has_code(body, filter_.code)) return false;
    const std::int64_t time = integer_of(body, "t");
    if (filter_.from_us && time < *filter_.from_us) return false;
    return !filter_.until_us || time < *filter_.until_us;
  }

  const SearchFilter& filter_;
  std::unordered_set<std::uint64_t> intents_;
};

std::string line_of(const std::string& origin, const RecordView& record) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("idx", record.index);
  json.field("leaf", hex_of(record.leaf));
  json.field("origin", origin);
  json.key("record"), json.raw(record.json);
  json.end_object();
  return ascii_json(out);
}

void append_unit(std::string& out, unsigned unit) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out.append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(kDigits[(unit >> shift) & 15]);
}

}  // namespace

VerifyReport search_log(const VerifyOptions& options, const SearchFilter& filter,
                        const std::function<void(const std::string& line)>& emit) {
  Matcher matcher(filter);
  return scan_log(options, [&](const RecordView& record) {
    if (matcher.matches(record)) emit(line_of(options.key.name, record));
  });
}

std::string ascii_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (std::size_t i = 0; i < json.size();) {
    const unsigned first = byte_at(json, i++);
    if (first < 0x80) {
      if (first == 0x7F) {
        append_unit(out, first);
      } else if (first >= 0x20) {
        out.push_back(static_cast<char>(first));
      }
      continue;
    }
    const int tail = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    unsigned point = first & (0x3FU >> tail);
    for (int k = 0; k < tail && i < json.size(); ++k) {
      point = (point << 6) | (byte_at(json, i++) & 0x3FU);
    }
    if (point >= 0x10000) {
      append_unit(out, 0xD800 + ((point - 0x10000) >> 10));
      append_unit(out, 0xDC00 + ((point - 0x10000) & 0x3FF));
    } else {
      append_unit(out, point);
    }
  }
  return out;
}

}  // namespace postern::audit
