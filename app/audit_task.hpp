// Which log the audit commands look at, and how they show what a scan found.
#pragma once

#include <string>

#include "app/inputs.hpp"
#include "audit/verify.hpp"

namespace postern::app {

inline constexpr Flag kLogDirFlag{"--dir", 0, "DIR", "the log's folder (with --key, without -c)"};
inline constexpr Flag kLogKeyFlag{"--key", 0, "FILE", "the log's public key"};
inline constexpr Flag kLogAnchorFlag{"--anchor", 0, "FILE", "file of anchors outside the log"};

/// The public key at `path`: a .pub file, or a private key file's public half.
Result<audit::VerifierKey> read_log_key(const std::string& path);

/// The file whose key verifies the configured log: PATH.pub beside the private key, else the
/// private key's.
std::string log_key_file(const config::AuditOptions& options);

/// Folder, key and anchors from --dir/--key/--anchor or from [audit] of --config. Where this is not
/// kGood the reason is printed.
Exit open_log_options(const Arguments& arguments, std::string_view command,
                      audit::VerifyOptions& options);

/// True where all findings may come from a process that writes at this moment.
bool may_be_in_writing(const audit::VerifyReport& report);

/// One line per finding to standard error.
void print_findings(const audit::VerifyReport& report);

}  // namespace postern::app
