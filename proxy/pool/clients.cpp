#include "proxy/pool/clients.hpp"

#include "base/codes/pool.hpp"

namespace postern::proxy {

ClientTicket::~ClientTicket() {
  if (registry_ != nullptr) registry_->leave(id_);
}

Result<ClientTicket> ClientRegistry::admit(Entry entry) {
  const std::lock_guard lock(mutex_);
  if (const std::string* reason = refusal(entry.database)) {
    return make_error(pst::kDatabaseDisabled, *reason);
  }
  const auto reached = [](std::size_t limit, std::size_t used) {
    return limit != 0 && used >= limit;
  };
  if (reached(entry.database_limit, count(by_database_, entry.database))) {
    return make_error(pst::kTooManyDatabaseClients, "\"" + entry.database + "\"");
  }
  if (reached(entry.login_limit, count(by_login_, entry.login))) {
    return make_error(pst::kTooManyUserClients, "\"" + entry.login + "\"");
  }
  ++by_database_[entry.database];
  ++by_login_[entry.login];
  const std::uint64_t id = next_++;
  entries_.emplace(id, std::move(entry));
  return ClientTicket(this, id);
}

void ClientRegistry::leave(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(id);
  drop(by_database_, it->second.database);
  drop(by_login_, it->second.login);
  entries_.erase(it);
}

// Names come from clients: none stays behind.
void ClientRegistry::drop(Counts& counts, const std::string& name) {
  const auto it = counts.find(name);
  if (--it->second == 0) counts.erase(it);
}

std::size_t ClientRegistry::count(const Counts& counts, std::string_view name) {
  const auto it = counts.find(name);
  return it == counts.end() ? 0 : it->second;
}

const std::string* ClientRegistry::refusal(std::string_view database) const {
  auto it = disabled_.find(std::string_view());
  if (it == disabled_.end()) it = disabled_.find(database);
  return it == disabled_.end() ? nullptr : &it->second;
}

void ClientRegistry::disable(std::string_view database, std::string reason) {
  const std::lock_guard lock(mutex_);
  disabled_.insert_or_assign(std::string(database), std::move(reason));
}

void ClientRegistry::enable(std::string_view database) {
  const std::lock_guard lock(mutex_);
  if (database.empty()) {
    disabled_.clear();
    return;
  }
  const auto it = disabled_.find(database);
  if (it != disabled_.end()) disabled_.erase(it);
}

bool ClientRegistry::is_disabled(std::string_view database) const {
  const std::lock_guard lock(mutex_);
  return refusal(database) != nullptr;
}

std::size_t ClientRegistry::end(std::string_view database) {
  const std::lock_guard lock(mutex_);
  std::size_t told = 0;
  for (const auto& [id, entry] : entries_) {
    if (!database.empty() && entry.database != database) continue;
    if (entry.worker == nullptr || !entry.end) continue;
    entry.worker->post(entry.end);
    ++told;
  }
  return told;
}

std::size_t ClientRegistry::of_database(const std::string& database) const {
  const std::lock_guard lock(mutex_);
  return count(by_database_, database);
}

std::size_t ClientRegistry::of_login(const std::string& login) const {
  const std::lock_guard lock(mutex_);
  return count(by_login_, login);
}

}  // namespace postern::proxy
