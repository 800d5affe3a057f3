// Rows of routing, cache, audit, metrics and logs, and the roots of the files.
#include "config/key.hpp"

namespace postern::config {
namespace {

using enum Reload;
using enum Need;

constexpr std::string_view kRoutes[] = {"default", "primary", "replica", "auto"};
constexpr std::string_view kAuditModes[] = {"strict", "strict-write", "batch", "async"};
constexpr std::string_view kFailures[] = {"block", "deny", "read-only", "continue-and-count"};
constexpr std::string_view kLevels[] = {"debug", "info", "warning", "error"};
constexpr std::string_view kFormats[] = {"text", "json"};

constexpr std::uint64_t kKiB = 1u << 10;
constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40;
constexpr Millis kHour{3'600'000};
constexpr std::int64_t kMaxInstance = 65'535;

}  // namespace

KeyRows keys_of(RoutingOptions& o) {
  return {
      {"enabled", FlagKey{&o.enabled}, kYes, "false is as if the section were absent"},
      {"route", choice(o.route, kRoutes), kYes, "where reads go in databases that do not say"},
      {"max_wait", DurationKey{&o.max_wait, Millis(0), Millis(60'000)}, kYes,
       "wait for a replica to replay the session's last write before the primary is asked"},
      {"poll_interval", DurationKey{&o.poll_interval, Millis(10), Millis(60'000)}, kYes,
       "time between probes of roles and positions"},
      {"lag_bytes", SizeKey{&o.lag_bytes, 0, kTiB}, kYes,
       "a replica further behind the primary gets no reads"},
  };
}

KeyRows keys_of(CacheRule& o) {
  return {
      {"tables", TextsKey{&o.tables}, kYes,
       "every table read must match one of these \"schema.table\" globs"},
      {"statement", TextKey{&o.statement, 16u << 10}, kYes, "glob over the statement's text"},
      {"login", TextKey{&o.login, 63}, kYes, "only for this login"},
      {"ttl", DurationKey{&o.ttl, Millis(0), 24 * kHour}, kYes, "0 is the ttl of [cache]"},
  };
}

KeyRows keys_of(CacheOptions& o) {
  return {
      {"enabled", FlagKey{&o.enabled}, kNo, "false is as if the section were absent"},
      {"redis", HostPortKey{&o.redis}, kNo, "\"host:port\"; absent is a cache in this process"},
      {"redis_password", SecretKey{&o.redis_password}, kNo, "password of Redis"},
      {"redis_password_file", SecretFileKey{&o.redis_password}, kNo,
       "file with the password of Redis"},
      {"ttl", DurationKey{&o.ttl, Millis(1), 24 * kHour}, kYes, "longest life of an entry"},
      {"max_entry_bytes", SizeKey{&o.max_entry_bytes, kKiB, 64 * kMiB}, kNo,
       "larger answers are not kept"},
      {"max_bytes", SizeKey{&o.max_bytes, kKiB, kTiB}, kNo, "memory of the cache in this process"},
      {"rule", list(o.rules), kYes,
       "what may be cached: a statement that matches every key of one rule"},
  };
}

KeyRows keys_of(AuditOptions& o) {
  return {
      {"dir", PathKey{&o.dir}, kNo, "folder of the log", kRequired},
      {"anchor_file", PathKey{&o.anchor_file}, kNo,
       "file on another mount that makes truncation and rollback visible"},
      {"key_file", PathKey{&o.key_file}, kNo, "signing key of the log", kRequired},
      {"mode", choice(o.mode, kAuditModes), kYes, "what must be on disk before an answer leaves"},
      {"pii_mode", choice(o.pii_mode, kAuditModes), kYes,
       "the same for statements that touch protected columns"},
      {"flush_interval", DurationKey{&o.flush_interval, Millis(1), Millis(1'000)}, kNo,
       "longest time a batch stays off the disk"},
      {"segment_bytes", SizeKey{&o.segment_bytes, 128 * kKiB, 4096 * kMiB}, kNo,
       "size at which a new segment file begins"},
      {"on_failure", choice(o.on_failure, kFailures), kYes,
       "what happens to statements while the log cannot be written"},
  };
}

KeyRows keys_of(MetricsOptions& o) {
  return {
      {"address", TextKey{&o.address}, kNo, "address of /metrics, /healthz and /readyz"},
      {"port", NumberKey{&o.port, 0, 65'535}, kNo, "TCP port; 0 takes any free one"},
  };
}

KeyRows keys_of(PeerOptions& o) {
  return {
      {"id", NumberKey{&o.id, 1, kMaxInstance}, kNo, "its peers.id; the own one is passed over",
       kRequired},
      {"address", HostPortKey{&o.address, true}, kNo, "its peers.listen as seen from here",
       kRequired},
  };
}

KeyRows keys_of(PeersOptions& o) {
  return {
      {"id", NumberKey{&o.id, 1, kMaxInstance}, kNo, "of this instance, unlike that of any other",
       kRequired},
      {"listen", HostPortKey{&o.listen, true}, kNo,
       "where peers connect: \"host:port\", or \"/folder:port\" for a unix socket", kRequired},
      {"secret_file", PathKey{&o.secret_file}, kNo,
       "64 hexadecimal digits, mode 0600, the same for every instance", kRequired},
      {"peer", list(o.peers), kNo, "the instances, at most 16 besides this one"},
  };
}

KeyRows keys_of(AdminOptions& o) {
  return {
      {"console", FlagKey{&o.console}, kYes,
       "false: database \"postern\" is an ordinary name and nobody has a console"},
      {"admin_users", TextsKey{&o.admin_users}, kYes, "logins that may use every command"},
      {"stats_users", TextsKey{&o.stats_users}, kYes, "logins that may only look"},
      {"stats_period", DurationKey{&o.stats_period, Millis(1'000), kHour}, kYes,
       "the console's averages cover one to two periods"},
  };
}

KeyRows keys_of(LogOptions& o) {
  return {
      {"level", choice(o.level, kLevels), kYes, "least level written"},
      {"format", choice(o.format, kFormats), kNo, "lines for people or for machines"},
      {"file", PathKey{&o.file}, kNo, "absent is standard error"},
  };
}

KeyRows keys_of(Config& c) {
  return {
      {"include", IncludeKey{}, kYes, "further files, read as if they stood here"},
      {"listen", section(c.listen), kNo, "where clients connect"},
      {"cluster", sections(c.clusters), kYes, "servers that hold the same data"},
      {"database", sections(c.databases), kYes,
       "a database as clients name it; \"*\" is every other name"},
      {"auth", section(c.auth), kNo, "how clients prove who they are"},
      {"identity", section(c.identity), kYes, "where a session's tenant comes from"},
      {"service", section(c.service), kNo, "Postern's own login on the servers"},
      {"tenant", section(c.tenant), kNo, "separation of tenants; absent: none"},
      {"table", list(c.tables), kYes, "tables that differ from [tenant]"},
      {"column", list(c.columns), kYes, "encrypted and masked columns"},
      {"keys", section(c.keys), kNo, "key store of the encrypted columns"},
      {"policy", section(c.policy), kYes, "how strictly protection is applied"},
      {"routing", section(c.routing), kYes, "reads on replicas; absent: everything on the primary"},
      {"cache", section(c.cache), kNo, "cached answers; absent: none"},
      {"audit", section(c.audit), kNo, "the access log; absent: none"},
      {"metrics", section(c.metrics), kNo, "listener for Prometheus; absent: none"},
      {"peers", section(c.peers), kNo,
       "instances behind one address, to pass cancel requests on to; absent: none"},
      {"admin", section(c.admin), kYes, "the console, database \"postern\""},
      {"limits", section(c.limits), kYes, "largest values still served"},
      {"log", section(c.log), kYes, "Postern's own log"},
      {"alerts", section(c.alerts), kNo, "violations told to a webhook"},
  };
}

KeyRows users_keys(Config& c) {
  return {{"user", sections(c.users), kYes, "a login"}};
}

}  // namespace postern::config
