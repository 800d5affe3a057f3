// What SHOW commands tell, as plain values gathered from the workers before a table is made of
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/runtime/refusals.hpp"
#include "proxy/session/statistics.hpp"

namespace postern::proxy::console {

/// One connection, of a client or to a server. Times are microseconds since 1970; 0: none.
struct SocketRow {
  bool server = false;
  std::string user;
  std::string database;
  std::string state;    ///< active, idle, waiting, login
  std::string address;  ///< the peer's, host:port
  std::int64_t connected_us = 0;
  std::int64_t request_us = 0;
  std::int64_t wait_us = 0;  ///< waiting for a server so far
  std::uint64_t id = 0;      ///< of the session, also for the servers it holds
  std::uint32_t remote_pid = 0;
  std::string tls;  ///< protocol version; empty: plain
  std::string application;
  std::size_t prepared = 0;
  std::string tenant;
  std::string profile;
  std::size_t worker = 0;
  bool close_needed = false;  ///< a server that is replaced once it is free
  bool busy = false;          ///< a request is under way
  bool replica = false;       ///< server connections: a borrowed reading one
  std::string pinned_by;      ///< what keeps client and server together between transactions
};

/// A server connection that stays with its session, whoever lists it.
struct PinnedServer {
  std::uint64_t session = 0;
  std::uint32_t backend_pid = 0;
  std::string by;
};

struct PreparedRow {
  std::uint64_t id = 0;
  std::string user;
  std::string database;
  std::string name;
  std::size_t bytes = 0;  ///< of the text; the text itself may hold values
  std::string server_name;
};

struct PoolRow {
  std::string node;
  std::string database;
  std::string user;
  std::string mode;
  std::size_t size = 0;
  std::size_t cl_active = 0;
  std::size_t cl_waiting = 0;
  std::size_t sv_active = 0;
  std::size_t sv_idle = 0;
  std::size_t sv_used = 0;
  std::size_t sv_login = 0;
  std::int64_t maxwait_us = -1;  ///< of the longest waiter; -1: not known, the clients tell it
};

struct DatabaseRow {
  std::string name;
  std::string host;
  std::uint16_t port = 0;
  std::string upstream;
  std::string user;
  std::uint32_t pool_size = 0;
  std::string mode;
  std::string cluster;
  bool is_protected = false;
  bool paused = false;
  bool disabled = false;
};

struct UserRow {
  std::string name;
  std::string profile;
  std::string tenant;
  std::string console;  ///< admin, stats or empty
};

struct NodeRow {
  std::string cluster;
  std::string host;
  std::string node;  ///< host:port
  std::string role;
  std::uint32_t timeline = 0;
  std::uint64_t position = 0;
  std::int64_t probed_ms = -1;  ///< age of the last answer; -1: never
};

struct ProtectionRow {
  std::string database;
  bool is_protected = false;
  bool loaded = false;
  std::string mode;
  std::uint64_t epoch = 0;
  std::string blocked;  ///< code; empty: not blocked
  std::string reason;
};

struct ConfigRow {
  std::string key;
  std::string value;
  std::string preset;
  bool changeable = false;
};

/// Parts that have to be asked for, because they cost a visit to every worker.
enum class Visit : std::uint8_t {
  kNone,
  kSessions,    ///< of clients and servers
  kStatements,  ///< what each client has prepared
};

struct Snapshot {
  std::int64_t now_us = 0;  ///< microseconds since 1970
  std::string listen_address;
  std::uint16_t listen_port = 0;
  std::vector<SocketRow> clients;
  std::vector<SocketRow> servers;
  std::vector<PinnedServer> pinned;
  std::vector<PreparedRow> prepared;
  std::vector<PoolRow> pools;
  std::vector<DatabaseRow> databases;
  std::vector<UserRow> users;
  std::vector<NodeRow> nodes;
  std::vector<ProtectionRow> protection;
  std::vector<RefusalSum> refusals;
  std::vector<ConfigRow> config;
  std::vector<DatabaseStats> stats;
  std::vector<std::pair<std::string, std::int64_t>> cache;
  std::vector<std::pair<std::string, std::string>> audit;
  std::vector<std::pair<std::string, std::int64_t>> memory;  ///< bytes
  std::size_t peers = 0;  ///< instances of [peers], this one among them
  bool paused = false;
  bool stopping = false;
};

}  // namespace postern::proxy::console
