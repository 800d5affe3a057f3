#include "proxy/session/statement_names.hpp"

#include <cstring>
#include <string>

#include "base/bytes.hpp"
#include "crypto/hash.hpp"
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
  append_field(content, session->state.planning_key());
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

}  // namespace

std::optional<NamedInText> find_named(Session* session, std::string_view text) {
  constexpr std::size_t kMaxTokens = 4096;
  const sql::Tokens tokens = sql::tokenize(text, kMaxTokens);
  const auto& list = tokens.list;
  if (tokens.error != nullptr || list.size() < 2) return std::nullopt;
  const bool deallocates = sql::is_keyword(list[0].text(text), "deallocate");
  if (!deallocates && !sql::is_keyword(list[0].text(text), "execute")) return std::nullopt;
  std::size_t at = 1;
  if (deallocates && sql::is_keyword(list[at].text(text), "prepare")) ++at;
  if (at >= list.size()) return std::nullopt;
  for (std::size_t i = at + 1; i + 1 < list.size(); ++i) {
    if (list[i].text(text) == ";") return std::nullopt;
  }
  const bool name =
      list[at].kind == sql::TokenKind::kWord || list[at].kind == sql::TokenKind::kQuotedWord;
  const bool quoted = list[at].kind == sql::TokenKind::kQuotedWord;
  if (!name || (quoted && list[at].text(text).front() != '"')) return std::nullopt;
  const auto it = session->statements.find(folded(list[at].text(text)));
  if (it == session->statements.end() || it->second->name.empty()) return std::nullopt;
  return NamedInText{{list[at].begin, list[at].end}, it->second, deallocates};
}

void splice_named(Session* session, PreparedStatement* statement) {
  const bool candidate = has(statement->scan.hint, StateHint::kPrepared | StateHint::kTemporary);
  if (!candidate || statement->spliced) return;
  const std::string& text = statement->analysed->text;
  auto named = find_named(session, text);
  if (!named) return;
  statement->spliced.emplace(
      text, std::vector<Splice>{{named->span, "\"" + named->statement->server_name + "\""}});
  statement->server_text = statement->spliced->text();
  statement->deallocates = named->deallocates;
  statement->named = std::move(named->statement);
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

void name_statement(Session* session, PreparedStatement* statement) {
  if (!session->pooled) {
    statement->id = session->next_statement++;
    statement->server_name = statement->name;
    return;
  }
  const Secret& key = session->runtime().statement_key;
  const auto digest = crypto::hmac_sha256(key.reveal(), content_of(session, *statement));
  const std::string bytes(digest.bytes());
  std::memcpy(&statement->id, bytes.data(), sizeof statement->id);
  if (statement->id == kUnknownStatement) ++statement->id;
  if (!statement->name.empty()) {
    statement->server_name =
        std::string(kServerPrefix) + to_hex(ByteView(bytes).substr(0, kNameBytes));
  }
}

}  // namespace postern::proxy
