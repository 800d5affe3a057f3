// The offline verifier: every byte of every file of a log against its public key and anchors.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/checkpoint.hpp"
#include "audit/record.hpp"

namespace postern::audit {

/// Findings beyond this many are only counted.
inline constexpr std::size_t kMaxFindings = 100;

enum class FindingKind : std::uint8_t {
  kEmpty,              ///< no log here
  kForeignFile,        ///< a file that no log writes
  kUnreadable,         ///< a file or folder cannot be read
  kBadHeader,          ///< a segment's first line differs from what its place demands
  kBadFrame,           ///< bytes that are not a whole, unchanged record
  kTornTail,           ///< the same at the very end: an unclean end, or a cut
  kMissingRecords,     ///< an interval of indices is absent
  kBadIndex,           ///< a record out of its place: repeated, moved or inserted
  kBrokenChain,        ///< prev is not the hash of the record before
  kBadTrailer,         ///< a segment's last line differs from what its records demand
  kMissingTrailer,     ///< a segment that must be sealed is not
  kBadIncarnation,     ///< start and stop records do not fit together
  kBadCheckpoint,      ///< wrong signature, bytes or root
  kMissingCheckpoint,  ///< announced by a record, absent in the file
  kExtraCheckpoint,    ///< repeated, out of order, or never announced
  kTornCheckpoint,     ///< incomplete last note
  kTruncated,          ///< the log is smaller than a signed checkpoint
  kBadAnchor,          ///< as kBadCheckpoint, in the anchor file
  kMissingAnchor,      ///< a checkpoint (or the whole file) is absent from the anchors
  kTornAnchor,         ///< incomplete last note in the anchor file
  kRolledBack,         ///< the log is smaller than an anchor, or another log
};

/// "broken-chain" and so on; static storage.
std::string_view finding_name(FindingKind kind);
/// What an attacker would have done to cause it, one sentence; static storage.
std::string_view finding_meaning(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::kEmpty;
  std::string file;                    ///< path
  std::uint64_t offset = 0;            ///< byte offset in the file
  std::optional<std::uint64_t> index;  ///< record concerned
  std::string detail;                  ///< facts only, no untrusted text

  /// "kind file:offset record N: detail (meaning)".
  [[nodiscard]] std::string line() const;
};

struct VerifyOptions {
  std::string folder;
  VerifierKey key;          ///< from outside the log; names the origin
  std::string anchor_file;  ///< "" = none
};

struct VerifyReport {
  std::vector<Finding> findings;  ///< in the order met; empty = intact
  std::uint64_t findings_left_out = 0;
  std::uint64_t records = 0;
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;        ///< of all files read
  std::uint64_t checkpoints = 0;  ///< with good signature and root
  std::uint64_t anchors = 0;
  std::uint64_t incarnations = 0;
  std::uint64_t signed_size = 0;   ///< records under the newest good checkpoint
  std::uint64_t open_intents = 0;  ///< statements whose outcome is not (yet) recorded
  bool clean_end = false;          ///< the last record is a stop
  /// Attacks that these inputs cannot show, in words for the operator.
  std::vector<std::string> blind_spots;

  [[nodiscard]] bool intact() const { return findings.empty(); }
};

/// Reads only; may run beside a living log (bytes written meanwhile may show as a torn tail).
VerifyReport verify_log(const VerifyOptions& options);

/// A record met during a scan. Views are valid during the call only.
struct RecordView {
  std::uint64_t index = 0;
  Kind kind = Kind::kAdmin;
  Hash leaf{};
  std::string_view json;  ///< the whole stored record
  std::string_view body;  ///< the value of "rec"
};

/// verify_log that also shows every whole record, in order, to `visit`.
VerifyReport scan_log(const VerifyOptions& options,
                      const std::function<void(const RecordView&)>& visit);

}  // namespace postern::audit
