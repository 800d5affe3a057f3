// Private to sql/: walks the syntax tree of one statement and writes down its facts.
//
// The rule for columns: evaluating an expression yields a Value. A bare column comes back with its
// use still open; whoever receives the Value decides what it is used for (compared, ordered,
// projected, ...) and records that. Every construct that does more than hand a value on records
// kExpression. So no column can be read without some use, and nothing unknown passes as harmless.
#pragma once

#include <deque>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sql/ast.hpp"
#include "sql/builtins.hpp"
#include "sql/facts.hpp"
#include "sql/scope.hpp"
#include "sql/token_index.hpp"

namespace postern::sql {

struct AnalysisContext;

/// The columns a query returns.
struct QueryOutput {
  std::vector<NamedValue> columns;
  bool countable = true;  ///< false: "*" over something of unknown width
};

class Resolver {
 public:
  /// All references must outlive the resolver.
  Resolver(const AnalysisContext& context, const TokenIndex& tokens, Statement& out)
      : context_(context), tokens_(tokens), out_(out) {}

  /// Fills the statement from its node; its span is set already.
  void statement(const ast::Node* node);

 private:
  // resolver.cpp: bookkeeping
  void fail(std::string reason, std::int64_t position = -1);
  void use(const Value& value, Use what);
  void use_with(const Value& value, Use what, ColumnRef other);
  void use_column(ColumnRef column, Use what, std::uint32_t position);
  void consume(const Value& value) { use(value, Use::kExpression); }
  RelationUse& relation_use(Oid oid, Oid via = kInvalidOid);
  void mark_read(ColumnRef column);
  void mark_written(const Relation& relation, std::int16_t attnum);
  void view_dependencies(const Relation& view, bool written);
  const Relation* find_relation(const ast::RangeVar* range);
  void add_routine(Oid oid);
  void add_session(SessionEffect effect) { out_.session = out_.session | effect; }
  std::string_view kept(std::string name) { return kept_.emplace_back(std::move(name)); }
  void finish();

  // columns.cpp: names of columns
  Value column_ref(const PgQuery__ColumnRef* ref, const Level& level);
  Value row_of(std::span<const std::string_view> names, std::uint32_t position, const Level& level);
  Value unqualified(std::string_view name, std::uint32_t position, const Level& level);
  bool system_column(const Level& level);
  Value qualified(std::span<const std::string_view> names, std::uint32_t position,
                  const Level& level);
  const RangeItem* find_item(std::string_view schema, std::string_view alias, const Level& level);
  Value column_of(const RangeItem& item, std::size_t index, std::uint32_t position);
  Value whole_row(const RangeItem& item, std::uint32_t position);
  bool expand_row(const PgQuery__AIndirection* row, const Level& level, QueryOutput& out);
  void expand_star(const PgQuery__ColumnRef* ref, const Level& level, QueryOutput& out);
  void expand_item(const RangeItem& item, std::uint32_t position, QueryOutput& out);

  // expression.cpp
  Value evaluate(const ast::Node* node, const Level& level);
  Value evaluate_node(const ast::Node* node, const Level& level);
  Value evaluate_rare(const ast::Node* node, const Level& level);
  /// Evaluates and records kExpression for a bare column.
  Value consumed(const ast::Node* node, const Level& level);
  Value consumed_all(ast::NodeList nodes, const Level& level);
  Value array_expression(ast::NodeList elements, const Level& level);
  Value bool_expression(const PgQuery__BoolExpr* expr, const Level& level);
  Value row_expression(const PgQuery__RowExpr* expr, const Level& level);
  Value case_expression(const PgQuery__CaseExpr* expr, const Level& level);
  Value indirection(const PgQuery__AIndirection* expr, const Level& level);
  Value null_test(const PgQuery__NullTest* test, const Level& level);
  Value value_function(const PgQuery__SQLValueFunction* function);
  Value sublink(const PgQuery__SubLink* link, const Level& level);
  Value sublink_scalar(const PgQuery__SubLink* link, const QueryOutput& output);

  // literal.cpp
  Value literal(const PgQuery__AConst* constant);
  void keep_literals(std::size_t first);
  Value parameter(const PgQuery__ParamRef* ref);
  Value type_cast(const PgQuery__TypeCast* cast, const Level& level);
  void cast_input(Value& value, const PgQuery__TypeCast* cast, Oid type);
  Oid type_oid(const PgQuery__TypeName* name);
  Oid named_type(std::string_view schema, std::string_view name);
  /// A literal or parameter meets a column.
  void meet(const Value& input, ColumnRef column, ValueRole role, Comparison comparison);
  template <typename Input>
  void meet_input(Input& input, ColumnRef column, ValueRole role, Comparison comparison);

  // comparison.cpp
  Value operator_expression(const PgQuery__AExpr* expr, const Level& level);
  Value binary(const PgQuery__AExpr* expr, const Level& level);
  Value in_list(const PgQuery__AExpr* expr, const Level& level);
  Value any_all(const PgQuery__AExpr* expr, const Level& level);
  Value between(const PgQuery__AExpr* expr, const Level& level);
  void compare(const Value& left, const Value& right, Comparison comparison);
  void compare_one(const Value& column, const Value& other, Comparison comparison);
  Comparison comparison_of(ast::NodeList name, const Value& left, const Value& right);
  bool shadowed(std::string_view name, const Value& left, const Value& right);

  // overload.cpp
  std::vector<const Routine*> candidates(const PgQuery__FuncCall* call,
                                         std::span<const Value> args) const;
  void add_cast(const Value& value, Oid type);
  Oid common_return(std::span<const Routine* const> routines) const;
  Oid add_operators(ast::NodeList name, const Value& left, const Value& right);
  const Relation* relation_of_type(Oid oid) const;

  // function.cpp
  Value function_call(const PgQuery__FuncCall* call, const Level& level);
  Value function_value(const PgQuery__FuncCall* call, Builtin meaning, std::vector<Value>& args);
  Builtin find_function(const PgQuery__FuncCall* call, std::span<const Value> args);
  bool is_field(Oid row_type, std::string_view name) const;
  void function_effects(const PgQuery__FuncCall* call, Builtin meaning);
  void set_config_call(const PgQuery__FuncCall* call);
  const ast::Node* uncast(const ast::Node* node, std::initializer_list<Oid> same);
  void window(const PgQuery__WindowDef* window, const Level& level);

  // from.cpp
  void from_clause(ast::NodeList from, Level& level);
  std::vector<RangeItem> from_item(const ast::Node* node, Level& level);
  RangeItem from_table(const ast::RangeVar* range, const Level& level);
  RangeItem from_subquery(const PgQuery__RangeSubselect* sub, Level& level);
  RangeItem from_xmltable(const PgQuery__RangeTableFunc* function, Level& level);
  std::vector<RangeItem> from_sample(const PgQuery__RangeTableSample* sample, Level& level);
  const CommonTable* find_common_table(std::string_view name, const Level& level) const;
  void rename(RangeItem& item, const PgQuery__Alias* alias);

  // function_table.cpp
  RangeItem from_function(const PgQuery__RangeFunction* function, Level& level);
  std::optional<std::vector<NamedType>> columns_of(const Routine& routine,
                                                   std::string_view name) const;
  bool add_call_columns(const ast::Node* call, std::string_view name, RangeItem& item);
  void add_definitions(ast::NodeList definitions, RangeItem& item);

  // join.cpp
  std::vector<RangeItem> from_join(const PgQuery__JoinExpr* join, Level& level);
  std::vector<std::string_view> join_columns(const PgQuery__JoinExpr* join,
                                             std::span<const RangeItem> left,
                                             std::span<const RangeItem> right);
  Value join_side(std::string_view name, std::span<const RangeItem> side);
  NamedValue merged_column(std::string_view name, const PgQuery__JoinExpr* join,
                           std::span<const RangeItem> left, std::span<const RangeItem> right);
  RangeItem join_item(const PgQuery__JoinExpr* join, std::vector<NamedValue> merged,
                      std::span<const RangeItem> left, std::span<const RangeItem> right);

  // select.cpp
  QueryOutput query(const ast::Node* node, const Level& outer);
  QueryOutput select(const ast::Select* stmt, const Level* columns, const Level* tables);
  QueryOutput plain_select(const ast::Select* stmt, Level& level);
  QueryOutput set_operation(const ast::Select* stmt, Level& level);
  QueryOutput values(ast::NodeList rows, Level& level);
  QueryOutput target_list(ast::NodeList targets, Level& level);
  QueryOutput combine(QueryOutput left, const QueryOutput& right);
  // common_table.cpp
  void common_tables(const PgQuery__WithClause* with, Level& level);
  void common_table(const PgQuery__CommonTableExpr* table, Level& level, std::size_t index);
  QueryOutput recursive_table(const PgQuery__CommonTableExpr* table, Level& outer,
                              std::size_t index);
  void search_and_cycle(const PgQuery__CommonTableExpr* table, const Level& level,
                        std::vector<NamedValue>& columns);
  void rename_columns(std::vector<NamedValue>& columns, ast::NodeList names);
  void sort_and_limit(const ast::Select* stmt, const QueryOutput& output, Level& level);
  void group_item(const ast::Node* node, const QueryOutput& output, Level& level);
  void sort_item(const ast::Node* node, const QueryOutput& output, Level& level, Use use_as);
  /// The outputs leave the statement for the client.
  void project(const QueryOutput& output);

  // insert.cpp, dml.cpp (MERGE included)
  QueryOutput insert(const PgQuery__InsertStmt* stmt, const Level* outer);
  QueryOutput update(const PgQuery__UpdateStmt* stmt, const Level* outer);
  QueryOutput remove(const PgQuery__DeleteStmt* stmt, const Level* outer);
  QueryOutput merge(const PgQuery__MergeStmt* stmt, const Level* outer);
  RangeItem target_item(const ast::RangeVar* range, const Relation*& relation);
  std::vector<const Column*> insert_columns(const Relation& relation, ast::NodeList names);
  void insert_rows(const PgQuery__InsertStmt* stmt, const Relation& relation,
                   std::span<const Column* const> columns, Level& level);
  void insert_row(const Relation& relation, std::span<const Column* const> columns,
                  std::span<const Value> row);
  void on_conflict(const PgQuery__OnConflictClause* clause, const Relation& relation,
                   const Level& level);
  void conflict_target(const PgQuery__InferClause* infer, const Relation& relation, Level& level);
  void set_list(ast::NodeList targets, const Relation& relation, Level& level);
  Value set_source(const ast::Node* value, std::vector<Value>& multi, Level& level);
  void store(const Relation& relation, const Column& column, const Value& value);
  void merge_when(const PgQuery__MergeWhenClause* when, const Relation& relation, Level& level);

  // statement.cpp, utility.cpp, session.cpp, copy.cpp, ddl.cpp
  bool query_statement(const ast::Node* node);
  bool utility_statement(const ast::Node* node);
  bool session_statement(const ast::Node* node);
  bool ddl_statement(const ast::Node* node);
  void transaction(const PgQuery__TransactionStmt* stmt);
  void set_variable(const PgQuery__VariableSetStmt* stmt);
  void explain(const PgQuery__ExplainStmt* stmt);
  void prepare(const PgQuery__PrepareStmt* stmt);
  void execute(const PgQuery__ExecuteStmt* stmt);
  void declare_cursor(const PgQuery__DeclareCursorStmt* stmt);
  void call(const PgQuery__CallStmt* stmt);
  void copy(const PgQuery__CopyStmt* stmt);
  void copy_columns(const PgQuery__CopyStmt* stmt, const Relation& relation);
  void copy_options(const PgQuery__CopyStmt* stmt, const Relation& relation, CopyIn& copy);
  void create_table_as(const PgQuery__CreateTableAsStmt* stmt);
  void create_view(const PgQuery__ViewStmt* stmt);
  void object_names(const ast::Node* node);
  void guard_change(const ast::Node* node);  // guard_change.cpp
  void table_command(const ast::RangeVar* table, const PgQuery__AlterTableCmd* command);
  const Relation* known_relation(const ast::RangeVar* range) const;
  void dropped_policies(const PgQuery__DropStmt* stmt);
  void into_new_table(const QueryOutput& output, const ast::RangeVar* created);
  void named_relation(const ast::RangeVar* range, bool written);
  void name_statement(std::string name);
  void creates(const ast::RangeVar* range);

  /// Guards recursion; a tree this deep cannot pass check_nesting.
  static constexpr int kMaxDepth = 6000;

  const AnalysisContext& context_;
  const TokenIndex& tokens_;
  Statement& out_;
  int depth_ = 0;
  std::vector<const Routine*> called_;  ///< what the call evaluated last may mean
  std::vector<Value> called_args_;
  std::deque<std::string> kept_;  ///< names that stand in neither tree nor catalog
};

/// The name PostgreSQL gives an output column without AS; "?column?" where it has none.
std::string_view output_name(const ast::Node* node);

/// "column1" for 0: how VALUES names its columns. Lives forever.
std::string_view values_name(std::size_t index);

}  // namespace postern::sql
