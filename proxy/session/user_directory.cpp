#include "proxy/session/user_directory.hpp"

#include <utility>

#include "base/codes/auth.hpp"
#include "crypto/init.hpp"
#include "proxy/session/scram_primitives.hpp"

namespace postern::proxy {

namespace {

using Entry = UserDirectory::Table::Entry;

bool same_secret(const Entry& known, const config::UserOptions& options) {
  return known.options->scram.reveal() == options.scram.reveal() &&
         known.options->password.reveal() == options.password.reveal();
}

Result<Entry> make_entry(const std::string& name, const config::UserOptions& options) {
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

}  // namespace

Result<std::shared_ptr<const UserDirectory::Table>> UserDirectory::prepare(
    const config::Config& config) const {
  const auto former = table_.load();
  auto table = std::make_shared<Table>();
  for (const auto& [name, options] : config.users) {
    const bool known = former != nullptr && former->entries.contains(name);
    if (known && same_secret(former->entries.at(name), options)) {
      const Entry& old = former->entries.at(name);
      table->entries.emplace(name, Entry{&options, old.scram, old.md5.clone(), old.password});
      continue;
    }
    POSTERN_ASSIGN(Entry entry, make_entry(name, options));
    table->entries.emplace(name, std::move(entry));
  }
  return std::shared_ptr<const Table>(std::move(table));
}

Status UserDirectory::open(const config::Config& config) {
  POSTERN_ASSIGN(auto table, prepare(config));
  adopt(std::move(table));
  return ok();
}

bool UserDirectory::lists(const std::string& user) const {
  return table_.load()->entries.contains(user);
}

std::optional<protocol::StoredPassword> UserDirectory::stored(const std::string& user) const {
  const auto table = table_.load();
  const auto it = table->entries.find(user);
  if (it == table->entries.end() || !it->second.scram) return std::nullopt;
  return protocol::StoredPassword{it->second.scram, it->second.md5.clone()};
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
