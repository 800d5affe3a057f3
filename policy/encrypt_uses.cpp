#include <algorithm>
#include <cctype>

#include "base/codes/gate.hpp"
#include "policy/closure.hpp"
#include "policy/encrypt.hpp"

namespace postern::policy {
namespace {

using Kind = sql::StatementKind;
using sql::Use;

bool follows(Kind kind) {
  return kind == Kind::kSelect || kind == Kind::kInsert || kind == Kind::kUpdate ||
         kind == Kind::kDelete || kind == Kind::kMerge;
}

/// Statements that name a table as a whole and carry no values of it.
bool carries_no_values(Kind kind) {
  return kind == Kind::kLock || kind == Kind::kTruncate || kind == Kind::kDrop ||
         kind == Kind::kGrant || kind == Kind::kMaintenance;
}

void unsupported(const Judged& j, const ProtectedColumn& column, const std::string& why,
                 std::uint32_t position) {
  j.findings.forbid(pst::kColumnUseUnsupported, column_label(column) + " " + why, "encrypt.use",
                    position);
}

const char* scheme_word(Scheme scheme) {
  return scheme == Scheme::kRandomized ? "randomized" : "deterministic";
}

const char* describe(Use use) {
  switch (use) {
    case Use::kEquality:
    case Use::kColumnEquality:
      return "is compared";
    case Use::kGrouping:
      return "is grouped or made distinct";
    case Use::kConflictTarget:
      return "is a conflict target";
    case Use::kOrdering:
      return "is ordered";
    case Use::kExpression:
      return "is part of an expression";
    default:
      return "is used";
  }
}

bool comparing(Use use) {
  return use == Use::kEquality || use == Use::kColumnEquality || use == Use::kGrouping ||
         use == Use::kConflictTarget;
}

/// Under tenant scope equal plaintexts of two tenants differ, so a comparison across tenants would
/// silently be wrong; and there is no key to seal with.
bool check_tenant_in_force(const Judged& j, const ProtectedColumn& column, Use use,
                           std::uint32_t position) {
  if (column.scope != KeyScope::kTenant || j.has_tenant) return true;
  if (comparing(use)) {
    j.findings.forbid(pst::kCrossTenantEquality, column_label(column), "encrypt.tenant", position);
    return false;
  }
  if (use == Use::kStored || use == Use::kCopied) {
    j.findings.forbid(pst::kNoTenantForColumn, column_label(column), "encrypt.tenant", position);
    return false;
  }
  return true;
}

/// May values of one column stand for values of the other?
bool same_ciphertexts(const ProtectedColumn& a, const ProtectedColumn& b) {
  return a.scheme == Scheme::kDeterministic && b.scheme == Scheme::kDeterministic &&
         a.link_group == b.link_group && a.scope == b.scope &&
         types::type_family(a.type) == types::type_family(b.type);
}

void check_pair(const Judged& j, const ProtectedColumn& column, const sql::ColumnUse& use) {
  const ProtectedColumn* other = protected_at(j, use.other);
  if (other == nullptr) {
    j.findings.forbid(pst::kPlaintextNotSealable,
                      column_label(column) + " meets a column that is not encrypted",
                      "encrypt.pair", use.position);
    return;
  }
  const bool moved_within = use.use != Use::kColumnEquality && other->uuid == column.uuid;
  if (moved_within || same_ciphertexts(column, *other)) return;
  j.findings.forbid(pst::kColumnsNotComparable,
                    column_label(column) + " and " + column_label(*other), "encrypt.pair",
                    use.position);
}

void check_use(const Judged& j, const ProtectedColumn& column, const sql::ColumnUse& use) {
  if (!column.stored_sealed) {
    return unsupported(j, column, "is configured as encrypted, but its column on the server is not",
                       use.position);
  }
  if (use.use == Use::kOrdering || use.use == Use::kExpression ||
      (comparing(use.use) && column.scheme == Scheme::kRandomized)) {
    return unsupported(j, column,
                       std::string(describe(use.use)) + ", which scheme " +
                           scheme_word(column.scheme) + " does not serve",
                       use.position);
  }
  if (!check_tenant_in_force(j, column, use.use, use.position)) return;
  if (use.use == Use::kCopied && !use.other) {
    j.findings.forbid(pst::kProtectedTableStatement,
                      column_label(column) + " would be copied out of its table", "encrypt.copy",
                      use.position);
  } else if (use.use == Use::kCopied || use.use == Use::kColumnEquality ||
             (use.use == Use::kStored && use.other)) {
    check_pair(j, column, use);
  }
}

/// The other direction: an unprotected column that takes or meets a protected one is reported at
/// the protected column's own use, except where facts list only the unprotected side.
void check_unprotected_side(const Judged& j, const sql::ColumnUse& use) {
  const ProtectedColumn* other = protected_at(j, use.other);
  if (other == nullptr) return;
  j.findings.forbid(pst::kPlaintextNotSealable,
                    column_label(*other) + " meets a column that is not encrypted", "encrypt.pair",
                    use.position);
}

/// Whether the statement's text holds the word anywhere, in either case; true where in doubt.
bool text_contains(const Judged& j, std::string_view word) {
  const auto part = j.text.at(j.statement.span);
  if (!part) return true;
  const auto equal = [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  };
  return std::search(part->begin(), part->end(), word.begin(), word.end(), equal) != part->end();
}

/// A default is evaluated by the server, in plaintext: taken by the word DEFAULT, or by an INSERT
/// that gives the column no value.
bool takes_default(const Judged& j, const sql::RelationUse& use, const ColumnRef& column) {
  const auto used = [&](Use what) {
    return std::any_of(
        j.statement.uses.begin(), j.statement.uses.end(),
        [&](const sql::ColumnUse& u) { return u.use == what && u.column == column; });
  };
  const bool named =
      std::binary_search(use.columns_written.begin(), use.columns_written.end(), column.attnum);
  if (used(Use::kDefaulted)) return true;
  if (named) return !used(Use::kStored);
  return j.statement.kind != Kind::kUpdate;
}

void check_defaults(const Judged& j, const sql::RelationUse& use) {
  const sql::Relation* relation = j.catalog().relation(use.oid);
  if (relation == nullptr || !use.written || use.columns_written.empty()) return;
  for (const sql::Column& column : relation->columns) {
    const ColumnRef ref{use.oid, column.attnum};
    const ProtectedColumn* found = protected_at(j, ref);
    if (found == nullptr || !column.has_default || !takes_default(j, use, ref)) continue;
    j.findings.forbid(pst::kProtectedDefault, column_label(*found), "encrypt.default",
                      j.statement.span.begin);
  }
}

bool any_protected(const Judged& j, Oid relation, const std::vector<std::int16_t>& attnums) {
  return std::any_of(attnums.begin(), attnums.end(), [&](std::int16_t attnum) {
    return protected_at(j, ColumnRef{relation, attnum}) != nullptr;
  });
}

bool mentions_protected(const Judged& j) {
  const sql::Statement& s = j.statement;
  const auto protects = [&](const auto& item) { return protected_at(j, item.column) != nullptr; };
  return std::any_of(s.literals.begin(), s.literals.end(), protects) ||
         std::any_of(s.params.begin(), s.params.end(), protects) ||
         std::any_of(
             s.uses.begin(), s.uses.end(),
             [&](const sql::ColumnUse& use) { return protected_at(j, use.column) != nullptr; }) ||
         std::any_of(s.relations.begin(), s.relations.end(), [&](const sql::RelationUse& use) {
           return any_protected(j, use.oid, use.columns_read) ||
                  any_protected(j, use.oid, use.columns_written);
         });
}

bool has_values(const sql::Statement& s) {
  return !s.literals.empty() || !s.params.empty();
}

/// What DDL defines is no part of the facts. On a table with protected columns it passes only where
/// its text can neither name such a column nor, if it makes something new (a rule, a trigger, an
/// index), hold a value.
bool ddl_is_harmless(const Judged& j) {
  if (text_contains(j, "u&\"")) return false;  // an escaped name
  if (j.statement.kind == Kind::kCreate && (text_contains(j, "'") || text_contains(j, "$"))) {
    return false;
  }
  return std::none_of(
      j.statement.relations.begin(), j.statement.relations.end(), [&](const sql::RelationUse& use) {
        const sql::Relation* relation = j.catalog().relation(use.oid);
        if (relation == nullptr) return true;
        return std::any_of(relation->columns.begin(), relation->columns.end(),
                           [&](const sql::Column& column) {
                             return protected_at(j, ColumnRef{use.oid, column.attnum}) != nullptr &&
                                    text_contains(j, column.name);
                           });
      });
}

/// Kinds whose values this version does not follow into protected columns.
void check_kind(const Judged& j) {
  const sql::Statement& s = j.statement;
  if (follows(s.kind) || carries_no_values(s.kind)) return;
  // The body of EXECUTE was prepared elsewhere; a value could meet any column.
  const bool executes =
      s.kind == Kind::kExecute || (s.kind == Kind::kExplain && text_contains(j, "execute"));
  const bool ddl = s.kind == Kind::kCreate || s.kind == Kind::kAlter;
  const bool refused = (executes && has_values(s)) || mentions_protected(j) ||
                       (ddl && touches_protected(j) && !ddl_is_harmless(j));
  if (!refused) return;
  j.findings.forbid(pst::kProtectedTableStatement, sql::to_word(s.kind), "encrypt.statement",
                    s.span.begin);
}

void check_views(const Judged& j) {
  if (carries_no_values(j.statement.kind)) return;
  for (const sql::RelationUse& use : j.statement.relations) {
    const sql::Relation* relation = j.catalog().relation(use.oid);
    if (relation == nullptr || !is_view(*relation)) continue;
    if (!reaches(*relation, j.rules.protected_tables)) continue;
    j.findings.forbid(pst::kProtectedTableStatement,
                      relation->qualified() + " is a view over encrypted columns", "encrypt.view",
                      j.statement.span.begin);
  }
}

}  // namespace

const ProtectedColumn* protected_at(const Judged& judged, const std::optional<ColumnRef>& ref) {
  return ref ? judged.rules.protected_column(*ref) : nullptr;
}

ColumnId id_of(const Judged& judged, ColumnRef ref) {
  return judged.rules.column_index.at(ref);
}

std::string column_label(const ProtectedColumn& column) {
  return column.table + "." + column.column;
}

bool touches_protected(const Judged& j) {
  return std::any_of(j.statement.relations.begin(), j.statement.relations.end(),
                     [&](const sql::RelationUse& use) {
                       const sql::Relation* relation = j.catalog().relation(use.oid);
                       return relation != nullptr && reaches(*relation, j.rules.protected_tables);
                     });
}

void check_column_uses(const Judged& j) {
  check_kind(j);
  check_views(j);
  for (const sql::ColumnUse& use : j.statement.uses) {
    const ProtectedColumn* column = protected_at(j, use.column);
    if (column != nullptr)
      check_use(j, *column, use);
    else
      check_unprotected_side(j, use);
  }
  for (const sql::RelationUse& use : j.statement.relations) check_defaults(j, use);
}

}  // namespace postern::policy
