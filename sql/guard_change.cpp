// Resolver: what definitions do to row security, owners and parents of tables.
#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

/// "" for CURRENT_USER and the like: whoever the session has become.
std::string role_name(const PgQuery__RoleSpec* role) {
  return role == nullptr ? std::string() : std::string(ast::text(role->rolename));
}

Oid oid_of(const Relation* relation) {
  return relation == nullptr ? kInvalidOid : relation->oid;
}

}  // namespace

void Resolver::table_command(const ast::RangeVar* table, const PgQuery__AlterTableCmd* command) {
  GuardChange& guard = out_.guard;
  switch (command->subtype) {
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DisableRowSecurity:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_NoForceRowSecurity:
      guard.opens_rows = true;
      return;
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumnRecurse:
      guard.columns.emplace_back(ast::text(command->name));
      return;
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ChangeOwner:
      guard.owner = role_name(command->newowner);
      return;
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddInherit:
      if (ast::is(command->def, PG_QUERY__NODE__NODE_RANGE_VAR)) {
        guard.joins.push_back(
            {oid_of(known_relation(table)), oid_of(known_relation(command->def->range_var))});
      }
      return;
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AttachPartition:
      if (ast::is(command->def, PG_QUERY__NODE__NODE_PARTITION_CMD)) {
        guard.joins.push_back({oid_of(known_relation(command->def->partition_cmd->name)),
                               oid_of(known_relation(table))});
      }
      return;
    default:
      return;
  }
}

/// The policy is the last part of its name, the table what stands before it.
void Resolver::dropped_policies(const PgQuery__DropStmt* stmt) {
  for (const ast::Node* object : POSTERN_LIST(stmt, objects)) {
    if (!ast::is(object, PG_QUERY__NODE__NODE_LIST)) continue;
    const ast::NodeList parts = POSTERN_LIST(object->list, items);
    if (parts.empty()) continue;
    out_.guard.policies.emplace_back(ast::str(parts.back()));
    if (out_.name.empty() && parts.size() > 1) {
      out_.name = std::string(ast::str(parts[parts.size() - 2])) + "." + out_.guard.policies.back();
    }
    ast::RangeVar table = PG_QUERY__RANGE_VAR__INIT;
    if (parts.size() > 1) {
      table.relname = const_cast<char*>(ast::str(parts[parts.size() - 2]).data());
    }
    if (parts.size() > 2) {
      table.schemaname = const_cast<char*>(ast::str(parts[parts.size() - 3]).data());
    }
    if (parts.size() > 1) named_relation(&table, true);
  }
}

void Resolver::guard_change(const ast::Node* node) {
  GuardChange& guard = out_.guard;
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_ALTER_TABLE_STMT:
      for (const ast::Node* command : POSTERN_LIST(node->alter_table_stmt, cmds)) {
        if (ast::is(command, PG_QUERY__NODE__NODE_ALTER_TABLE_CMD)) {
          table_command(node->alter_table_stmt->relation, command->alter_table_cmd);
        }
      }
      return;
    case PG_QUERY__NODE__NODE_CREATE_POLICY_STMT:
      guard.policies.emplace_back(ast::text(node->create_policy_stmt->policy_name));
      return;
    case PG_QUERY__NODE__NODE_ALTER_POLICY_STMT:
      guard.policies.emplace_back(ast::text(node->alter_policy_stmt->policy_name));
      return;
    case PG_QUERY__NODE__NODE_RENAME_STMT:
      if (node->rename_stmt->rename_type != PG_QUERY__OBJECT_TYPE__OBJECT_POLICY) return;
      guard.policies.emplace_back(ast::text(node->rename_stmt->subname));
      guard.policies.emplace_back(ast::text(node->rename_stmt->newname));
      return;
    case PG_QUERY__NODE__NODE_REASSIGN_OWNED_STMT:
      guard.owner = role_name(node->reassign_owned_stmt->newrole);
      return;
    default:
      return;
  }
}

}  // namespace postern::sql
