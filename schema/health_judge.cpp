#include <algorithm>
#include <charconv>

#include "schema/health.hpp"

namespace postern::schema {
namespace {

std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

class Judgement {
 public:
  Judgement(const NodeFacts& facts, const NodeNeeds& needs) : facts_(facts), needs_(needs) {}

  std::vector<Check> run() {
    if (auto version = judge_version(facts_.version, facts_.version_text, needs_.where)) {
      out_.push_back(*std::move(version));
    }
    good("role", facts_.is_replica ? "replica" : "primary");
    passwords();
    replication();
    logging();
    connections();
    encryption();
    service();
    if (!facts_.is_replica && needs_.tenant) {
      applying();
      const auto privileges = judge_privileges(facts_, needs_.where);
      out_.insert(out_.end(), privileges.begin(), privileges.end());
    }
    for (const std::string& role : needs_.app_roles) application(role);
    return std::move(out_);
  }

 private:
  [[nodiscard]] const std::string& setting(const std::string& name) const {
    static const std::string kNone;
    const auto found = facts_.settings.find(name);
    return found == facts_.settings.end() ? kNone : found->second;
  }
  void good(std::string what, std::string found) {
    out_.push_back({Level::kGood, needs_.where, std::move(what), std::move(found), "", ""});
  }
  void add(Level level, std::string what, std::string found, std::string follows,
           std::string remedy) {
    out_.push_back({level, needs_.where, std::move(what), std::move(found), std::move(follows),
                    std::move(remedy)});
  }

  void passwords() {
    const std::string& value = setting("password_encryption");
    if (value == "scram-sha-256") return good("password_encryption", value);
    add(Level::kWarning, "password_encryption", value,
        "new passwords are stored in a form that gives them away",
        "set password_encryption = 'scram-sha-256' and set the passwords anew");
  }

  void replication() {
    const std::string& level = setting("wal_level");
    const bool several = needs_.nodes > 1 || needs_.routing;
    if (level == "minimal" && several) {
      add(Level::kMissing, "wal_level", level, "no replica can stream from this node",
          "set wal_level = replica and restart");
    } else {
      good("wal_level", level);
    }
    if (setting("hot_standby") == "on" || !several)
      return good("hot_standby", setting("hot_standby"));
    add(Level::kMissing, "hot_standby", setting("hot_standby"),
        "as a replica this node would serve no reads", "set hot_standby = on and restart");
  }

  void logging() {
    const std::string& length = setting("log_parameter_max_length_on_error");
    if (length == "0") {
      good("log_parameter_max_length_on_error", length);
    } else {
      add(Level::kWarning, "log_parameter_max_length_on_error", length,
          "bound parameters of failed statements reach the server's log",
          "set log_parameter_max_length_on_error = 0");
    }
    if (setting("row_security") == "on") return good("row_security", "on");
    add(Level::kMissing, "row_security", setting("row_security"),
        "every statement on a walled table fails instead of being filtered",
        "set row_security = on");
  }

  void connections() {
    const std::uint64_t all = number(setting("max_connections"));
    const std::uint64_t reserved = number(setting("superuser_reserved_connections"));
    const std::uint64_t usable = all > reserved ? all - reserved : 0;
    const std::string found = std::to_string(usable) + " usable, pools of " +
                              std::to_string(needs_.pool_size) + " for one login and tenant";
    if (needs_.pool_size <= usable) return good("max_connections", found);
    add(Level::kMissing, "max_connections", found,
        "the server runs out of connections before the pools are full",
        "raise max_connections, or lower pool_size");
  }

  void encryption() {
    const bool on = setting("ssl") == "on";
    if (on || needs_.local) return good("ssl", on ? "on" : "off, over a loopback address");
    add(needs_.tls_configured ? Level::kMissing : Level::kWarning, "ssl", "off",
        "passwords' proofs, rows and tenant contexts cross the network in clear",
        "give the server a certificate, set ssl = on, and [cluster.NAME.tls] mode");
  }

  void service() {
    if (facts_.service_superuser) {
      add(Level::kWarning, "service login", facts_.service_role + " is a superuser",
          "whoever reads Postern's configuration owns the server",
          "make a login of its own: CREATE ROLE postern_service LOGIN; GRANT pg_read_all_stats");
    }
    if (facts_.reads_stats) return good("pg_read_all_stats", facts_.service_role + " has it");
    add(Level::kMissing, "pg_read_all_stats", facts_.service_role + " lacks it",
        "sessions around Postern and positions of replicas stay invisible",
        "GRANT pg_read_all_stats TO " + facts_.service_role);
  }

  /// Another login may apply the wall: that is no fault of this one.
  void applying() {
    std::vector<std::string> lacks;
    if (!facts_.service_superuser) {
      if (!facts_.may_create_schema) lacks.emplace_back("CREATE on the database");
      if (!facts_.may_create_role) lacks.emplace_back("CREATEROLE");
      if (!facts_.not_owned.empty()) {
        lacks.push_back("ownership of " + std::to_string(facts_.not_owned.size()) +
                        " tenant tables");
      }
    }
    if (lacks.empty()) return good("policy apply", facts_.service_role + " may run it");
    std::string list;
    for (const std::string& lack : lacks) list += (list.empty() ? "" : ", ") + lack;
    add(Level::kNote, "policy apply", facts_.service_role + " lacks " + list,
        "this login cannot raise the wall, and need not",
        "run postern policy apply --dsn with the tables' owner or a superuser");
  }

  void application(const std::string& name) {
    const auto role = std::find_if(facts_.roles.begin(), facts_.roles.end(),
                                   [&](const RoleFacts& r) { return r.name == name; });
    const std::string what = "login " + name;
    if (role == facts_.roles.end()) {
      return add(Level::kMissing, what, "does not exist", "its connections fail",
                 "create the role, or correct user and upstream_user");
    }
    if (!needs_.tenant) return good(what, "exists");
    if (role->superuser || role->bypasses) {
      return add(Level::kMissing, what, role->superuser ? "is a superuser" : "has BYPASSRLS",
                 "no row security holds it: the wall between tenants is open",
                 "name a role without SUPERUSER and BYPASSRLS as user or upstream_user");
    }
    if (role->wall_member) {
      return add(Level::kMissing, what, "is a member of postern_owner",
                 "it can read the keys that sign tenants", "REVOKE postern_owner FROM " + name);
    }
    if (role->owns_walled) {
      return add(Level::kWarning, what, "owns tenant tables",
                 "what runs as it may switch row security off; the gate refuses the statement",
                 "let another role own the tables");
    }
    good(what, "neither superuser nor BYPASSRLS nor owner");
  }

  const NodeFacts& facts_;
  const NodeNeeds& needs_;
  std::vector<Check> out_;
};

/// First minor versions that mend a way through row security.
struct Floor {
  int major;
  int subqueries;  ///< CVE-2024-10976: policies of a role that was changed to are not applied
  int statistics;  ///< CVE-2025-8713: planner statistics give away rows behind policies
};
constexpr Floor kFloors[] = {{15, 9, 14}, {16, 5, 10}, {17, 1, 6}};

}  // namespace

const char* to_word(Level level) {
  switch (level) {
    case Level::kGood:
      return "good";
    case Level::kNote:
      return "note";
    case Level::kWarning:
      return "warning";
    case Level::kMissing:
      return "missing";
  }
  return "?";
}

std::optional<Check> judge_version(int version, const std::string& text, const std::string& where) {
  const int major = version / 10000;
  const int minor = version % 10000;
  Check check{Level::kGood, where, "version", "PostgreSQL " + text, "", ""};
  if (version < kLeastServerVersion) {
    check.level = Level::kMissing;
    check.follows = "Postern does not work with it";
    check.remedy = "upgrade to PostgreSQL 15 or newer";
    return check;
  }
  for (const Floor& floor : kFloors) {
    if (floor.major != major || minor >= floor.statistics) continue;
    const bool old = minor < floor.subqueries;
    check.level = old ? Level::kMissing : Level::kWarning;
    check.follows = old ? "CVE-2024-10976: row security may be missed after a change of role"
                        : "CVE-2025-8713: planner statistics can give away rows behind policies";
    check.remedy = "upgrade to " + std::to_string(major) + "." + std::to_string(floor.statistics) +
                   " or newer";
  }
  return check;
}

std::vector<Check> judge_node(const NodeFacts& facts, const NodeNeeds& needs) {
  return Judgement(facts, needs).run();
}

}  // namespace postern::schema
