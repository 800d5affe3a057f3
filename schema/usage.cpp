#include "schema/usage.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "schema/pii.hpp"

namespace postern::schema {
namespace {

using Json = nlohmann::json;

const Json& at(const Json& object, const char* key) {
  static const Json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

std::string text(const Json& object, const char* key) {
  const Json& value = at(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t integer(const Json& object, const char* key) {
  const Json& value = at(object, key);
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

std::vector<std::string> texts(const Json& object, const char* key) {
  std::vector<std::string> out;
  const Json& list = at(object, key);
  if (!list.is_array()) return out;
  for (const Json& item : list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

bool ended_badly(const Json& outcome) {
  const std::string state = text(outcome, "state");
  return !state.empty() && state != "ok";
}

/// The entry of a key, or nullptr where the map is full.
template <typename Map>
typename Map::mapped_type* entry(Map& map, const std::string& key, std::uint64_t& left_out) {
  const auto found = map.find(key);
  if (found != map.end()) return &found->second;
  if (map.size() < Usage::kMaxDistinct) return &map[key];
  ++left_out;
  return nullptr;
}

}  // namespace

void Period::add(std::int64_t time) {
  if (first == 0 || time < first) first = time;
  last = std::max(last, time);
}

// The parts of a statement's record.
struct Usage::Record {
  explicit Record(const Json& body)
      : what(at(body, "what")),
        decision(at(body, "decision")),
        outcome(at(body, "outcome")),
        application(text(at(body, "who"), "application")),
        login(text(at(body, "who"), "login")),
        tenant(text(at(body, "who"), "tenant")),
        fingerprint(text(what, "fingerprint")),
        time(integer(body, "t")) {}

  const Json& what;
  const Json& decision;
  const Json& outcome;
  std::string application;
  std::string login;
  std::string tenant;
  std::string fingerprint;
  std::int64_t time;
};

void Usage::add(std::string_view kind, std::uint64_t index, std::string_view body) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) {
    ++strange;
    return;
  }
  const std::int64_t time = integer(json, "t");
  // An outcome belongs to its intent, whenever it came.
  if (kind != "outcome" && (time < from_us || time >= until_us)) return;
  if (kind == "intent" || kind == "statement") {
    add_statement(Record(json), kind == "intent" ? index : 0);
  } else if (kind == "refusal") {
    add_refusal(Record(json));
  } else if (kind == "outcome") {
    const auto open = open_.find(static_cast<std::uint64_t>(integer(json, "ref")));
    if (open == open_.end()) return;
    if (ended_badly(at(json, "outcome"))) ++shapes[open->second].failed;
    open_.erase(open);
  } else if (kind == "auth" && at(json, "success").is_boolean() &&
             !at(json, "success").get<bool>()) {
    ++failed_logins;
  }
}

void Usage::add_statement(const Record& record, std::uint64_t index) {
  ++statements;
  when.add(record.time);
  if (ApplicationUse* use = entry(applications, record.application, left_out)) {
    ++use->statements;
    use->logins.insert(record.login);
    if (!record.tenant.empty()) use->tenants.insert(record.tenant);
    if (at(record.what, "opaque") == true) ++use->opaque;
    use->when.add(record.time);
  }
  if (ShapeUse* shape = entry(shapes, record.fingerprint, left_out)) {
    if (shape->calls++ == 0) {
      shape->text = text(record.what, "text");
      shape->operation = text(record.what, "operation");
    }
    if (ended_badly(record.outcome)) ++shape->failed;
    shape->applications.insert(record.application);
    shape->when.add(record.time);
    if (index > 0 && open_.size() < kMaxDistinct) open_[index] = record.fingerprint;
  }
  add_relations(record);
}

void Usage::add_relations(const Record& record) {
  const Json& relations = at(record.what, "relations");
  if (relations.is_array()) {
    for (const Json& relation : relations) {
      const std::string name = text(relation, "name");
      const auto written = texts(relation, "written");
      if (TableUse* use = entry(tables, name, left_out)) {
        (written.empty() ? use->reads : use->writes) += 1;
        use->applications.insert(record.application);
      }
      std::set<std::string> columns(written.begin(), written.end());
      for (const std::string& column : texts(relation, "read")) columns.insert(column);
      for (const std::string& column : columns) {
        touch(name + "." + column, record.application, false);
      }
    }
  }
  for (const std::string& column : texts(record.what, "decrypted")) {
    touch(column, record.application, true);
  }
}

void Usage::touch(const std::string& column, const std::string& application, bool decrypted) {
  const bool configured = pii_columns_.contains(column);
  // Of a column nobody configured only its name is known here.
  const auto kind = pii_by_name(column.substr(column.rfind('.') + 1), ValueClass::kText);
  if (!configured && !decrypted && !kind) return;
  ColumnUse* use = entry(pii, column, left_out);
  if (use == nullptr) return;
  ++(decrypted ? use->decrypted : use->touched);
  use->applications.insert(application);
  use->why = configured || decrypted ? "configured" : std::string("looks like ") + to_word(*kind);
}

void Usage::add_refusal(const Record& record) {
  const bool applied = text(record.decision, "verdict") != "observe";
  ++(applied ? refused : observed);
  when.add(record.time);
  const std::string code = text(record.decision, "code");
  const std::string rule = text(record.decision, "rule");
  auto group = std::find_if(refusals.begin(), refusals.end(), [&](const RefusalGroup& g) {
    return g.application == record.application && g.code == code && g.rule == rule &&
           g.applied == applied;
  });
  if (group == refusals.end()) {
    if (refusals.size() >= kMaxDistinct) {
      ++left_out;
      return;
    }
    RefusalGroup fresh;
    fresh.application = record.application;
    fresh.code = code;
    fresh.rule = rule;
    fresh.applied = applied;
    fresh.example = text(record.what, "text");
    group = refusals.insert(refusals.end(), std::move(fresh));
  }
  ++group->count;
  if (group->shapes.size() < kMaxShapesPerGroup) group->shapes.insert(record.fingerprint);
  group->when.add(record.time);
}

}  // namespace postern::schema
