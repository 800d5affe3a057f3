// One pass over a log, for the verifier, for search and for recovery at start.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "audit/segment.hpp"
#include "audit/tree.hpp"
#include "audit/verify.hpp"

namespace postern::audit {

/// Which signatures a scan checks; roots and bytes are compared in both cases.
enum class Signatures : std::uint8_t {
  kAll,
  kNewest,  ///< the last kNewestSignatures of each file: a start need not repeat years of them
};
inline constexpr std::size_t kNewestSignatures = 16;

/// Bytes behind the last whole line of a file.
struct TornTail {
  std::string file;  ///< empty = none
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  Hash sha256{};
};

/// What a scan leaves behind for those who go on writing.
struct ScanState {
  CompactTree tree;     ///< meaningful while `broken` is false
  bool broken = false;  ///< a finding made hashes and roots incomparable
  std::uint64_t next_index = 0;
  Hash last_leaf{};               ///< zeros before the first record
  std::uint64_t incarnation = 0;  ///< of the last record
  std::string process;
  bool sealed = true;        ///< the last segment has its trailer
  bool ended = true;         ///< the last record is a stop
  std::string last_segment;  ///< path; empty = none
  std::unordered_set<std::uint64_t> open_intents;
  std::vector<TreeHead> announced;  ///< by checkpoint and stop records
  TornTail torn_segment;
  TornTail torn_checkpoints;
  TornTail torn_anchors;
  std::uint64_t anchored_size = 0;  ///< size of the newest good anchor
  bool anchor_absent = false;
  std::uint64_t proven_bytes = 0;  ///< front of checkpoint_text with checked signatures
  std::string checkpoint_text;     ///< the whole notes of the checkpoint file
};

using RecordVisitor = std::function<void(const RecordView&)>;

/// Scans segments, then checkpoints, then anchors. `visit` may be empty.
VerifyReport scan(const VerifyOptions& options, Signatures signatures, const RecordVisitor& visit,
                  ScanState& state);

/// Adds a finding, or counts it beyond kMaxFindings.
void add_finding(VerifyReport& report, Finding finding);

/// Sizes of the files of notes, taken before the records are read.
struct NoteSizes {
  std::uint64_t checkpoints = 0;
  std::uint64_t anchors = 0;
};
NoteSizes note_sizes(const VerifyOptions& options);

/// Checks the checkpoint file and the anchor file against the records scanned before.
void scan_notes(const VerifyOptions& options, Signatures signatures, const NoteSizes& before,
                ScanState& state, VerifyReport& report);

}  // namespace postern::audit
