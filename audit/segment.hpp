// The bytes of a segment file. Every byte belongs to exactly one line
//   <type><length, 4 hex> <check, 8 hex> <JSON><line feed>
// where check is the front of the RFC 6962 leaf hash of the JSON. A segment is one header line
// (type H), its records (R) and, once sealed, one trailer line (T); nothing may follow a trailer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/prove.hpp"
#include "audit/record.hpp"

namespace postern::audit {

inline constexpr std::string_view kSegmentFormat = "postern-audit-1";
inline constexpr std::string_view kSegmentSuffix = ".plog";
inline constexpr std::string_view kCheckpointFile = "checkpoints";
/// Longest body of a record: what the envelope leaves of kMaxRecordBytes.
inline constexpr std::size_t kMaxBodyBytes = kMaxRecordBytes - 160;

enum class FrameType : char { kHeader = 'H', kRecord = 'R', kTrailer = 'T' };

struct Frame {
  FrameType type = FrameType::kRecord;
  std::string_view json;
  Hash leaf{};           ///< leaf hash of json
  std::size_t size = 0;  ///< of the whole line
};

/// Appends one line. `leaf` is leaf_hash(json); json holds no line feed and fits 65,535 bytes.
void append_frame(std::string& out, FrameType type, std::string_view json, const Hash& leaf);
/// The whole, unchanged line at the front of `bytes`; only the one spelling that append_frame has.
std::optional<Frame> parse_frame(std::string_view bytes);
/// Offset >= `from` of the first whole line, or npos.
std::size_t find_frame(std::string_view bytes, std::size_t from);

/// What the first line says; everything but incarnation and process follows from the records.
struct SegmentHeader {
  std::string origin;
  std::uint64_t incarnation = 0;  ///< counts the processes that wrote this log, from 1
  std::string process;            ///< random name of that process, 32 hex digits
  std::uint64_t first = 0;        ///< index of the first record
  Hash prev{};                    ///< leaf hash of record first-1; zeros at the beginning
  Hash root{};                    ///< root of the tree of the first `first` records
};

std::string header_json(const SegmentHeader& header);
/// Accepts only what header_json writes.
std::optional<SegmentHeader> parse_header(std::string_view json);

/// The last line of a sealed segment: number of records so far, hash of the last, root.
std::string trailer_json(const TreeHead& head, const Hash& last);

/// The stored form of a record.
struct Envelope {
  std::uint64_t index = 0;
  Kind kind = Kind::kAdmin;
  std::string_view prev;  ///< 64 hex digits
  std::string_view body;
};

/// Replaces the content of `out` by the stored record.
void write_envelope(std::string& out, std::uint64_t index, const Hash& prev,
                    const EncodedRecord& record);
std::optional<Envelope> parse_envelope(std::string_view json);
/// The "ref" of an outcome's body.
std::optional<std::uint64_t> outcome_ref(std::string_view body);

/// "00000000000000000042.plog"
std::string segment_name(std::uint64_t first);
/// Path of the file of checkpoints in a log's folder.
std::string checkpoint_path(const std::string& folder);
/// The inverse of segment_name; nullopt for any other name.
std::optional<std::uint64_t> segment_first(std::string_view name);

}  // namespace postern::audit
