// Steps 2 and 3 of a query's path, for one session.
#pragma once

#include <optional>

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// The answer of analyse() where nothing is analysed; null: it has to be asked.
std::shared_ptr<const AnalysedText> analysed_already(Session* session);

/// Facts and decision of a text for this session. Where nothing is configured that needs them, an
/// AnalysedText without either. Errors: kParserBusy, kProtectionBlocked,
/// kConfigurationChanged where the database became protected under the session.
Task<Result<std::shared_ptr<const AnalysedText>>> analyse(Session* session, std::string_view text);

/// This error of analyse() is not the text's: nothing may run in the session any more.
bool ends_session(const Error& error);

/// The analysis with its own copy of the text: the shared one of unanalysed sessions has none.
std::shared_ptr<const AnalysedText> text_of(std::shared_ptr<const AnalysedText> analysed,
                                            std::string_view text);

/// The refusal of a decision, recorded. A violation that is only observed is recorded and let pass.
Task<std::optional<Error>> refusal_of(Session* session,
                                      std::shared_ptr<const AnalysedText> analysed);

/// The gate applies: a protected database and a login that does not bypass it.
bool gated(const Session& session);

/// Whether a prepared text must be decided again: policy or catalog changed since, or names are now
/// looked up elsewhere (PostgreSQL analyses a prepared text anew under another search_path).
bool means_other(const Session& session, const AnalysedText& analysed);

/// Policy or catalog changed since the text was decided.
bool outdated(const Session& session, const AnalysedText& analysed);

}  // namespace postern::proxy
