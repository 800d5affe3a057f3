// Options of routing, cache, audit, metrics and logs. An absent section is off: Config holds these
// as std::optional.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/options_net.hpp"

namespace postern::config {

enum class AuditMode : std::uint8_t { kStrict, kStrictWrite, kBatch, kAsync };
enum class AuditFailure : std::uint8_t { kBlock, kDeny, kReadOnly, kContinueAndCount };
enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t { kText, kJson };

/// [routing]: reads on replicas.
struct RoutingOptions {
  bool enabled = true;
  RouteDefault route = RouteDefault::kAuto;  ///< of databases whose section names none
  Millis max_wait{20};                 ///< wait for a replica to replay the session's last write
  Millis poll_interval{500};           ///< role and position probes
  ByteSize lag_bytes = mebibytes(16);  ///< a replica further behind gets no reads
};

/// [[cache.rule]]: a statement is cached where every field given matches.
struct CacheRule {
  std::vector<std::string> tables;  ///< "schema.table" globs; all base tables must match
  std::string statement;            ///< glob over the statement's text; empty = any
  std::string login;                ///< login name; empty = any
  Millis ttl{0};                    ///< 0 = the ttl of [cache]
};

/// [cache]
struct CacheOptions {
  bool enabled = true;
  HostPort redis;  ///< empty: kept in this process
  Secret redis_password;
  Millis ttl{60'000};
  ByteSize max_entry_bytes = mebibytes(1);
  ByteSize max_bytes = mebibytes(64);  ///< of the in-process store
  std::vector<CacheRule> rules;        ///< none: nothing is cached
};

/// [audit]
struct AuditOptions {
  FilePath dir;
  FilePath anchor_file;  ///< on another mount; empty: truncation and rollback stay invisible
  FilePath key_file;     ///< the log's signing key
  AuditMode mode = AuditMode::kBatch;
  AuditMode pii_mode = AuditMode::kStrictWrite;  ///< of statements that touch protected columns
  Millis flush_interval{20};
  ByteSize segment_bytes = mebibytes(64);
  AuditFailure on_failure = AuditFailure::kBlock;
};

/// [metrics]: the listener of /metrics and /health.
struct MetricsOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 9632;  ///< 0 = any free port
};

/// One [[peers.peer]]. `id` may be this instance's own: the entry is ignored then.
struct PeerOptions {
  std::uint16_t id = 0;
  HostPort address;  ///< its peers.listen
};

/// [peers]: other instances behind the same address, to which cancel requests are passed on.
struct PeersOptions {
  static constexpr std::size_t kMaxPeers = 16;  ///< besides this instance

  std::uint16_t id = 0;  ///< of this instance
  HostPort listen;
  FilePath secret_file;
  std::vector<PeerOptions> peers;
};

/// The name of the console's database; no [database.NAME] may take it while the console is on.
inline constexpr std::string_view kConsoleDatabase = "postern";

/// [admin]: the console. Logins not listed have no business there.
struct AdminOptions {
  bool console = true;
  std::vector<std::string> admin_users;  ///< may do everything
  std::vector<std::string> stats_users;  ///< may look at what names no other login's secrets
  Millis stats_period{60'000};           ///< averages cover one to two of it
};

/// [log]
struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  FilePath file;  ///< empty: standard error
};

}  // namespace postern::config
