// The identity of a pooled connection: what two takers must have in common to share it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace postern::proxy {

using StartupParameters = std::vector<std::pair<Bytes, Bytes>>;

/// `scope` (a tenant and its login, or nothing) and startup parameters as one text. Length prefixes
/// keep two different lists from ever looking alike.
std::string encode_identity(std::string_view scope, const StartupParameters& startup);

/// The startup parameters of an identity, to open another connection like it. kInternal where the
/// text is not encode_identity's.
Result<StartupParameters> startup_of(std::string_view identity);

}  // namespace postern::proxy
