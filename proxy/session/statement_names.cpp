#include "proxy/session/statement_names.hpp"

#include <cstring>
#include <string>

#include "base/bytes.hpp"
#include "crypto/hash.hpp"
#include "sql/lexer.hpp"

namespace postern::proxy {
namespace {

constexpr std::size_t kNameBytes = 16;

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
    statement->server_name = "postern_" + to_hex(ByteView(bytes).substr(0, kNameBytes));
  }
}

}  // namespace postern::proxy
