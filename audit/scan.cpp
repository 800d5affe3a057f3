#include "audit/scan.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#include <nlohmann/json.hpp>

#include "audit/file_ops.hpp"

namespace postern::audit {
namespace {

/// Walks the segments in order and keeps what must hold between neighbours.
class Scanner {
 public:
  Scanner(const VerifyOptions& options, const RecordVisitor& visit, ScanState& state,
          VerifyReport& report)
      : options_(options), visit_(visit), state_(state), report_(report) {}

  void run();

 private:
  std::map<std::uint64_t, std::string> list_segments();
  void scan_segment(std::uint64_t named_first, std::string_view content);
  std::size_t scan_header(std::uint64_t named_first, std::string_view content);
  void check_header(const SegmentHeader& header, std::uint64_t named_first);
  void scan_lines(std::string_view content, std::size_t position);
  bool handle_bad_bytes(std::string_view content, std::size_t& position);
  void on_frame(const Frame& frame, std::size_t offset);
  void on_record(const Frame& frame, std::size_t offset);
  void check_place(const Envelope& record, std::size_t offset);
  void on_kind(const Envelope& record, std::size_t offset);
  void on_start(const Envelope& record, std::size_t offset);
  void finish_segment(std::string_view content);

  void find(FindingKind kind, std::uint64_t offset, std::string detail) {
    add_finding(report_, {kind, path_, offset, state_.next_index, std::move(detail)});
  }
  void find_broken(FindingKind kind, std::uint64_t offset, std::string detail) {
    find(kind, offset, std::move(detail));
    state_.broken = true;
  }

  const VerifyOptions& options_;
  const RecordVisitor& visit_;
  ScanState& state_;
  VerifyReport& report_;

  std::string path_;  // of the segment being read
  bool last_segment_ = false;
  bool torn_ = false;  // this segment ends in a torn tail
  bool segment_sealed_ = false;
  bool previous_sealed_ = true;
  std::uint64_t records_in_segment_ = 0;
  SegmentHeader header_;
  bool header_known_ = false;
};

void Scanner::run() {
  const auto segments = list_segments();
  if (segments.empty()) {
    path_ = options_.folder;
    find(FindingKind::kEmpty, 0, "no segment files");
  }
  std::size_t remaining = segments.size();
  for (const auto& [first, path] : segments) {
    path_ = path;
    last_segment_ = --remaining == 0;
    ++report_.segments;
    const auto content = read_file(path);
    if (!content) {
      find_broken(FindingKind::kUnreadable, 0, content.error().what);
      continue;
    }
    report_.bytes += content->size();
    scan_segment(first, *content);
  }
  if (state_.ended && !previous_sealed_ && state_.next_index > 0) {
    find(FindingKind::kMissingTrailer, 0, "the log has a stop record but no trailer");
  }
  state_.sealed = previous_sealed_;
}

std::map<std::uint64_t, std::string> Scanner::list_segments() {
  std::map<std::uint64_t, std::string> segments;
  std::error_code failed;
  std::vector<std::string> foreign;
  for (std::filesystem::directory_iterator entry(options_.folder, failed), end;
       !failed && entry != end; entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    const auto first = segment_first(name);
    if (first && entry->is_regular_file(failed)) {
      segments.emplace(*first, entry->path().string());
    } else if (name != kCheckpointFile) {
      foreign.push_back(entry->path().string());
    }
  }
  path_ = options_.folder;
  if (failed) find_broken(FindingKind::kUnreadable, 0, failed.message());
  std::sort(foreign.begin(), foreign.end());
  for (const std::string& path : foreign) {
    path_ = path;
    find(FindingKind::kForeignFile, 0, "not a file of the log");
  }
  return segments;
}

void Scanner::scan_segment(std::uint64_t named_first, std::string_view content) {
  segment_sealed_ = false;
  torn_ = false;
  records_in_segment_ = 0;
  header_known_ = false;
  state_.last_segment = path_;
  scan_lines(content, scan_header(named_first, content));
  finish_segment(content);
}

// Returns where the records begin.
std::size_t Scanner::scan_header(std::uint64_t named_first, std::string_view content) {
  const auto frame = parse_frame(content);
  if (!frame) return 0;  // reported by scan_lines
  if (frame->type != FrameType::kHeader) {
    find_broken(FindingKind::kBadHeader, 0, "the first line is not a header");
    return 0;
  }
  const auto header = parse_header(frame->json);
  if (!header) {
    find_broken(FindingKind::kBadHeader, 0, "not a header");
    return frame->size;
  }
  header_ = *header;
  header_known_ = true;
  check_header(*header, named_first);
  return frame->size;
}

void Scanner::check_header(const SegmentHeader& header, std::uint64_t named_first) {
  const auto bad = [&](const char* what) { find_broken(FindingKind::kBadHeader, 0, what); };
  if (header.origin != options_.key.name) bad("another origin");
  if (header.first != named_first) bad("the file name does not match the first index");
  if (header.first > state_.next_index) {
    find_broken(FindingKind::kMissingRecords, 0,
                "records " + std::to_string(state_.next_index) + " to " +
                    std::to_string(header.first - 1) + " are absent");
  } else if (header.first < state_.next_index) {
    bad("the first index repeats records seen before");
  }
  if (!state_.broken && header.prev != state_.last_leaf) bad("prev is not the last record's hash");
  if (!state_.broken && header.root != state_.tree.root()) bad("root is not the tree's");
  state_.next_index = header.first;
  if (header.incarnation == state_.incarnation) {
    if (header.process != state_.process) bad("another process in the same incarnation");
    if (!previous_sealed_) {
      find(FindingKind::kMissingTrailer, 0, "the segment before is not sealed");
    }
  } else if (header.incarnation != state_.incarnation + 1) {
    find(FindingKind::kBadIncarnation, 0, "incarnations do not follow each other");
  }
}

void Scanner::scan_lines(std::string_view content, std::size_t position) {
  while (position < content.size()) {
    const auto frame = parse_frame(content.substr(position));
    const bool good = frame && !segment_sealed_ && frame->type != FrameType::kHeader;
    if (good) {
      on_frame(*frame, position);
      position += frame->size;
    } else if (!handle_bad_bytes(content, position)) {
      return;
    }
  }
}

// Reports bytes that are no line of this place. False at the end of the segment.
bool Scanner::handle_bad_bytes(std::string_view content, std::size_t& position) {
  const std::size_t next = find_frame(content, position + 1);
  const std::size_t end = next == content.npos ? content.size() : next;
  const bool behind_all = next == content.npos && last_segment_ && !segment_sealed_;
  const std::string detail = std::to_string(end - position) + " bytes";
  if (behind_all) {
    find(FindingKind::kTornTail, position, detail);
    torn_ = true;
    state_.torn_segment = {path_, position, content.size() - position,
                           sha256({content.substr(position)})};
    return false;
  }
  find_broken(FindingKind::kBadFrame, position, detail);
  position = end;
  return next != content.npos;
}

void Scanner::on_frame(const Frame& frame, std::size_t offset) {
  if (frame.type == FrameType::kRecord) {
    on_record(frame, offset);
    return;
  }
  segment_sealed_ = true;
  if (state_.broken) return;  // the root cannot be compared any more
  const TreeHead head{state_.next_index, state_.tree.root()};
  if (frame.json != trailer_json(head, state_.last_leaf)) {
    find_broken(FindingKind::kBadTrailer, offset, "does not match the records");
  }
}

void Scanner::on_record(const Frame& frame, std::size_t offset) {
  const auto record = parse_envelope(frame.json);
  if (!record) {
    find_broken(FindingKind::kBadFrame, offset, "whole line, but not a record");
    return;
  }
  check_place(*record, offset);
  on_kind(*record, offset);
  state_.next_index = record->index + 1;
  state_.last_leaf = frame.leaf;
  state_.tree.append(frame.leaf);
  ++records_in_segment_;
  ++report_.records;
  if (record->kind == Kind::kCheckpoint || record->kind == Kind::kStop) {
    state_.announced.push_back({state_.next_index, state_.tree.root()});
  }
  if (visit_) visit_({record->index, record->kind, frame.leaf, frame.json, record->body});
}

void Scanner::check_place(const Envelope& record, std::size_t offset) {
  if (record.index > state_.next_index) {
    find_broken(FindingKind::kMissingRecords, offset,
                "records " + std::to_string(state_.next_index) + " to " +
                    std::to_string(record.index - 1) + " are absent");
  } else if (record.index < state_.next_index) {
    find_broken(FindingKind::kBadIndex, offset,
                "index " + std::to_string(record.index) + " is repeated");
  } else if (record.prev != hex_of(state_.last_leaf)) {
    find_broken(FindingKind::kBrokenChain, offset, "prev is not the hash of the record before");
  }
}

void Scanner::on_kind(const Envelope& record, std::size_t offset) {
  const bool fresh = header_known_ && header_.incarnation != state_.incarnation;
  if (record.kind == Kind::kStart) {
    on_start(record, offset);
  } else if (state_.ended || (fresh && records_in_segment_ == 0)) {
    find(FindingKind::kBadIncarnation, offset, "a record before the start of its process");
  }
  state_.ended = record.kind == Kind::kStop;
  if (record.kind == Kind::kIntent) state_.open_intents.insert(record.index);
  if (record.kind == Kind::kOutcome) {
    if (const auto ref = outcome_ref(record.body)) state_.open_intents.erase(*ref);
  }
}

void Scanner::on_start(const Envelope& record, std::size_t offset) {
  const auto body = nlohmann::json::parse(record.body, nullptr, false);
  const auto matches = [&](const char* key, const nlohmann::json& value) {
    return body.is_object() && body.contains(key) && body[key] == value;
  };
  if (records_in_segment_ != 0 || header_.incarnation == state_.incarnation) {
    find(FindingKind::kBadIncarnation, offset, "a start inside an incarnation");
  }
  if (!matches("incarnation", header_.incarnation) || !matches("process", header_.process)) {
    find(FindingKind::kBadIncarnation, offset, "the start does not match its segment");
  }
  if (!matches("previous_sealed", previous_sealed_)) {
    find(FindingKind::kMissingTrailer, offset, "the segment before has lost or gained its trailer");
  }
  state_.incarnation = header_.incarnation;
  state_.process = header_.process;
  ++report_.incarnations;
}

void Scanner::finish_segment(std::string_view content) {
  if (records_in_segment_ > 0) {
    previous_sealed_ = segment_sealed_;
    return;
  }
  // A header without records is left by a crash; the next start removes the file.
  if (last_segment_ && !segment_sealed_) {
    if (!torn_) find(FindingKind::kTornTail, 0, "a segment without records");
    state_.torn_segment = {path_, 0, content.size(), sha256({content})};
  } else {
    previous_sealed_ = segment_sealed_;
    find_broken(FindingKind::kBadHeader, 0, "a segment without records");
  }
}

}  // namespace

void add_finding(VerifyReport& report, Finding finding) {
  if (report.findings.size() < kMaxFindings) {
    report.findings.push_back(std::move(finding));
  } else {
    ++report.findings_left_out;
  }
}

VerifyReport scan(const VerifyOptions& options, Signatures signatures, const RecordVisitor& visit,
                  ScanState& state) {
  VerifyReport report;
  // A living log goes on while it is read: notes written meanwhile may speak of later records.
  const NoteSizes before = note_sizes(options);
  Scanner(options, visit, state, report).run();
  scan_notes(options, signatures, before, state, report);
  report.open_intents = state.open_intents.size();
  report.clean_end = state.ended && state.next_index > 0;
  return report;
}

}  // namespace postern::audit
