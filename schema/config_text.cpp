#include "schema/config_text.hpp"

#include "base/bytes.hpp"

namespace postern::schema {
namespace {

/// A TOML string; its escapes are JSON's, so no name can end a comment or a string early.
std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string host_and_port(const Inspection& in) {
  // A unix socket's folder is no address of a node.
  const std::string host = in.host.empty() || in.host.front() == '/' ? "127.0.0.1" : in.host;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + in.port;
}

std::string head(const Inspection& in) {
  return "# Written by `postern init` for database " + quoted(in.database) + " on " +
         quoted(host_and_port(in)) + ",\n# PostgreSQL " + quoted(in.version) +
         ". Nothing was changed in the database.\n#\n"
         "# It only observes: every statement passes, and `postern report` tells what would be\n"
         "# refused. All keys: docs/config.md, or `postern explain KEY`.\n\n"
         "[listen]\naddress = \"127.0.0.1\"\nport = 6432\n";
}

std::string cluster(const Inspection& in) {
  std::string out = "\n[cluster.main]\nnodes = [" + quoted(host_and_port(in)) + "]  # " +
                    (in.is_replica ? "a replica: put its primary first\n" : "the primary\n");
  for (const InspectedReplica& replica : in.replicas) {
    out += "# A replica streams from here: " + quoted(replica.name) + " at " +
           quoted(replica.address.empty() ? "a unix socket" : replica.address) +
           ". Add its host:port to\n# nodes, and [routing], to read from it.\n";
  }
  if (in.tls) {
    out += "\n[cluster.main.tls]\nmode = \"require\"  # better \"verify-full\", with ca_file\n";
  }
  return out;
}

std::string logins(const ConfigText& input) {
  const Inspection& in = *input.inspection;
  const std::string password =
      input.password_known ? "password_file = " + quoted(kPasswordFileName) + "\n" : "";
  return "\n# Postern's own login, for catalogs and roles. A login of its own with\n"
         "# pg_read_all_stats is better; see `postern doctor`.\n[service]\nuser = " +
         quoted(in.user) + "\n" + password + "\n[database." + quoted(in.database) +
         "]\ncluster = \"main\"\nuser = " + quoted(in.user) + "\n" + password +
         "pool_mode = \"session\"\n\n[auth]\nmethod = \"scram-sha-256\"\nusers_file = " +
         quoted(kUsersFileName) +
         "\n\n# observe -> gate -> enforce, when `postern report` has nothing unexpected left.\n"
         "[policy]\nmode = \"observe\"\n";
}

std::string string_list(const std::vector<std::string>& names) {
  std::string out = "[";
  for (const std::string& name : names) out += "\n  " + quoted(name) + ",";
  return out + (names.empty() ? "]" : "\n]");
}

/// A line or section, as a comment where it would not be valid.
std::string commented(const std::string& text) {
  std::string out = "# ";
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "# ";
  }
  out.resize(out.size() - (text.ends_with('\n') ? 2 : 0));
  return out;
}

std::string tenant(const ConfigText& input) {
  const Proposal& proposal = *input.proposal;
  if (!proposal.tenant) {
    return "\n# No column that could name a tenant stands in more than one table. If there is "
           "one:\n"
           "# [tenant]\n# column = \"tenant_id\"\n";
  }
  const TenantProposal& found = *proposal.tenant;
  const std::size_t all = found.tables_with + found.tables_without;
  std::string out = "\n# " + std::to_string(found.tables_with) + " of " + std::to_string(all) +
                    " tables have the column " + quoted(found.column) + ", of type " +
                    quoted(found.declared_type) + ".\n";
  for (const std::string& other : found.other_types) {
    out += "# Declared differently by " + quoted(other) + ".\n";
  }
  std::string section = "[tenant]\ncolumn = " + quoted(found.column) + "\n";
  if (!found.type.empty()) section += "type = " + quoted(found.type) + "\n";
  section += "# Tables without it, taken for shared: look through them.\nshared = " +
             string_list(proposal.shared) +
             "\n# Needed from mode \"gate\" on; `postern keys init` makes it.\n"
             "# guard_key_file = \"guard.key\"\n";
  if (!found.type.empty()) return out + section;
  return out + "# Tenants of this type cannot be kept apart yet.\n" + commented(section);
}

std::string other_tables(const Proposal& proposal) {
  std::string out;
  for (const OtherTenantColumn& other : proposal.others) {
    out +=
        "\n# This table may name its tenant in another column. If it does:\n# [[table]]\n"
        "# name = " +
        quoted(other.table) + "\n# tenant_column = " + quoted(other.column) + "\n";
  }
  return out;
}

std::string columns(const ConfigText& input) {
  const Proposal& proposal = *input.proposal;
  if (proposal.pii.empty()) return "\n# No column looks like personal data.\n";
  std::string out =
      "\n# Columns that look like personal data. To encrypt one, its column must first become\n"
      "# postern.pe1 (bytea); until then every use of it would be refused, in every mode.\n"
      "# [keys]\n# file = \"keys.store\"\n# kek_file = \"root.key\"\n";
  for (const PiiProposal& pii : proposal.pii) {
    out += "#\n# " + std::string(to_word(pii.kind)) + ", by " + pii.evidence + "\n";
    if (pii.scheme.empty()) {
      out += "# " + quoted(pii.table) + " " + quoted(pii.column) + " of type " + quoted(pii.type) +
             ": this type cannot be encrypted yet\n";
      continue;
    }
    out += "# [[column]]\n# database = " + quoted(input.inspection->database) +
           "\n# table = " + quoted(pii.table) + "\n# name = " + quoted(pii.column) +
           "\n# type = " + quoted(pii.type) + "\n# scheme = " + quoted(pii.scheme) +
           "\n# uuid = " + quoted(input.make_uuid()) + "\n";
    if (!proposal.tenant) out += "# key_scope = \"global\"\n";
  }
  return out;
}

constexpr std::string_view kRest = R"toml(
# The access log, which `postern report` reads. Its key is made at the first start.
[audit]
dir = "audit"
key_file = "audit.key"
mode = "batch"
# anchor_file = "/another/mount/postern.anchor"  # makes truncation and rollback visible

[metrics]
address = "127.0.0.1"
port = 9632
)toml";

}  // namespace

std::string config_text(const ConfigText& input) {
  const Inspection& in = *input.inspection;
  return head(in) + cluster(in) + logins(input) + tenant(input) + other_tables(*input.proposal) +
         columns(input) + std::string(kRest);
}

std::string users_text(const ConfigText& input, std::string_view stub_password) {
  const Inspection& in = *input.inspection;
  std::string out =
      "# Logins at Postern. Applications keep name and password and change only the "
      "port.\n\n[user." +
      quoted(in.user) + "]\n";
  out += input.password_known ? "password_file = " + quoted(kPasswordFileName) + "\n"
                              : "password = " + quoted(stub_password) + "\n";
  out += "# profile = \"app\"     # app, analyst, migrator, backup or admin\n";
  if (input.proposal->tenant) {
    out += "# tenant = \"acme\"      # the tenant this login acts for\n";
  }
  for (const InspectedRole& role : in.roles) {
    if (role.name == in.user || role.superuser) continue;
    out += "\n# [user." + quoted(role.name) +
           "]\n# password_file = " + quoted(role.name + ".password") +
           "\n# upstream_user = " + quoted(role.name) + "\n";
  }
  return out;
}

}  // namespace postern::schema
