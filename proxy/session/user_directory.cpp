#include "proxy/session/user_directory.hpp"

#include <utility>

#include "base/codes/auth.hpp"
#include "crypto/init.hpp"
#include "proxy/session/scram_primitives.hpp"

namespace postern::proxy {
namespace {

Result<protocol::ScramSecret> secret_of(const std::string& name,
                                        const config::UserOptions& options) {
  if (!options.scram.empty()) {
    auto secret = protocol::ScramSecret::parse(options.scram.reveal());
    if (!secret) return make_error(pst::kBadScramSecret, "user " + name);
    return secret;
  }
  const Bytes salt = crypto::random_bytes(protocol::kScramSaltBytes);
  return protocol::build_scram_secret(scram_primitives(), options.password.reveal(), salt);
}

}  // namespace

Status UserDirectory::open(const config::Config& config) {
  trust_ = config.auth.method == config::AuthMethod::kTrust;
  for (const auto& [name, options] : config.users) {
    Entry entry;
    entry.options = &options;
    if (!trust_) {
      POSTERN_ASSIGN(entry.secret, secret_of(name, options));
    }
    if (!options.password.empty()) {
      entry.password = std::make_shared<const Secret>(options.password.clone());
    }
    entries_.emplace(name, std::move(entry));
  }
  return ok();
}

protocol::UserAnswer UserDirectory::answer(const std::string& user) const {
  if (trust_) return protocol::TrustUser{};
  const auto it = entries_.find(user);
  if (it == entries_.end()) return protocol::UnknownUser{};
  return protocol::KnownUser{it->second.secret};
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
