// Steps 2 and 3 of a query's path, for one session.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Facts and decision of a text for this session. Where nothing is configured that needs them, an
/// AnalysedText without either. Errors: kParserBusy, kProtectionBlocked.
Task<Result<std::shared_ptr<const AnalysedText>>> analyse(Session* session, std::string_view text);

/// Whether a prepared text must be decided again: policy or catalog changed since.
bool outdated(const Session& session, const AnalysedText& analysed);

}  // namespace postern::proxy
