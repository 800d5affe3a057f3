#include "audit/verify.hpp"

#include <algorithm>
#include <array>

#include "audit/scan.hpp"

namespace postern::audit {
namespace {

struct FindingText {
  std::string_view name;
  std::string_view meaning;
};

// In the order of FindingKind.
constexpr std::array<FindingText, 21> kTexts = {{
    {"empty", "the whole log was removed, or the folder is wrong"},
    {"foreign-file", "a file was put into the log's folder"},
    {"unreadable", "a file cannot be read, so nothing can be said about it"},
    {"bad-header", "a segment was altered, moved, replaced or removed"},
    {"bad-frame", "bytes were altered or inserted"},
    {"torn-tail", "the process ended without finishing a write, or the end was cut or altered"},
    {"missing-records", "records or a whole segment were removed"},
    {"bad-index", "a record was repeated, moved or inserted"},
    {"broken-chain", "a record was altered, exchanged or inserted"},
    {"bad-trailer", "a sealed segment was altered"},
    {"missing-trailer", "the end of a sealed segment was cut"},
    {"bad-incarnation", "a start or stop was removed, repeated or forged"},
    {"bad-checkpoint", "a checkpoint was altered or forged, or the records under it were"},
    {"missing-checkpoint", "a checkpoint was removed"},
    {"extra-checkpoint", "a checkpoint was repeated, moved or inserted"},
    {"torn-checkpoint", "the process ended while writing a checkpoint, or the file was cut"},
    {"truncated", "records under a signed checkpoint were cut off"},
    {"bad-anchor", "an anchor was altered, removed or forged, or the log was rewritten"},
    {"missing-anchor", "anchors were removed, or could not be written"},
    {"torn-anchor", "the process ended while writing an anchor, or the file was cut"},
    {"rolled-back", "the log was cut or an older copy of it was restored"},
}};
static_assert(kTexts.size() == static_cast<std::size_t>(FindingKind::kRolledBack) + 1);

// File names in a folder may be an attacker's choice; a terminal must not act on them.
std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

void list_blind_spots(const VerifyOptions& options, const ScanState& state, VerifyReport& report) {
  auto& out = report.blind_spots;
  if (options.anchor_file.empty()) {
    out.emplace_back(
        "No anchor file was given: a cut back to an earlier checkpoint in all files of the folder, "
        "or an older copy of the folder, would look intact.");
  } else if (state.anchored_size < state.next_index) {
    out.push_back("The " + std::to_string(state.next_index - state.anchored_size) +
                  " records behind the newest anchor could be cut without trace.");
  }
  if (report.signed_size < state.next_index) {
    out.push_back("The " + std::to_string(state.next_index - report.signed_size) +
                  " records behind the newest checkpoint are linked but not signed yet.");
  }
  if (!report.clean_end) {
    out.emplace_back(
        "The log has no clean end: its process is running, was killed, or its end was cut.");
  }
  out.emplace_back(
      "Whoever holds the log's key can write another history; only anchors kept out of his reach "
      "show it.");
}

}  // namespace

std::string_view finding_name(FindingKind kind) {
  return kTexts[static_cast<std::size_t>(kind)].name;
}

std::string_view finding_meaning(FindingKind kind) {
  return kTexts[static_cast<std::size_t>(kind)].meaning;
}

std::string Finding::line() const {
  std::string text(finding_name(kind));
  text.append(" ").append(printable(file)).append(":").append(std::to_string(offset));
  if (index) text.append(" record ").append(std::to_string(*index));
  text.append(": ").append(detail);
  return text.append(" (").append(finding_meaning(kind)).append(")");
}

VerifyReport verify_log(const VerifyOptions& options) {
  return scan_log(options, {});
}

VerifyReport scan_log(const VerifyOptions& options,
                      const std::function<void(const RecordView&)>& visit) {
  ScanState state;
  VerifyReport report = scan(options, Signatures::kAll, visit, state);
  list_blind_spots(options, state, report);
  return report;
}

}  // namespace postern::audit
