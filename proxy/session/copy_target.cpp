#include "proxy/session/copy_target.hpp"

#include <algorithm>
#include <utility>

#include "policy/sql_quote.hpp"
#include "sql/lexer.hpp"

namespace postern::proxy {
namespace {

using sql::Token;
using sql::TokenKind;

constexpr std::size_t kNameBytes = 63;  // PostgreSQL cuts longer ones
constexpr std::size_t kTokens = 20'000;

/// nullopt for names with escapes.
std::optional<std::string> name_of(const Token& token, std::string_view text) {
  const std::string_view written = token.text(text);
  std::string name;
  if (token.kind == TokenKind::kWord) {
    for (const char c : written) {
      name.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c);
    }
  } else if (token.kind == TokenKind::kQuotedWord && written.starts_with('"')) {
    for (std::size_t i = 1; i + 1 < written.size(); ++i) {
      if (written[i] == '"') ++i;  // doubled
      name.push_back(written[i]);
    }
  } else {
    return std::nullopt;
  }
  name.resize(std::min(name.size(), kNameBytes));
  return name;
}

bool is_symbol(const Token& token, std::string_view text, std::string_view symbol) {
  return token.kind == TokenKind::kSymbol && token.text(text) == symbol;
}

}  // namespace

std::optional<CopyNames> copy_names(std::string_view text) {
  const sql::Tokens tokens = sql::tokenize(text, kTokens);
  const std::vector<Token>& list = tokens.list;
  const auto is_word = [&](std::size_t i, std::string_view word) {
    return i < list.size() && list[i].kind == TokenKind::kWord &&
           sql::is_keyword(list[i].text(text), word);
  };
  std::size_t at = 0;
  if (!is_word(at++, "copy")) return std::nullopt;
  if (is_word(at, "binary") && at + 1 < list.size() && name_of(list[at + 1], text)) ++at;
  CopyNames names;
  const std::size_t first = at;
  while (at < list.size() && name_of(list[at], text)) {
    ++at;
    if (at >= list.size() || !is_symbol(list[at], text, ".")) break;
    ++at;
  }
  if (at == first || at >= list.size()) return std::nullopt;
  names.table = text.substr(list[first].begin, list[at - 1].end - list[first].begin);
  if (is_word(at, "from")) return names;
  if (!is_symbol(list[at++], text, "(")) return std::nullopt;
  for (; at + 1 < list.size(); at += 2) {
    auto column = name_of(list[at], text);
    if (!column) return std::nullopt;
    names.columns.push_back(std::move(*column));
    if (is_symbol(list[at + 1], text, ")")) return names;
    if (!is_symbol(list[at + 1], text, ",")) return std::nullopt;
  }
  return std::nullopt;
}

std::string copy_target_sql(const CopyNames& names) {
  return "SELECT n.nspname, c.relname, a.attname FROM pg_catalog.pg_class c"
         " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
         " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
         " WHERE c.oid = pg_catalog.to_regclass(" +
         policy::quote_literal(names.table) +
         ") AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum";
}

std::optional<CopyTarget> copy_target(const CopyNames& names, const sql::CopyIn& form,
                                      const std::vector<std::vector<std::string>>& rows,
                                      std::string& problem) {
  CopyTarget target;
  target.form = form;
  target.form.columns.clear();
  for (const auto& row : rows) {
    if (row.size() != 3) continue;
    target.relation.schema = row[0];
    target.relation.name = row[1];
    sql::Column column;
    column.name = row[2];
    column.attnum = static_cast<std::int16_t>(target.relation.columns.size() + 1);
    target.relation.columns.push_back(std::move(column));
  }
  if (target.relation.columns.empty()) {
    problem = "relation \"" + names.table + "\" does not exist";
    return std::nullopt;
  }
  const auto take = [&](const sql::Column& column) {
    target.form.columns.push_back(column.attnum);
  };
  if (names.columns.empty()) std::ranges::for_each(target.relation.columns, take);
  for (const std::string& name : names.columns) {
    const sql::Column* column = std::as_const(target.relation).column(name);
    if (column == nullptr) {
      problem =
          "column \"" + name + "\" of relation \"" + target.relation.name + "\" does not exist";
      return std::nullopt;
    }
    take(*column);
  }
  target.form.force_null.resize(target.form.columns.size());
  target.form.force_not_null.resize(target.form.columns.size());
  return target;
}

}  // namespace postern::proxy
