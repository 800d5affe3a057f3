#include "policy/sql_quote.hpp"

namespace postern::policy {
namespace {

std::string wrap(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out.push_back(quote);
    out.push_back(c);
  }
  out.push_back(quote);
  return out;
}

}  // namespace

std::string quote_ident(std::string_view name) {
  return wrap(name, '"');
}

std::string quote_relation(const sql::Relation& relation) {
  return quote_ident(relation.schema) + "." + quote_ident(relation.name);
}

std::string quote_literal(std::string_view text) {
  return wrap(text, '\'');
}

}  // namespace postern::policy
