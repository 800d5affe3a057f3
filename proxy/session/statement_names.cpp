#include "proxy/session/statement_names.hpp"

#include <cstring>
#include <string>

#include "base/bytes.hpp"
#include "crypto/hash.hpp"

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

}  // namespace

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
