// The parts of `postern doctor`; each appends what it finds.
#pragma once

#include <vector>

#include "config/options.hpp"
#include "schema/health.hpp"

namespace postern::app {

using Checks = std::vector<schema::Check>;

/// Every node of every cluster, as [service]; and on primaries each database's wall and guard key.
void check_servers(const config::Config& config, Checks& out);
/// Key files, users file, the access log's folder and anchors.
void check_files(const config::Config& config, Checks& out);
/// Whether Redis answers a PING.
void check_redis(const config::Config& config, Checks& out);

}  // namespace postern::app
