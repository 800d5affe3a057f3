// What is positively understood about one SQL text: the ground that policy, encryption, routing,
// caching, audit and lineage stand on. Facts name byte offsets into the text, never pointers, and
// hold no tenant, so one analysis serves every tenant and session with the same settings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "sql/copy_facts.hpp"

namespace postern::sql {

enum class StatementKind : std::uint8_t {
  kEmpty,
  kSelect,  ///< SELECT, VALUES, TABLE
  kInsert,
  kUpdate,
  kDelete,
  kMerge,
  kCopyFrom,
  kCopyTo,
  kBegin,
  kCommit,
  kRollback,
  kSavepoint,
  kReleaseSavepoint,
  kRollbackToSavepoint,
  kPrepareTransaction,
  kCommitPrepared,
  kRollbackPrepared,
  kSet,
  kReset,
  kShow,
  kDiscard,
  kPrepare,
  kExecute,
  kDeallocate,
  kDeclareCursor,
  kFetch,
  kCloseCursor,
  kListen,
  kUnlisten,
  kNotify,
  kLock,
  kExplain,
  kTruncate,
  kCreate,
  kAlter,
  kDrop,
  kGrant,  ///< GRANT, REVOKE, and default privileges
  kDo,
  kCall,
  kMaintenance,  ///< VACUUM, ANALYZE, REINDEX, CLUSTER, CHECKPOINT, REFRESH
  kOther,
};

/// Lower-case word for audit and messages: "select", "copy from", ...
const char* to_word(StatementKind kind);

enum class TransactionEffect : std::uint8_t {
  kNone,
  kBegin,
  kBeginReadOnly,  ///< BEGIN/START TRANSACTION READ ONLY without SERIALIZABLE/DEFERRABLE
  kCommit,
  kRollback,
  kCommitAndChain,
  kRollbackAndChain,
};

/// State that outlives the statement on its server connection. A set of bits.
enum class SessionEffect : std::uint16_t {
  kNone = 0,
  kSetting = 1 << 0,  ///< SET/RESET/set_config, session or local
  kRole = 1 << 1,     ///< SET ROLE, SET SESSION AUTHORIZATION, RESET of them
  kTempObject = 1 << 2,
  kPrepared = 1 << 3,  ///< PREPARE/DEALLOCATE on SQL level
  kCursor = 1 << 4,
  kListen = 1 << 5,
  kAdvisoryLock = 1 << 6,
  kDiscard = 1 << 7,
  kSequenceState = 1 << 8,  ///< nextval/currval/lastval
  kUnknown = 1 << 15,
};
constexpr SessionEffect operator|(SessionEffect a, SessionEffect b) {
  return static_cast<SessionEffect>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool has(SessionEffect set, SessionEffect bit) {
  return (static_cast<unsigned>(set) & static_cast<unsigned>(bit)) != 0;
}

/// Half-open byte range of the analysed text.
struct Span {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

struct RelationUse {
  Oid oid = kInvalidOid;
  std::vector<std::int16_t> columns_read;     ///< sorted, unique
  std::vector<std::int16_t> columns_written;  ///< sorted, unique; INSERT without list = all
  bool read = false;
  bool written = false;
  bool system_columns = false;  ///< ctid, xmin, tableoid, ... or whole-row reference
  Oid via = kInvalidOid;        ///< the view through which it is reached, if any
};

enum class TokenClass : std::uint8_t {
  kString,         ///< '...'
  kEscapeString,   ///< E'...'
  kUnicodeString,  ///< U&'...'
  kDollarString,   ///< $tag$...$tag$
  kBitString,
  kInteger,
  kFloat,
  kBoolean,
  kNull,
};

/// How a literal or parameter meets a column. One that meets two columns, or under more than one
/// cast, or under a cast with a length or precision, has no column; then the columns have a use
/// kExpression.
enum class ValueRole : std::uint8_t {
  kStored,   ///< becomes the column's value (VALUES item, SET item)
  kOperand,  ///< compared with the column by =, <>, IN, = ANY (see Comparison)
  kOther,    ///< anything else
};

enum class Comparison : std::uint8_t { kNone, kEqual, kNotEqual, kIn, kEqualAny, kOther };

struct Literal {
  Span span;  ///< the whole token, with an E/U& prefix and quotes
  TokenClass token = TokenClass::kString;
  ValueRole role = ValueRole::kOther;
  Comparison comparison = Comparison::kNone;
  std::optional<ColumnRef> column;  ///< the column it meets, where there is exactly one
  Oid cast = kInvalidOid;           ///< explicit cast around the literal
  Span cast_span;                   ///< literal together with its cast, = span without one
  /// Another value of the same TokenClass in its place leaves all facts as they are. False for
  /// positions in ORDER BY, arguments of set_config, escapes, names and the like.
  bool merely_value = false;
};

struct Param {
  std::uint16_t number = 0;  ///< $number, 1-based; one entry per occurrence
  Span span;
  ValueRole role = ValueRole::kOther;
  Comparison comparison = Comparison::kNone;
  std::optional<ColumnRef> column;
  Oid cast = kInvalidOid;
  Span cast_span;
};

/// Every way in which a column's value takes part in the statement. A protected column with a
/// use that its scheme does not serve is refused.
enum class Use : std::uint8_t {
  kProjected,       ///< appears as itself in the final output
  kStored,          ///< is the target of INSERT, UPDATE or COPY FROM. Where the new value is not a
                    ///< lone literal, parameter, DEFAULT or column, kExpression is listed as well
  kCopied,          ///< its value is stored unchanged: in column `other`, or without `other` in
                    ///< a new table, view or file that this statement makes
  kEquality,        ///< =, <>, IN, = ANY against literals and parameters only
  kColumnEquality,  ///< = or <> against `other`
  kGrouping,        ///< GROUP BY, DISTINCT, UNION and other duplicate removal
  kNullTest,        ///< IS [NOT] NULL
  kCounted,         ///< count(column); count(DISTINCT column) is kGrouping as well
  kConflictTarget,
  kOrdering,    ///< ORDER BY, min, max, <, >, BETWEEN
  kExpression,  ///< any other expression
  kDefaulted,   ///< takes its default by the keyword DEFAULT in VALUES or SET
};

struct ColumnUse {
  ColumnRef column;
  Use use = Use::kExpression;
  std::optional<ColumnRef> other;  ///< kColumnEquality, kCopied; kStored when copied from a column
  std::uint32_t position = 0;      ///< byte offset of the reference
};

struct Output {
  std::string name;
  std::optional<ColumnRef> source;  ///< set where the output is exactly this column's value
  std::vector<ColumnRef> sources;   ///< every column that flows into it
  Oid type = kInvalidOid;           ///< where known
};

/// The other end of COPY.
enum class CopyEnd : std::uint8_t { kNone, kClient, kFile, kProgram };

struct Opaque {
  std::string reason;          ///< for people: what was not understood
  std::uint32_t position = 0;  ///< byte offset, 0 if unknown
};

/// What a definition does to how rows are guarded; policy decides whether that may be.
struct GuardChange {
  bool opens_rows = false;  ///< ALTER TABLE: DISABLE or NO FORCE ROW LEVEL SECURITY
  /// ALTER TABLE ... INHERIT or ATTACH PARTITION; kInvalidOid where the table is not known.
  struct Join {
    Oid child = kInvalidOid;
    Oid parent = kInvalidOid;
  };
  std::vector<Join> joins;
  std::vector<std::string> policies;  ///< row policies made, changed, renamed (both names), dropped
  std::vector<std::string> columns;   ///< dropped
  std::optional<std::string> owner;   ///< the new one; empty: not named
};

struct Statement {
  StatementKind kind = StatementKind::kEmpty;
  Span span;  ///< without leading blanks and the semicolon
  TransactionEffect transaction = TransactionEffect::kNone;
  SessionEffect session = SessionEffect::kNone;
  std::vector<RelationUse> relations;
  std::vector<Oid> routines;  ///< every overload a call or operator could mean; sorted, unique
  std::vector<Literal> literals;
  std::vector<Param> params;
  std::vector<ColumnUse> uses;
  std::vector<Output> outputs;
  bool returns_rows = false;
  bool locking_clause = false;  ///< FOR UPDATE / SHARE
  bool reads_clock = false;     ///< now(), CURRENT_TIMESTAMP, ... (stable, but not cacheable)
  bool reads_catalog = false;   ///< pg_catalog or information_schema relations
  bool reads_session = false;   ///< current_user, current_setting, ... (stable per session)
  bool has_limit_without_order = false;
  /// It may also write tables that `relations` does not list: a table it writes has triggers,
  /// rules, or defaults, generated columns or checks that call functions which may do anything.
  bool writes_beyond = false;
  CopyEnd copy_end = CopyEnd::kNone;
  std::optional<CopyIn> copy_in;                    ///< COPY FROM STDIN into a table
  bool plan_only = false;                           ///< EXPLAIN without ANALYZE, as text
  StatementKind explained = StatementKind::kEmpty;  ///< EXPLAIN: the kind of what it is about
  std::string name;    ///< SET/RESET/SHOW/set_config: setting in lower case ("all", "transaction",
                       ///< "role", ...); PREPARE/EXECUTE: statement; cursor; channel; savepoint;
                       ///< CREATE/ALTER/DROP: the object as written, schema first
  std::string value;   ///< SET, set_config: the literal value(s) joined by ", "; empty = DEFAULT.
                       ///< May be secret: not for logs
  bool local = false;  ///< SET LOCAL
  bool computed_value =
      false;          ///< set_config() of a literal name: the value is known to the server
  GuardChange guard;  ///< CREATE, ALTER, DROP
  std::optional<Opaque> opaque;  ///< set = not understood in full; policy must assume the worst

  [[nodiscard]] bool understood() const { return !opaque.has_value(); }
};

/// The analysis of one Query string or one Parse. Immutable once made; shared between sessions.
struct Facts {
  std::uint64_t catalog_epoch = 0;
  std::vector<Statement> statements;  ///< never empty; in the order of the text
  std::string fingerprint;  ///< 16 hex digits; equal for texts that differ in literals only
  std::string normalized;   ///< literals replaced by $n; what audit may show
};

/// Bytes of memory the facts hold, about; for caches.
std::size_t footprint(const Facts& facts);

}  // namespace postern::sql
