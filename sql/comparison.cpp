// Resolver: operators, and what comparing columns with inputs and columns means.
#include <algorithm>
#include <utility>

#include "sql/analyzer.hpp"
#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

/// The operator's own name; its schema where written as OPERATOR(schema.name).
std::pair<std::string_view, std::string_view> operator_name(ast::NodeList name) {
  if (name.empty()) return {"", "="};
  return {name.size() > 1 ? ast::str(name[name.size() - 2]) : "", ast::str(name.back())};
}

Value flows(const Value& left, const Value& right) {
  Value out;
  out.position = left.position;
  out.absorb(left);
  out.absorb(right);
  return out;
}

Comparison comparison_of_name(std::string_view name) {
  if (name == "=") return Comparison::kEqual;
  if (name == "<>" || name == "!=") return Comparison::kNotEqual;
  return Comparison::kOther;
}

bool is_ordering(std::string_view name) {
  return name == "<" || name == ">" || name == "<=" || name == ">=";
}

}  // namespace

Value Resolver::operator_expression(const PgQuery__AExpr* expr, const Level& level) {
  switch (expr->kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
      return in_list(expr, level);
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL:
      return any_all(expr, level);
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM:
      return between(expr, level);
    default:
      return binary(expr, level);
  }
}

Value Resolver::binary(const PgQuery__AExpr* expr, const Level& level) {
  const Value left = evaluate(expr->lexpr, level);
  const Value right = evaluate(expr->rexpr, level);
  const ast::NodeList name = POSTERN_LIST(expr, name);
  const Oid type = add_operators(name, left, right);
  Comparison comparison = comparison_of(name, left, right);
  if (expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT) {
    comparison = comparison == Comparison::kEqual ? Comparison::kNotEqual : Comparison::kOther;
  } else if (expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF) {
    consume(left);  // it may also come out again
  }
  const auto [schema, word] = operator_name(name);
  if (comparison != Comparison::kOther) {
    compare(left, right, comparison);
  } else if (is_ordering(word) && !shadowed(word, left, right)) {
    use(left, Use::kOrdering);
    use(right, Use::kOrdering);
    if (left.column) meet(right, *left.column, ValueRole::kOther, Comparison::kOther);
    if (right.column) meet(left, *right.column, ValueRole::kOther, Comparison::kOther);
  } else {
    compare(left, right, Comparison::kOther);
  }
  Value out = flows(left, right);
  if (expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP) out.type = type;
  return out;
}

/// x IN (a, b, c): NOT IN has the operator <>.
Value Resolver::in_list(const PgQuery__AExpr* expr, const Level& level) {
  const Value left = evaluate(expr->lexpr, level);
  const ast::NodeList name = POSTERN_LIST(expr, name);
  Value out;
  out.absorb(left);
  if (!ast::is(expr->rexpr, PG_QUERY__NODE__NODE_LIST)) {
    fail("IN without a list", expr->location);
    return out;
  }
  std::optional<Oid> last;  // operators are noted once for items of one type
  for (const ast::Node* item : POSTERN_LIST(expr->rexpr->list, items)) {
    const Value right = evaluate(item, level);
    if (last != right.type) add_operators(name, left, right);
    last = right.type;
    const Comparison comparison = comparison_of(name, left, right);
    compare(left, right, comparison == Comparison::kOther ? comparison : Comparison::kIn);
    out.absorb(right);
  }
  return out;
}

/// x = ANY ($1), x <> ALL (ARRAY[...]) and the other combinations.
Value Resolver::any_all(const PgQuery__AExpr* expr, const Level& level) {
  const Value left = evaluate(expr->lexpr, level);
  const ast::NodeList name = POSTERN_LIST(expr, name);
  Value out;
  out.absorb(left);
  const ast::Node* array = expr->rexpr;
  if (ast::is(array, PG_QUERY__NODE__NODE_TYPE_CAST) &&
      ast::is(array->type_cast->arg, PG_QUERY__NODE__NODE_A_ARRAY_EXPR) &&
      array->type_cast->type_name->n_typmods == 0) {
    type_oid(array->type_cast->type_name);
    array = array->type_cast->arg;
  }
  if (ast::is(array, PG_QUERY__NODE__NODE_A_ARRAY_EXPR)) {
    for (const ast::Node* item : POSTERN_LIST(array->a_array_expr, elements)) {
      const Value right = evaluate(item, level);
      const Comparison comparison = comparison_of(name, left, right);
      compare(left, right, comparison == Comparison::kOther ? comparison : Comparison::kIn);
      out.absorb(right);
    }
    add_operators(name, left, {});
    return out;
  }
  Value right = evaluate(array, level);
  right.type = kInvalidOid;  // an array of operands
  add_operators(name, left, right);
  const Comparison comparison = comparison_of(name, left, right);
  if (!right.is_input()) {  // an array column or expression
    consume(left);
    consume(right);
  } else {
    compare(left, right, comparison == Comparison::kOther ? comparison : Comparison::kEqualAny);
  }
  out.absorb(right);
  return out;
}

Value Resolver::between(const PgQuery__AExpr* expr, const Level& level) {
  const Value left = evaluate(expr->lexpr, level);
  use(left, Use::kOrdering);
  Value out;
  out.absorb(left);
  if (!ast::is(expr->rexpr, PG_QUERY__NODE__NODE_LIST)) {
    fail("BETWEEN without bounds", expr->location);
    return out;
  }
  for (const ast::Node* bound : POSTERN_LIST(expr->rexpr->list, items)) {
    const Value right = evaluate(bound, level);
    use(right, Use::kOrdering);
    if (left.column) meet(right, *left.column, ValueRole::kOther, Comparison::kOther);
    out.absorb(right);
  }
  return out;
}

/// Field by field for rows of equal length.
void Resolver::compare(const Value& left, const Value& right, Comparison comparison) {
  if (!left.row.empty() && left.row.size() == right.row.size()) {
    for (std::size_t i = 0; i < left.row.size(); ++i) {
      compare(left.row[i], right.row[i], comparison);
    }
    return;
  }
  compare_one(left, right, comparison);
  compare_one(right, left, comparison);
}

/// One side's use against the other; both directions are asked for.
void Resolver::compare_one(const Value& side, const Value& other, Comparison comparison) {
  if (!side.row.empty()) return consume(side);
  if (!side.column) return;
  const bool equality = comparison != Comparison::kOther && comparison != Comparison::kNone;
  if (other.is_input()) {
    const ValueRole role = equality ? ValueRole::kOperand : ValueRole::kOther;
    meet(other, *side.column, role, comparison);
    return use(side, equality ? Use::kEquality : Use::kExpression);
  }
  if (equality && other.column && other.row.empty()) {
    return use_with(side, Use::kColumnEquality, *other.column);
  }
  use(side, Use::kExpression);
}

/// kEqual and kNotEqual only where the operator is the one of the column's own type.
Comparison Resolver::comparison_of(ast::NodeList name, const Value& left, const Value& right) {
  const auto [schema, word] = operator_name(name);
  const Comparison comparison = comparison_of_name(word);
  if (schema == "pg_catalog") return comparison;
  if (!schema.empty()) return Comparison::kOther;
  return shadowed(word, left, right) ? Comparison::kOther : comparison;
}

/// Does an operator outside pg_catalog of this name take one of the operands' types, while that
/// type is not its own schema's?
bool Resolver::shadowed(std::string_view name, const Value& left, const Value& right) {
  const Catalog* catalog = context_.catalog.get();
  if (catalog == nullptr) return false;
  for (const Operator* op : catalog->operators({}, name, context_.search_path)) {
    if (op->schema == "pg_catalog") continue;
    for (const Value* side : {&left, &right}) {
      const Oid type = side->literal >= 0 ? kInvalidOid : side->type;
      if (type == kInvalidOid || (op->left != type && op->right != type)) continue;
      const Type* known = catalog->type(type);
      if (known == nullptr || known->schema != op->schema) return true;
    }
  }
  return false;
}

}  // namespace postern::sql
