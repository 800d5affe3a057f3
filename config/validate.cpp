#include "config/validate.hpp"

#include <algorithm>
#include <set>

#include "config/findings.hpp"

namespace postern::config {
namespace {

/// The longest written prefix of a dotted path.
Where nearest_origin(const Config& config, std::string path) {
  for (;;) {
    const auto it = config.origins.find(path);
    if (it != config.origins.end()) return it->second;
    const std::size_t dot = path.find_last_of(".[");
    if (dot == std::string::npos) return {config.file, 1};
    path.resize(dot);
  }
}

bool lies_in(const std::string& file, const std::string& dir) {
  return file.size() > dir.size() && file.starts_with(dir) &&
         (dir.ends_with('/') || file[dir.size()] == '/');
}

void validate_audit(Findings& findings) {
  const auto& audit = findings.config().audit;
  if (!audit) return;
  if (!audit->anchor_file.empty() && lies_in(audit->anchor_file.path, audit->dir.path)) {
    findings.conflict("audit.anchor_file", "lies inside audit.dir, where it proves nothing");
  }
  if (!audit->key_file.empty() && lies_in(audit->key_file.path, audit->dir.path)) {
    findings.conflict("audit.key_file", "lies inside audit.dir: log and key would leave together");
  }
}

void validate_cache(Findings& findings) {
  const auto& cache = findings.config().cache;
  if (!cache) return;
  if (cache->max_entry_bytes.bytes > cache->max_bytes.bytes) {
    findings.conflict("cache.max_entry_bytes", "is larger than cache.max_bytes");
  }
  if (!cache->redis_password.empty() && cache->redis.empty()) {
    findings.conflict("cache.redis_password", "is given without cache.redis");
  }
  for (std::size_t i = 0; i < cache->rules.size(); ++i) {
    const CacheRule& rule = cache->rules[i];
    if (!rule.tables.empty() || !rule.statement.empty() || !rule.login.empty()) continue;
    findings.missing("cache.rule[" + std::to_string(i) + "]",
                     "names neither tables nor statement nor login");
  }
}

void validate_limits(Findings& findings) {
  const LimitsOptions& limits = findings.config().limits;
  if (limits.query_bytes.bytes > limits.message_bytes.bytes) {
    findings.conflict("limits.query_bytes", "is larger than limits.message_bytes");
  }
  if (limits.encrypted_value_bytes.bytes > limits.message_bytes.bytes) {
    findings.conflict("limits.encrypted_value_bytes", "is larger than limits.message_bytes");
  }
}

void validate_admin_list(Findings& findings, const std::string& path,
                         const std::vector<std::string>& logins) {
  const Config& config = findings.config();
  if (config.auth.method == AuthMethod::kTrust) return;  // anybody may be a login
  for (const std::string& login : logins) {
    if (config.users.contains(login)) continue;
    findings.conflict(path, "there is no [user." + login + "] in auth.users_file");
  }
}

void validate_admin(Findings& findings) {
  const Config& config = findings.config();
  validate_admin_list(findings, "admin.admin_users", config.admin.admin_users);
  validate_admin_list(findings, "admin.stats_users", config.admin.stats_users);
  if (config.admin.console && config.databases.contains(kConsoleDatabase)) {
    findings.conflict("database." + std::string(kConsoleDatabase),
                      "is the console's name: take another, or set admin.console = false");
  }
}

// With SO_REUSEPORT, clients and peers would get each other's connections.
bool is_clients_place(const ListenOptions& listen, const HostPort& place) {
  if (place.port != listen.port) return false;
  return !place.is_unix() || place.host == listen.unix_socket_dir;
}

void validate_peers(Findings& findings) {
  const auto& peers = findings.config().peers;
  if (!peers) return;
  if (is_clients_place(findings.config().listen, peers->listen)) {
    findings.conflict("peers.listen", "is the port of [listen]");
  }
  std::set<std::uint16_t> ids;
  std::vector<HostPort> places{peers->listen};
  for (std::size_t i = 0; i < peers->peers.size(); ++i) {
    const PeerOptions& peer = peers->peers[i];
    const std::string path = "peers.peer[" + std::to_string(i) + "]";
    if (!ids.insert(peer.id).second) findings.conflict(path + ".id", "stands twice");
    if (peer.id == peers->id) continue;
    if (std::find(places.begin(), places.end(), peer.address) != places.end()) {
      findings.conflict(path + ".address", "is that of another instance");
    }
    places.push_back(peer.address);
  }
  if (places.size() == 1) findings.missing("peers.peer", "names no other instance");
  if (places.size() - 1 > PeersOptions::kMaxPeers) {
    findings.conflict("peers.peer", "names more than " + std::to_string(PeersOptions::kMaxPeers) +
                                        " other instances");
  }
}

}  // namespace

void Findings::add(Pst code, const std::string& path, std::string_view reason) {
  const Where where = nearest_origin(config_, path);
  errors_.push_back(make_error(code, where.text() + ": " + path + ": " + std::string(reason)));
}

void validate_services(Findings& findings) {
  const Config& config = findings.config();
  validate_audit(findings);
  validate_cache(findings);
  validate_limits(findings);
  validate_admin(findings);
  validate_peers(findings);
  const bool protects = config.tenant || !config.tables.empty() || !config.columns.empty();
  if (!config.service && (protects || config.routing || config.cache)) {
    const std::string reason = "[service] is needed to load catalogs and probe positions";
    const std::string_view blame = protects         ? (config.tenant            ? "tenant"
                                                       : !config.tables.empty() ? "table[0]"
                                                                                : "column[0]")
                                   : config.routing ? "routing"
                                                    : "cache";
    findings.missing(std::string(blame), reason);
  }
  const bool same_port = config.metrics && config.metrics->port != 0 &&
                         config.metrics->port == config.listen.port &&
                         config.metrics->address == config.listen.address;
  if (same_port) findings.conflict("metrics.port", "is the port of [listen]");
}

std::vector<Error> validate(const Config& config) {
  Findings findings(config);
  validate_network(findings);
  validate_logins(findings);
  validate_identity(findings);
  validate_protection(findings);
  validate_policy(findings);
  validate_services(findings);
  return findings.take();
}

bool is_loopback(std::string_view address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

}  // namespace postern::config
