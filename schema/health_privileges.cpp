// What the wall can do with and without each privilege: for servers without a superuser's login.
#include "schema/health.hpp"

namespace postern::schema {
namespace {

struct Privilege {
  const char* name;
  bool (*has)(const NodeFacts& facts);
  const char* lost;
  const char* instead;
};

constexpr Privilege kPrivileges[] = {
    {"SUPERUSER (event triggers)", [](const NodeFacts& f) { return f.service_superuser; },
     "the database itself does not wall or refuse new tables",
     "a new table closes the database in mode enforce: run postern policy apply after each "
     "migration"},
    {"CREATE on the database", [](const NodeFacts& f) { return f.may_create_schema; },
     "the schema postern cannot be made", "GRANT CREATE ON DATABASE to the login while it applies"},
    {"CREATEROLE", [](const NodeFacts& f) { return f.may_create_role || f.service_superuser; },
     "the role postern_owner cannot be made",
     "CREATE ROLE postern_owner NOLOGIN; GRANT postern_owner TO the login that applies"},
    {"pg_read_all_stats", [](const NodeFacts& f) { return f.reads_stats; },
     "a context cannot be bound to the start of its session, so none is accepted",
     "GRANT pg_read_all_stats TO postern_owner, once, by whoever administers the server"},
    {"ownership of the tenant tables", [](const NodeFacts& f) { return f.not_owned.empty(); },
     "row security cannot be put on tables of others",
     "apply as the tables' owner, or as a role that is a member of it"},
    {"SET on log_parameter_max_length", [](const NodeFacts& f) { return f.may_keep_log; },
     "the guard key is not installed where the server logs parameters",
     "turn log_statement and log_min_duration_statement off for that login"},
};

}  // namespace

std::vector<Check> judge_privileges(const NodeFacts& facts, const std::string& where) {
  std::vector<Check> out;
  for (const Privilege& privilege : kPrivileges) {
    const bool has = facts.service_superuser || privilege.has(facts);
    const std::string found = facts.service_role + (has ? " has it" : " lacks it");
    out.push_back({has ? Level::kGood : Level::kNote, where,
                   std::string("privilege ") + privilege.name, found, has ? "" : privilege.lost,
                   has ? "" : privilege.instead});
  }
  return out;
}

}  // namespace postern::schema
