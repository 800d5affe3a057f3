#include "tests/sqlcorpus/compare.hpp"

#include <algorithm>

namespace postern::sqlcorpus {

namespace {

using sql::RelationUse;
using sql::Statement;

std::string named(const sql::Catalog& catalog, Oid oid) {
  const sql::Relation* relation = catalog.relation(oid);
  return relation == nullptr ? std::to_string(oid) : relation->qualified();
}

bool lists(const Statement& facts, Oid oid) {
  return std::any_of(facts.relations.begin(), facts.relations.end(),
                     [&](const RelationUse& use) { return use.oid == oid; });
}

bool lists_column(const Statement& facts, Oid oid, int attnum) {
  const auto has = [&](const std::vector<std::int16_t>& columns) {
    return std::binary_search(columns.begin(), columns.end(), static_cast<std::int16_t>(attnum));
  };
  return std::any_of(facts.relations.begin(), facts.relations.end(), [&](const RelationUse& use) {
    return use.oid == oid && (has(use.columns_read) || has(use.columns_written));
  });
}

bool lists_routine(const Statement& facts, Oid oid) {
  return std::binary_search(facts.routines.begin(), facts.routines.end(), oid);
}

class Comparison {
 public:
  Comparison(std::string_view text, const Statement& facts, const ServerView& view,
             const sql::Catalog& catalog)
      : text_(text), facts_(facts), view_(view), catalog_(catalog) {}

  std::vector<std::string> run() {
    relations();
    routines();
    if (!view_.columns.empty() && facts_.kind == sql::StatementKind::kSelect) columns();
    effects();
    return std::move(found_);
  }

 private:
  void say(std::string what) { found_.push_back(std::move(what)); }

  void relations() {
    for (const Oid oid : view_.relations) {
      if (catalog_.relation(oid) == nullptr || only_a_string(oid) || only_a_type(oid))
        continue;  // or temporary
      if (!lists(facts_, oid)) say("relation " + named(catalog_, oid) + " is missing");
    }
    for (const auto& [oid, attnum] : view_.attributes) {
      const sql::Relation* relation = catalog_.relation(oid);
      if (relation == nullptr || relation->column(static_cast<std::int16_t>(attnum)) == nullptr) {
        continue;
      }
      if (!lists_column(facts_, oid, attnum) && !only_a_type(oid)) {
        say("column " + named(catalog_, oid) + "." +
            relation->column(static_cast<std::int16_t>(attnum))->name + " is missing");
      }
    }
  }

  [[nodiscard]] bool in_a_string(const std::string& name) const {
    return std::any_of(facts_.literals.begin(), facts_.literals.end(), [&](const auto& literal) {
      const auto [begin, end] = literal.span;
      return text_.substr(begin, end - begin).find(name) != std::string_view::npos;
    });
  }

  [[nodiscard]] bool only_a_string(Oid oid) const {
    const auto column = view_.attributes.lower_bound({oid, 0});
    if (column != view_.attributes.end() && column->first == oid) return false;
    return in_a_string(catalog_.relation(oid)->name);
  }

  /// Its rows are what a function returns: no table is read here.
  [[nodiscard]] bool only_a_type(Oid oid) const {
    const sql::Relation* relation = catalog_.relation(oid);
    const sql::Type* type = catalog_.type(relation->schema, relation->name);
    return type != nullptr && !lists(facts_, oid) &&
           std::any_of(facts_.routines.begin(), facts_.routines.end(), [&](Oid routine) {
             const sql::Routine* called = catalog_.routine(routine);
             return called != nullptr && called->return_type == type->oid;
           });
  }

  void routines() {
    for (const Oid oid : view_.routines) {
      const sql::Routine* routine = catalog_.routine(oid);
      if (routine != nullptr && !lists_routine(facts_, oid) && !in_a_string(routine->name)) {
        say("routine " + routine->name + " is missing");
      }
    }
  }

  void columns() {
    if (facts_.outputs.size() != view_.columns.size()) {
      return say(std::to_string(facts_.outputs.size()) + " outputs, not " +
                 std::to_string(view_.columns.size()));
    }
    for (std::size_t i = 0; i < view_.columns.size(); ++i) {
      column(facts_.outputs[i], view_.columns[i]);
    }
  }

  void column(const sql::Output& claimed, const ServerColumn& real) {
    if (claimed.name != real.name) say("output " + claimed.name + " is named " + real.name);
    const Oid base = base_type(claimed.type);  // a Describe tells the domain's base
    if (claimed.type != kInvalidOid && base != base_type(real.type)) {
      say("output " + claimed.name + " has type " + std::to_string(real.type) + ", not " +
          std::to_string(claimed.type));
    }
    if (real.table == kInvalidOid || real.attnum <= 0 || catalog_.relation(real.table) == nullptr) {
      return;
    }
    const ColumnRef source{real.table, static_cast<std::int16_t>(real.attnum)};
    if (std::find(claimed.sources.begin(), claimed.sources.end(), source) ==
        claimed.sources.end()) {
      say("output " + claimed.name + " does not name its source " + named(catalog_, real.table));
    }
    if (claimed.source && *claimed.source != source) {
      say("output " + claimed.name + " claims another source");
    }
  }

  [[nodiscard]] Oid base_type(Oid oid) const {
    for (const sql::Type* type = catalog_.type(oid); type != nullptr && type->kind == 'd';) {
      oid = type->base;
      type = catalog_.type(oid);
    }
    return oid;
  }

  void effects() {
    if (!view_.has_plan) return;
    const bool writes =
        facts_.writes_beyond || std::any_of(facts_.relations.begin(), facts_.relations.end(),
                                            [](const RelationUse& use) { return use.written; });
    if (view_.writes && !writes) say("it writes");
    if (view_.locks && !facts_.locking_clause && !writes) say("it locks rows");
  }

  std::string_view text_;
  const Statement& facts_;
  const ServerView& view_;
  const sql::Catalog& catalog_;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> disagreements(std::string_view text, const Statement& facts,
                                       const ServerView& view, const sql::Catalog& catalog) {
  return Comparison(text, facts, view, catalog).run();
}

}  // namespace postern::sqlcorpus
