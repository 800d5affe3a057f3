// Step 6 of a query's path: answers from the cache.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// One read as the cache and the replay see it.
struct ReadRequest {
  std::shared_ptr<Execution> execution;
  std::string server_text;  ///< final text
  Bytes params;             ///< canonical, sealed values included; empty for a Query
  AnswerShape shape = AnswerShape::kSimple;
  bool parsed = false;  ///< the batch begins with a Parse, whose completion is due
};

/// The time to live the configured rules give this read; nullopt: not to be cached.
std::optional<std::chrono::milliseconds> cache_ttl(const Session& session,
                                                   const AnalysedText& analysed);

/// True: answered. False: not in the cache; session->pending_fill collects the answer if it may be
/// stored. Errors end the session.
Task<Result<bool>> serve_cached(Session* session, const ReadRequest* read);

}  // namespace postern::proxy
