// postern report: what the access log has seen, what was refused or would be, and why.
#include <algorithm>
#include <limits>

#include "app/audit_task.hpp"
#include "app/keys_task.hpp"
#include "app/point_in_time.hpp"
#include "app/printable.hpp"
#include "schema/usage.hpp"

namespace postern::app {
namespace {

using Json = nlohmann::ordered_json;
using schema::Usage;

constexpr std::size_t kShownShapes = 20;
constexpr std::size_t kShownBytes = 160;
constexpr Flag kFlags[] = {
    kConfigFlag,
    {"--since", 0, "TIME", "from then on: 2026-01-31T09:30:00Z, or an age such as 12h"},
    {"--until", 0, "TIME", "before then"},
    kJsonFlag,
};

std::string time_text(std::int64_t time_us) {
  return time_us == 0 ? "-" : utc_text(time_us / 1'000'000);
}

std::vector<std::string> named(const std::set<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) out.push_back(name.empty() ? "(no name)" : name);
  return out;
}

std::string shortened(std::string text) {
  if (text.size() <= kShownBytes) return text;
  std::size_t end = kShownBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + " ...";
}

/// The remedy of a code, from the table of errors.
std::string advice(const schema::RefusalGroup& group) {
  const auto info = pst_find(group.code);
  return info ? std::string(info->hint) : "See postern explain " + group.code + ".";
}

std::string reason(const schema::RefusalGroup& group) {
  const auto info = pst_find(group.code);
  return group.code + (info ? " " + std::string(info->message) : std::string());
}

std::vector<const std::pair<const std::string, schema::ShapeUse>*> by_calls(const Usage& usage) {
  std::vector<const std::pair<const std::string, schema::ShapeUse>*> out;
  for (const auto& shape : usage.shapes) out.push_back(&shape);
  std::stable_sort(out.begin(), out.end(),
                   [](const auto* a, const auto* b) { return a->second.calls > b->second.calls; });
  return out;
}

void print_use(const Usage& usage) {
  TextTable applications({"APPLICATION", "LOGINS", "TENANTS", "STATEMENTS", "NOT UNDERSTOOD"});
  for (const auto& [name, use] : usage.applications) {
    applications.add({name.empty() ? "(no name)" : name, joined(named(use.logins)),
                      std::to_string(use.tenants.size()), std::to_string(use.statements),
                      std::to_string(use.opaque)});
  }
  print_line("\napplications");
  applications.print();
  TextTable shapes({"CALLS", "FAILED", "SHAPE", "STATEMENT"});
  const auto sorted = by_calls(usage);
  for (std::size_t i = 0; i < std::min(sorted.size(), kShownShapes); ++i) {
    const auto& [fingerprint, shape] = *sorted[i];
    shapes.add({std::to_string(shape.calls), std::to_string(shape.failed), fingerprint,
                shortened(shape.text.empty() ? "(not analysed)" : shape.text)});
  }
  print_line("\nstatements, " + std::to_string(usage.shapes.size()) + " shapes" +
             (sorted.size() > kShownShapes ? ", the most frequent " + std::to_string(kShownShapes)
                                           : std::string()));
  shapes.print();
}

void print_data(const Usage& usage) {
  TextTable tables({"TABLE", "READS", "WRITES", "APPLICATIONS"});
  for (const auto& [name, use] : usage.tables) {
    tables.add({name, std::to_string(use.reads), std::to_string(use.writes),
                joined(named(use.applications))});
  }
  print_line("\ntables");
  tables.print();
  TextTable columns({"COLUMN", "WHY", "STATEMENTS", "DECRYPTED", "APPLICATIONS"});
  for (const auto& [name, use] : usage.pii) {
    columns.add({name, use.why, std::to_string(use.touched), std::to_string(use.decrypted),
                 joined(named(use.applications))});
  }
  print_line(columns.empty() ? "\npersonal data: no column touched" : "\npersonal data");
  if (!columns.empty()) columns.print();
}

void print_refusals(const Usage& usage) {
  print_line("\nrefused: " + std::to_string(usage.refused) +
             ", would be refused (observe mode): " + std::to_string(usage.observed));
  for (const schema::RefusalGroup& group : usage.refusals) {
    print_line("\n  " + printable(group.application.empty() ? "(no name)" : group.application) +
               (group.applied ? ": refused " : ": would be refused ") +
               std::to_string(group.count) + " times, " + std::to_string(group.shapes.size()) +
               " shapes");
    TextTable table({"why", reason(group)});
    if (!group.rule.empty()) table.add({"rule", group.rule});
    table.add({"first, last", time_text(group.when.first) + ", " + time_text(group.when.last)});
    table.add({"example", group.example.empty() ? "(not analysed)" : shortened(group.example)});
    table.add({"advice", advice(group)});
    table.print("    ");
  }
}

void print_text(const Usage& usage) {
  print_line(std::to_string(usage.statements) + " statements from " + time_text(usage.when.first) +
             " to " + time_text(usage.when.last) + ", " + std::to_string(usage.failed_logins) +
             " failed logins");
  if (usage.left_out > 0) {
    print_line("too many distinct names: " + std::to_string(usage.left_out) + " not listed");
  }
  if (usage.statements > 0) {
    print_use(usage);
    print_data(usage);
  }
  print_refusals(usage);
}

Json refusals_json(const Usage& usage) {
  Json out = Json::array();
  for (const schema::RefusalGroup& group : usage.refusals) {
    out.push_back({{"application", group.application},
                   {"applied", group.applied},
                   {"code", group.code},
                   {"rule", group.rule},
                   {"count", group.count},
                   {"shapes", group.shapes},
                   {"example", group.example},
                   {"first", time_text(group.when.first)},
                   {"last", time_text(group.when.last)},
                   {"advice", advice(group)}});
  }
  return out;
}

Json as_json(const Usage& usage) {
  Json out{{"statements", usage.statements},
           {"refused", usage.refused},
           {"would_refuse", usage.observed},
           {"failed_logins", usage.failed_logins},
           {"first", time_text(usage.when.first)},
           {"last", time_text(usage.when.last)},
           {"left_out", usage.left_out}};
  out["applications"] = Json::object();
  for (const auto& [name, use] : usage.applications) {
    out["applications"][name] = {{"statements", use.statements},
                                 {"logins", use.logins},
                                 {"tenants", use.tenants.size()},
                                 {"not_understood", use.opaque}};
  }
  out["shapes"] = Json::array();
  for (const auto* shape : by_calls(usage)) {
    out["shapes"].push_back({{"fingerprint", shape->first},
                             {"operation", shape->second.operation},
                             {"text", shape->second.text},
                             {"calls", shape->second.calls},
                             {"failed", shape->second.failed},
                             {"applications", shape->second.applications}});
  }
  out["tables"] = Json::object();
  for (const auto& [name, use] : usage.tables) {
    out["tables"][name] = {
        {"reads", use.reads}, {"writes", use.writes}, {"applications", use.applications}};
  }
  out["pii"] = Json::object();
  for (const auto& [name, use] : usage.pii) {
    out["pii"][name] = {{"why", use.why},
                        {"statements", use.touched},
                        {"decrypted", use.decrypted},
                        {"applications", use.applications}};
  }
  out["refusals"] = refusals_json(usage);
  return out;
}

Result<std::int64_t> bound(const Arguments& arguments, std::string_view flag,
                           std::int64_t otherwise) {
  if (!arguments.has(flag)) return otherwise;
  return parse_time(arguments.value(flag), now_seconds() * 1'000'000);
}

std::set<std::string> pii_columns(const config::Config& config) {
  std::set<std::string> out;
  for (const config::ColumnOptions& column : config.columns) {
    out.insert(column.table + "." + column.name);
  }
  return out;
}

Exit run(const Arguments& arguments) {
  const auto since = bound(arguments, "--since", std::numeric_limits<std::int64_t>::min());
  const auto until = bound(arguments, "--until", std::numeric_limits<std::int64_t>::max());
  if (!since) return fail(since.error());
  if (!until) return fail(until.error());
  config::Config config;
  const Exit loaded = load_config(arguments, "report", config);
  if (loaded != Exit::kGood) return loaded;
  audit::VerifyOptions options;
  const Exit opened = open_log_options(arguments, "report", options);
  if (opened != Exit::kGood) return opened;
  Usage usage(pii_columns(config));
  usage.from_us = *since;
  usage.until_us = *until;
  const auto scanned = audit::scan_log(options, [&](const audit::RecordView& record) {
    usage.add(audit::kind_name(record.kind), record.index, record.body);
  });
  if (arguments.has("--json")) {
    print_json(as_json(usage));
  } else {
    print_text(usage);
  }
  print_findings(scanned);
  return scanned.intact() || may_be_in_writing(scanned) ? Exit::kGood : Exit::kFindings;
}

}  // namespace

extern const Command kReportCommand;
const Command kReportCommand{
    "report",
    "",
    0,
    "say what was seen, what was refused or would be, and why",
    "Reads the access log of [audit]: applications, shapes of statements, tables, personal data,\n"
    "and refusals by application and rule. In observe mode it shows what enforcing would change.",
    kFlags,
    run,
};

}  // namespace postern::app
