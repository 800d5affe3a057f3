// Resolver: transactions, settings, and other statements about the session alone.
#include <algorithm>

#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return out;
}

std::string constant_text(const PgQuery__AConst* constant) {
  switch (constant->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:  // BEGIN's options; elsewhere the text is taken
      return std::to_string(constant->ival->ival);
    case PG_QUERY__A__CONST__VAL_FVAL:
      return std::string(ast::text(constant->fval->fval));
    case PG_QUERY__A__CONST__VAL_SVAL:
      return std::string(ast::text(constant->sval->sval));
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
      return constant->boolval->boolval ? "true" : "false";
    default:
      return {};
  }
}

std::string argument_text(const ast::Node* node) {
  if (ast::is(node, PG_QUERY__NODE__NODE_TYPE_CAST)) node = node->type_cast->arg;
  if (ast::is(node, PG_QUERY__NODE__NODE_A_CONST)) return constant_text(node->a_const);
  return std::string(ast::str(node));
}

/// BEGIN's options: read only, and neither serializable nor deferrable.
TransactionEffect begin_effect(ast::NodeList options) {
  bool read_only = false;
  bool special = false;
  for (const ast::Node* node : options) {
    if (!ast::is(node, PG_QUERY__NODE__NODE_DEF_ELEM)) continue;
    const std::string_view name = ast::text(node->def_elem->defname);
    const std::string value = lower(argument_text(node->def_elem->arg));
    if (name == "transaction_read_only") read_only = value == "1";
    if (name == "transaction_isolation" && value == "serializable") special = true;
    if (name == "transaction_deferrable" && value == "1") special = true;
  }
  return read_only && !special ? TransactionEffect::kBeginReadOnly : TransactionEffect::kBegin;
}

bool is_role_setting(std::string_view name) {
  return name == "role" || name == "session_authorization";
}

}  // namespace

void Resolver::transaction(const PgQuery__TransactionStmt* stmt) {
  using Kind = StatementKind;
  using Effect = TransactionEffect;
  out_.name = ast::text(stmt->savepoint_name);
  switch (stmt->kind) {
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN:
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START:
      out_.kind = Kind::kBegin;
      out_.transaction = begin_effect(POSTERN_LIST(stmt, options));
      return;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT:
      out_.kind = Kind::kCommit;
      out_.transaction = stmt->chain ? Effect::kCommitAndChain : Effect::kCommit;
      return;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK:
      out_.kind = Kind::kRollback;
      out_.transaction = stmt->chain ? Effect::kRollbackAndChain : Effect::kRollback;
      return;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_SAVEPOINT:
      out_.kind = Kind::kSavepoint;
      return;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_RELEASE:
      out_.kind = Kind::kReleaseSavepoint;
      return;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_TO:
      out_.kind = Kind::kRollbackToSavepoint;
      return;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_PREPARE:
      out_.kind = Kind::kPrepareTransaction;
      out_.transaction = Effect::kCommit;  // the session's transaction is over
      return;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT_PREPARED:
      out_.kind = Kind::kCommitPrepared;
      return;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_PREPARED:
      out_.kind = Kind::kRollbackPrepared;
      return;
    default:
      out_.kind = Kind::kOther;
      fail("transaction statement of an unsupported kind");
  }
}

void Resolver::set_variable(const PgQuery__VariableSetStmt* stmt) {
  const bool reset = stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET ||
                     stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL;
  out_.kind = reset ? StatementKind::kReset : StatementKind::kSet;
  out_.local = stmt->is_local;
  out_.name = stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL
                  ? "all"
                  : lower(ast::text(stmt->name));
  if (out_.name == "transaction" || out_.name == "transaction snapshot") out_.local = true;
  add_session(SessionEffect::kSetting);
  if (is_role_setting(out_.name)) add_session(SessionEffect::kRole);
  for (const ast::Node* arg : POSTERN_LIST(stmt, args)) {
    if (ast::is(arg, PG_QUERY__NODE__NODE_DEF_ELEM)) {  // SET TRANSACTION ...
      out_.value.append(out_.value.empty() ? "" : ", ")
          .append(ast::text(arg->def_elem->defname))
          .append("=")
          .append(argument_text(arg->def_elem->arg));
      continue;
    }
    // The JSON tree has no negative integers: the text has.
    const bool integer = ast::is(arg, PG_QUERY__NODE__NODE_A_CONST) &&
                         arg->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL;
    const std::string value =
        integer ? std::string(tokens_.slice(
                      tokens_.literal_at(static_cast<std::uint32_t>(arg->a_const->location)).span))
                : argument_text(arg);
    out_.value.append(out_.value.empty() ? "" : ", ").append(value);
  }
}

bool Resolver::session_statement(const ast::Node* node) {
  const auto named = [&](StatementKind kind, const char* name, SessionEffect effect) {
    out_.kind = kind;
    out_.name = ast::text(name);
    add_session(effect);
    return true;
  };
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_TRANSACTION_STMT:
      transaction(node->transaction_stmt);
      return true;
    case PG_QUERY__NODE__NODE_VARIABLE_SET_STMT:
      set_variable(node->variable_set_stmt);
      return true;
    case PG_QUERY__NODE__NODE_VARIABLE_SHOW_STMT:
      named(StatementKind::kShow, node->variable_show_stmt->name, SessionEffect::kNone);
      out_.name = lower(out_.name);
      out_.returns_rows = out_.reads_session = true;
      return true;
    case PG_QUERY__NODE__NODE_DISCARD_STMT: {
      static constexpr const char* kTargets[] = {"", "all", "plans", "sequences", "temp"};
      return named(StatementKind::kDiscard, kTargets[node->discard_stmt->target],
                   SessionEffect::kDiscard);
    }
    case PG_QUERY__NODE__NODE_DEALLOCATE_STMT:
      return named(StatementKind::kDeallocate, node->deallocate_stmt->name,
                   SessionEffect::kPrepared);
    case PG_QUERY__NODE__NODE_FETCH_STMT:
      out_.returns_rows = !node->fetch_stmt->ismove;
      return named(StatementKind::kFetch, node->fetch_stmt->portalname, SessionEffect::kCursor);
    case PG_QUERY__NODE__NODE_CLOSE_PORTAL_STMT:
      return named(StatementKind::kCloseCursor, node->close_portal_stmt->portalname,
                   SessionEffect::kCursor);
    case PG_QUERY__NODE__NODE_LISTEN_STMT:
      return named(StatementKind::kListen, node->listen_stmt->conditionname,
                   SessionEffect::kListen);
    case PG_QUERY__NODE__NODE_UNLISTEN_STMT:
      return named(StatementKind::kUnlisten, node->unlisten_stmt->conditionname,
                   SessionEffect::kListen);
    case PG_QUERY__NODE__NODE_NOTIFY_STMT:
      return named(StatementKind::kNotify, node->notify_stmt->conditionname, SessionEffect::kNone);
    case PG_QUERY__NODE__NODE_CONSTRAINTS_SET_STMT:
      out_.local = true;
      return named(StatementKind::kSet, "constraints", SessionEffect::kSetting);
    default:
      return false;
  }
}

}  // namespace postern::sql
