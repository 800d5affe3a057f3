// Private to sql/: short names for libpg_query's syntax tree (PostgreSQL 15 raw parse nodes).
#pragma once

#include <span>
#include <string_view>

#include <pg_query/pg_query.pb-c.h>

namespace postern::sql::ast {

using Node = PgQuery__Node;
using Select = PgQuery__SelectStmt;
using RangeVar = PgQuery__RangeVar;

using NodeList = std::span<Node* const>;

inline NodeList list(Node* const* first, std::size_t n) {
  return {first, n};
}
/// Never null; absent strings are empty.
inline std::string_view text(const char* s) {
  return s == nullptr ? std::string_view{} : std::string_view{s};
}
/// The text of a String node; empty for every other node.
inline std::string_view str(const Node* node) {
  if (node == nullptr || node->node_case != PG_QUERY__NODE__NODE_STRING) return {};
  return text(node->string->sval);
}
inline bool is(const Node* node, PgQuery__Node__NodeCase kind) {
  return node != nullptr && node->node_case == kind;
}

}  // namespace postern::sql::ast

/// POSTERN_LIST(stmt, target_list): the repeated field of a protobuf-c message as a NodeList.
#define POSTERN_LIST(message, field) \
  ::postern::sql::ast::list((message)->field, (message)->n_##field)
