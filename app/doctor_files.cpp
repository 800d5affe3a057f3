#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "app/audit_task.hpp"
#include "app/doctor.hpp"
#include "app/keys_task.hpp"
#include "config/guard_key.hpp"
#include "crypto/init.hpp"

namespace postern::app {
namespace {

using schema::Check;
using schema::Level;

void good(Checks& out, std::string where, std::string what, std::string found) {
  out.push_back({Level::kGood, std::move(where), std::move(what), std::move(found), "", ""});
}

std::string parent_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

void check_key_store(const config::Config& config, Checks& out) {
  if (!config.keys) return;
  const auto store = open_key_store(config);
  if (store) {
    return good(out, "key files", "key store",
                std::to_string(store->list().size() - 1) + " tenants, opens with its root key");
  }
  out.push_back({Level::kMissing, "key files", "key store", store.error().message(),
                 "encrypted columns can be neither read nor written",
                 exists(config.keys->file.path) ? std::string(store.error().effective_hint())
                                                : "postern keys init"});
}

void check_guard_key(const config::Config& config, Checks& out) {
  if (!config.tenant || config.tenant->guard_key_file.empty()) return;
  const std::string& path = config.tenant->guard_key_file.path;
  const auto key = config::load_guard_key(path);
  if (key) return good(out, "key files", "guard key", "kid " + config::guard_kid(key->reveal()));
  out.push_back({Level::kMissing, "key files", "guard key", key.error().message(),
                 "no tenant context can be signed",
                 exists(path) ? "chmod 600 " + path : "postern keys init"});
}

void check_peer_secret(const config::Config& config, Checks& out) {
  if (!config.peers) return;
  const std::string& path = config.peers->secret_file.path;
  const auto key = config::load_guard_key(path);
  if (key)
    return good(out, "key files", "peers' secret", "kid " + config::guard_kid(key->reveal()));
  out.push_back({Level::kMissing, "key files", "peers' secret", key.error().what,
                 "serve does not start",
                 exists(path) ? "chmod 600 " + path : "openssl rand -hex 32 > " + path});
}

void check_users_file(const config::Config& config, Checks& out) {
  const std::string& path = config.auth.users_file.path;
  struct stat info{};
  if (path.empty() || ::stat(path.c_str(), &info) != 0) return;
  if ((info.st_mode & 077) == 0) return good(out, "files", "users file", "only for its owner");
  out.push_back({Level::kWarning, "files", "users file", path + " is open to group or others",
                 "passwords or their verifiers can be read by other users of this host",
                 "chmod 600 " + path});
}

void check_log_folder(const config::AuditOptions& audit, Checks& out) {
  const std::string& dir = audit.dir.path;
  const std::string place = exists(dir) ? dir : parent_of(dir);
  if (::access(place.c_str(), W_OK | X_OK) == 0) {
    good(out, "audit", "folder", exists(dir) ? dir : "made at the first start");
  } else {
    out.push_back({Level::kMissing, "audit", "folder", place + " cannot be written",
                   "serve does not start, since nothing could be recorded",
                   "make the folder and give it to the user Postern runs as"});
  }
  if (!exists(audit.key_file.path)) {
    return good(out, "audit", "signing key", "made at the first start");
  }
  const auto key = read_log_key(audit.key_file.path);
  if (key) return good(out, "audit", "signing key", "of " + key->name);
  out.push_back({Level::kMissing, "audit", "signing key", key.error().message(),
                 "serve does not start", std::string(key.error().effective_hint())});
}

void check_anchor(const config::AuditOptions& audit, Checks& out) {
  if (audit.anchor_file.empty()) {
    out.push_back({Level::kWarning, "audit", "anchor", "no anchor_file",
                   "a cut tail or an older copy of the log cannot be told from the real one",
                   "set anchor_file on another mount"});
    return;
  }
  const auto existing = [](const std::string& path) {
    return exists(path) ? path : parent_of(path);
  };
  struct stat log{};
  struct stat anchor{};
  const bool known = ::stat(existing(audit.dir.path).c_str(), &log) == 0 &&
                     ::stat(parent_of(audit.anchor_file.path).c_str(), &anchor) == 0;
  if (!known || ::access(parent_of(audit.anchor_file.path).c_str(), W_OK | X_OK) != 0) {
    out.push_back({Level::kMissing, "audit", "anchor",
                   parent_of(audit.anchor_file.path) + " cannot be written",
                   "no anchor is kept outside the log", "make the folder writable"});
  } else if (log.st_dev == anchor.st_dev) {
    out.push_back({Level::kWarning, "audit", "anchor", "on the same mount as the log",
                   "who restores an old copy of the mount restores both",
                   "put anchor_file on another mount"});
  } else {
    good(out, "audit", "anchor", "on another mount");
  }
}

}  // namespace

void check_files(const config::Config& config, Checks& out) {
  (void)crypto::init();  // opening keys says what is wrong with it
  check_key_store(config, out);
  check_guard_key(config, out);
  check_peer_secret(config, out);
  check_users_file(config, out);
  if (!config.audit) return;
  check_log_folder(*config.audit, out);
  check_anchor(*config.audit, out);
}

}  // namespace postern::app
