// Resolver: the options of COPY ... FROM STDIN (src/backend/commands/copy.c, ProcessCopyOptions).
#include <algorithm>
#include <optional>

#include "sql/resolver.hpp"

namespace postern::sql {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return out;
}

std::string word_of(const PgQuery__DefElem* option) {
  if (option->arg == nullptr) return "true";
  if (ast::is(option->arg, PG_QUERY__NODE__NODE_INTEGER)) {
    return option->arg->integer->ival != 0 ? "true" : "false";
  }
  if (ast::is(option->arg, PG_QUERY__NODE__NODE_BOOLEAN)) {
    return option->arg->boolean->boolval ? "true" : "false";
  }
  return lower(ast::str(option->arg));
}

std::optional<bool> flag_of(const std::string& word) {
  if (word == "true" || word == "on" || word == "1") return true;
  if (word == "false" || word == "off" || word == "0") return false;
  return std::nullopt;
}

/// One byte, and not one that the format needs itself.
bool take_byte(const PgQuery__DefElem* option, char& into) {
  const std::string_view text = ast::str(option->arg);
  if (text.size() != 1 || text == "\n" || text == "\r") return false;
  into = text.front();
  return true;
}

bool take_format(const PgQuery__DefElem* option, CopyFormat& into) {
  const std::string word = word_of(option);
  if (word == "csv") {
    into = CopyFormat::kCsv;
  } else if (word == "binary") {
    into = CopyFormat::kBinary;
  } else if (word != "text") {
    return false;
  }
  return true;
}

bool take_header(const PgQuery__DefElem* option, CopyHeader& into) {
  const std::string word = word_of(option);
  const auto flag = flag_of(word);
  if (!flag && word != "match") return false;
  into = !flag ? CopyHeader::kMatch : *flag ? CopyHeader::kSkip : CopyHeader::kNone;
  return true;
}

/// Columns of FORCE_NULL and FORCE_NOT_NULL; false where one is not among those copied.
bool take_columns(const PgQuery__DefElem* option, const Relation& relation,
                  const std::vector<std::int16_t>& columns, std::vector<bool>& into) {
  if (!ast::is(option->arg, PG_QUERY__NODE__NODE_LIST)) return false;
  for (const ast::Node* name : POSTERN_LIST(option->arg->list, items)) {
    const Column* column = relation.column(ast::str(name));
    if (column == nullptr) return false;
    const auto at = std::find(columns.begin(), columns.end(), column->attnum);
    if (at == columns.end()) return false;
    into[static_cast<std::size_t>(at - columns.begin())] = true;
  }
  return true;
}

/// The combinations PostgreSQL refuses need not be told apart: such a COPY is not plain.
bool consistent(const CopyIn& copy) {
  const bool forces = std::count(copy.force_null.begin(), copy.force_null.end(), true) +
                          std::count(copy.force_not_null.begin(), copy.force_not_null.end(), true) >
                      0;
  if (copy.null_text.find_first_of("\r\n") != std::string::npos) return false;
  if (copy.null_text.find(copy.delimiter) != std::string::npos) return false;
  if (copy.format == CopyFormat::kBinary) return copy.header == CopyHeader::kNone && !forces;
  if (copy.format == CopyFormat::kCsv) {
    return copy.delimiter != copy.quote && copy.null_text.find(copy.quote) == std::string::npos;
  }
  constexpr std::string_view kNoDelimiter = "\\.abcdefghijklmnopqrstuvwxyz0123456789";
  return !forces && kNoDelimiter.find(copy.delimiter) == std::string_view::npos;
}

}  // namespace

void Resolver::copy_options(const PgQuery__CopyStmt* stmt, const Relation& relation, CopyIn& copy) {
  std::optional<char> delimiter;
  std::optional<char> escape;
  std::optional<std::string> null_text;
  bool quoted = false;
  bool plain = stmt->where_clause == nullptr;
  for (const ast::Node* node : POSTERN_LIST(stmt, options)) {
    if (!ast::is(node, PG_QUERY__NODE__NODE_DEF_ELEM)) {
      plain = false;
      continue;
    }
    const PgQuery__DefElem* option = node->def_elem;
    const std::string_view name = ast::text(option->defname);
    char byte = 0;
    if (name == "format") {
      plain = take_format(option, copy.format) && plain;
    } else if (name == "header") {
      plain = take_header(option, copy.header) && plain;
    } else if (name == "null") {
      null_text = std::string(ast::str(option->arg));
    } else if (name == "delimiter") {
      plain = take_byte(option, byte) && plain;
      delimiter = byte;
    } else if (name == "quote") {
      quoted = true;
      plain = take_byte(option, copy.quote) && plain;
    } else if (name == "escape") {
      plain = take_byte(option, byte) && plain;
      escape = byte;
    } else if (name == "force_not_null") {
      plain = take_columns(option, relation, copy.columns, copy.force_not_null) && plain;
    } else if (name == "force_null") {
      plain = take_columns(option, relation, copy.columns, copy.force_null) && plain;
    } else if (name == "encoding") {
      const std::string word = word_of(option);
      plain = (word == "utf8" || word == "utf-8" || word == "unicode") && plain;
    } else {
      plain = false;
    }
  }
  const bool csv = copy.format == CopyFormat::kCsv;
  const bool binary = copy.format == CopyFormat::kBinary;
  copy.delimiter = delimiter.value_or(csv ? ',' : '\t');
  copy.escape = escape.value_or(copy.quote);
  copy.null_text = null_text.value_or(csv ? "" : "\\N");
  const bool misplaced = (!csv && (quoted || escape)) || (binary && (delimiter || null_text));
  copy.plain = plain && !misplaced && consistent(copy);
}

}  // namespace postern::sql
