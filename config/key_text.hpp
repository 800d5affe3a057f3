// The value a key holds, as the file would write it. Never of secrets: they have no overload.
#pragma once

#include <string>

#include "config/key.hpp"

namespace postern::config {

std::string value_text(const FlagKey& key);
std::string value_text(const NumberKey& key);
std::string value_text(const SizeKey& key);
std::string value_text(const DurationKey& key);
std::string value_text(const ChoiceKey& key);
std::string value_text(const TextKey& key);
std::string value_text(const TextsKey& key);
std::string value_text(const PathKey& key);
std::string value_text(const HostPortKey& key);
std::string value_text(const HostPortsKey& key);
std::string value_text(const TenantKey& key);
std::string value_text(const TenantsKey& key);
std::string value_text(const RolesKey& key);

}  // namespace postern::config
