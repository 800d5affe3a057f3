// Resolver: statements that change objects. Their kind, the object's name and the relations they
// name are facts; what they define (bodies, defaults, checks) is not followed.
#include <array>

#include "sql/analyzer.hpp"
#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

struct Kind {
  PgQuery__Node__NodeCase node;
  StatementKind kind;
};

constexpr auto kCreate = StatementKind::kCreate;
constexpr auto kAlter = StatementKind::kAlter;
constexpr auto kDrop = StatementKind::kDrop;
constexpr auto kGrant = StatementKind::kGrant;
constexpr auto kMaintenance = StatementKind::kMaintenance;

constexpr Kind kKinds[] = {
    {PG_QUERY__NODE__NODE_CREATE_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_FOREIGN_TABLE_STMT, kCreate},
    {PG_QUERY__NODE__NODE_INDEX_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_FUNCTION_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_SCHEMA_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_SEQ_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_TRIG_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_EVENT_TRIG_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_EXTENSION_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_ROLE_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATEDB_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_DOMAIN_STMT, kCreate},
    {PG_QUERY__NODE__NODE_DEFINE_STMT, kCreate},
    {PG_QUERY__NODE__NODE_COMPOSITE_TYPE_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_ENUM_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_RANGE_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_CAST_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_POLICY_STMT, kCreate},
    {PG_QUERY__NODE__NODE_RULE_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_PUBLICATION_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_SUBSCRIPTION_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_STATS_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_OP_CLASS_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_OP_FAMILY_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_CONVERSION_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_FDW_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_FOREIGN_SERVER_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_PLANG_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_TABLE_SPACE_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_TRANSFORM_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_USER_MAPPING_STMT, kCreate},
    {PG_QUERY__NODE__NODE_CREATE_AM_STMT, kCreate},
    {PG_QUERY__NODE__NODE_IMPORT_FOREIGN_SCHEMA_STMT, kCreate},
    {PG_QUERY__NODE__NODE_ALTER_TABLE_STMT, kAlter},
    {PG_QUERY__NODE__NODE_RENAME_STMT, kAlter},
    {PG_QUERY__NODE__NODE_COMMENT_STMT, kAlter},
    {PG_QUERY__NODE__NODE_SEC_LABEL_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_DOMAIN_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_ENUM_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_FUNCTION_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_SEQ_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_ROLE_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_ROLE_SET_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_DATABASE_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_DATABASE_SET_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_SYSTEM_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_OBJECT_SCHEMA_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_OWNER_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_POLICY_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_EXTENSION_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_PUBLICATION_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_EVENT_TRIG_STMT, kAlter},
    {PG_QUERY__NODE__NODE_REASSIGN_OWNED_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_COLLATION_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_DATABASE_REFRESH_COLL_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_EXTENSION_CONTENTS_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_FDW_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_FOREIGN_SERVER_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_OBJECT_DEPENDS_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_OPERATOR_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_OP_FAMILY_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_STATS_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_SUBSCRIPTION_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_TABLE_MOVE_ALL_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_TABLE_SPACE_OPTIONS_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_TSCONFIGURATION_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_TSDICTIONARY_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_TYPE_STMT, kAlter},
    {PG_QUERY__NODE__NODE_ALTER_USER_MAPPING_STMT, kAlter},
    {PG_QUERY__NODE__NODE_DROP_STMT, kDrop},
    {PG_QUERY__NODE__NODE_DROPDB_STMT, kDrop},
    {PG_QUERY__NODE__NODE_DROP_ROLE_STMT, kDrop},
    {PG_QUERY__NODE__NODE_DROP_OWNED_STMT, kDrop},
    {PG_QUERY__NODE__NODE_DROP_SUBSCRIPTION_STMT, kDrop},
    {PG_QUERY__NODE__NODE_DROP_TABLE_SPACE_STMT, kDrop},
    {PG_QUERY__NODE__NODE_DROP_USER_MAPPING_STMT, kDrop},
    {PG_QUERY__NODE__NODE_GRANT_STMT, kGrant},
    {PG_QUERY__NODE__NODE_GRANT_ROLE_STMT, kGrant},
    {PG_QUERY__NODE__NODE_ALTER_DEFAULT_PRIVILEGES_STMT, kGrant},
    {PG_QUERY__NODE__NODE_VACUUM_STMT, kMaintenance},
    {PG_QUERY__NODE__NODE_CLUSTER_STMT, kMaintenance},
    {PG_QUERY__NODE__NODE_REINDEX_STMT, kMaintenance},
    {PG_QUERY__NODE__NODE_CHECK_POINT_STMT, kMaintenance},
    {PG_QUERY__NODE__NODE_REFRESH_MAT_VIEW_STMT, kMaintenance},
};

/// The table a statement acts on, where it names one as a range variable.
const ast::RangeVar* subject_of(const ast::Node* node) {
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_INDEX_STMT:
      return node->index_stmt->relation;
    case PG_QUERY__NODE__NODE_ALTER_TABLE_STMT:
      return node->alter_table_stmt->relation;
    case PG_QUERY__NODE__NODE_CREATE_TRIG_STMT:
      return node->create_trig_stmt->relation;
    case PG_QUERY__NODE__NODE_CREATE_POLICY_STMT:
      return node->create_policy_stmt->table;
    case PG_QUERY__NODE__NODE_ALTER_POLICY_STMT:
      return node->alter_policy_stmt->table;
    case PG_QUERY__NODE__NODE_RULE_STMT:
      return node->rule_stmt->relation;
    case PG_QUERY__NODE__NODE_RENAME_STMT:
      return node->rename_stmt->relation;
    case PG_QUERY__NODE__NODE_CLUSTER_STMT:
      return node->cluster_stmt->relation;
    case PG_QUERY__NODE__NODE_REINDEX_STMT:
      return node->reindex_stmt->relation;
    case PG_QUERY__NODE__NODE_REFRESH_MAT_VIEW_STMT:
      return node->refresh_mat_view_stmt->relation;
    case PG_QUERY__NODE__NODE_ALTER_SEQ_STMT:
      return node->alter_seq_stmt->sequence;
    case PG_QUERY__NODE__NODE_ALTER_OBJECT_SCHEMA_STMT:
      return node->alter_object_schema_stmt->relation;
    default:
      return nullptr;
  }
}

/// A name as a list of String nodes: the last two parts.
ast::RangeVar range_of(ast::NodeList names) {
  ast::RangeVar range = PG_QUERY__RANGE_VAR__INIT;
  if (!names.empty()) range.relname = const_cast<char*>(ast::str(names.back()).data());
  if (names.size() > 1) {
    range.schemaname = const_cast<char*>(ast::str(names[names.size() - 2]).data());
  }
  return range;
}

std::string dotted(const ast::RangeVar* range) {
  const std::string_view schema = ast::text(range->schemaname);
  const std::string_view name = ast::text(range->relname);
  return schema.empty() ? std::string(name) : std::string(schema) + "." + std::string(name);
}

}  // namespace

const Relation* Resolver::known_relation(const ast::RangeVar* range) const {
  if (range == nullptr || context_.catalog == nullptr) return nullptr;
  const std::string_view schema = ast::text(range->schemaname);
  const std::string_view name = ast::text(range->relname);
  return schema.empty() ? context_.catalog->resolve(name, context_.search_path)
                        : context_.catalog->relation(schema, name);
}

/// LOCK and TRUNCATE must know their tables; a table unknown to DDL may be one just made.
void Resolver::named_relation(const ast::RangeVar* range, bool written) {
  if (range == nullptr) return;
  if (out_.name.empty()) out_.name = dotted(range);
  const bool must_know = out_.kind == StatementKind::kLock || out_.kind == StatementKind::kTruncate;
  const Relation* relation = nullptr;
  if (must_know) {
    relation = find_relation(range);
  } else {
    relation = known_relation(range);
  }
  if (relation == nullptr) return;
  RelationUse& used = relation_use(relation->oid);
  used.written = used.written || written;
}

bool Resolver::ddl_statement(const ast::Node* node) {
  if (ast::is(node, PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT)) {
    create_table_as(node->create_table_as_stmt);
    return true;
  }
  if (ast::is(node, PG_QUERY__NODE__NODE_VIEW_STMT)) {
    create_view(node->view_stmt);
    return true;
  }
  const Kind* row = nullptr;
  for (const Kind& known : kKinds) {
    if (known.node == node->node_case) row = &known;
  }
  if (row == nullptr) return false;
  out_.kind = row->kind;
  object_names(node);
  if (const ast::RangeVar* subject = subject_of(node)) {
    named_relation(subject, row->kind != StatementKind::kMaintenance);
  }
  guard_change(node);
  return true;
}

/// Names and relations of the statements that have no single subject.
void Resolver::object_names(const ast::Node* node) {
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_CREATE_STMT:
      creates(node->create_stmt->relation);
      for (const ast::Node* parent : POSTERN_LIST(node->create_stmt, inh_relations)) {
        if (ast::is(parent, PG_QUERY__NODE__NODE_RANGE_VAR)) {
          named_relation(parent->range_var, true);
        }
      }
      return;
    case PG_QUERY__NODE__NODE_CREATE_FOREIGN_TABLE_STMT:
      return creates(node->create_foreign_table_stmt->base_stmt->relation);
    case PG_QUERY__NODE__NODE_CREATE_SEQ_STMT:
      return creates(node->create_seq_stmt->sequence);
    case PG_QUERY__NODE__NODE_CREATE_FUNCTION_STMT: {
      const ast::RangeVar name = range_of(POSTERN_LIST(node->create_function_stmt, funcname));
      return creates(&name);
    }
    case PG_QUERY__NODE__NODE_CREATE_SCHEMA_STMT:
      out_.name = ast::text(node->create_schema_stmt->schemaname);
      return;
    case PG_QUERY__NODE__NODE_DROP_STMT:
      if (node->drop_stmt->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_POLICY) {
        return dropped_policies(node->drop_stmt);
      }
      for (const ast::Node* object : POSTERN_LIST(node->drop_stmt, objects)) {
        if (!ast::is(object, PG_QUERY__NODE__NODE_LIST)) continue;
        const ast::RangeVar name = range_of(POSTERN_LIST(object->list, items));
        named_relation(&name, true);
      }
      return;
    case PG_QUERY__NODE__NODE_GRANT_STMT:
      for (const ast::Node* object : POSTERN_LIST(node->grant_stmt, objects)) {
        if (ast::is(object, PG_QUERY__NODE__NODE_RANGE_VAR)) {
          named_relation(object->range_var, false);
        }
      }
      return;
    case PG_QUERY__NODE__NODE_VACUUM_STMT:
      for (const ast::Node* entry : POSTERN_LIST(node->vacuum_stmt, rels)) {
        if (ast::is(entry, PG_QUERY__NODE__NODE_VACUUM_RELATION)) {
          named_relation(entry->vacuum_relation->relation, false);
        }
      }
      return;
    default:
      return;
  }
}

void Resolver::create_table_as(const PgQuery__CreateTableAsStmt* stmt) {
  QueryOutput output;
  if (ast::is(stmt->query, PG_QUERY__NODE__NODE_SELECT_STMT)) {
    output = query(stmt->query, Level{});
  } else if (ast::is(stmt->query, PG_QUERY__NODE__NODE_EXECUTE_STMT)) {
    // The statement was judged when it was prepared; a value handed to it could meet any column.
    execute(stmt->query->execute_stmt);
    if (stmt->query->execute_stmt->n_params > 0) fail("CREATE TABLE AS EXECUTE with values");
  } else {
    fail("CREATE TABLE AS of an unsupported kind");
  }
  out_.kind = StatementKind::kCreate;
  out_.returns_rows = false;
  into_new_table(output, stmt->into == nullptr ? nullptr : stmt->into->rel);
}

void Resolver::create_view(const PgQuery__ViewStmt* stmt) {
  const QueryOutput output = query(stmt->query, Level{});
  out_.kind = StatementKind::kCreate;
  into_new_table(output, stmt->view);
}

}  // namespace postern::sql
