// What `postern doctor` asks a server, and what follows from the answers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/options.hpp"
#include "schema/connection.hpp"

namespace postern::schema {

enum class Level : std::uint8_t {
  kGood,
  kNote,     ///< worth knowing; nothing is wrong
  kWarning,  ///< weaker than it could be
  kMissing,  ///< something configured will not work, or not protect
};
/// "good", "note", "warning", "missing".
const char* to_word(Level level);

struct Check {
  Level level = Level::kGood;
  std::string where;    ///< "node 127.0.0.1:5432", "key files", ...
  std::string what;     ///< what was looked at
  std::string found;    ///< what it is
  std::string follows;  ///< what follows from it; empty where good
  std::string remedy;   ///< what to do; empty where good
};

/// A role as the server has it.
struct RoleFacts {
  std::string name;
  bool superuser = false;
  bool bypasses = false;
  bool owns_walled = false;  ///< owns a table with the tenant column
  bool wall_member = false;  ///< member of the wall's owner
};

struct NodeFacts {
  int version = 0;  ///< 150020
  std::string version_text;
  bool is_replica = false;
  bool tls = false;
  std::map<std::string, std::string> settings;
  std::string service_role;
  bool service_superuser = false;
  bool reads_stats = false;  ///< member of pg_read_all_stats
  bool may_create_role = false;
  bool may_create_schema = false;      ///< CREATE on the database
  bool may_keep_log = false;           ///< SET on log_parameter_max_length
  std::vector<std::string> not_owned;  ///< tables with the tenant column it is no owner of
  std::vector<RoleFacts> roles;        ///< of those asked for; absent ones are left out
};

/// Settings that ask_node reads.
const std::vector<std::string>& asked_settings();

/// Reads the facts. `roles` are the logins of pooled connections, `tenant_column` may be empty.
Result<NodeFacts> ask_node(Connection& connection, const std::vector<std::string>& roles,
                           const std::string& tenant_column);

/// What the configuration demands of a node.
struct NodeNeeds {
  std::string where;
  std::size_t nodes = 1;        ///< of the cluster
  std::uint64_t pool_size = 0;  ///< sum over the databases of the cluster
  bool routing = false;
  bool tls_configured = false;
  bool local = false;   ///< over a loopback address
  bool tenant = false;  ///< [tenant] is there
  std::vector<std::string> app_roles;
};

/// Pure.
std::vector<Check> judge_node(const NodeFacts& facts, const NodeNeeds& needs);

/// Every privilege the wall can make use of: whether the login has it, what is lost without it, and
/// what replaces it. None is missing: another login may apply the wall.
std::vector<Check> judge_privileges(const NodeFacts& facts, const std::string& where);

/// Oldest minor versions without known holes that reach through row security.
std::optional<Check> judge_version(int version, const std::string& text, const std::string& where);

}  // namespace postern::schema
