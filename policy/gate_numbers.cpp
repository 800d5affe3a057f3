// Numbers of whole tables in pg_class: a tenant is shown those of a table that was never analysed.
//
// They count every tenant's rows. Drivers read them beside other columns of the catalog (JDBC's
// getIndexInfo), so as an output of its own each is answered, but not with the number. In any other
// place the server would compute with it, and the result tell it: refused.
#include <algorithm>

#include "base/codes/gate.hpp"
#include "policy/gate.hpp"

namespace postern::policy {
namespace {

using Kind = sql::StatementKind;

constexpr Oid kPgClass = 1259;

/// Whose results come as rows of this very statement; not of a FETCH or EXECUTE behind it.
bool answers_itself(Kind kind) {
  return kind == Kind::kSelect || kind == Kind::kInsert || kind == Kind::kUpdate ||
         kind == Kind::kDelete || kind == Kind::kMerge;
}

bool hides(const Judged& j) {
  const bool confined = j.profile == Profile::kApp || j.profile == Profile::kAnalyst;
  return confined && refuses(j.rules.mode) && j.rules.separates_tenants() &&
         j.statement.understood();
}

std::optional<OutputAction> shown_as(const Judged& j, const std::optional<ColumnRef>& column) {
  return column ? number_of_whole_table(j.catalog(), *column) : std::nullopt;
}

void refuse(const Judged& j, const ColumnRef& column, std::uint32_t position) {
  const sql::Column* found = j.catalog().relation(column.relation)->column(column.attnum);
  j.findings.refuse(pst::kNumberOfWholeTable, "pg_class." + found->name, "gate.numbers", position);
}

}  // namespace

std::optional<OutputAction> number_of_whole_table(const sql::Catalog& catalog, ColumnRef column) {
  if (column.relation != kPgClass) return std::nullopt;
  const sql::Relation* relation = catalog.relation(column.relation);
  const sql::Column* found = relation != nullptr ? relation->column(column.attnum) : nullptr;
  if (found == nullptr) return std::nullopt;
  if (found->name == "reltuples") return OutputAction::kNoRows;
  const bool pages =
      found->name == "relpages" || found->name == "relallvisible" || found->name == "relallfrozen";
  return pages ? std::optional(OutputAction::kNoPages) : std::nullopt;
}

void gate_numbers(const Judged& j) {
  if (j.profile != Profile::kApp && j.profile != Profile::kAnalyst) return;
  if (!j.rules.separates_tenants()) return;
  for (const sql::ColumnUse& use : j.statement.uses) {
    if (!shown_as(j, use.column)) continue;
    const bool passed_on = use.use == sql::Use::kProjected && answers_itself(j.statement.kind);
    if (!passed_on) return refuse(j, use.column, use.position);
  }
  for (const sql::Output& output : j.statement.outputs) {
    for (const ColumnRef& source : output.sources) {
      if (output.source == source || !shown_as(j, source)) continue;
      return refuse(j, source, j.statement.span.begin);
    }
  }
}

void shape_numbers(const Judged& j, StatementDecision& out) {
  if (!hides(j) || gate_is_open(j.rules, j.profile)) return;
  const auto& uses = j.statement.relations;
  out.hides_numbers =
      std::any_of(uses.begin(), uses.end(), [](const auto& use) { return use.oid == kPgClass; });
  if (!answers_itself(j.statement.kind)) return;
  const auto& outputs = j.statement.outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto action = shown_as(j, outputs[i].source);
    if (action) out.outputs.push_back({static_cast<std::uint16_t>(i), *action, {}});
  }
  std::sort(out.outputs.begin(), out.outputs.end(),
            [](const OutputOp& a, const OutputOp& b) { return a.output < b.output; });
}

}  // namespace postern::policy
