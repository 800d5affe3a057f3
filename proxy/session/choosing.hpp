// Step 1 of a query's path, for sessions that choose whom they act for: what a text or batch names
// is taken over before anything of it is analysed for good.
#pragma once

#include <optional>

#include "proxy/session/batch.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// What became of a Query.
enum class Chosen : std::uint8_t {
  kGoOn,      ///< the session acts for whom the text says
  kAnswered,  ///< nothing of it is for a server, or it was refused
};

/// Only where session->choice is there. Waits for what is under way. Errors end the session:
/// kIdentityExpired, kTenantChangeBlocked, and those of attach_primary.
Task<Result<Chosen>> choose_for_query(Session* session, ByteView text);

/// The same for a batch, or a further part of one. A value is the refusal of its first message.
Task<Result<std::optional<Error>>> choose_for_batch(Session* session, const BatchItems* items);

/// Answers SHOW postern.tenant, a whole Query.
Task<Status> show_tenant(Session* session);

}  // namespace postern::proxy
