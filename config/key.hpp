// One row per key of the configuration file: the single table behind parsing, unknown-key
// detection, range checks, docs/config.md and the tests.
//
// A row points at the field it fills; the field's initialiser in the options struct is the default.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/options.hpp"

namespace postern::config {

struct KeyRow;
using KeyRows = std::vector<KeyRow>;

// What a key may hold. Pointers are valid as long as the options struct they were made from stays
// where it is.
struct FlagKey {
  bool* value;
};
struct NumberKey {
  std::variant<std::uint16_t*, std::uint32_t*> value;
  std::int64_t min;
  std::int64_t max;
};
struct SizeKey {
  ByteSize* value;
  std::uint64_t min;
  std::uint64_t max;
};
struct DurationKey {
  Millis* value;
  Millis min;
  Millis max;
};
/// `value` is an enumeration of underlying type std::uint8_t whose enumerators 0, 1, … are `names`.
struct ChoiceKey {
  std::uint8_t* value;
  std::span<const std::string_view> names;
};
struct TextKey {
  std::string* value;
  std::size_t max_bytes = 1024;
};
struct TextsKey {
  std::vector<std::string>* value;
};
struct PathKey {
  FilePath* value;
};
struct HostPortKey {
  HostPort* value;
  bool sockets = false;  ///< "/folder:port" of a unix socket too
};
struct HostPortsKey {
  std::vector<HostPort>* value;
};
/// A secret in place; ${NAME} stands for an environment variable.
struct SecretKey {
  Secret* value;
};
/// The same secret from a file (one trailing line end is cut off); excludes its SecretKey.
struct SecretFileKey {
  Secret* value;
};
struct TenantKey {
  TenantId* value;
};
struct TenantsKey {
  TenantChoice* value;
};
struct RolesKey {
  std::vector<RoleAccess>* value;
};
/// A section. `enter` makes the struct present and returns its rows; `leave` makes it absent, which
/// a section that is always there does not heed.
struct TableKey {
  std::function<KeyRows()> enter;
  std::function<bool()> present;
  std::function<void()> leave;
};
/// A section per name: [cluster.NAME]. `names` are those present.
struct NamedKey {
  std::function<KeyRows(const std::string& name)> enter;
  std::function<std::vector<std::string>()> names;
};
/// A repeated section: [[column]]. Each `append` adds an element and returns its rows, valid until
/// the next call. `size` counts the elements; `at` returns the rows of one of them.
struct ListKey {
  std::function<KeyRows()> append;
  std::function<std::size_t()> size;
  std::function<KeyRows(std::size_t index)> at;
};
/// The list of further files; read by the loader itself.
struct IncludeKey {};

using Slot = std::variant<FlagKey, NumberKey, SizeKey, DurationKey, ChoiceKey, TextKey, TextsKey,
                          PathKey, HostPortKey, HostPortsKey, SecretKey, SecretFileKey, TenantKey,
                          TenantsKey, RolesKey, TableKey, NamedKey, ListKey, IncludeKey>;

/// kYes: a reload takes the value over without restart; of an optional section: that it appears or
/// disappears. The keys inside a section say so for themselves.
enum class Reload : std::uint8_t { kNo, kYes };
enum class Need : std::uint8_t { kOptional, kRequired };

struct KeyRow {
  std::string_view name;
  Slot slot;
  Reload reload;
  std::string_view doc;  ///< one line, no trailing dot
  Need need = Need::kOptional;
};

// The rows of each struct (keys_net.cpp, keys_auth.cpp, keys_identity.cpp, keys_protect.cpp,
// keys_run.cpp).
KeyRows keys_of(ListenOptions& o);
KeyRows keys_of(ListenTlsOptions& o);
KeyRows keys_of(ClusterOptions& o);
KeyRows keys_of(UpstreamTlsOptions& o);
KeyRows keys_of(DatabaseOptions& o);
KeyRows keys_of(ServiceOptions& o);
KeyRows keys_of(AuthOptions& o);
KeyRows keys_of(AuthRule& o);
KeyRows keys_of(AuthMapEntry& o);
KeyRows keys_of(AuthQueryOptions& o);
KeyRows keys_of(UserOptions& o);
KeyRows keys_of(IdentityOptions& o);
KeyRows keys_of(IdentityMapEntry& o);
KeyRows keys_of(JwtOptions& o);
KeyRows keys_of(AlertsOptions& o);
KeyRows keys_of(LimitsOptions& o);
KeyRows keys_of(TenantOptions& o);
KeyRows keys_of(TablePolicy& o);
KeyRows keys_of(TableOptions& o);
KeyRows keys_of(ColumnOptions& o);
KeyRows keys_of(KeysOptions& o);
KeyRows keys_of(PolicyOptions& o);
KeyRows keys_of(ProfileOptions& o);
KeyRows keys_of(RoutingOptions& o);
KeyRows keys_of(CacheRule& o);
KeyRows keys_of(CacheOptions& o);
KeyRows keys_of(AuditOptions& o);
KeyRows keys_of(MetricsOptions& o);
KeyRows keys_of(PeerOptions& o);
KeyRows keys_of(PeersOptions& o);
KeyRows keys_of(AdminOptions& o);
KeyRows keys_of(LogOptions& o);

/// The rows of the main file and its includes.
KeyRows keys_of(Config& config);
/// The rows of the users file.
KeyRows users_keys(Config& config);

/// Names of the profiles and accesses as the file writes them, in the order of the enumerations.
std::span<const std::string_view> profile_names();
std::span<const std::string_view> access_names();
/// Likewise of IdentitySource.
std::span<const std::string_view> identity_source_names();
/// The masks a column may name.
std::span<const std::string_view> mask_names();

/// ChoiceKey of an enumeration field.
template <typename Enum>
ChoiceKey choice(Enum& value, std::span<const std::string_view> names) {
  static_assert(sizeof(Enum) == 1);
  return {reinterpret_cast<std::uint8_t*>(&value), names};
}

/// TableKey of a section that is always there, or that becomes present when written.
template <typename Options>
TableKey section(Options& options) {
  return {[&options] { return keys_of(options); }, [] { return true; }, [] {}};
}
template <typename Options>
TableKey section(std::optional<Options>& options) {
  return {[&options] {
            if (!options) options.emplace();
            return keys_of(*options);
          },
          [&options] { return options.has_value(); }, [&options] { options.reset(); }};
}
template <typename Options>
NamedKey sections(std::map<std::string, Options, std::less<>>& options) {
  return {[&options](const std::string& name) { return keys_of(options[name]); },
          [&options] {
            std::vector<std::string> names;
            for (const auto& entry : options) names.push_back(entry.first);
            return names;
          }};
}
template <typename Options>
ListKey list(std::vector<Options>& options) {
  return {[&options] { return keys_of(options.emplace_back()); },
          [&options] { return options.size(); },
          [&options](std::size_t index) { return keys_of(options.at(index)); }};
}

}  // namespace postern::config
