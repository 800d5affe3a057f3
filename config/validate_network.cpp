// Rules of listeners, clusters and databases.
#include <algorithm>

#include "base/codes/config.hpp"
#include "config/address_range.hpp"
#include "config/findings.hpp"
#include "config/validate.hpp"

namespace postern::config {
namespace {

void validate_listen_tls(Findings& findings) {
  const ListenTlsOptions& tls = findings.config().listen.tls;
  if (tls.mode == ClientTlsMode::kDisable) {
    if (!tls.client_ca_file.empty()) {
      findings.conflict("listen.tls.client_ca_file", "needs mode \"allow\" or \"require\"");
    }
    return;
  }
  if (tls.cert_file.empty()) findings.missing("listen.tls.cert_file", "TLS needs a certificate");
  if (tls.key_file.empty()) findings.missing("listen.tls.key_file", "TLS needs a private key");
}

bool is_mode(const std::string& text) {
  const bool octal =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '7'; });
  return octal && (text.size() == 3 || (text.size() == 4 && text.front() == '0'));
}

void validate_sockets(Findings& findings) {
  const ListenOptions& listen = findings.config().listen;
  const std::string& dir = listen.unix_socket_dir;
  const bool bare = dir == "@" || (!dir.empty() && dir.front() != '/' && dir.front() != '@');
  if (bare)
    findings.conflict("listen.unix_socket_dir", "is neither an absolute path nor \"@NAME\"");
  if (!is_mode(listen.unix_socket_mode)) {
    findings.add(pst::kConfigBadValue, "listen.unix_socket_mode", "is not octal, as \"0770\"");
  }
  for (const std::string& network : listen.proxy_protocol_from) {
    if (AddressRange::parse(network)) continue;
    findings.add(pst::kConfigBadValue, "listen.proxy_protocol_from",
                 "\"" + network + "\" is not a network, as \"10.0.0.0/8\"");
  }
}

void validate_upstream_tls(Findings& findings, const std::string& name, UpstreamTlsOptions tls) {
  const std::string path = "cluster." + name + ".tls.ca_file";
  const bool verifies =
      tls.mode == UpstreamTlsMode::kVerifyCa || tls.mode == UpstreamTlsMode::kVerifyFull;
  if (verifies && tls.ca_file.empty()) findings.missing(path, "this mode verifies against it");
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    findings.conflict(
        "cluster." + name + (tls.cert_file.empty() ? ".tls.key_file" : ".tls.cert_file"),
        "certificate and key are given together or not at all");
  }
  if (!verifies && !tls.ca_file.empty()) {
    findings.conflict(path, "is used with mode \"verify-ca\" or \"verify-full\" only");
  }
}

void validate_database(Findings& findings, const std::string& name, const DatabaseOptions& db) {
  const Config& config = findings.config();
  const std::string path = "database." + name;
  if (!db.cluster.empty() && !config.clusters.contains(db.cluster)) {
    findings.conflict(path + ".cluster", "there is no [cluster." + db.cluster + "]");
  }
  if (db.route == RouteDefault::kAuto && !config.routing) {
    findings.conflict(path + ".route", "needs [routing]");
  }
  if (db.route == RouteDefault::kReplica) {
    findings.add(pst::kConfigNotHandled, path + ".route",
                 "\"replica\" is not served yet: \"auto\" reads from replicas");
  }
  if (db.min_pool_size > db.pool_size) {
    findings.conflict(path + ".min_pool_size", "is more than pool_size");
  }
  if (!db.password.empty() && db.user.empty()) {
    findings.conflict(path + ".password", "is given without user");
  }
}

}  // namespace

void validate_network(Findings& findings) {
  const Config& config = findings.config();
  if (config.listen.address.empty()) findings.conflict("listen.address", "is empty");
  validate_listen_tls(findings);
  validate_sockets(findings);
  if (config.clusters.empty()) findings.missing("cluster", "there is no [cluster.NAME]");
  if (config.databases.empty()) findings.missing("database", "there is no [database.NAME]");
  for (const auto& [name, cluster] : config.clusters) {
    validate_upstream_tls(findings, name, cluster.tls);
  }
  for (const auto& [name, database] : config.databases) {
    validate_database(findings, name, database);
  }
}

}  // namespace postern::config
