// Resolver: COPY.
#include "sql/resolver.hpp"

namespace postern::sql {

void Resolver::copy(const PgQuery__CopyStmt* stmt) {
  out_.kind = stmt->is_from ? StatementKind::kCopyFrom : StatementKind::kCopyTo;
  const bool client = ast::text(stmt->filename).empty() && !stmt->is_program;
  out_.copy_end = client ? CopyEnd::kClient : stmt->is_program ? CopyEnd::kProgram : CopyEnd::kFile;
  if (stmt->query != nullptr) {
    const QueryOutput output = query(stmt->query, Level{});
    if (client) return project(output);
    return into_new_table(output, nullptr);
  }
  if (stmt->relation == nullptr) return fail("COPY without a table");
  const Relation* relation = find_relation(stmt->relation);
  if (relation == nullptr) {
    // It may be one just made: then its columns are the server's to tell.
    if (!stmt->is_from || !client) return;
    CopyIn& copy = out_.copy_in.emplace();
    copy_options(stmt, Relation{}, copy);
    return;
  }
  RelationUse& used = relation_use(relation->oid);
  (stmt->is_from ? used.written : used.read) = true;
  if (relation->kind == RelationKind::kView) view_dependencies(*relation, stmt->is_from);
  copy_columns(stmt, *relation);
  if (stmt->where_clause == nullptr) return;
  Level level;
  RangeItem& item = level.items.emplace_back();
  item.alias = relation->name;
  item.relation = relation;
  consumed(stmt->where_clause, level);
}

/// The listed columns, or all that are not generated.
void Resolver::copy_columns(const PgQuery__CopyStmt* stmt, const Relation& relation) {
  std::vector<const Column*> columns;
  for (const ast::Node* name : POSTERN_LIST(stmt, attlist)) {
    const Column* column = relation.column(ast::str(name));
    if (column == nullptr) return fail("unknown column " + std::string(ast::str(name)));
    columns.push_back(column);
  }
  if (stmt->n_attlist == 0) {
    for (const Column& column : relation.columns) {
      if (!column.generated) columns.push_back(&column);
    }
  }
  const auto position = static_cast<std::uint32_t>(stmt->relation->location);
  if (stmt->is_from && out_.copy_end == CopyEnd::kClient) {
    CopyIn& copy = out_.copy_in.emplace();
    copy.table = relation.oid;
    for (const Column* column : columns) copy.columns.push_back(column->attnum);
    copy.force_null.resize(columns.size());
    copy.force_not_null.resize(columns.size());
    copy_options(stmt, relation, copy);
  }
  for (const Column* column : columns) {
    const ColumnRef ref{relation.oid, column->attnum};
    if (stmt->is_from) {
      mark_written(relation, column->attnum);
      use_column(ref, Use::kStored, position);
      continue;
    }
    mark_read(ref);
    if (out_.copy_end != CopyEnd::kClient) {
      use_column(ref, Use::kCopied, position);
      continue;
    }
    use_column(ref, Use::kProjected, position);
    out_.outputs.push_back({column->name, ref, {ref}});
  }
}

}  // namespace postern::sql
