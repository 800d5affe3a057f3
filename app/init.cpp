// postern init: a first configuration from a look at a database.
#include "crypto/init.hpp"

#include <filesystem>
#include <unistd.h>

#include "app/inputs.hpp"
#include "app/printable.hpp"
#include "base/bytes.hpp"
#include "base/codes/config.hpp"
#include "base/codes/tools.hpp"
#include "config/load.hpp"
#include "crypto/file_io.hpp"
#include "crypto/uuid.hpp"
#include "schema/config_text.hpp"

namespace postern::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr Flag kFlags[] = {
    {"--output", 'o', "DIR", "folder to write into (default: here)"},
    {"--force", 'f', "", "overwrite the files of an earlier init"},
    kJsonFlag,
};

struct Draft {
  schema::Inspection inspection;
  schema::Proposal proposal;
  Secret password;
};

struct OutputFile {
  std::string path;
  Bytes content;
};

Result<Draft> look(const std::string& url) {
  POSTERN_ASSIGN(const schema::Conninfo info, schema::Conninfo::parse(url));
  POSTERN_ASSIGN(schema::Connection connection, schema::Connection::open(info));
  Draft draft;
  POSTERN_ASSIGN(draft.inspection, schema::inspect(connection));
  draft.proposal = schema::propose(draft.inspection);
  draft.password = connection.password();
  return draft;
}

std::vector<OutputFile> files_of(const Draft& draft, const std::string& folder) {
  constexpr std::size_t kStubBytes = 12;
  schema::ConfigText input;
  input.inspection = &draft.inspection;
  input.proposal = &draft.proposal;
  input.password_known = !draft.password.empty();
  input.make_uuid = [] { return crypto::to_text(crypto::random_uuid()); };
  const std::string stub = to_hex(crypto::random_bytes(kStubBytes));
  std::vector<OutputFile> out{
      {folder + "/" + schema::kConfigFileName, schema::config_text(input)},
      {folder + "/" + schema::kUsersFileName, schema::users_text(input, stub)}};
  if (input.password_known) {
    out.push_back(
        {folder + "/" + schema::kPasswordFileName, Bytes(draft.password.reveal()) + "\n"});
  }
  return out;
}

Status check_absent(const std::string& folder) {
  for (const char* name :
       {schema::kConfigFileName, schema::kUsersFileName, schema::kPasswordFileName}) {
    const std::string path = folder + "/" + name;
    if (::access(path.c_str(), F_OK) == 0) return make_error(pst::kOutputExists, path);
  }
  return ok();
}

Status write_files(std::vector<OutputFile>& files, const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  for (OutputFile& file : files) {
    const Status written = crypto::replace_file(file.path, file.content);
    wipe(file.content);
    if (!written) return make_error(pst::kOutputNotWritten, file.path);
  }
  // What init writes must be what serve reads.
  const auto report = config::load_report(files.front().path, config::process_environment());
  return report.errors.empty() ? ok() : Status(report.errors.front());
}

Json pii_json(const schema::Proposal& proposal) {
  Json out = Json::array();
  for (const schema::PiiProposal& pii : proposal.pii) {
    out.push_back({{"table", pii.table},
                   {"column", pii.column},
                   {"type", pii.type},
                   {"kind", schema::to_word(pii.kind)},
                   {"evidence", pii.evidence},
                   {"scheme", pii.scheme}});
  }
  return out;
}

Json as_json(const Draft& draft, const std::vector<OutputFile>& files) {
  const schema::Inspection& in = draft.inspection;
  Json out{{"database", in.database},
           {"server", in.host + ":" + in.port},
           {"version", in.version},
           {"tables", in.tables.size()}};
  out["tenant"] = nullptr;
  if (draft.proposal.tenant) {
    const schema::TenantProposal& tenant = *draft.proposal.tenant;
    out["tenant"] = {{"column", tenant.column},
                     {"type", tenant.declared_type},
                     {"tables_with", tenant.tables_with},
                     {"tables_without", tenant.tables_without},
                     {"declared_differently", tenant.other_types}};
  }
  out["shared"] = draft.proposal.shared;
  out["other_tenant_columns"] = Json::array();
  for (const auto& other : draft.proposal.others) {
    out["other_tenant_columns"].push_back({{"table", other.table}, {"column", other.column}});
  }
  out["pii"] = pii_json(draft.proposal);
  out["replicas"] = Json::array();
  for (const auto& replica : in.replicas) {
    out["replicas"].push_back(
        {{"name", replica.name}, {"address", replica.address}, {"state", replica.state}});
  }
  out["not_sampled"] = in.not_sampled;
  out["files"] = Json::array();
  for (const OutputFile& file : files) out["files"].push_back(file.path);
  return out;
}

void print_tenant(const schema::Proposal& proposal) {
  if (!proposal.tenant) {
    return print_line("tenant column: none found (no usual name in more than one table)");
  }
  const schema::TenantProposal& tenant = *proposal.tenant;
  print_line("tenant column: " + printable(tenant.column) + " (" + printable(tenant.declared_type) +
             "), in " + std::to_string(tenant.tables_with) + " of " +
             std::to_string(tenant.tables_with + tenant.tables_without) + " tables");
  for (const std::string& other : tenant.other_types) {
    print_line("  declared differently: " + printable(other));
  }
  print_line("shared tables: " + printable(joined(proposal.shared)));
  for (const auto& other : proposal.others) {
    print_line("  look at " + printable(other.table) + ": its tenant may be in " +
               printable(other.column));
  }
}

void print_text(const Draft& draft, const std::vector<OutputFile>& files) {
  const schema::Inspection& in = draft.inspection;
  print_line("database " + printable(in.database) + " on " + printable(in.host) + ":" + in.port +
             ", PostgreSQL " + printable(in.version) + ", " + std::to_string(in.tables.size()) +
             " tables" + (in.is_replica ? " (a replica)" : ""));
  print_tenant(draft.proposal);
  TextTable pii({"LOOKS LIKE", "TABLE", "COLUMN", "TYPE", "BY", "PROPOSED"});
  for (const schema::PiiProposal& found : draft.proposal.pii) {
    pii.add({schema::to_word(found.kind), found.table, found.column, found.type, found.evidence,
             found.scheme.empty() ? "-" : found.scheme});
  }
  print_line(pii.empty() ? "personal data: no column looks like it" : "personal data:");
  if (!pii.empty()) pii.print();
  for (const auto& replica : in.replicas) {
    print_line("replica: " + printable(replica.name) + " at " + printable(replica.address) + ", " +
               printable(replica.state));
  }
  if (!in.not_sampled.empty()) {
    print_line("judged by names alone, not readable: " + printable(joined(in.not_sampled)));
  }
  for (const OutputFile& file : files) print_line("written: " + printable(file.path));
  const std::string config = printable(files.front().path);
  print_line("\nnext:");
  print_line("  postern doctor -c " + config + "    what is missing, and what follows from it");
  print_line("  postern serve -c " + config + "     then let an application use port 6432");
  print_line("  postern report -c " + config + "    what was seen, and what would be refused");
}

Result<std::vector<OutputFile>> draft_and_write(const Arguments& arguments, Draft& draft) {
  const std::string folder = arguments.value("--output", ".");
  POSTERN_TRY(crypto::init());
  if (!arguments.has("--force")) POSTERN_TRY(check_absent(folder));
  POSTERN_ASSIGN(draft, look(arguments.positionals().front()));
  std::vector<OutputFile> files = files_of(draft, folder);
  POSTERN_TRY(write_files(files, folder));
  return files;
}

Exit run(const Arguments& arguments) {
  if (arguments.positionals().size() != 1) {
    return fail(make_error(pst::kUsage, "init needs postgres://user@host:port/database"));
  }
  Draft draft;
  const auto files = draft_and_write(arguments, draft);
  if (!files) return fail(files.error());
  if (arguments.has("--json")) {
    print_json(as_json(draft, *files));
  } else {
    print_text(draft, *files);
  }
  return Exit::kGood;
}

}  // namespace

extern const Command kInitCommand;
const Command kInitCommand{
    "init",
    "postgres://USER@HOST:PORT/DATABASE",
    1,
    "look at a database and write a first configuration that only observes",
    "One read-only transaction: tables, roles, replicas, and up to 200 rows a table, whose values\n"
    "are judged by their form and kept nowhere. The password may come from PGPASSWORD; it is\n"
    "written to a file only Postern's user can read.",
    kFlags,
    run,
};

}  // namespace postern::app
