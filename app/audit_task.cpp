#include "app/audit_task.hpp"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

#include "app/printable.hpp"
#include "audit/file_ops.hpp"
#include "base/codes/audit.hpp"
#include "base/codes/config.hpp"
#include "base/codes/tools.hpp"
#include "crypto/init.hpp"

namespace postern::app {

Result<audit::VerifierKey> read_log_key(const std::string& path) {
  POSTERN_ASSIGN(Bytes text, audit::read_file(path));
  if (text.starts_with("PRIVATE+KEY+")) {
    wipe(text);
    POSTERN_ASSIGN(const audit::LogKey key, audit::load_log_key(path));
    return key.verifier();
  }
  if (text.ends_with('\n')) text.pop_back();
  auto key = audit::VerifierKey::parse(text);
  if (key) return key;
  return make_error(pst::kAuditKeyBad, path + ": not the public key of a log");
}

std::string log_key_file(const config::AuditOptions& options) {
  const std::string& path = options.key_file.path;
  const std::string pub = path + ".pub";
  return ::access(pub.c_str(), F_OK) == 0 ? pub : path;
}

Exit open_log_options(const Arguments& arguments, std::string_view command,
                      audit::VerifyOptions& options) {
  const bool named = arguments.has("--dir");
  if (named == arguments.has("--config") || (named && !arguments.has("--key"))) {
    return fail(make_error(pst::kUsage, std::string(command) +
                                            " needs either --config FILE, or --dir DIR and "
                                            "--key FILE"));
  }
  options.folder = arguments.value("--dir");
  options.anchor_file = arguments.value("--anchor");
  std::string key_file = arguments.value("--key");
  if (!named) {
    config::Config config;
    const Exit loaded = load_config(arguments, command, config);
    if (loaded != Exit::kGood) return loaded;
    if (!config.audit) return fail(make_error(pst::kSectionNeeded, "[audit]"));
    options.folder = config.audit->dir.path;
    if (options.anchor_file.empty()) options.anchor_file = config.audit->anchor_file.path;
    if (key_file.empty()) key_file = log_key_file(*config.audit);
  }
  if (const Status ready = crypto::init(); !ready) return fail(ready.error());
  auto key = read_log_key(key_file);
  if (!key) return fail(key.error());
  options.key = std::move(*key);
  return Exit::kGood;
}

bool may_be_in_writing(const audit::VerifyReport& report) {
  const auto transient = [](const audit::Finding& finding) {
    switch (finding.kind) {
      case audit::FindingKind::kTornTail:
      case audit::FindingKind::kTornCheckpoint:
      case audit::FindingKind::kMissingCheckpoint:
      case audit::FindingKind::kTornAnchor:
      case audit::FindingKind::kMissingAnchor:
        return true;
      default:
        return false;
    }
  };
  return report.findings_left_out == 0 &&
         std::all_of(report.findings.begin(), report.findings.end(), transient);
}

void print_findings(const audit::VerifyReport& report) {
  for (const audit::Finding& finding : report.findings) {
    std::fprintf(stderr, "postern: audit log: %s\n", printable(finding.line()).c_str());
  }
  if (report.findings_left_out > 0) {
    std::fprintf(stderr, "postern: audit log: %llu further findings\n",
                 static_cast<unsigned long long>(report.findings_left_out));
  }
}

}  // namespace postern::app
