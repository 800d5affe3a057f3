// What is recorded. Each encode_* function turns views into the canonical JSON body of one record;
// the writer adds index and link. Parameter values have no place in any of these structs.
//
// A stored record (one leaf of the tree) is
//   {"idx":N,"kind":"intent","prev":"<hex>","rec":{body}}
// where N is the 0-based position in the log and prev the RFC 6962 leaf hash of record N-1.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/ids.hpp"

namespace postern::audit {

/// Limit of a whole stored record, as C2SP tlog-tiles entry bundles have 16-bit lengths.
inline constexpr std::size_t kMaxRecordBytes = 65'535;
/// Limits inside a record, in encoded bytes; together they stay below kMaxRecordBytes.
inline constexpr std::size_t kMaxTextBytes = 24'576;  ///< normalised statement text
/// A list ends with the first entry at or past its limit; "<list>_left_out" counts the rest.
inline constexpr std::size_t kMaxRelationsBytes = 12'288;  ///< list of relations
inline constexpr std::size_t kMaxNamesBytes = 2'048;       ///< one list of column names
inline constexpr std::size_t kMaxDetails = 32;             ///< key/value pairs of an Event

enum class Kind : std::uint8_t {
  kStart,       ///< a process took the log (first record of an incarnation)
  kStop,        ///< clean end of an incarnation; announces a checkpoint of size idx+1
  kCheckpoint,  ///< heartbeat or rotation; announces a checkpoint of size idx+1
  kRecovery,    ///< what was found and cut after an unclean end
  kGap,         ///< accesses that could not be recorded, with their count
  kSessionOpen,
  kSessionClose,
  kAuth,       ///< a login that succeeded or failed
  kIntent,     ///< a statement about to be forwarded
  kOutcome,    ///< its end; refers to the intent by index
  kStatement,  ///< intent and outcome in one record (batch mode)
  kRefusal,    ///< a statement that policy refused
  kAdmin,      ///< console commands, jobs, alerts
  kConfig,     ///< configuration changes
  kKey,        ///< key changes
  kPolicy,     ///< policy changes
};

/// "session-open" and so on; static storage.
std::string_view kind_name(Kind kind);
std::optional<Kind> kind_from_name(std::string_view name);

/// Who acts. Empty views are left out of the record.
struct Who {
  std::string_view login;        ///< role that authenticated
  std::string_view role;         ///< effective role after SET ROLE
  std::string_view tenant;       ///< TenantId text
  std::string_view application;  ///< application_name, as asserted by the client
  std::string_view address;      ///< client address and port
  std::string_view end_user;     ///< end user, as asserted
  std::string_view purpose;      ///< purpose or ticket, as asserted
};

/// One relation of a statement. Column lists may be empty (no column read or written).
struct RelationUse {
  Oid oid = kInvalidOid;
  std::string_view name;  ///< schema.table
  std::span<const std::string_view> read;
  std::span<const std::string_view> written;
};

struct What {
  std::string_view operation;    ///< SELECT, INSERT, ...
  std::string_view fingerprint;  ///< of the normalised statement
  /// Text without constants. Cut at kMaxTextBytes with marker, length and SHA-256 kept.
  std::string_view text;
  bool opaque = false;  ///< not understood by the analysis
  std::span<const RelationUse> relations;
  std::span<const std::string_view> decrypted;  ///< columns decrypted (schema.table.column)
  std::span<const std::string_view> masked;     ///< columns masked
};

struct Where {
  std::string_view node;   ///< upstream host:port
  std::string_view route;  ///< primary, replica, cache
  std::string_view cache;  ///< hit, miss, bypass
};

struct Decision {
  std::string_view verdict;  ///< allow, refuse
  std::string_view rule;
  std::string_view code;  ///< PST-xxxx of a refusal
  std::uint64_t policy_version = 0;
};

/// A statement as known before it is forwarded. All views are borrowed for the call only.
struct Intent {
  std::string_view session;     ///< session id
  std::uint64_t statement = 0;  ///< counter within the session, gap-free
  std::int64_t time_us = 0;     ///< microseconds since 1970-01-01 UTC
  std::uint64_t catalog_epoch = 0;
  Who who;
  What what;
  Where where;
  Decision decision;
};

enum class State : std::uint8_t { kOk, kError, kCancelled, kLost, kUnknown };

/// Microseconds spent; the parts need not add up to the total.
struct Latency {
  std::uint64_t queue_us = 0;
  std::uint64_t upstream_us = 0;
  std::uint64_t audit_us = 0;
  std::uint64_t total_us = 0;
};

struct Outcome {
  State state = State::kOk;
  std::int64_t time_us = 0;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::string_view sqlstate;  ///< five characters
  std::string_view code;      ///< PST-xxxx where Postern itself ended the statement
  Where where;                ///< what was not yet known at the intent
  Latency latency;
};

struct SessionEvent {
  std::string_view session;
  std::int64_t time_us = 0;
  Who who;
  std::string_view database;
  std::string_view method;       ///< authentication method
  bool success = true;           ///< kAuth only
  std::string_view code;         ///< PST-xxxx or SQLSTATE of a failure or of an abnormal end
  std::uint64_t statements = 0;  ///< kSessionClose only
};

/// Administrative, configuration, key and policy events, gaps, recovery.
struct Event {
  std::int64_t time_us = 0;
  std::string_view actor;
  std::string_view action;
  /// At most kMaxDetails pairs are written; never put secrets or parameters here.
  std::span<const std::pair<std::string_view, std::string_view>> details;
};

/// The body of one record, ready for the queue. Made only by the functions below, all of which
/// keep the limits above, are pure, and may run on any thread.
struct EncodedRecord {
  Kind kind = Kind::kAdmin;
  std::string body;
};

EncodedRecord encode_intent(const Intent& intent);
/// `intent_index` is the index of the intent's record.
EncodedRecord encode_outcome(const Outcome& outcome, std::uint64_t intent_index);
EncodedRecord encode_statement(const Intent& intent, const Outcome& outcome);
/// Uses intent.decision for rule and code.
EncodedRecord encode_refusal(const Intent& intent);
/// `kind` is kSessionOpen, kSessionClose or kAuth.
EncodedRecord encode_session(Kind kind, const SessionEvent& event);
/// `kind` is kAdmin, kConfig, kKey, kPolicy, kGap or kRecovery.
EncodedRecord encode_event(Kind kind, const Event& event);

}  // namespace postern::audit
