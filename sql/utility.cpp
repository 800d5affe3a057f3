// Resolver: EXPLAIN, PREPARE, EXECUTE, cursors, CALL, DO.
#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

bool option_on(const PgQuery__DefElem* option) {
  if (option->arg == nullptr) return true;
  if (ast::is(option->arg, PG_QUERY__NODE__NODE_INTEGER)) return option->arg->integer->ival != 0;
  const std::string_view word = ast::str(option->arg);
  return word != "false" && word != "off" && word != "0";
}

}  // namespace

bool Resolver::utility_statement(const ast::Node* node) {
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_COPY_STMT:
      copy(node->copy_stmt);
      return true;
    case PG_QUERY__NODE__NODE_EXPLAIN_STMT:
      explain(node->explain_stmt);
      return true;
    case PG_QUERY__NODE__NODE_PREPARE_STMT:
      prepare(node->prepare_stmt);
      return true;
    case PG_QUERY__NODE__NODE_EXECUTE_STMT:
      execute(node->execute_stmt);
      return true;
    case PG_QUERY__NODE__NODE_DECLARE_CURSOR_STMT:
      declare_cursor(node->declare_cursor_stmt);
      return true;
    case PG_QUERY__NODE__NODE_CALL_STMT:
      call(node->call_stmt);
      return true;
    case PG_QUERY__NODE__NODE_DO_STMT:
      out_.kind = StatementKind::kDo;
      add_session(SessionEffect::kUnknown);
      fail("the statements of a DO block are not known");
      return true;
    case PG_QUERY__NODE__NODE_LOCK_STMT:
      out_.kind = StatementKind::kLock;
      for (const ast::Node* relation : POSTERN_LIST(node->lock_stmt, relations)) {
        named_relation(relation->range_var, false);
      }
      return true;
    case PG_QUERY__NODE__NODE_TRUNCATE_STMT:
      out_.kind = StatementKind::kTruncate;
      for (const ast::Node* relation : POSTERN_LIST(node->truncate_stmt, relations)) {
        named_relation(relation->range_var, true);
      }
      return true;
    default:
      return false;
  }
}

/// The inner statement's facts count; only ANALYZE runs it. Its columns do not come out.
void Resolver::explain(const PgQuery__ExplainStmt* stmt) {
  bool analyze = false;
  out_.plan_only = true;
  for (const ast::Node* node : POSTERN_LIST(stmt, options)) {
    if (!ast::is(node, PG_QUERY__NODE__NODE_DEF_ELEM)) continue;
    const std::string_view name = ast::text(node->def_elem->defname);
    if (name == "analyze") analyze = option_on(node->def_elem);
    const bool as_text = name != "format" || ast::str(node->def_elem->arg) == "text";
    out_.plan_only = out_.plan_only && as_text;
  }
  if (!query_statement(stmt->query) && !utility_statement(stmt->query) &&
      !ddl_statement(stmt->query)) {
    fail("EXPLAIN of an unsupported statement");
  }
  out_.explained = out_.kind;
  out_.kind = StatementKind::kExplain;
  out_.plan_only = out_.plan_only && !analyze;
  out_.returns_rows = true;
  out_.outputs.clear();
  out_.outputs.push_back({"QUERY PLAN", std::nullopt, {}});
  if (analyze) return;
  for (RelationUse& relation : out_.relations) relation.written = false;
}

void Resolver::prepare(const PgQuery__PrepareStmt* stmt) {
  if (!query_statement(stmt->query)) fail("PREPARE of an unsupported statement");
  for (const ast::Node* type : POSTERN_LIST(stmt, argtypes)) {
    if (ast::is(type, PG_QUERY__NODE__NODE_TYPE_NAME)) type_oid(type->type_name);
  }
  out_.kind = StatementKind::kPrepare;
  out_.returns_rows = false;
  name_statement(std::string(ast::text(stmt->name)));
  add_session(SessionEffect::kPrepared);
}

void Resolver::execute(const PgQuery__ExecuteStmt* stmt) {
  out_.kind = StatementKind::kExecute;
  consumed_all(POSTERN_LIST(stmt, params), Level{});
  out_.name = ast::text(stmt->name);
  out_.returns_rows = true;
}

void Resolver::declare_cursor(const PgQuery__DeclareCursorStmt* stmt) {
  if (!query_statement(stmt->query)) fail("cursor over an unsupported statement");
  out_.kind = StatementKind::kDeclareCursor;
  out_.returns_rows = false;
  name_statement(std::string(ast::text(stmt->portalname)));
  add_session(SessionEffect::kCursor);
}

void Resolver::call(const PgQuery__CallStmt* stmt) {
  out_.kind = StatementKind::kCall;
  out_.returns_rows = true;
  add_session(SessionEffect::kUnknown);
  if (stmt->funccall == nullptr) return fail("CALL without a procedure");
  function_call(stmt->funccall, Level{});
}

}  // namespace postern::sql
