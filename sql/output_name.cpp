// Names of output columns without AS, after PostgreSQL's FigureColname.
#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

constexpr std::string_view kValueFunctions[] = {"",
                                                "current_date",
                                                "current_time",
                                                "current_time",
                                                "current_timestamp",
                                                "current_timestamp",
                                                "localtime",
                                                "localtime",
                                                "localtimestamp",
                                                "localtimestamp",
                                                "current_role",
                                                "current_user",
                                                "user",
                                                "session_user",
                                                "current_catalog",
                                                "current_schema"};

constexpr std::string_view kXmlFunctions[] = {
    "", "xmlconcat", "xmlelement", "xmlforest", "xmlparse", "xmlpi", "xmlroot", "xmlserialize", ""};

struct Guess {
  std::string_view name;
  int strength = 0;  ///< 0 none, 1 weak (a type's name or "case"), 2 a name
};

Guess guess(const ast::Node* node);

Guess last_name(ast::NodeList fields) {
  for (auto at = fields.rbegin(); at != fields.rend(); ++at) {
    const std::string_view name = ast::str(*at);
    if (!name.empty()) return {name, 2};
  }
  return {};
}

Guess guess_sublink(const PgQuery__SubLink* link) {
  if (link->sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK) return {"exists", 2};
  if (link->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK) return {"array", 2};
  if (link->sub_link_type != PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK ||
      !ast::is(link->subselect, PG_QUERY__NODE__NODE_SELECT_STMT)) {
    return {};
  }
  const ast::Select* inner = link->subselect->select_stmt;  // the leftmost branch names it
  while (inner->larg != nullptr) inner = inner->larg;
  if (inner->n_values_lists > 0) return {"column1", 2};
  if (inner->n_target_list == 0 ||
      !ast::is(inner->target_list[0], PG_QUERY__NODE__NODE_RES_TARGET)) {
    return {};
  }
  const PgQuery__ResTarget* target = inner->target_list[0]->res_target;
  const std::string_view name = ast::text(target->name);
  return name.empty() ? guess(target->val) : Guess{name, 2};
}

Guess guess_cast(const PgQuery__TypeCast* cast) {
  const Guess inner = guess(cast->arg);
  if (inner.strength > 1) return inner;
  const Guess type = last_name(POSTERN_LIST(cast->type_name, names));
  return type.strength > 0 ? Guess{type.name, 1} : inner;
}

Guess guess(const ast::Node* node) {
  if (node == nullptr) return {};
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
      return last_name(POSTERN_LIST(node->column_ref, fields));
    case PG_QUERY__NODE__NODE_A_INDIRECTION: {
      const Guess field = last_name(POSTERN_LIST(node->a_indirection, indirection));
      return field.strength > 0 ? field : guess(node->a_indirection->arg);
    }
    case PG_QUERY__NODE__NODE_FUNC_CALL:
      return last_name(POSTERN_LIST(node->func_call, funcname));
    case PG_QUERY__NODE__NODE_A_EXPR:
      return node->a_expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF ? Guess{"nullif", 2}
                                                                         : Guess{};
    case PG_QUERY__NODE__NODE_TYPE_CAST:
      return guess_cast(node->type_cast);
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
      return guess(node->collate_clause->arg);
    case PG_QUERY__NODE__NODE_GROUPING_FUNC:
      return {"grouping", 2};
    case PG_QUERY__NODE__NODE_SUB_LINK:
      return guess_sublink(node->sub_link);
    case PG_QUERY__NODE__NODE_CASE_EXPR: {
      const Guess fallback = guess(node->case_expr->defresult);
      return fallback.strength > 1 ? fallback : Guess{"case", 1};
    }
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
      return {"array", 2};
    case PG_QUERY__NODE__NODE_ROW_EXPR:
      return {"row", 2};
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
      return {"coalesce", 2};
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
      return {node->min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_GREATEST ? "greatest" : "least",
              2};
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
      return {kValueFunctions[node->sqlvalue_function->op], 2};
    case PG_QUERY__NODE__NODE_XML_EXPR:
      return {kXmlFunctions[node->xml_expr->op], 2};
    case PG_QUERY__NODE__NODE_XML_SERIALIZE:
      return {"xmlserialize", 2};
    default:
      return {};
  }
}

}  // namespace

std::string_view output_name(const ast::Node* node) {
  const Guess found = guess(node);
  return found.strength > 0 && !found.name.empty() ? found.name : "?column?";
}

std::string_view values_name(std::size_t index) {
  static constexpr std::size_t kMaxColumns = 1664;  // MaxTupleAttributeNumber
  static const std::vector<std::string> names = [] {
    std::vector<std::string> made;
    for (std::size_t i = 1; i <= kMaxColumns; ++i) made.push_back("column" + std::to_string(i));
    return made;
  }();
  return index < names.size() ? std::string_view(names[index]) : std::string_view{};
}

}  // namespace postern::sql
