// postern audit verify: every byte, link, root and signature of a log.
#include <chrono>
#include <thread>

#include "app/audit_task.hpp"
#include "app/printable.hpp"

namespace postern::app {
namespace {

constexpr Flag kFlags[] = {kConfigFlag, kLogDirFlag, kLogKeyFlag, kLogAnchorFlag, kJsonFlag};

/// A log that is being written may look torn for a moment; one that stays so is reported.
audit::VerifyReport verify_patiently(const audit::VerifyOptions& options) {
  constexpr int kAttempts = 4;
  constexpr std::chrono::milliseconds kPause{150};
  audit::VerifyReport report = audit::verify_log(options);
  for (int i = 1; i < kAttempts && !report.intact() && may_be_in_writing(report); ++i) {
    std::this_thread::sleep_for(kPause);
    report = audit::verify_log(options);
  }
  return report;
}

void print_text(const audit::VerifyOptions& options, const audit::VerifyReport& report) {
  const auto count = [](std::uint64_t n) { return std::to_string(n); };
  print_line(printable(options.folder) + (report.intact() ? ": intact" : ": NOT intact"));
  TextTable table({"log", printable(options.key.name)});
  table.add({"records", count(report.records) + " in " + count(report.segments) + " segments, " +
                            count(report.bytes) + " bytes"});
  table.add({"signed", count(report.signed_size) + " records, by " + count(report.checkpoints) +
                           " checkpoints and " + count(report.anchors) + " anchors"});
  table.add({"processes", count(report.incarnations)});
  table.add({"open intents", count(report.open_intents)});
  table.add({"clean end", report.clean_end ? "yes" : "no (still written to, or ended unclean)"});
  table.print();
  for (const audit::Finding& finding : report.findings) {
    print_line("FINDING " + printable(finding.line()));
  }
  if (report.findings_left_out > 0) {
    print_line("FINDING " + count(report.findings_left_out) + " more");
  }
  for (const std::string& spot : report.blind_spots) print_line("NOT SHOWN " + printable(spot));
}

nlohmann::ordered_json as_json(const audit::VerifyOptions& options,
                               const audit::VerifyReport& report) {
  nlohmann::ordered_json out{{"origin", options.key.name},
                             {"intact", report.intact()},
                             {"records", report.records},
                             {"segments", report.segments},
                             {"bytes", report.bytes},
                             {"checkpoints", report.checkpoints},
                             {"anchors", report.anchors},
                             {"incarnations", report.incarnations},
                             {"signed_size", report.signed_size},
                             {"open_intents", report.open_intents},
                             {"clean_end", report.clean_end},
                             {"blind_spots", report.blind_spots},
                             {"findings_left_out", report.findings_left_out}};
  out["findings"] = nlohmann::ordered_json::array();
  for (const audit::Finding& finding : report.findings) {
    nlohmann::ordered_json row{{"kind", audit::finding_name(finding.kind)},
                               {"file", finding.file},
                               {"offset", finding.offset},
                               {"detail", finding.detail},
                               {"meaning", audit::finding_meaning(finding.kind)}};
    if (finding.index) row["record"] = *finding.index;
    out["findings"].push_back(std::move(row));
  }
  return out;
}

Exit run(const Arguments& arguments) {
  audit::VerifyOptions options;
  const Exit opened = open_log_options(arguments, "audit verify", options);
  if (opened != Exit::kGood) return opened;
  const audit::VerifyReport report = verify_patiently(options);
  if (arguments.has("--json")) {
    print_json(as_json(options, report));
  } else {
    print_text(options, report);
  }
  return report.intact() ? Exit::kGood : Exit::kFindings;
}

}  // namespace

extern const Command kAuditVerifyCommand;
const Command kAuditVerifyCommand{
    "audit verify",
    "",
    0,
    "check every byte, link, root and signature of an access log",
    "Give the public key and the anchors from outside the log's machine where you can: who can\n"
    "write the log can replace what lies beside it.",
    kFlags,
    run,
};

}  // namespace postern::app
