#include "audit/record.hpp"

#include <algorithm>
#include <array>

#include "audit/json.hpp"
#include "audit/primitives.hpp"
#include "base/check.hpp"

namespace postern::audit {
namespace {

constexpr std::int64_t kSchemaVersion = 1;

constexpr std::array<std::string_view, 16> kKindNames = {
    "start",         "stop",   "checkpoint", "recovery", "gap",       "session-open",
    "session-close", "auth",   "intent",     "outcome",  "statement", "refusal",
    "admin",         "config", "key",        "policy"};

std::string_view state_name(State state) {
  constexpr std::array<std::string_view, 5> kNames = {"ok", "error", "cancelled", "lost",
                                                      "unknown"};
  return kNames[static_cast<std::size_t>(state)];
}

struct ListKeys {
  std::string_view list;
  std::string_view left_out;
};

void write_names(JsonWriter& json, ListKeys keys, std::span<const std::string_view> names) {
  if (names.empty()) return;
  json.key(keys.list);
  json.begin_array();
  const std::size_t end = json.size() + kMaxNamesBytes;
  std::size_t written = 0;
  for (; written < names.size() && json.size() < end; ++written) json.string(names[written]);
  json.end_array();
  json.field_if(keys.left_out, std::uint64_t{names.size() - written});
}

void write_relation(JsonWriter& json, const RelationUse& use) {
  json.begin_object();
  json.field("name", use.name);
  json.field("oid", std::uint64_t{use.oid});
  write_names(json, {"read", "read_left_out"}, use.read);
  write_names(json, {"written", "written_left_out"}, use.written);
  json.end_object();
}

void write_relations(JsonWriter& json, std::span<const RelationUse> relations) {
  if (relations.empty()) return;
  json.key("relations");
  json.begin_array();
  const std::size_t end = json.size() + kMaxRelationsBytes;
  std::size_t written = 0;
  for (; written < relations.size() && json.size() < end; ++written) {
    write_relation(json, relations[written]);
  }
  json.end_array();
  json.field_if("relations_left_out", std::uint64_t{relations.size() - written});
}

void write_text(JsonWriter& json, std::string_view text) {
  if (text.empty()) return;
  json.key("text");
  if (!json.string(text, kMaxTextBytes)) return;
  json.field("text_bytes", std::uint64_t{text.size()});
  json.field("text_sha256", hex_of(sha256({text})));
}

void write_what(JsonWriter& json, const What& what) {
  json.key("what");
  json.begin_object();
  write_names(json, {"decrypted", "decrypted_left_out"}, what.decrypted);
  json.field_if("fingerprint", what.fingerprint);
  write_names(json, {"masked", "masked_left_out"}, what.masked);
  if (what.opaque) json.key("opaque"), json.boolean(true);
  json.field("operation", what.operation);
  write_relations(json, what.relations);
  write_text(json, what.text);
  json.end_object();
}

void write_where(JsonWriter& json, std::string_view key, const Where& where) {
  if (where.node.empty() && where.route.empty() && where.cache.empty()) return;
  json.key(key);
  json.begin_object();
  json.field_if("cache", where.cache);
  json.field_if("node", where.node);
  json.field_if("route", where.route);
  json.end_object();
}

void write_who(JsonWriter& json, const Who& who) {
  json.key("who");
  json.begin_object();
  json.field_if("address", who.address);
  json.field_if("application", who.application);
  json.field_if("end_user", who.end_user);
  json.field("login", who.login);
  json.field_if("purpose", who.purpose);
  json.field_if("role", who.role);
  json.field_if("tenant", who.tenant);
  json.end_object();
}

void write_decision(JsonWriter& json, const Decision& decision) {
  json.key("decision");
  json.begin_object();
  json.field_if("code", decision.code);
  json.field("policy_version", decision.policy_version);
  json.field_if("rule", decision.rule);
  json.field("verdict", decision.verdict);
  json.end_object();
}

void write_outcome(JsonWriter& json, const Outcome& outcome) {
  json.key("outcome");
  json.begin_object();
  json.field("bytes", outcome.bytes);
  json.field_if("code", outcome.code);
  json.key("latency_us");
  json.begin_object();
  json.field("audit", outcome.latency.audit_us);
  json.field("queue", outcome.latency.queue_us);
  json.field("total", outcome.latency.total_us);
  json.field("upstream", outcome.latency.upstream_us);
  json.end_object();
  json.field("rows", outcome.rows);
  json.field_if("sqlstate", outcome.sqlstate);
  json.field("state", state_name(outcome.state));
  json.end_object();
}

// The fields of an intent, with those of its outcome where both share one record.
EncodedRecord encode(Kind kind, const Intent& intent, const Outcome* outcome) {
  EncodedRecord record{kind, {}};
  record.body.reserve(512 + std::min(intent.what.text.size(), kMaxTextBytes));
  JsonWriter json(record.body);
  json.begin_object();
  json.field_if("catalog_epoch", intent.catalog_epoch);
  write_decision(json, intent.decision);
  if (outcome != nullptr) write_outcome(json, *outcome);
  json.field("session", intent.session);
  json.field("statement", intent.statement);
  json.field("t", intent.time_us);
  if (outcome != nullptr) json.field("t_end", outcome->time_us);
  json.field("v", kSchemaVersion);
  write_what(json, intent.what);
  write_where(json, "where", outcome != nullptr ? outcome->where : intent.where);
  write_who(json, intent.who);
  json.end_object();
  return record;
}

}  // namespace

std::string_view kind_name(Kind kind) {
  return kKindNames[static_cast<std::size_t>(kind)];
}

std::optional<Kind> kind_from_name(std::string_view name) {
  const auto* found = std::find(kKindNames.begin(), kKindNames.end(), name);
  if (found == kKindNames.end()) return std::nullopt;
  return static_cast<Kind>(found - kKindNames.begin());
}

EncodedRecord encode_intent(const Intent& intent) {
  return encode(Kind::kIntent, intent, nullptr);
}

EncodedRecord encode_statement(const Intent& intent, const Outcome& outcome) {
  return encode(Kind::kStatement, intent, &outcome);
}

EncodedRecord encode_refusal(const Intent& intent) {
  return encode(Kind::kRefusal, intent, nullptr);
}

EncodedRecord encode_outcome(const Outcome& outcome, std::uint64_t intent_index) {
  EncodedRecord record{Kind::kOutcome, {}};
  record.body.reserve(256);
  JsonWriter json(record.body);
  json.begin_object();
  write_outcome(json, outcome);
  json.field("ref", intent_index);
  json.field("t", outcome.time_us);
  json.field("v", kSchemaVersion);
  write_where(json, "where", outcome.where);
  json.end_object();
  return record;
}

EncodedRecord encode_session(Kind kind, const SessionEvent& event) {
  POSTERN_CHECK(kind == Kind::kSessionOpen || kind == Kind::kSessionClose || kind == Kind::kAuth);
  EncodedRecord record{kind, {}};
  JsonWriter json(record.body);
  json.begin_object();
  json.field_if("code", event.code);
  json.field_if("database", event.database);
  json.field_if("method", event.method);
  json.field("session", event.session);
  if (kind == Kind::kSessionClose) json.field("statements", event.statements);
  if (kind == Kind::kAuth) json.key("success"), json.boolean(event.success);
  json.field("t", event.time_us);
  json.field("v", kSchemaVersion);
  write_who(json, event.who);
  json.end_object();
  return record;
}

EncodedRecord encode_event(Kind kind, const Event& event) {
  const bool allowed = kind == Kind::kGap || kind == Kind::kRecovery || kind >= Kind::kAdmin;
  POSTERN_CHECK(allowed);
  EncodedRecord record{kind, {}};
  JsonWriter json(record.body);
  json.begin_object();
  json.field("action", event.action);
  json.field_if("actor", event.actor);
  json.key("details");
  json.begin_array();
  for (const auto& [name, value] :
       event.details.first(std::min(event.details.size(), kMaxDetails))) {
    json.begin_array();
    json.string(name);
    json.string(value);
    json.end_array();
  }
  json.end_array();
  json.field("t", event.time_us);
  json.field("v", kSchemaVersion);
  json.end_object();
  return record;
}

}  // namespace postern::audit
