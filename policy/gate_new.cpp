// What a migrator's own transaction made is not in the catalog yet: a text that names it is opaque.
// It may pass where it cannot carry plaintext of an encrypted column to the server.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "policy/closure.hpp"
#include "policy/gate.hpp"
#include "sql/lexer.hpp"

namespace postern::policy {
namespace {

using sql::Token;
using sql::TokenKind;

constexpr std::size_t kNameBytes = 63;  // PostgreSQL cuts longer ones

bool is_name(const Token& token) {
  return token.kind == TokenKind::kWord || token.kind == TokenKind::kQuotedWord;
}

/// The name as PostgreSQL reads it.
std::string name_of(std::string_view written) {
  std::string name;
  if (written.starts_with('"')) {
    for (std::size_t i = 1; i + 1 < written.size(); ++i) {
      if (written[i] == '"') ++i;  // doubled
      name.push_back(written[i]);
    }
  } else {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    std::transform(written.begin(), written.end(), std::back_inserter(name), lower);
  }
  name.resize(std::min(name.size(), kNameBytes));
  return name;
}

/// Names of encrypted columns, and of relations that hold or show one.
std::set<std::string, std::less<>> protected_names(const Ruleset& rules) {
  std::set<std::string, std::less<>> names;
  for (const auto& [ref, id] : rules.column_index) {
    const sql::Relation* relation = rules.catalog->relation(ref.relation);
    const sql::Column* column = relation != nullptr ? relation->column(ref.attnum) : nullptr;
    names.insert(column != nullptr ? column->name : rules.columns.at(id.index).column);
  }
  for (const auto& [oid, relation] : rules.catalog->relations()) {
    if (reaches(relation, rules.protected_tables)) names.insert(relation.name);
  }
  return names;
}

/// One statement's tokens.
class Words {
 public:
  Words(std::string_view text, const sql::Tokens& tokens) : text_(text), list_(tokens.list) {}

  [[nodiscard]] std::size_t size() const { return list_.size(); }
  [[nodiscard]] bool is(std::size_t i, std::string_view keyword) const {
    return i < list_.size() && list_[i].kind == TokenKind::kWord &&
           sql::is_keyword(list_[i].text(text_), keyword);
  }
  [[nodiscard]] bool is_symbol(std::size_t i, std::string_view symbol) const {
    return i < list_.size() && list_[i].kind == TokenKind::kSymbol &&
           list_[i].text(text_) == symbol;
  }
  [[nodiscard]] bool is_name(std::size_t i) const {
    return i < list_.size() && policy::is_name(list_[i]);
  }
  [[nodiscard]] const Token& at(std::size_t i) const { return list_[i]; }

 private:
  std::string_view text_;
  const std::vector<Token>& list_;
};

/// Behind a possibly qualified name.
std::size_t behind_name(const Words& words, std::size_t i) {
  ++i;
  while (words.is_symbol(i, ".")) i += 2;
  return i;
}

/// A list of columns, and no query in brackets.
bool lists_columns(const Words& words, std::size_t i) {
  const auto begins_query = [&](std::size_t at) {
    return words.is(at, "select") || words.is(at, "values") || words.is(at, "with") ||
           words.is(at, "table") || words.is_symbol(at, "(");
  };
  return words.is_symbol(i, "(") && !begins_query(i + 1);
}

/// Values find their columns by place, not by name: nothing tells which these are.
bool fills_by_place(const Words& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words.is(i, "copy") && i == 0 && !words.is_symbol(1, "(") &&
        !lists_columns(words, behind_name(words, 1))) {
      return true;
    }
    if (!words.is(i, "insert")) continue;
    std::size_t next = i + 1;
    if (words.is(next, "into")) {
      next = behind_name(words, next + 1);
      if (words.is(next, "as")) next += 2;
    }
    if (!lists_columns(words, next)) return true;
  }
  return false;
}

}  // namespace

bool may_be_new(const Judged& j) {
  if (j.profile != Profile::kMigrator || j.statement.kind == sql::StatementKind::kOther) {
    return false;
  }
  if (j.rules.columns.empty()) return true;
  const auto whole = j.text.at(j.statement.span);
  if (!whole) return false;
  const std::string_view text = *whole;
  const sql::Tokens tokens = sql::tokenize(text, text.size() + 1);
  if (tokens.error != nullptr) return false;
  const auto names = protected_names(j.rules);
  const bool named = std::any_of(tokens.list.begin(), tokens.list.end(), [&](const Token& token) {
    if (!is_name(token)) return false;
    const std::string_view written = token.text(text);
    const bool escaped = token.kind == TokenKind::kQuotedWord && !written.starts_with('"');
    return escaped || names.contains(name_of(written));
  });
  return !named && !fills_by_place(Words(text, tokens));
}

}  // namespace postern::policy
