// The logged-in clients of the process, counted by database and by login.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "proxy/net/worker.hpp"

namespace postern::proxy {

class ClientRegistry;

/// A client's place, for as long as it lives. Move-only; the registry outlives it.
class ClientTicket {
 public:
  ClientTicket() = default;
  ClientTicket(ClientTicket&& other) noexcept
      : registry_(std::exchange(other.registry_, nullptr)), id_(other.id_) {}
  ClientTicket& operator=(ClientTicket&& other) noexcept {
    std::swap(registry_, other.registry_);
    std::swap(id_, other.id_);
    return *this;
  }
  ~ClientTicket();

 private:
  friend class ClientRegistry;
  ClientTicket(ClientRegistry* registry, std::uint64_t id) : registry_(registry), id_(id) {}
  ClientRegistry* registry_ = nullptr;
  std::uint64_t id_ = 0;
};

/// Thread-safe.
class ClientRegistry {
 public:
  struct Entry {
    std::string database;  ///< as clients name it
    std::string login;
    std::size_t database_limit = 0;  ///< 0 = none
    std::size_t login_limit = 0;     ///< 0 = none
    /// How to end the session: `end` runs on `worker`. It must not keep the session alive, and
    /// does nothing once the session is gone.
    Worker* worker = nullptr;
    std::function<void()> end;
  };

  ClientRegistry() = default;
  ClientRegistry(const ClientRegistry&) = delete;
  ClientRegistry& operator=(const ClientRegistry&) = delete;

  /// Called at login, once database and login are known. kTooManyDatabaseClients,
  /// kTooManyUserClients, kDatabaseDisabled.
  Result<ClientTicket> admit(Entry entry);

  /// New clients of the database are refused with the reason given; those connected stay. Empty
  /// `database`: all.
  void disable(std::string_view database, std::string reason);
  void enable(std::string_view database);
  [[nodiscard]] bool is_disabled(std::string_view database) const;

  /// Tells every session of the database to end; empty: of all. The number told.
  std::size_t end(std::string_view database);

  [[nodiscard]] std::size_t of_database(const std::string& database) const;
  [[nodiscard]] std::size_t of_login(const std::string& login) const;

 private:
  friend class ClientTicket;
  using Counts = std::map<std::string, std::size_t, std::less<>>;
  void leave(std::uint64_t id);
  static std::size_t count(const Counts& counts, std::string_view name);
  static void drop(Counts& counts, const std::string& name);
  [[nodiscard]] const std::string* refusal(std::string_view database) const;

  mutable std::mutex mutex_;
  std::map<std::uint64_t, Entry> entries_;
  Counts by_database_;
  Counts by_login_;
  std::map<std::string, std::string, std::less<>> disabled_;  ///< reason by database; "" = all
  std::uint64_t next_ = 1;
};

}  // namespace postern::proxy
