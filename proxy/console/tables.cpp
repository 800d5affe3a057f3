#include "proxy/console/tables.hpp"

#include <algorithm>
#include <ctime>
#include <map>
#include <set>

#include "base/bytes.hpp"
#include "config/options_run.hpp"

namespace postern::proxy::console {
namespace {

constexpr std::int64_t kMicros = 1'000'000;

Cell number(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

// As PgBouncer writes times: 2026-01-31 09:30:00 UTC.
Cell time_text(std::int64_t micros) {
  if (micros <= 0) return std::string();
  const std::time_t seconds = micros / kMicros;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return std::string(text);
}

// "127.0.0.1:5432", "[::1]:5432", "unix".
std::pair<std::string, std::int64_t> split_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || text.starts_with("unix")) return {"unix", 0};
  std::string host = text.substr(0, colon);
  if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return {std::move(host), std::strtol(text.c_str() + colon + 1, nullptr, 10)};
}

std::string hex(std::uint64_t value) {
  Bytes bytes;
  append_be64(bytes, value);
  return to_hex(bytes);
}

Row socket_row(const SocketRow& from, const Snapshot& snapshot, bool prefixed) {
  const auto [host, port] = split_address(from.address);
  const std::string prefix = from.server ? "sv_" : "cl_";
  Row row;
  row.emplace_back(from.server ? "S" : "C");
  row.emplace_back(from.user.empty() ? "(nouser)" : from.user);
  row.emplace_back(from.database.empty() ? "(nodb)" : from.database);
  row.emplace_back("none");
  row.emplace_back(prefixed ? prefix + from.state : from.state);
  row.emplace_back(host);
  row.emplace_back(port);
  row.emplace_back(from.server ? "" : snapshot.listen_address);
  row.emplace_back(from.server ? std::int64_t{0} : std::int64_t{snapshot.listen_port});
  row.push_back(time_text(from.connected_us));
  row.push_back(time_text(from.request_us));
  row.emplace_back(from.wait_us / kMicros);
  row.emplace_back(from.wait_us % kMicros);
  row.push_back(number(from.close_needed ? 1 : 0));
  // Nobody's addresses in memory: the session's number says what belongs together.
  row.emplace_back((from.server ? "s" : "c") + hex(from.id));
  row.emplace_back(from.server ? "c" + hex(from.id) : std::string());
  row.push_back(number(from.remote_pid));
  row.emplace_back(from.tls);
  row.emplace_back(from.application);
  row.push_back(number(from.prepared));
  row.push_back(number(from.id));
  row.emplace_back(from.tenant);
  row.emplace_back(from.profile);
  row.push_back(number(from.worker));
  row.emplace_back(from.pinned_by);
  return row;
}

std::vector<Row> sockets(Verb verb, const Snapshot& snapshot) {
  std::vector<Row> rows;
  const bool both = verb == Verb::kShowSockets || verb == Verb::kShowActiveSockets;
  const auto add = [&](const std::vector<SocketRow>& from) {
    for (const SocketRow& socket : from) {
      const bool active = socket.busy || socket.state == "waiting";
      if (verb == Verb::kShowActiveSockets && !active) continue;
      rows.push_back(socket_row(socket, snapshot, both));
    }
  };
  if (both || verb == Verb::kShowClients) add(snapshot.clients);
  if (both || verb == Verb::kShowServers) add(snapshot.servers);
  return rows;
}

// The longest wait of a pool that does not tell it itself.
std::int64_t longest_wait(const Snapshot& snapshot, const PoolRow& pool) {
  if (pool.maxwait_us >= 0) return pool.maxwait_us;
  if (pool.cl_waiting == 0) return 0;
  std::int64_t longest = 0;
  for (const SocketRow& client : snapshot.clients) {
    if (client.database == pool.database) longest = std::max(longest, client.wait_us);
  }
  return longest;
}

std::vector<Row> pools(const Snapshot& snapshot) {
  const Cell none = std::int64_t{0};
  std::vector<Row> rows;
  for (const PoolRow& pool : snapshot.pools) {
    const std::int64_t wait = longest_wait(snapshot, pool);
    rows.push_back({pool.database, pool.user, number(pool.cl_active), number(pool.cl_waiting), none,
                    none, number(pool.sv_active), none, none, number(pool.sv_idle),
                    number(pool.sv_used), none, number(pool.sv_login), wait / kMicros,
                    wait % kMicros, pool.mode, Cell(), pool.node, number(pool.size)});
  }
  return rows;
}

std::uint64_t count_of(const std::vector<SocketRow>& sockets, std::string SocketRow::* field,
                       const std::string& value) {
  return static_cast<std::uint64_t>(
      std::count_if(sockets.begin(), sockets.end(),
                    [&](const SocketRow& socket) { return socket.*field == value; }));
}

std::vector<Row> databases(const Snapshot& snapshot) {
  std::vector<Row> rows;
  for (const DatabaseRow& from : snapshot.databases) {
    Row row{from.name, from.host, number(from.port), from.upstream};
    row.push_back(from.user.empty() ? Cell() : Cell(from.user));
    row.push_back(number(from.pool_size));
    for (int unused = 0; unused < 3; ++unused) row.emplace_back(std::int64_t{0});
    row.emplace_back(from.mode);
    row.emplace_back();
    row.emplace_back(std::int64_t{0});
    row.push_back(number(count_of(snapshot.servers, &SocketRow::database, from.name)));
    row.emplace_back(std::int64_t{0});
    row.push_back(number(count_of(snapshot.clients, &SocketRow::database, from.name)));
    row.push_back(number(from.paused ? 1 : 0));
    row.push_back(number(from.disabled ? 1 : 0));
    row.emplace_back(from.cluster);
    row.push_back(number(from.is_protected ? 1 : 0));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<Row> users(const Snapshot& snapshot) {
  std::vector<Row> rows;
  for (const UserRow& from : snapshot.users) {
    Row row{from.name, std::string(), std::string(), Cell(), std::int64_t{0}};
    row.push_back(number(count_of(snapshot.servers, &SocketRow::user, from.name)));
    row.emplace_back(std::int64_t{0});
    row.push_back(number(count_of(snapshot.clients, &SocketRow::user, from.name)));
    row.emplace_back(from.profile);
    row.emplace_back(from.tenant);
    row.emplace_back(from.console);
    rows.push_back(std::move(row));
  }
  return rows;
}

/// PgBouncer's part of the statistics; ours follow it in Stat.
constexpr std::size_t kPgbouncerStats = 11;

void append_stats(Row& row, const StatValues& values, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i) row.push_back(number(values[i]));
}

std::vector<Row> stats(Verb verb, const Snapshot& snapshot) {
  std::vector<Row> rows;
  for (const DatabaseStats& from : snapshot.stats) {
    Row row{from.database};
    if (verb == Verb::kShowStats) {
      append_stats(row, from.totals, 0, kPgbouncerStats);
      append_stats(row, from.averages, 0, kPgbouncerStats);
      append_stats(row, from.totals, kPgbouncerStats, kStats);
    } else {
      const bool totals = verb == Verb::kShowStatsTotals;
      append_stats(row, totals ? from.totals : from.averages, 0, kStats);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// One row a column of SHOW STATS, summed over the databases.
std::vector<Row> totals(const Snapshot& snapshot) {
  const std::vector<Row> each = stats(Verb::kShowStats, snapshot);
  const auto columns = columns_of(Verb::kShowStats);
  std::vector<Row> rows;
  for (std::size_t i = 1; i < columns.size(); ++i) {
    std::int64_t sum = 0;
    for (const Row& row : each) sum += std::get<std::int64_t>(row[i]);
    rows.push_back({std::string(columns[i].name), sum});
  }
  return rows;
}

std::vector<Row> lists(const Snapshot& snapshot) {
  std::set<std::string> hosts;
  for (const NodeRow& node : snapshot.nodes) hosts.insert(node.host);
  const std::uint64_t login = count_of(snapshot.clients, &SocketRow::state, "login");
  const std::uint64_t idle = count_of(snapshot.servers, &SocketRow::state, "idle");
  const std::pair<std::string_view, std::uint64_t> items[] = {
      {"databases", snapshot.databases.size()},
      {"users", snapshot.users.size()},
      {"peers", snapshot.peers},
      {"pools", snapshot.pools.size()},
      {"peer_pools", 0},
      {"free_clients", 0},
      {"used_clients", snapshot.clients.size()},
      {"login_clients", login},
      {"free_servers", idle},
      {"used_servers", snapshot.servers.size() - idle},
      {"dns_names", hosts.size()},
      {"dns_zones", 0},
      {"dns_queries", 0},
      {"dns_pending", 0},
  };
  std::vector<Row> rows;
  for (const auto& [name, count] : items) rows.push_back({std::string(name), number(count)});
  return rows;
}

std::vector<Row> config_rows(const Snapshot& snapshot) {
  std::vector<Row> rows;
  for (const ConfigRow& from : snapshot.config) {
    rows.push_back(
        {from.key, from.value, from.preset, std::string(from.changeable ? "yes" : "no")});
  }
  return rows;
}

std::vector<Row> memory(const Snapshot& snapshot) {
  std::vector<Row> rows;
  for (const auto& [name, bytes] : snapshot.memory) {
    rows.push_back({name, std::int64_t{1}, bytes, std::int64_t{0}, bytes});
  }
  return rows;
}

std::vector<Row> state(const Snapshot& snapshot) {
  const auto word = [](bool yes) { return std::string(yes ? "yes" : "no"); };
  return {{std::string("active"), word(!snapshot.paused && !snapshot.stopping)},
          {std::string("paused"), word(snapshot.paused)},
          {std::string("suspended"), word(false)},
          {std::string("stopping"), word(snapshot.stopping)}};
}

std::vector<Row> dns_hosts(const Snapshot& snapshot) {
  std::map<std::string, Row> hosts;
  for (const NodeRow& node : snapshot.nodes) {
    // Resolved anew for each connection: nothing is kept that could live.
    hosts[node.host] = {node.host, std::int64_t{0}, std::string()};
  }
  std::vector<Row> rows;
  for (auto& [host, row] : hosts) rows.push_back(std::move(row));
  return rows;
}

std::vector<Row> prepared(const Snapshot& snapshot) {
  std::vector<Row> rows;
  for (const PreparedRow& from : snapshot.prepared) {
    rows.push_back({number(from.id), from.user, from.database, from.name, number(from.bytes),
                    from.server_name});
  }
  return rows;
}

// As PostgreSQL writes positions: 0/16B3748.
std::string lsn(std::uint64_t position) {
  if (position == 0) return {};
  constexpr unsigned kHalf = 32;
  char text[24];
  std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(position >> kHalf),
                static_cast<unsigned>(position));
  return text;
}

std::vector<Row> routes(const Snapshot& snapshot) {
  std::vector<Row> rows;
  for (const NodeRow& node : snapshot.nodes) {
    rows.push_back({node.cluster, node.node, node.role, number(node.timeline), lsn(node.position),
                    node.probed_ms < 0 ? Cell() : Cell(node.probed_ms)});
  }
  return rows;
}

std::vector<Row> protection(const Snapshot& snapshot) {
  std::vector<Row> rows;
  for (const ProtectionRow& from : snapshot.protection) {
    const auto text = [](const std::string& value) { return value.empty() ? Cell() : Cell(value); };
    rows.push_back({from.database, number(from.is_protected ? 1 : 0), from.mode,
                    from.loaded ? number(from.epoch) : Cell(), text(from.blocked),
                    text(from.reason)});
  }
  return rows;
}

std::vector<Row> refused(const Snapshot& snapshot) {
  std::vector<Row> rows;
  for (const RefusalSum& sum : snapshot.refusals) {
    const RefusalGroup& group = sum.group;
    rows.push_back({group.database, group.login, group.application, group.code, group.rule,
                    group.fingerprint, std::string(group.observed ? "observed" : "refused"),
                    number(sum.count), time_text(sum.first_us), time_text(sum.last_us)});
  }
  return rows;
}

std::vector<Row> help() {
  constexpr std::string_view kWho[] = {"any role", "stats", "admin"};
  std::vector<Row> rows;
  for (const CommandRow& row : command_rows()) {
    rows.push_back({std::string(row.words), std::string(kWho[static_cast<int>(row.needs)]),
                    std::string(row.doc)});
  }
  return rows;
}

std::vector<Row> one(std::string text) {
  return {{std::move(text)}};
}

template <typename Value>
std::vector<Row> pairs(const std::vector<std::pair<std::string, Value>>& from) {
  std::vector<Row> rows;
  for (const auto& [key, value] : from) rows.push_back({key, value});
  return rows;
}

std::vector<Row> courtesy(Verb verb, std::string_view setting) {
  switch (verb) {
    case Verb::kShowVersion:
    case Verb::kSelectVersion:
    case Verb::kSelectCatalogVersion:
      return one("Postern " POSTERN_VERSION);
    case Verb::kSelectOne:
      return {{std::int64_t{1}}};
    case Verb::kSelectDatabase:
      return one(std::string(config::kConsoleDatabase));
    case Verb::kShowIsolation:
      return one("read committed");
    case Verb::kShowSetting:
      return one(std::string(setting_value(setting)));
    case Verb::kSelectUnlock:
      return one("");
    default:
      return {{Cell()}};  // current_schema() of a place without schemas
  }
}

}  // namespace

Visit visit_of(Verb verb) {
  switch (verb) {
    case Verb::kShowPools:
    case Verb::kShowClients:
    case Verb::kShowServers:
    case Verb::kShowSockets:
    case Verb::kShowActiveSockets:
    case Verb::kShowDatabases:
    case Verb::kShowUsers:
    case Verb::kShowLists:
      return Visit::kSessions;
    case Verb::kShowPrepared:
      return Visit::kStatements;
    default:
      return Visit::kNone;
  }
}

void mark_pinned(Snapshot& snapshot) {
  // By the process at the server: of a session's two servers only the primary's can be pinned.
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::string_view> by_server;
  for (const PinnedServer& pinned : snapshot.pinned) {
    by_server.emplace(std::pair(pinned.session, pinned.backend_pid), pinned.by);
  }
  for (SocketRow& server : snapshot.servers) {
    const auto found = by_server.find({server.id, server.remote_pid});
    if (found != by_server.end()) server.pinned_by = found->second;
  }
}

std::vector<Row> rows_of(Verb verb, const Snapshot& snapshot, std::string_view setting) {
  switch (verb) {
    case Verb::kShowHelp:
      return help();
    case Verb::kShowPools:
      return pools(snapshot);
    case Verb::kShowClients:
    case Verb::kShowServers:
    case Verb::kShowSockets:
    case Verb::kShowActiveSockets:
      return sockets(verb, snapshot);
    case Verb::kShowDatabases:
      return databases(snapshot);
    case Verb::kShowUsers:
      return users(snapshot);
    case Verb::kShowStats:
    case Verb::kShowStatsTotals:
    case Verb::kShowStatsAverages:
      return stats(verb, snapshot);
    case Verb::kShowTotals:
      return totals(snapshot);
    case Verb::kShowLists:
      return lists(snapshot);
    case Verb::kShowConfig:
      return config_rows(snapshot);
    case Verb::kShowMem:
      return memory(snapshot);
    case Verb::kShowState:
      return state(snapshot);
    case Verb::kShowDnsHosts:
      return dns_hosts(snapshot);
    case Verb::kShowPrepared:
      return prepared(snapshot);
    case Verb::kShowCache:
      return pairs(snapshot.cache);
    case Verb::kShowRoutes:
      return routes(snapshot);
    case Verb::kShowProtection:
      return protection(snapshot);
    case Verb::kShowRefusals:
      return refused(snapshot);
    case Verb::kShowAudit:
      return pairs(snapshot.audit);
    default:
      return courtesy(verb, setting);
  }
}

}  // namespace postern::proxy::console
