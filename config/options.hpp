// The whole configuration as plain values: one struct per section of the file.
//
// Load it with config::load (config/load.hpp). Afterwards a Config is never changed: share it as
// std::shared_ptr<const Config> between threads and swap the pointer on reload.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/options_auth.hpp"
#include "config/options_identity.hpp"
#include "config/options_net.hpp"
#include "config/options_protect.hpp"
#include "config/options_run.hpp"

namespace postern::config {

/// Where a value was written. line 0: nowhere (a default).
struct Where {
  std::string file;
  std::uint32_t line = 0;
  /// "file:line".
  [[nodiscard]] std::string text() const;
};

/// Origins of everything written, by dotted path ("cluster.main.nodes", "column[0].type").
using Origins = std::map<std::string, Where, std::less<>>;

/// Everything the files say. Names are keys of the maps; "*" is the database of any other name.
struct Config {
  ListenOptions listen;
  std::map<std::string, ClusterOptions, std::less<>> clusters;
  std::map<std::string, DatabaseOptions, std::less<>> databases;
  AuthOptions auth;
  std::map<std::string, UserOptions, std::less<>> users;  ///< from auth.users_file
  LimitsOptions limits;
  AdminOptions admin;
  IdentityOptions identity;
  AlertsOptions alerts;
  LogOptions log;
  PolicyOptions policy;

  // Absent = off.
  std::optional<ServiceOptions> service;
  std::optional<TenantOptions> tenant;
  std::vector<TableOptions> tables;
  std::vector<ColumnOptions> columns;
  std::optional<KeysOptions> keys;
  std::optional<RoutingOptions> routing;  ///< absent also where the file says enabled = false
  std::optional<CacheOptions> cache;      ///< absent also where the file says enabled = false
  std::optional<AuditOptions> audit;
  std::optional<MetricsOptions> metrics;
  std::optional<PeersOptions> peers;

  std::string file;  ///< the file loaded, as given
  Origins origins;
};

/// The section that serves a database name: its own, else "*", else nullptr (unknown database).
/// The pointer lives as long as `config`.
const DatabaseOptions* find_database(const Config& config, std::string_view name);

/// The name on the server for a client's database name; precondition: find_database found it.
std::string upstream_database(const DatabaseOptions& database, std::string_view name);

/// The default route in force: the database's, else that of [routing], else kPrimary. Never
/// kDefault.
RouteDefault effective_route(const Config& config, const DatabaseOptions& database);

/// True where a [[table]] or [[column]] whose `database` is `rule_database` governs the database
/// that clients call `name`: "*", the same name, or another name for the same database on the same
/// cluster. An alias never escapes the rules of the database behind it.
bool rule_applies(const Config& config, std::string_view rule_database, std::string_view name);

/// True where the database has a tenant table, a protected column or a mask, so that text which is
/// not understood must be refused. `name` is the name clients ask for. With [tenant] every database
/// is protected, because which tables have the column is known only from the catalog.
bool is_protected(const Config& config, std::string_view name);

/// The profile in force: the user's, else the database's, else app (protected) or transparent.
/// A user unknown to the users file is treated as one without settings.
Profile effective_profile(const Config& config, std::string_view user, std::string_view database);

/// True where logins that no file names may be admitted: by trust, a certificate, or auth.query.
bool admits_strangers(const Config& config);

/// The sources of identity in force for a database, in order.
std::vector<IdentitySource> identity_sources(const Config& config, const DatabaseOptions& database);

/// What a login sees of a column, first match: its name in `roles`, "profile:NAME", "*", and then
/// by profile: admin and backup ciphertext (where encrypted), analyst the column's mask if it has
/// one, everyone else plaintext. `mask` names the mask where access is kMask.
RoleAccess column_access(const ColumnOptions& column, std::string_view user, Profile profile);

/// Matches "schema.table" names: `*` any run of characters, `?` one; case-sensitive, byte-wise.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace postern::config
