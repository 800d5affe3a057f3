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

using Entry = UserDirectory::Table::Entry;

bool same_secret(const Entry& known, const config::UserOptions& options) {
  return known.options->scram.reveal() == options.scram.reveal() &&
         known.options->password.reveal() == options.password.reveal();
}

Result<Entry> make_entry(const std::string& name, const config::UserOptions& options, bool trust) {
  Entry entry;
  if (!trust) {
    POSTERN_ASSIGN(entry.secret, secret_of(name, options));
  }
  if (!options.password.empty()) {
    entry.password = std::make_shared<const Secret>(options.password.clone());
  }
  return entry;
}

}  // namespace

Result<std::shared_ptr<const UserDirectory::Table>> UserDirectory::prepare(
    const config::Config& config) const {
  const auto former = table_.load();
  auto table = std::make_shared<Table>();
  table->trust = config.auth.method == config::AuthMethod::kTrust;
  for (const auto& [name, options] : config.users) {
    Entry entry;
    const bool known = former != nullptr && former->entries.contains(name);
    if (known && same_secret(former->entries.at(name), options)) {
      entry = former->entries.at(name);
    } else {
      POSTERN_ASSIGN(entry, make_entry(name, options, table->trust));
    }
    entry.options = &options;
    table->entries.emplace(name, std::move(entry));
  }
  return std::shared_ptr<const Table>(std::move(table));
}

Status UserDirectory::open(const config::Config& config) {
  POSTERN_ASSIGN(auto table, prepare(config));
  adopt(std::move(table));
  return ok();
}

protocol::UserAnswer UserDirectory::answer(const std::string& user) const {
  const auto table = table_.load();
  if (table->trust) return protocol::TrustUser{};
  const auto it = table->entries.find(user);
  if (it == table->entries.end()) return protocol::UnknownUser{};
  return protocol::KnownUser{it->second.secret};
}

const config::UserOptions& UserDirectory::options(const std::string& user) const {
  const auto table = table_.load();
  const auto it = table->entries.find(user);
  return it == table->entries.end() ? stranger_ : *it->second.options;
}

std::shared_ptr<const Secret> UserDirectory::password(const std::string& user) const {
  const auto table = table_.load();
  const auto it = table->entries.find(user);
  return it == table->entries.end() ? nullptr : it->second.password;
}

}  // namespace postern::proxy
