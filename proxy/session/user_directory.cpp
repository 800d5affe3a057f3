#include "proxy/session/user_directory.hpp"

#include <utility>

#include "base/codes/auth.hpp"
#include "crypto/init.hpp"
#include "proxy/session/scram_primitives.hpp"

namespace postern::proxy {

Result<UserDirectory::Entry> UserDirectory::make_entry(const std::string& name,
                                                       const config::UserOptions& options) {
  Entry entry;
  entry.options = &options;
  if (!options.scram.empty()) {
    auto secret = protocol::ScramSecret::parse(options.scram.reveal());
    if (!secret) return make_error(pst::kBadScramSecret, "user " + name);
    entry.scram = std::move(*secret);
  }
  if (options.password.empty()) return entry;
  entry.password = std::make_shared<const Secret>(options.password.clone());
  const ByteView password = options.password.reveal();
  const Bytes salt = crypto::random_bytes(protocol::kScramSaltBytes);
  POSTERN_ASSIGN(entry.scram, protocol::build_scram_secret(scram_primitives(), password, salt));
  // Where md5 is not available (FIPS), nobody logs in by it.
  Result<Secret> md5 = protocol::md5_hash(md5_primitive, password, name);
  if (md5) entry.md5 = std::move(*md5);
  return entry;
}

Status UserDirectory::open(const config::Config& config) {
  for (const auto& [name, options] : config.users) {
    POSTERN_ASSIGN(Entry entry, make_entry(name, options));
    entries_.emplace(name, std::move(entry));
  }
  return ok();
}

std::optional<protocol::StoredPassword> UserDirectory::stored(const std::string& user) const {
  const auto it = entries_.find(user);
  if (it == entries_.end() || !it->second.scram) return std::nullopt;
  return protocol::StoredPassword{it->second.scram, it->second.md5.clone()};
}

const config::UserOptions& UserDirectory::options(const std::string& user) const {
  const auto it = entries_.find(user);
  return it == entries_.end() ? stranger_ : *it->second.options;
}

std::shared_ptr<const Secret> UserDirectory::password(const std::string& user) const {
  const auto it = entries_.find(user);
  return it == entries_.end() ? nullptr : it->second.password;
}

}  // namespace postern::proxy
