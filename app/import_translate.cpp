#include "app/import_translate.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "app/import_keys.hpp"
#include "base/codes/tools.hpp"
#include "config/options_net.hpp"

namespace postern::app {
namespace {

using Values = std::map<std::string, std::string, std::less<>>;

/// PgBouncer's defaults, of the keys whose default is another here: written where a file leaves
/// them out, since it relied on them. Times are seconds.
constexpr std::pair<std::string_view, std::string_view> kForeignDefaults[] = {
    {"client_login_timeout", "60"}, {"query_wait_timeout", "120"}, {"server_connect_timeout", "15"},
    {"server_login_retry", "15"},   {"unix_socket_dir", "/tmp"},
};

/// A line of [databases].
struct ForeignDatabase {
  std::string name;
  std::string where;
  Values values;
};

/// Servers that become one [cluster.NAME].
struct Servers {
  std::string name;
  std::vector<std::string> nodes;  ///< "host:port"
};

// A TOML basic string.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    constexpr unsigned char kFirstPrintable = 0x20;
    constexpr unsigned char kDelete = 0x7f;
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < kFirstPrintable || byte == kDelete) {
      out += "\\u00" + to_hex(ByteView(&c, 1));
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> out;
  std::string item;
  for (const char c : std::string(text) + ",") {
    if (c != ',' && c != ' ' && c != '\t') {
      item.push_back(c);
    } else if (!item.empty()) {
      out.push_back(std::exchange(item, {}));
    }
  }
  return out;
}

bool is_loopback(const std::string& address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

/// Builds one Translation.
class Translator {
 public:
  explicit Translator(const std::vector<ListedUser>& users) : users_(users) {}

  Result<Translation> run(const std::vector<IniEntry>& entries) {
    for (const IniEntry& entry : entries) POSTERN_TRY(sort_in(entry));
    if (!main_.contains("unix_socket_dir")) {
      attend("unix_socket_dir is not set: /tmp is taken, as PgBouncer does");
    }
    for (const auto& [key, value] : kForeignDefaults) main_.emplace(key, value);
    write_users();
    write_listen();
    write_clusters();
    write_databases();
    write_auth();
    write_admin();
    write_limits();
    write_log();
    return std::move(out_);
  }

 private:
  Status sort_in(const IniEntry& entry) {
    if (entry.section == "pgbouncer") {
      if (!account(Place::kMain, entry.key, entry.where)) return unknown(entry);
      main_[entry.key] = entry.value;
      return ok();
    }
    const bool known =
        entry.section == "databases" || entry.section == "users" || entry.section == "peers";
    if (!known) {
      return make_error(pst::kImportFile,
                        entry.where + ": there is no section [" + entry.section + "]");
    }
    POSTERN_ASSIGN(const auto pairs, read_connection(entry.value, entry.where));
    const Place place = entry.section == "databases" ? Place::kDatabase
                        : entry.section == "users"   ? Place::kUser
                                                     : Place::kPeer;
    ForeignDatabase database{entry.key, entry.where, {}};
    for (const auto& [key, value] : pairs) {
      if (!account(place, key, entry.where)) return unknown({{}, key, {}, entry.where});
      database.values[key] = value;
    }
    if (place == Place::kUser) user_limits_[database.name] = database.values;
    if (place == Place::kDatabase) databases_.push_back(std::move(database));
    return ok();
  }

  static Status unknown(const IniEntry& entry) {
    return make_error(pst::kImportFile,
                      entry.where + ": PgBouncer has no key \"" + entry.key + "\" here");
  }

  // Says what becomes of a key. False: there is no such key.
  bool account(Place place, const std::string& key, const std::string& where) {
    const ForeignKey* known = find_foreign(place, key);
    if (known == nullptr) return false;
    const std::string to(known->to);
    switch (known->fate) {
      case Fate::kTranslated:
        out_.taken.push_back(where + ": " + key + " -> " + to);
        break;
      case Fate::kAlways:
        out_.taken.push_back(where + ": " + key + ": always: " + to);
        break;
      case Fate::kNone:
        out_.left_out.push_back(where + ": " + key + ": " + to);
        break;
    }
    return true;
  }

  [[nodiscard]] std::string main(std::string_view key, std::string_view preset = {}) const {
    const auto found = main_.find(key);
    return found == main_.end() ? std::string(preset) : found->second;
  }
  [[nodiscard]] bool has(std::string_view key) const { return !main(key).empty(); }

  void line(const std::string& text) { out_.config += text + "\n"; }
  void attend(std::string text) { out_.attention.push_back(std::move(text)); }

  // Times are seconds, perhaps with a fraction. `zero`: what 0 means here; empty: nothing.
  void duration(std::string_view key, std::string_view to, std::string_view zero) {
    if (!has(key)) return;
    constexpr double kMillis = 1000;
    const auto millis = static_cast<long long>(std::strtod(main(key).c_str(), nullptr) * kMillis);
    if (millis > 0) line(std::string(to) + " = \"" + std::to_string(millis) + "ms\"");
    if (millis == 0 && !zero.empty()) line(std::string(to) + " = " + std::string(zero));
    if (millis == 0 && zero.empty()) {
      attend(std::string(key) + " = 0 has no equivalent: the default of Postern holds");
    }
  }

  void number(std::string_view key, std::string_view to) {
    if (has(key)) line(std::string(to) + " = " + main(key));
  }

  // md5 hashes prove nothing to SCRAM, and cannot be turned into what does.
  void write_users() {
    for (const ListedUser& user : users_) {
      const ByteView secret = user.secret.reveal();
      constexpr std::size_t kMd5Bytes = 35;
      if (secret.starts_with("md5") && secret.size() == kMd5Bytes) {
        attend("user " + user.name + ": an md5 hash cannot be taken over: set a new password");
        continue;
      }
      if (secret.empty()) {
        attend("user " + user.name + ": has no password: left out");
        continue;
      }
      if (!names_.insert(user.name).second) continue;
      const bool verifier = secret.starts_with("SCRAM-SHA-256$");
      // "${" would be read as a variable.
      Bytes value = quoted(secret);
      for (std::size_t at = 0; (at = value.find("${", at)) != Bytes::npos; at += 3) {
        value.insert(at, "$");
      }
      out_.users += "[user." + quoted(user.name) + "]\n";
      out_.users += std::string(verifier ? "scram" : "password") + " = " + value + "\n";
      wipe(value);
      write_user_limits(user.name);
      out_.users += "\n";
    }
  }

  void write_user_limits(const std::string& name) {
    for (const char* key : {"pool_size", "max_user_connections", "max_user_client_connections"}) {
      const auto value = user_limits_[name].find(key);
      if (value == user_limits_[name].end() || value->second.empty()) continue;
      out_.users += std::string(key) + " = " + value->second + "\n";
    }
  }

  void write_listen() {
    line("# Imported from PgBouncer. What was left out: see what `postern import` printed.");
    line("[listen]");
    const std::vector<std::string> addresses = list_of(main("listen_addr"));
    if (addresses.empty()) {
      attend("listen_addr is empty: PgBouncer listened on a Unix socket only; 127.0.0.1 is added");
    }
    if (addresses.size() > 1) attend("listen_addr names several addresses: the first is taken");
    address_ = addresses.empty() ? "127.0.0.1" : addresses.front();
    line("address = " + quoted(address_));
    number("listen_port", "port");
    if (has("unix_socket_dir")) line("unix_socket_dir = " + quoted(main("unix_socket_dir")));
    if (has("unix_socket_mode")) line("unix_socket_mode = " + quoted(main("unix_socket_mode")));
    if (main("so_reuseport") == "1") line("so_reuseport = true");
    write_listen_tls();
  }

  void write_listen_tls() {
    const std::string mode = main("client_tls_sslmode", "disable");
    if (mode == "disable") return;
    const bool must = mode == "require" || mode.starts_with("verify");
    if (mode == "verify-full") {
      attend("client_tls_sslmode = verify-full: the certificate's name is not compared");
    }
    line("\n[listen.tls]");
    line(std::string("mode = ") + (must ? "\"require\"" : "\"allow\""));
    for (const auto& [key, to] :
         {std::pair{"client_tls_cert_file", "cert_file"}, {"client_tls_key_file", "key_file"}}) {
      if (has(key)) line(std::string(to) + " = " + quoted(main(key)));
    }
    const bool verifies = mode.starts_with("verify") && has("client_tls_ca_file");
    if (verifies) line("client_ca_file = " + quoted(main("client_tls_ca_file")));
  }

  // host=a,b port=1,2, or a Unix socket, as nodes.
  std::vector<std::string> nodes_of(const ForeignDatabase& database) {
    const auto value = [&](std::string_view key) {
      const auto found = database.values.find(key);
      return found == database.values.end() ? std::string() : found->second;
    };
    std::vector<std::string> hosts = list_of(value("host"));
    const std::vector<std::string> ports = list_of(value("port"));
    if (hosts.empty()) {
      attend(database.where + ": " + database.name +
             " has no host: /tmp is taken, as PgBouncer does");
      hosts = {"/tmp"};
    }
    if (hosts.size() > 1) {
      attend(database.where +
             ": several hosts become nodes of one cluster: they must hold the "
             "same data");
    }
    std::vector<std::string> nodes;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const std::string port = ports.empty() ? "5432" : i < ports.size() ? ports[i] : ports.front();
      const bool bare_v6 = hosts[i].find(':') != std::string::npos && hosts[i].front() != '[';
      nodes.push_back((bare_v6 ? "[" + hosts[i] + "]" : hosts[i]) + ":" + port);
    }
    return nodes;
  }

  const std::string& cluster_of(const ForeignDatabase& database) {
    std::vector<std::string> nodes = nodes_of(database);
    for (const Servers& servers : clusters_) {
      if (servers.nodes == nodes) return servers.name;
    }
    const std::string name =
        clusters_.empty() ? "main" : "main" + std::to_string(clusters_.size() + 1);
    clusters_.push_back({name, std::move(nodes)});
    return clusters_.back().name;
  }

  void write_clusters() {
    for (const ForeignDatabase& database : databases_) {
      cluster_names_.push_back(cluster_of(database));
    }
    for (const Servers& servers : clusters_) {
      line("\n[cluster." + servers.name + "]");
      std::string nodes;
      for (const std::string& node : servers.nodes) {
        nodes += (nodes.empty() ? "" : ", ") + quoted(node);
      }
      line("nodes = [" + nodes + "]");
      duration("server_connect_timeout", "connect_timeout", "");
      write_cluster_tls(servers.name);
    }
  }

  void write_cluster_tls(const std::string& name) {
    const std::string mode = main("server_tls_sslmode", "prefer");
    if (mode == "disable") return;
    line("\n[cluster." + name + ".tls]");
    line("mode = " + quoted(mode));
    const bool verifies = mode.starts_with("verify") && has("server_tls_ca_file");
    if (verifies) line("ca_file = " + quoted(main("server_tls_ca_file")));
    for (const auto& [key, to] :
         {std::pair{"server_tls_cert_file", "cert_file"}, {"server_tls_key_file", "key_file"}}) {
      if (has(key)) line(std::string(to) + " = " + quoted(main(key)));
    }
  }

  void write_databases() {
    if (databases_.empty()) attend("[databases] is empty: add a [database.NAME]");
    for (std::size_t i = 0; i < databases_.size(); ++i) {
      write_database(databases_[i], cluster_names_[i]);
    }
  }

  void write_database(const ForeignDatabase& database, const std::string& cluster) {
    const auto get = [&](std::string_view key) -> std::optional<std::string> {
      const auto found = database.values.find(key);
      if (found == database.values.end() || found->second.empty()) return std::nullopt;
      return found->second;
    };
    line("\n[database." + quoted(database.name) + "]");
    line("cluster = " + quoted(cluster));
    if (const auto name = get("dbname"); name && *name != database.name) {
      line("upstream = " + quoted(*name));
    }
    if (const auto user = get("user")) {
      line("user = " + quoted(*user));
      if (const auto password = get("password")) {
        std::string value = quoted(*password);
        for (std::size_t at = 0; (at = value.find("${", at)) != std::string::npos; at += 3) {
          value.insert(at, "$");
        }
        line("password = " + value);
      }
    } else if (get("password")) {
      attend(database.where + ": a password without user is left out");
    }
    line("pool_mode = " + quoted(get("pool_mode").value_or(main("pool_mode", "session"))));
    line("pool_size = " + get("pool_size").value_or(main("default_pool_size", "20")));
    for (const char* key : {"min_pool_size", "reserve_pool_size"}) {
      const std::string value = get(key).value_or(main(key));
      if (!value.empty()) line(std::string(key) + " = " + value);
    }
    for (const char* key : {"max_db_connections", "max_db_client_connections"}) {
      if (const auto value = get(key)) line(std::string(key) + " = " + *value);
    }
    // 0 turned the support off: statements then broke; here they always work.
    const std::string statements = main("max_prepared_statements");
    if (!statements.empty() && statements != "0") line("max_prepared_statements = " + statements);
  }

  void write_auth() {
    const std::string type = main("auth_type", "md5");
    const bool open = type == "trust" || type == "any";
    trust_ = open && is_loopback(address_);
    line("\n[auth]");
    if (trust_) {
      line("method = \"trust\"");
      return;
    }
    if (type != "scram-sha-256") {
      attend("auth_type " + type + ": clients prove who they are by SCRAM-SHA-256");
    }
    line("method = \"scram-sha-256\"");
    line("users_file = \"users.toml\"");
  }

  void write_admin_list(std::string_view key) {
    std::string names;
    for (const std::string& name : list_of(main(key))) {
      if (!trust_ && !names_.contains(name)) {
        attend(std::string(key) + ": " + name + " is not in the users file: left out");
        continue;
      }
      names += (names.empty() ? "" : ", ") + quoted(name);
    }
    if (!names.empty()) line(std::string(key) + " = [" + names + "]");
  }

  void write_admin() {
    line("\n[admin]");
    write_admin_list("admin_users");
    write_admin_list("stats_users");
    duration("stats_period", "stats_period", "");
  }

  void write_limits() {
    line("\n[limits]");
    line("max_clients = " + main("max_client_conn", "100"));
    duration("client_login_timeout", "login_timeout", "\"600s\"");
    duration("query_wait_timeout", "pool_timeout", "\"1d\"");
    duration("client_idle_timeout", "idle_timeout", "0");
    duration("server_idle_timeout", "server_idle_timeout", "0");
    duration("server_lifetime", "server_lifetime", "0");
    duration("server_login_retry", "server_login_retry", "");
    duration("query_timeout", "query_timeout", "0");
    duration("transaction_timeout", "transaction_timeout", "0");
    duration("idle_transaction_timeout", "idle_transaction_timeout", "0");
    duration("reserve_pool_timeout", "reserve_pool_timeout", "0");
    duration("query_wait_notify", "query_wait_notify", "0");
    for (const char* key : {"max_db_connections", "max_user_connections",
                            "max_db_client_connections", "max_user_client_connections"}) {
      number(key, key);
    }
  }

  void write_log() {
    const bool verbose = has("verbose") && main("verbose") != "0";
    if (!has("logfile") && !verbose) return;
    line("\n[log]");
    if (has("logfile")) line("file = " + quoted(main("logfile")));
    if (verbose) line("level = \"debug\"");
  }

  const std::vector<ListedUser>& users_;
  std::map<std::string, Values> user_limits_;  ///< of [users]
  Values main_;
  std::vector<ForeignDatabase> databases_;
  std::vector<Servers> clusters_;
  std::vector<std::string> cluster_names_;  ///< of databases_, one each
  std::set<std::string> names_;             ///< of users taken over
  std::string address_;
  bool trust_ = false;
  Translation out_;
};

}  // namespace

Result<Translation> translate(const std::vector<IniEntry>& entries,
                              const std::vector<ListedUser>& users) {
  return Translator(users).run(entries);
}

}  // namespace postern::app
