#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>

#include "audit/json.hpp"
#include "audit/log_impl.hpp"
#include "audit/scan.hpp"
#include "base/codes/audit.hpp"

namespace postern::audit {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kMinSegmentBytes = 1'024;
constexpr milliseconds kMaxFlushInterval{1'000};
constexpr milliseconds kMinCheckpointInterval{100};
constexpr milliseconds kMaxCheckpointInterval{3'600'000};

std::int64_t system_now_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

bool inside(const std::string& path, const std::string& folder) {
  std::error_code failed;
  const auto absolute = std::filesystem::weakly_canonical(path, failed);
  const auto root = std::filesystem::weakly_canonical(folder, failed);
  return std::mismatch(root.begin(), root.end(), absolute.begin(), absolute.end()).first ==
         root.end();
}

Status check_options(const LogOptions& options) {
  const auto bad = [](const char* what) { return make_error(pst::kAuditBadOption, what); };
  if (options.folder.empty()) return bad("folder is empty");
  if (!valid_origin(options.origin)) {
    return bad("origin must be 1 to 255 printable characters without blank and '+'");
  }
  if (options.key_file.empty() || inside(options.key_file, options.folder)) {
    return bad("key_file must lie outside the log's folder");
  }
  if (!options.anchor_file.empty() && inside(options.anchor_file, options.folder)) {
    return bad("anchor_file must lie outside the log's folder");
  }
  if (options.segment_bytes < kMinSegmentBytes) return bad("segment_bytes is below 1024");
  if (options.flush_interval < milliseconds(1) || options.flush_interval > kMaxFlushInterval) {
    return bad("flush_interval is not within 1 ms to 1 s");
  }
  if (options.checkpoint_interval < kMinCheckpointInterval ||
      options.checkpoint_interval > kMaxCheckpointInterval) {
    return bad("checkpoint_interval is not within 100 ms to 1 h");
  }
  return ok();
}

Result<Fd> lock_folder(const std::string& folder) {
  std::error_code failed;
  if (std::filesystem::create_directories(folder, failed)) ::chmod(folder.c_str(), 0700);
  Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return make_error(pst::kAuditUnreadable, folder + ": " + errno_text());
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return make_error(pst::kAuditLocked, folder);
  return fd;
}

// Nothing was ever written here, as far as folder and anchors can tell.
bool untouched(const LogOptions& options) {
  std::error_code failed;
  const bool anchored = std::filesystem::exists(options.anchor_file, failed) &&
                        std::filesystem::file_size(options.anchor_file, failed) > 0;
  return !anchored && std::filesystem::is_empty(options.folder, failed);
}

Result<LogKey> obtain_key(const LogOptions& options) {
  std::error_code failed;
  if (!std::filesystem::exists(options.key_file, failed)) {
    if (!untouched(options)) {
      return make_error(pst::kAuditKeyBad, options.key_file + " is absent, but the log exists");
    }
    LogKey fresh = LogKey::generate(options.origin);
    POSTERN_TRY(store_log_key(options.key_file, fresh));
    return fresh;
  }
  POSTERN_ASSIGN(LogKey key, load_log_key(options.key_file));
  if (key.name != options.origin) {
    return make_error(pst::kAuditKeyBad, "the key is named otherwise than the origin");
  }
  return key;
}

// What an unclean end may leave behind. Everything else is for a person to judge.
bool tolerable(const Finding& finding, const LogOptions& options, const ScanState& state) {
  switch (finding.kind) {
    case FindingKind::kEmpty:
    case FindingKind::kForeignFile:
    case FindingKind::kTornTail:
    case FindingKind::kTornCheckpoint:
    case FindingKind::kTornAnchor:
      return true;
    case FindingKind::kMissingTrailer:
      return finding.file == state.last_segment && finding.index == state.next_index &&
             !state.sealed;
    case FindingKind::kMissingCheckpoint:  // announced by the very last record
      return finding.index && *finding.index + 1 == state.next_index;
    case FindingKind::kMissingAnchor:
      return !state.anchor_absent || options.new_anchor_file;
    default:
      return false;
  }
}

Pst refusal_code(FindingKind kind) {
  switch (kind) {
    case FindingKind::kTruncated:
    case FindingKind::kRolledBack:
      return pst::kAuditRolledBack;
    case FindingKind::kMissingAnchor:
      return pst::kAuditAnchorMissing;
    case FindingKind::kUnreadable:
      return pst::kAuditUnreadable;
    default:
      return pst::kAuditCorrupt;
  }
}

// The gravest reason first: a log that is behind its anchors also shows lesser faults.
Status check_findings(const VerifyReport& report, const LogOptions& options,
                      const ScanState& state) {
  const Finding* worst = nullptr;
  for (const Finding& finding : report.findings) {
    if (tolerable(finding, options, state)) continue;
    const bool graver = refusal_code(finding.kind) == pst::kAuditRolledBack;
    if (worst == nullptr || (graver && refusal_code(worst->kind) != pst::kAuditRolledBack)) {
      worst = &finding;
    }
  }
  if (report.findings_left_out > 0 && worst == nullptr) return make_error(pst::kAuditCorrupt);
  return worst == nullptr ? ok() : Status(make_error(refusal_code(worst->kind), worst->line()));
}

Status cut(const LogOptions& options, const TornTail& torn) {
  if (torn.file.empty()) return ok();
  const bool whole_segment = torn.offset == 0 && torn.file.ends_with(kSegmentSuffix);
  const int failed =
      whole_segment ? options.ops.remove(torn.file) : options.ops.truncate(torn.file, torn.offset);
  if (failed != 0 || (whole_segment && options.ops.sync_folder(options.folder) != 0)) {
    return make_error(pst::kAuditUnavailable, "cut " + torn.file + ": " + errno_text());
  }
  return ok();
}

// Signs what the last record announced, if the process died before it could, and copies to the
// anchor file what it lacks.
Status complete_notes(const LogOptions& options, const LogKey& key, ScanState& state) {
  const auto notes = [&] {
    std::uint64_t torn = 0;
    return split_notes(state.checkpoint_text, torn);
  };
  if (notes().size() < state.announced.size()) {
    const std::string note = sign_checkpoint(key, state.announced.back());
    POSTERN_TRY(NoteFile(options.ops, checkpoint_path(options.folder)).append(note));
    state.checkpoint_text.append(note);
  }
  if (options.anchor_file.empty()) return ok();
  std::string lacking;
  for (const NoteSpan& note : notes()) {
    POSTERN_ASSIGN(const TreeHead head, read_checkpoint(key.verifier(), note.text));
    if (head.size > state.anchored_size) lacking.append(note.text);
  }
  return lacking.empty() ? ok() : NoteFile(options.ops, options.anchor_file).append(lacking);
}

// Made before the first record, so that its absence means something ever after.
Status create_anchor_file(const LogOptions& options) {
  const std::string folder = std::filesystem::absolute(options.anchor_file).parent_path().string();
  const Fd file(options.ops.append(options.anchor_file));
  if (!file.valid() || options.ops.sync_folder(folder) != 0) {
    return make_error(pst::kAuditUnavailable, options.anchor_file + ": " + errno_text());
  }
  return ok();
}

Status repair(const LogOptions& options, const LogKey& key, ScanState& state) {
  POSTERN_TRY(cut(options, state.torn_segment));
  POSTERN_TRY(cut(options, state.torn_checkpoints));
  POSTERN_TRY(cut(options, state.torn_anchors));
  if (state.anchor_absent) POSTERN_TRY(create_anchor_file(options));
  return complete_notes(options, key, state);
}

std::string start_body(const LogOptions& options, const LogPosition& position, bool sealed,
                       bool clean) {
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  json.field("incarnation", position.incarnation);
  json.field("origin", position.origin);
  json.key("previous_clean"), json.boolean(clean);
  json.key("previous_sealed"), json.boolean(sealed);
  json.field("process", position.process);
  json.field("t", options.now_us());
  json.field("v", std::int64_t{1});
  json.field("version", POSTERN_VERSION);
  json.end_object();
  return body;
}

EncodedRecord recovery_record(const LogOptions& options, const TornTail& torn) {
  const std::string file = std::filesystem::path(torn.file).filename().string();
  const std::string offset = std::to_string(torn.offset);
  const std::string bytes = std::to_string(torn.bytes);
  const std::string hash = hex_of(torn.sha256);
  const std::pair<std::string_view, std::string_view> details[] = {
      {"file", file}, {"offset", offset}, {"bytes", bytes}, {"sha256", hash}};
  return encode_event(Kind::kRecovery, {options.now_us(), {}, "torn tail cut", details});
}

// The first records of an incarnation: start, what was cut, outcomes nobody recorded, checkpoint.
template <typename Push>
void push_first_records(const LogOptions& options, const ScanState& state, std::string start,
                        const Push& push) {
  push(EncodedRecord{Kind::kStart, std::move(start)}, After::kNothing);
  for (const TornTail* torn : {&state.torn_segment, &state.torn_checkpoints, &state.torn_anchors}) {
    if (!torn->file.empty()) push(recovery_record(options, *torn), After::kNothing);
  }
  std::vector<std::uint64_t> open(state.open_intents.begin(), state.open_intents.end());
  std::sort(open.begin(), open.end());
  Outcome unknown;
  unknown.state = State::kUnknown;
  unknown.time_us = options.now_us();
  for (const std::uint64_t index : open) push(encode_outcome(unknown, index), After::kNothing);
  push(EncodedRecord{Kind::kCheckpoint, own_body(options, "start")}, After::kCheckpoint);
}

}  // namespace

Result<std::unique_ptr<Log>> open_log(LogOptions options) {
  if (!options.now_us) options.now_us = system_now_us;
  POSTERN_TRY(check_options(options));
  POSTERN_ASSIGN(Fd lock, lock_folder(options.folder));
  POSTERN_ASSIGN(LogKey key, obtain_key(options));
  ScanState state;
  const VerifyReport report =
      scan({options.folder, key.verifier(), options.anchor_file}, Signatures::kNewest, {}, state);
  POSTERN_TRY(check_findings(report, options, state));
  POSTERN_TRY(repair(options, key, state));

  LogPosition position{options.folder,           options.origin, state.incarnation + 1,
                       to_hex(random_bytes(16)), state.tree,     state.last_leaf};
  std::string start = start_body(options, position, state.sealed, state.ended);
  auto impl = std::make_unique<Log::Impl>(std::move(options), std::move(key), std::move(lock),
                                          std::move(position));
  push_first_records(impl->options, state, std::move(start),
                     [&](EncodedRecord record, After after) {
                       impl->push_own(record.kind, std::move(record.body), after);
                     });
  Log::Impl* running = impl.get();
  std::unique_ptr<Log> log(new Log(std::move(impl)));
  running->thread = std::thread([running] { running->run(); });
  std::unique_lock held(running->mutex);
  running->progress.wait(
      held, [&] { return running->checkpoints > 0 || running->state != LogState::kRunning; });
  if (running->state == LogState::kFailed) return running->failure;
  held.unlock();
  return log;
}

}  // namespace postern::audit
