// What is to happen to one SQL text of one kind of principal: pure, tenant-free, cacheable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "policy/ruleset.hpp"
#include "sql/facts.hpp"

namespace postern::policy {

/// Who asks, as far as a decision may depend on it. The tenant itself is not part of it, only
/// whether one is in force; where tenants have schemas, the name of its schema is.
struct Principal {
  Profile profile = Profile::kApp;
  bool has_tenant = false;
  bool decrypts = true;  ///< false: sees and writes ciphertext; profiles backup and admin never do
  bool chooses = false;  ///< may name tenant, subject and purpose by SET
  std::string schema = {};  ///< of its tenant; empty: none
};

/// Encrypts one literal of a simple Query: the bytes of `span` are replaced by a literal of the
/// sealed value.
struct LiteralOp {
  sql::Span span;   ///< what is replaced, an explicit cast included
  sql::Span token;  ///< the literal itself
  sql::TokenClass token_class = sql::TokenClass::kString;
  ColumnId column;
  bool operand = false;  ///< compared, not stored
};

/// Encrypts one bound parameter.
struct ParamOp {
  std::uint16_t number = 0;  ///< $number, 1-based
  ColumnId column;
  bool operand = false;
  bool array = false;   ///< = ANY($n): the parameter is an array of values
  sql::Span cast_span;  ///< explicit cast around the parameter, begin == end where none
  /// Casts around further occurrences of the same parameter; like cast_span each is to be replaced
  /// by the bare parameter, because the sealed value has another type.
  std::vector<sql::Span> further_casts;
};

enum class OutputAction : std::uint8_t {
  kDecrypt,
  kCiphertext,
  kPlan,  ///< a line of EXPLAIN: only what says nothing of other tenants' rows
  // Numbers of a whole table (pg_class), as of one that was never analysed:
  kNoRows,   ///< reltuples: -1
  kNoPages,  ///< relpages, relallvisible: 0
};

/// Changes one result column. `output` is the 0-based position in the RowDescription.
struct OutputOp {
  std::uint16_t output = 0;
  OutputAction action = OutputAction::kDecrypt;
  ColumnId column;
};

enum class RouteClass : std::uint8_t {
  kPrimary,
  kReplicaEligible,  ///< proven harmless: may run on a replica in autocommit
};

/// May the answer be cached, and which base tables invalidate it.
struct CacheHint {
  bool cacheable = false;
  std::vector<Oid> tables;  ///< every base table read, partitions included
};

enum class AuditClass : std::uint8_t { kRead, kWrite, kDdl, kSession, kAdmin };

/// A refusal with everything the client is told.
struct Refusal {
  Error error;
  std::string rule;  ///< stable name of the rule, for audit and metrics, such as "gate.statement"
};

struct StatementDecision {
  sql::StatementKind kind = sql::StatementKind::kEmpty;
  RouteClass route = RouteClass::kPrimary;
  CacheHint cache;
  AuditClass audit = AuditClass::kRead;
  bool writes = false;              ///< may change data on the primary
  std::vector<Oid> written_tables;  ///< known write set, cascades and triggers included
  bool unknown_write_set = false;   ///< any table may change: the cache's global mark
  bool touches_pii = false;
  std::vector<OutputOp> outputs;
  /// Reads pg_class, whose numbers of whole tables are hidden: each column that comes is checked.
  bool hides_numbers = false;
  /// COPY FROM STDIN that PostgreSQL refuses under row security: its rows are to be inserted.
  bool copy_as_insert = false;
  std::vector<std::string> rules;  ///< rules that took part, for audit
};

/// How a column of pg_catalog that holds a number of a whole table, all tenants' rows included, is
/// shown; nothing for every other column.
std::optional<OutputAction> number_of_whole_table(const sql::Catalog& catalog, ColumnRef column);

/// The decision on one whole Query string or one Parse.
struct Decision {
  std::optional<Refusal> refusal;  ///< set: nothing of the text is forwarded
  /// Observe mode: `refusal` is reported, not applied. Never set where a protected column could be
  /// harmed: a value that cannot be sealed is refused in every mode.
  bool would_refuse = false;
  std::vector<LiteralOp> literals;  ///< ascending, disjoint; offsets into the analysed text
  std::vector<ParamOp> params;      ///< ascending by number
  std::vector<StatementDecision> statements;  ///< parallel to Facts::statements
  std::uint64_t ruleset_epoch = 0;
  /// No refusal, and neither a byte of the text nor an offset into it had a part: the decision on
  /// every text whose facts are the same but for offsets.
  bool by_facts_alone = false;

  [[nodiscard]] bool refused() const { return refusal.has_value() && !would_refuse; }
};

/// Statements behind this one may mean something else than was analysed: it changes how names are
/// resolved or values are read.
bool alters_meaning(const sql::Statement& statement);

/// Decides. Pure; never fails: what is not positively understood in a protected database is a
/// refusal. `text` is the analysed text (refusal positions are converted to characters with it).
Decision decide(const sql::Facts& facts, std::string_view text, const Ruleset& rules,
                const Principal& principal);

}  // namespace postern::policy
