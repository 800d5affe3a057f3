#include "policy/gate.hpp"

#include <algorithm>
#include <initializer_list>

#include "base/codes/gate.hpp"

namespace postern::policy {
namespace {

using Kind = sql::StatementKind;

constexpr std::uint64_t bits(std::initializer_list<Kind> kinds) {
  std::uint64_t set = 0;
  for (const Kind kind : kinds) set |= std::uint64_t{1} << static_cast<unsigned>(kind);
  return set;
}

constexpr std::uint64_t kReading =
    bits({Kind::kEmpty, Kind::kSelect, Kind::kCopyTo, Kind::kBegin, Kind::kCommit, Kind::kRollback,
          Kind::kSavepoint, Kind::kReleaseSavepoint, Kind::kRollbackToSavepoint, Kind::kSet,
          Kind::kReset, Kind::kShow, Kind::kPrepare, Kind::kExecute, Kind::kDeallocate,
          Kind::kDeclareCursor, Kind::kFetch, Kind::kCloseCursor, Kind::kDiscard});
constexpr std::uint64_t kAnalyst = kReading | bits({Kind::kExplain});
constexpr std::uint64_t kBackup = kReading | bits({Kind::kLock});
constexpr std::uint64_t kApp =
    kReading | bits({Kind::kInsert, Kind::kUpdate, Kind::kDelete, Kind::kMerge, Kind::kCopyFrom,
                     Kind::kPrepareTransaction, Kind::kCommitPrepared, Kind::kRollbackPrepared,
                     Kind::kListen, Kind::kUnlisten, Kind::kNotify, Kind::kLock, Kind::kExplain,
                     Kind::kTruncate, Kind::kCall});

bool restricts_in_itself(Profile profile) {
  return profile == Profile::kAnalyst || profile == Profile::kBackup;
}

void gate_kind(const Judged& j) {
  const sql::Statement& s = j.statement;
  if (!s.understood() && s.kind == Kind::kOther) return;  // opaque says more
  // EXPLAIN ANALYZE carries out what it is about.
  const Kind kind =
      s.kind == Kind::kExplain && kind_allowed(j.profile, s.kind) ? s.explained : s.kind;
  if (!kind_allowed(j.profile, kind)) {
    return j.findings.refuse(pst::kStatementNotAllowed,
                             std::string(sql::to_word(kind)) + " by profile " + to_word(j.profile),
                             "gate.statement", s.span.begin);
  }
  const bool writes = std::any_of(s.relations.begin(), s.relations.end(),
                                  [](const sql::RelationUse& use) { return use.written; });
  if (restricts_in_itself(j.profile) && writes) {
    j.findings.refuse(pst::kStatementNotAllowed,
                      std::string("profile ") + to_word(j.profile) + " only reads",
                      "gate.statement", s.span.begin);
  }
}

/// Files and programs of the server know no tenants.
void gate_copy_end(const Judged& j) {
  const sql::CopyEnd end = j.statement.copy_end;
  if (end != sql::CopyEnd::kFile && end != sql::CopyEnd::kProgram) return;
  j.findings.refuse(pst::kStatementNotAllowed, "copy with a file or program of the server",
                    "gate.copy", j.statement.span.begin);
}

/// Names all tenants share on one database: not kept apart, so refused to a tenant.
void gate_shared_names(const Judged& j) {
  if (!j.has_tenant || !j.rules.separates_tenants()) return;
  switch (j.statement.kind) {
    case Kind::kListen:
    case Kind::kNotify:
    case Kind::kPrepareTransaction:
    case Kind::kCommitPrepared:
    case Kind::kRollbackPrepared:
      j.findings.refuse(pst::kSharedAcrossTenants, sql::to_word(j.statement.kind), "gate.shared",
                        j.statement.span.begin);
      break;
    default:
      break;
  }
}

void gate_opaque(const Judged& j) {
  // Whoever may change the schema may run blocks. Row security holds within them as long as it is
  // there: event triggers refuse to take it away, where a superuser installed them. Who acts as the
  // owner of tables is trusted beyond that (docs/THREATS.md). A protected column's type takes
  // ciphertext only.
  const bool block = j.statement.kind == Kind::kDo && j.profile == Profile::kMigrator;
  if (block || may_be_new(j)) return;
  const sql::Opaque& opaque = *j.statement.opaque;
  // Where columns are encrypted an opaque text may carry their plaintext.
  if (j.rules.columns.empty()) {
    j.findings.refuse(pst::kOpaqueStatement, opaque.reason, "gate.opaque", opaque.position);
  } else {
    j.findings.forbid(pst::kOpaqueStatement, opaque.reason, "gate.opaque", opaque.position);
  }
}

}  // namespace

bool kind_allowed(Profile profile, sql::StatementKind kind) {
  const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(kind);
  switch (profile) {
    case Profile::kAdmin:
    case Profile::kMigrator:
      return true;
    case Profile::kAnalyst:
      return (kAnalyst & bit) != 0;
    case Profile::kBackup:
      return (kBackup & bit) != 0;
    case Profile::kApp:
    case Profile::kTransparent:
      return (kApp & bit) != 0;
  }
  return false;
}

bool gate_is_open(const Ruleset& rules, Profile profile) {
  if (profile == Profile::kAdmin) return true;
  return !rules.is_protected && !restricts_in_itself(profile);
}

void gate_statement(const Judged& judged) {
  if (gate_is_open(judged.rules, judged.profile)) return;
  gate_kind(judged);
  if (judged.rules.is_protected) gate_definitions(judged);
  if (!judged.statement.understood()) return gate_opaque(judged);
  if (!judged.rules.is_protected) return;
  gate_copy_end(judged);
  gate_shared_names(judged);
  gate_settings(judged);
  gate_functions(judged);
  gate_relations(judged);
  gate_numbers(judged);
  gate_schemas(judged);
}

}  // namespace postern::policy
