// docs/config.md, generated from the key table.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::config {

/// The whole page, Markdown.
std::string config_document();

/// The lines about one key ("listen.port", "cluster.NAME.nodes"), nullopt if there is no such key.
std::optional<std::string> explain_key(std::string_view path);

}  // namespace postern::config
