#include "proxy/session/statement_names.hpp"

#include <cstring>
#include <string>

#include "base/bytes.hpp"
#include "crypto/hash.hpp"
#include "proxy/session/names.hpp"
#include "sql/lexer.hpp"

namespace postern::proxy {
namespace {

constexpr std::size_t kNameBytes = 16;
constexpr std::string_view kServerPrefix = "postern_";

void append_field(std::string& out, std::string_view text) {
  out.append(std::to_string(text.size())).append(":").append(text);
}

std::string content_of(Session* session, const PreparedStatement& statement) {
  std::string content;
  append_field(content, statement.server_text);
  for (const Oid type : statement.server_types) append_field(content, std::to_string(type));
  append_field(content, *session->state.planning_key());
  // Inside a transaction that changed settings the text may mean what it means nowhere else.
  if (session->state.altered()) {
    append_field(content, std::to_string(session->id));
    append_field(content, std::to_string(session->next_statement++));
  }
  return content;
}

std::string folded(std::string_view token) {
  if (token.front() == '"') {
    std::string name;
    for (std::size_t i = 1; i + 1 < token.size(); ++i) {
      name.push_back(token[i]);
      if (token[i] == '"') ++i;
    }
    return name;
  }
  std::string name(token);
  for (char& c : name) c = SettingNameLess::fold(c);
  return name;
}

enum class NameUse : std::uint8_t { kExecute, kPrepare, kDeallocate };

struct NamePlace {
  sql::Span span;
  std::string name;
  NameUse use = NameUse::kExecute;
};

constexpr std::size_t kMaxTokens = 4096;

// The name in the statement that begins with token `at`, where it is of one of these kinds.
std::optional<NamePlace> name_at(std::string_view text, const std::vector<sql::Token>& list,
                                 std::size_t at) {
  NamePlace place;
  if (sql::is_keyword(list[at].text(text), "deallocate")) {
    place.use = NameUse::kDeallocate;
  } else if (sql::is_keyword(list[at].text(text), "prepare")) {
    place.use = NameUse::kPrepare;
  } else if (!sql::is_keyword(list[at].text(text), "execute")) {
    return std::nullopt;
  }
  ++at;
  const bool long_form = place.use == NameUse::kDeallocate && at < list.size() &&
                         sql::is_keyword(list[at].text(text), "prepare");
  if (long_form) ++at;
  if (at >= list.size()) return std::nullopt;
  const bool quoted = list[at].kind == sql::TokenKind::kQuotedWord;
  if (list[at].kind != sql::TokenKind::kWord && !quoted) return std::nullopt;
  if (quoted && list[at].text(text).front() != '"') return std::nullopt;
  // DEALLOCATE ALL, PREPARE TRANSACTION '...'
  const bool all = place.use == NameUse::kDeallocate && sql::is_keyword(list[at].text(text), "all");
  const bool two_phase =
      place.use == NameUse::kPrepare && at + 1 < list.size() && sql::is_literal(list[at + 1].kind);
  if (all || two_phase) return std::nullopt;
  place.span = {list[at].begin, list[at].end};
  place.name = folded(list[at].text(text));
  return place;
}

bool ends_statement(std::string_view text, const sql::Token& token) {
  return token.kind == sql::TokenKind::kSymbol && token.text(text) == ";";
}

// The name in a text of one such statement.
std::optional<NamePlace> find_name(std::string_view text) {
  const sql::Tokens tokens = sql::tokenize(text, kMaxTokens);
  const auto& list = tokens.list;
  if (tokens.error != nullptr || list.size() < 2) return std::nullopt;
  for (std::size_t i = 0; i + 1 < list.size(); ++i) {
    if (ends_statement(text, list[i])) return std::nullopt;
  }
  return name_at(text, list, 0);
}

// The names in all statements of this kind, in order.
std::vector<std::string> names_used(std::string_view text, NameUse use) {
  const sql::Tokens tokens = sql::tokenize(text, kMaxTokens);
  std::vector<std::string> names;
  bool first = true;
  for (std::size_t i = 0; i < tokens.list.size(); ++i) {
    if (first) {
      auto place = name_at(text, tokens.list, i);
      if (place && place->use == use) names.push_back(std::move(place->name));
    }
    first = ends_statement(text, tokens.list[i]);
  }
  return names;
}

}  // namespace

std::optional<NamedInText> find_named(Session* session, std::string_view text) {
  auto place = find_name(text);
  if (!place) return std::nullopt;
  auto statement = find_statement(session, place->name);
  if (statement == nullptr) return std::nullopt;
  return NamedInText{place->span, std::move(statement), place->use == NameUse::kDeallocate};
}

bool names_in_doubt(const Session& session, std::string_view text) {
  const bool busy = session.primary != nullptr && !session.primary->queue().empty();
  if (!session.pooled || !busy) return false;
  const auto place = find_name(text);
  return place && in_doubt(session, place->name);
}

void take_named_tag(Session* session, Execution& execution, ByteView tag) {
  const bool prepared = tag == "PREPARE";
  if (!session->pooled || (!prepared && tag != "DEALLOCATE")) return;
  const auto names =
      names_used(execution.analysed->text, prepared ? NameUse::kPrepare : NameUse::kDeallocate);
  std::size_t& at = prepared ? execution.prepared : execution.deallocated;
  if (at >= names.size()) return;
  const std::string& name = names[at++];
  if (prepared) {
    session->sql_names.insert(name);
  } else {
    session->sql_names.erase(name);
  }
}

void splice_named(Session* session, PreparedStatement* statement) {
  const bool candidate = has(statement->scan.hint, StateHint::kPrepared | StateHint::kTemporary);
  if (!candidate || statement->spliced) return;
  const std::string& text = statement->analysed->text;
  const auto place = find_name(text);
  if (!place) return;
  statement->names_another = true;
  auto named = find_statement(session, place->name);
  if (named == nullptr) return;
  statement->spliced.emplace(text,
                             std::vector<Splice>{{place->span, "\"" + named->server_name + "\""}});
  statement->server_text = statement->spliced->text();
  statement->deallocates = place->use == NameUse::kDeallocate;
  statement->named = std::move(named);
}

void follow_named(Session* session, std::shared_ptr<PreparedStatement>* statement) {
  const PreparedStatement& old = **statement;
  if (!old.names_another || !old.hidden.empty()) return;
  const auto now = find_named(session, old.analysed->text);
  if ((now ? now->statement : nullptr) == old.named) return;
  // One that names itself, and means what it was sent as.
  const bool itself = now && now->statement == *statement;
  if (itself && old.named != nullptr && old.named->name == old.name) return;
  auto renewed = std::make_shared<PreparedStatement>();
  renewed->name = old.name;
  renewed->analysed = old.analysed;
  renewed->server_text = old.analysed->text;
  renewed->client_types = old.client_types;
  renewed->server_types = old.server_types;
  renewed->scan = old.scan;
  renewed->names_another = true;
  splice_named(session, renewed.get());
  name_statement(session, renewed.get());
  renewed->held = std::move((*statement)->held);
  replace_statement(session, *statement, renewed);
  *statement = std::move(renewed);
}

std::string with_client_names(const Session& session, const Unit& unit, std::string_view message) {
  constexpr std::string_view kBefore = "prepared statement \"";
  std::string text(message);
  const std::size_t found = message.find(kBefore);
  if (found == std::string_view::npos) return text;
  const std::size_t begin = found + kBefore.size();
  const std::string_view name = message.substr(begin, message.find('"', begin) - begin);
  if (!name.starts_with(kServerPrefix)) return text;
  const auto is_it = [&](const PreparedStatement* statement) {
    return statement != nullptr && statement->server_name == name;
  };
  const PreparedStatement* known = nullptr;
  if (is_it(unit.statement.get())) known = unit.statement.get();
  if (unit.statement != nullptr && is_it(unit.statement->named.get())) {
    known = unit.statement->named.get();
  }
  if (unit.execution != nullptr && is_it(unit.execution->named.get())) {
    known = unit.execution->named.get();
  }
  for (const auto& [own, statement] : session.statements) {
    if (known == nullptr && is_it(statement.get())) known = statement.get();
  }
  if (known != nullptr) text.replace(begin, name.size(), known->name);
  return text;
}

std::uint64_t next_own_id(Session* session) {
  return session->runtime().next_own_statement.fetch_add(1, std::memory_order_relaxed);
}

bool is_made_differently(const Session& session, const PreparedStatement& statement) {
  if (statement.planned_under == nullptr) return false;
  const PlanningKey& now = session.state.planning_key();
  return session.state.altered() ||
         (now != statement.planned_under && *now != *statement.planned_under);
}

void name_statement(Session* session, PreparedStatement* statement) {
  if (!session->pooled) {
    statement->id = session->next_statement++;
    statement->server_name = statement->name;
    return;
  }
  // The unnamed one is nobody else's: all that matters is that no other has its number.
  if (statement->name.empty()) {
    statement->id = next_own_id(session);
    return;
  }
  statement->planned_under = session->state.planning_key();
  const Secret& key = session->runtime().statement_key;
  const Bytes digest = crypto::blake2b(content_of(session, *statement), kNameBytes, key.reveal());
  std::memcpy(&statement->id, digest.data(), sizeof statement->id);
  if (statement->id == kUnknownStatement) ++statement->id;
  statement->shared_id = statement->id;
  statement->server_name = std::string(kServerPrefix) + to_hex(digest);
}

}  // namespace postern::proxy
