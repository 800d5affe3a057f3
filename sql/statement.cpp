// Resolver: the statements that hold a query, at top level.
#include "sql/analyzer.hpp"
#include "sql/resolver.hpp"

namespace postern::sql {

bool Resolver::query_statement(const ast::Node* node) {
  const Level none;
  QueryOutput output;
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_SELECT_STMT:
      out_.kind = StatementKind::kSelect;
      output = select(node->select_stmt, nullptr, nullptr);
      if (node->select_stmt->into_clause != nullptr) {
        out_.kind = StatementKind::kCreate;
        into_new_table(output, node->select_stmt->into_clause->rel);
        return true;
      }
      out_.returns_rows = true;
      break;
    case PG_QUERY__NODE__NODE_INSERT_STMT:
      out_.kind = StatementKind::kInsert;
      output = insert(node->insert_stmt, nullptr);
      out_.returns_rows = node->insert_stmt->n_returning_list > 0;
      break;
    case PG_QUERY__NODE__NODE_UPDATE_STMT:
      out_.kind = StatementKind::kUpdate;
      output = update(node->update_stmt, nullptr);
      out_.returns_rows = node->update_stmt->n_returning_list > 0;
      break;
    case PG_QUERY__NODE__NODE_DELETE_STMT:
      out_.kind = StatementKind::kDelete;
      output = remove(node->delete_stmt, nullptr);
      out_.returns_rows = node->delete_stmt->n_returning_list > 0;
      break;
    case PG_QUERY__NODE__NODE_MERGE_STMT:
      out_.kind = StatementKind::kMerge;
      output = merge(node->merge_stmt, nullptr);
      break;
    default:
      return false;
  }
  project(output);
  return true;
}

/// The query's columns leave their tables for a new relation.
void Resolver::into_new_table(const QueryOutput& output, const ast::RangeVar* created) {
  for (const NamedValue& column : output.columns) {
    if (column.value.row.empty()) {
      use(column.value, Use::kCopied);
    } else {
      consume(column.value);
    }
  }
  creates(created);
}

/// What it is called takes the place of the setting that a set_config() within it names: which one
/// that is cannot be told any more.
void Resolver::name_statement(std::string name) {
  if (has(out_.session, SessionEffect::kSetting)) add_session(SessionEffect::kUnknown);
  out_.name = std::move(name);
}

void Resolver::creates(const ast::RangeVar* range) {
  if (range == nullptr) return;
  const std::string_view schema = ast::text(range->schemaname);
  name_statement(schema.empty()
                     ? std::string(ast::text(range->relname))
                     : std::string(schema) + "." + std::string(ast::text(range->relname)));
  const bool temporary = ast::text(range->relpersistence) == "t" || schema == "pg_temp";
  if (temporary) add_session(SessionEffect::kTempObject);
}

}  // namespace postern::sql
