#include <algorithm>
#include <filesystem>

#include "audit/file_ops.hpp"
#include "audit/scan.hpp"

namespace postern::audit {
namespace {

/// How the two files of notes name the same faults.
struct NoteFindings {
  FindingKind bad;
  FindingKind missing_inside;
  FindingKind missing_at_end;
  FindingKind extra;
  FindingKind torn;
  FindingKind beyond;
};
constexpr NoteFindings kInCheckpoints = {
    FindingKind::kBadCheckpoint,   FindingKind::kMissingCheckpoint, FindingKind::kMissingCheckpoint,
    FindingKind::kExtraCheckpoint, FindingKind::kTornCheckpoint,    FindingKind::kTruncated};
constexpr NoteFindings kInAnchors = {FindingKind::kBadAnchor,     FindingKind::kBadAnchor,
                                     FindingKind::kMissingAnchor, FindingKind::kBadAnchor,
                                     FindingKind::kTornAnchor,    FindingKind::kRolledBack};

struct NotesResult {
  std::uint64_t good = 0;
  std::uint64_t newest = 0;  // largest size with a good note
  std::uint64_t proven = 0;  // bytes of the file's front in which every note is good
  TornTail torn;
};

/// Compares a file of notes with the checkpoints that the records announce, in order.
class NoteChecker {
 public:
  NoteChecker(const VerifyOptions& options, const NoteFindings& names, Signatures signatures,
              const ScanState& state, VerifyReport& report)
      : options_(options), names_(names), signatures_(signatures), state_(state), report_(report) {}

  /// `before` is the size of the file before the records were read.
  NotesResult check(const std::string& path, std::string_view text, std::uint64_t before) {
    path_ = path;
    before_ = before;
    std::uint64_t torn = 0;
    const auto notes = split_notes(text, torn);
    for (std::size_t i = 0; i < notes.size(); ++i) {
      const bool newest = i + kNewestSignatures >= notes.size();
      check_note(notes[i], newest || signatures_ == Signatures::kAll);
    }
    if (expected_ < state_.announced.size()) missing(names_.missing_at_end, torn);
    if (torn < text.size()) {
      find(names_.torn, torn, {}, std::to_string(text.size() - torn) + " bytes");
      result_.torn = {path, torn, text.size() - torn, sha256({text.substr(torn)})};
    }
    return result_;
  }

 private:
  void check_note(const NoteSpan& note, bool signature) {
    signature = signature && !proven_before(note);
    const auto head = signature ? open_checkpoint(options_.key, note.text)
                                : read_checkpoint(options_.key, note.text);
    if (!head) {
      find(names_.bad, note.offset, {}, head.error().what);
      return;
    }
    if (head->size > state_.next_index) {
      if (note.offset >= before_) return;  // written while the records were read
      find(names_.beyond, note.offset, state_.next_index,
           "signed size " + std::to_string(head->size) + ", records present " +
               std::to_string(state_.next_index));
      return;
    }
    while (expected_ < state_.announced.size() && state_.announced[expected_].size < head->size) {
      missing(names_.missing_inside, note.offset);
      ++expected_;
    }
    compare(note, *head);
  }

  // An anchor is a copy of the checkpoint file, whose signatures were checked already.
  bool proven_before(const NoteSpan& note) const {
    const std::uint64_t end = note.offset + note.text.size();
    return end <= state_.proven_bytes &&
           std::string_view(state_.checkpoint_text).substr(note.offset, note.text.size()) ==
               note.text;
  }

  void compare(const NoteSpan& note, const TreeHead& head) {
    const bool known =
        expected_ < state_.announced.size() && state_.announced[expected_].size == head.size;
    if (!known) {
      find(names_.extra, note.offset, head.size, "repeated, out of order, or not announced");
      return;
    }
    const TreeHead& ours = state_.announced[expected_++];
    if (!state_.broken && ours.root != head.root) {
      find(names_.bad, note.offset, head.size - 1, "the records have another root");
      return;
    }
    ++result_.good;
    if (signatures_ == Signatures::kAll && result_.proven == note.offset) {
      result_.proven = note.offset + note.text.size();
    }
    result_.newest = std::max(result_.newest, head.size);
  }

  void missing(FindingKind kind, std::uint64_t offset) {
    const std::uint64_t size = state_.announced[expected_].size;
    const std::size_t behind = state_.announced.size() - expected_ - 1;
    find(kind, offset, size - 1,
         "no note of size " + std::to_string(size) + ", and " + std::to_string(behind) +
             " announced behind it");
  }

  void find(FindingKind kind, std::uint64_t offset, std::optional<std::uint64_t> index,
            std::string detail) {
    add_finding(report_, {kind, path_, offset, index, std::move(detail)});
  }

  const VerifyOptions& options_;
  const NoteFindings& names_;
  const Signatures signatures_;
  const ScanState& state_;
  VerifyReport& report_;
  std::string path_;
  std::uint64_t before_ = 0;
  std::size_t expected_ = 0;
  NotesResult result_;
};

void scan_checkpoints(const VerifyOptions& options, Signatures signatures, std::uint64_t before,
                      ScanState& state, VerifyReport& report) {
  const std::string path = checkpoint_path(options.folder);
  std::error_code ignored;
  Bytes text;
  if (std::filesystem::exists(path, ignored)) {
    auto content = read_file(path);
    if (!content) {
      add_finding(report, {FindingKind::kUnreadable, path, 0, {}, content.error().what});
      return;
    }
    text = std::move(*content);
  }
  report.bytes += text.size();
  NoteChecker checker(options, kInCheckpoints, signatures, state, report);
  const NotesResult result = checker.check(path, text, before);
  report.checkpoints = result.good;
  report.signed_size = result.newest;
  state.proven_bytes = result.proven;
  state.torn_checkpoints = result.torn;
  if (!result.torn.file.empty()) text.resize(result.torn.offset);
  state.checkpoint_text = std::move(text);
}

void scan_anchors(const VerifyOptions& options, Signatures signatures, std::uint64_t before,
                  ScanState& state, VerifyReport& report) {
  std::error_code ignored;
  if (!std::filesystem::exists(options.anchor_file, ignored)) {
    state.anchor_absent = true;
    if (state.announced.empty()) return;
    add_finding(report, {FindingKind::kMissingAnchor, options.anchor_file, 0, {}, "no such file"});
    return;
  }
  const auto content = read_file(options.anchor_file);
  if (!content) {
    add_finding(report,
                {FindingKind::kUnreadable, options.anchor_file, 0, {}, content.error().what});
    return;
  }
  report.bytes += content->size();
  NoteChecker checker(options, kInAnchors, signatures, state, report);
  const NotesResult result = checker.check(options.anchor_file, *content, before);
  report.anchors = result.good;
  state.anchored_size = result.newest;
  state.torn_anchors = result.torn;
}

}  // namespace

NoteSizes note_sizes(const VerifyOptions& options) {
  const auto size = [](const std::string& path) -> std::uint64_t {
    std::error_code failed;
    const auto bytes = std::filesystem::file_size(path, failed);
    return failed ? 0 : bytes;
  };
  return {size(checkpoint_path(options.folder)), size(options.anchor_file)};
}

void scan_notes(const VerifyOptions& options, Signatures signatures, const NoteSizes& before,
                ScanState& state, VerifyReport& report) {
  scan_checkpoints(options, signatures, before.checkpoints, state, report);
  if (options.anchor_file.empty()) return;
  scan_anchors(options, signatures, before.anchors, state, report);
}

}  // namespace postern::audit
