// postern audit search: records of a log, one line of JSON each.
#include <cstdio>

#include "app/audit_task.hpp"
#include "app/keys_task.hpp"
#include "app/point_in_time.hpp"
#include "app/printable.hpp"
#include "audit/search.hpp"
#include "base/codes/config.hpp"

namespace postern::app {
namespace {

constexpr Flag kFlags[] = {
    kConfigFlag,
    kLogDirFlag,
    kLogKeyFlag,
    kLogAnchorFlag,
    {"--tenant", 0, "TENANT", "only this tenant's"},
    {"--login", 0, "LOGIN", "only this login's"},
    {"--table", 0, "TABLE", "only what reads or writes schema.table, or table in any schema"},
    {"--code", 0, "CODE", "only this PST-xxxx or SQLSTATE"},
    {"--kind", 0, "KIND", "intent, outcome, statement, refusal, auth, session-open, policy, ..."},
    {"--since", 0, "TIME", "from then on: 2026-01-31T09:30:00Z, or an age such as 12h"},
    {"--until", 0, "TIME", "before then"},
    {"--json", 0, "", "accepted for symmetry: every line is JSON"},
};

Result<std::optional<std::int64_t>> time_of(const Arguments& arguments, std::string_view flag) {
  if (!arguments.has(flag)) return std::optional<std::int64_t>();
  constexpr std::int64_t kSecond = 1'000'000;
  POSTERN_ASSIGN(const std::int64_t time,
                 parse_time(arguments.value(flag), now_seconds() * kSecond));
  return std::optional<std::int64_t>(time);
}

Result<audit::SearchFilter> filter_of(const Arguments& arguments) {
  audit::SearchFilter filter;
  filter.tenant = arguments.value("--tenant");
  filter.login = arguments.value("--login");
  filter.table = arguments.value("--table");
  filter.code = arguments.value("--code");
  if (arguments.has("--kind")) {
    filter.kind = audit::kind_from_name(arguments.value("--kind"));
    if (!filter.kind) {
      return make_error(pst::kUsage, "there is no kind \"" + arguments.value("--kind") + "\"");
    }
  }
  POSTERN_ASSIGN(filter.from_us, time_of(arguments, "--since"));
  POSTERN_ASSIGN(filter.until_us, time_of(arguments, "--until"));
  return filter;
}

Exit run(const Arguments& arguments) {
  const auto filter = filter_of(arguments);
  if (!filter) return fail(filter.error());
  audit::VerifyOptions options;
  const Exit opened = open_log_options(arguments, "audit search", options);
  if (opened != Exit::kGood) return opened;
  const auto report =
      audit::search_log(options, *filter, [](const std::string& line) { print_line(line); });
  print_findings(report);
  // What a living log has half written lies behind every record shown.
  const bool living = arguments.has("--config") && may_be_in_writing(report);
  return report.intact() || living ? Exit::kGood : Exit::kFindings;
}

}  // namespace

extern const Command kAuditSearchCommand;
const Command kAuditSearchCommand{
    "audit search",
    "",
    0,
    "print the records of an access log that match, one line of JSON each",
    "The whole log is verified on the way: findings go to standard error, exit code 1.",
    kFlags,
    run,
};

}  // namespace postern::app
