// Puts one TOML value into one field: type, notation and range.
#pragma once

#include <string>

#include "base/result.hpp"
#include "config/key.hpp"
#include "config/load.hpp"
#include "config/toml_document.hpp"

namespace postern::config {

/// What values are read relative to.
struct Context {
  const std::string& file;  ///< its folder is the base of relative paths
  const Environment& environment;
};

// Errors are PST-1004 or PST-1009 and hold the reason only. Texts of secrets never appear in them.
Status assign(const FlagKey& key, const Node& node, const Context& context);
Status assign(const NumberKey& key, const Node& node, const Context& context);
Status assign(const SizeKey& key, const Node& node, const Context& context);
Status assign(const DurationKey& key, const Node& node, const Context& context);
Status assign(const ChoiceKey& key, const Node& node, const Context& context);
Status assign(const TextKey& key, const Node& node, const Context& context);
Status assign(const TextsKey& key, const Node& node, const Context& context);
Status assign(const PathKey& key, const Node& node, const Context& context);
Status assign(const HostPortKey& key, const Node& node, const Context& context);
Status assign(const HostPortsKey& key, const Node& node, const Context& context);
Status assign(const SecretKey& key, const Node& node, const Context& context);
Status assign(const SecretFileKey& key, const Node& node, const Context& context);
Status assign(const TenantKey& key, const Node& node, const Context& context);
Status assign(const TenantsKey& key, const Node& node, const Context& context);
Status assign(const RolesKey& key, const Node& node, const Context& context);

/// A path as written, made absolute relative to the folder of `file`.
std::string resolve_path(const std::string& path, const std::string& file);

/// The whole file; an error's text is the reason ("No such file or directory", "is a folder",
/// "is larger than N bytes"). Never partial.
Result<Bytes> read_whole_file(const std::string& path, std::size_t max_bytes);

}  // namespace postern::config
