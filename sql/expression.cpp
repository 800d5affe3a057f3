// Resolver: expressions other than operators, functions and constants.
#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

constexpr Oid kBool = 16;

}  // namespace

Value Resolver::evaluate(const ast::Node* node, const Level& level) {
  if (node == nullptr) return {};
  if (depth_ >= kMaxDepth) {
    fail("expression too deep");
    return {};
  }
  ++depth_;
  Value value = evaluate_node(node, level);
  --depth_;
  return value;
}

Value Resolver::evaluate_node(const ast::Node* node, const Level& level) {
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
      return column_ref(node->column_ref, level);
    case PG_QUERY__NODE__NODE_A_CONST:
      return literal(node->a_const);
    case PG_QUERY__NODE__NODE_PARAM_REF:
      return parameter(node->param_ref);
    case PG_QUERY__NODE__NODE_TYPE_CAST:
      return type_cast(node->type_cast, level);
    case PG_QUERY__NODE__NODE_A_EXPR:
      return operator_expression(node->a_expr, level);
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
      return bool_expression(node->bool_expr, level);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
      return function_call(node->func_call, level);
    case PG_QUERY__NODE__NODE_SUB_LINK:
      return sublink(node->sub_link, level);
    case PG_QUERY__NODE__NODE_ROW_EXPR:
      return row_expression(node->row_expr, level);
    case PG_QUERY__NODE__NODE_NULL_TEST:
      return null_test(node->null_test, level);
    case PG_QUERY__NODE__NODE_CASE_EXPR:
      return case_expression(node->case_expr, level);
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
      return value_function(node->sqlvalue_function);
    case PG_QUERY__NODE__NODE_A_INDIRECTION:
      return indirection(node->a_indirection, level);
    default:
      return evaluate_rare(node, level);
  }
}

Value Resolver::evaluate_rare(const ast::Node* node, const Level& level) {
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
      return consumed_all(POSTERN_LIST(node->coalesce_expr, args), level);
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
      return consumed_all(POSTERN_LIST(node->min_max_expr, args), level);
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
      return array_expression(POSTERN_LIST(node->a_array_expr, elements), level);
    case PG_QUERY__NODE__NODE_LIST:
      return consumed_all(POSTERN_LIST(node->list, items), level);
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
      return consumed(node->collate_clause->arg, level);
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
      return consumed(node->boolean_test->arg, level);
    case PG_QUERY__NODE__NODE_NAMED_ARG_EXPR:
      return consumed(node->named_arg_expr->arg, level);
    case PG_QUERY__NODE__NODE_GROUPING_FUNC:
      return consumed_all(POSTERN_LIST(node->grouping_func, args), level);
    case PG_QUERY__NODE__NODE_XML_SERIALIZE:
      return consumed(node->xml_serialize->expr, level);
    case PG_QUERY__NODE__NODE_XML_EXPR: {
      Value value = consumed_all(POSTERN_LIST(node->xml_expr, args), level);
      for (const ast::Node* arg : POSTERN_LIST(node->xml_expr, named_args)) {
        value.absorb(consumed(arg, level));
      }
      return value;
    }
    case PG_QUERY__NODE__NODE_RES_TARGET:  // inside xmlattributes and xmlforest
      return consumed(node->res_target->val, level);
    case PG_QUERY__NODE__NODE_SET_TO_DEFAULT: {
      Value value;
      value.is_default = true;
      value.position = static_cast<std::uint32_t>(node->set_to_default->location);
      return value;
    }
    case PG_QUERY__NODE__NODE_CURRENT_OF_EXPR:
      return {};
    default:
      fail("expression of an unsupported kind");
      return {};
  }
}

Value Resolver::consumed(const ast::Node* node, const Level& level) {
  const Value value = evaluate(node, level);
  consume(value);
  Value out;
  out.position = value.position;
  out.absorb(value);
  return out;
}

Value Resolver::consumed_all(ast::NodeList nodes, const Level& level) {
  Value out;
  for (const ast::Node* node : nodes) out.absorb(consumed(node, level));
  return out;
}

Value Resolver::bool_expression(const PgQuery__BoolExpr* expr, const Level& level) {
  Value out = consumed_all(POSTERN_LIST(expr, args), level);
  out.type = kBool;
  return out;
}

/// Fields stay open: a row is compared field by field.
Value Resolver::row_expression(const PgQuery__RowExpr* expr, const Level& level) {
  Value row;
  row.position = static_cast<std::uint32_t>(expr->location);
  for (const ast::Node* field : POSTERN_LIST(expr, args)) {
    row.row.push_back(evaluate(field, level));
  }
  return row;
}

Value Resolver::case_expression(const PgQuery__CaseExpr* expr, const Level& level) {
  const Value subject = evaluate(expr->arg, level);
  Value out;
  out.absorb(subject);
  for (const ast::Node* node : POSTERN_LIST(expr, args)) {
    if (!ast::is(node, PG_QUERY__NODE__NODE_CASE_WHEN)) continue;
    const Value when = evaluate(node->case_when->expr, level);
    if (expr->arg != nullptr) {  // CASE x WHEN y: x = y
      add_operators({}, subject, when);
      compare(subject, when, comparison_of({}, subject, when));
    } else {
      consume(when);
    }
    out.absorb(when);
    out.absorb(consumed(node->case_when->result, level));
  }
  out.absorb(consumed(expr->defresult, level));
  return out;
}

/// x[i], (x).field, (x).*
Value Resolver::indirection(const PgQuery__AIndirection* expr, const Level& level) {
  Value out = consumed(expr->arg, level);
  for (const ast::Node* step : POSTERN_LIST(expr, indirection)) {
    if (ast::is(step, PG_QUERY__NODE__NODE_A_INDICES)) {
      out.absorb(consumed(step->a_indices->lidx, level));
      out.absorb(consumed(step->a_indices->uidx, level));
    } else if (ast::is(step, PG_QUERY__NODE__NODE_A_STAR)) {
      fail("expansion of a row value", out.position);
    }
  }
  return out;
}

Value Resolver::null_test(const PgQuery__NullTest* test, const Level& level) {
  const Value tested = evaluate(test->arg, level);
  use(tested, Use::kNullTest);
  Value out;
  out.absorb(tested);
  out.type = kBool;
  return out;
}

Value Resolver::value_function(const PgQuery__SQLValueFunction* function) {
  const bool clock = function->op <= PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP_N;
  (clock ? out_.reads_clock : out_.reads_session) = true;
  return {};
}

/// EXISTS, IN, ANY, ALL, ARRAY and scalar subqueries.
Value Resolver::sublink(const PgQuery__SubLink* link, const Level& level) {
  const Value tested = evaluate(link->testexpr, level);
  const QueryOutput output = query(link->subselect, level);
  Value out;
  out.absorb(tested);
  switch (link->sub_link_type) {
    case PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK:
      return out;  // its select list is not looked at
    case PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK:
      return sublink_scalar(link, output);
    case PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK:
    case PG_QUERY__SUB_LINK_TYPE__ALL_SUBLINK:
      break;
    default:
      for (const NamedValue& column : output.columns) {
        consume(column.value);
        out.absorb(column.value);
      }
      return out;
  }
  const ast::NodeList name = POSTERN_LIST(link, oper_name);
  Value right;
  for (const NamedValue& column : output.columns) right.row.push_back(column.value);
  if (right.row.size() == 1) right = Value(right.row[0]);
  right.literal = right.param = -1;  // one of many rows, not an operand
  add_operators(name, tested, right);
  compare(tested, right, comparison_of(name, tested, right));
  out.absorb(right);
  return out;
}

Value Resolver::sublink_scalar(const PgQuery__SubLink* link, const QueryOutput& output) {
  if (output.columns.size() == 1) {
    Value value = output.columns[0].value;
    value.literal = value.param = -1;
    return value;
  }
  Value row;  // only a multiple assignment accepts it: SET (a, b) = (SELECT ...)
  row.position = static_cast<std::uint32_t>(link->location);
  for (const NamedValue& column : output.columns) {
    row.row.push_back(column.value);
    row.row.back().literal = row.row.back().param = -1;
  }
  return row;
}

}  // namespace postern::sql
