// A portal outlives changes of rules and catalog: those of other sessions, and of its own
// transaction. It may go on where nothing of it would be different.
#pragma once

#include <memory>

#include "proxy/session/batch_items.hpp"

namespace postern::proxy {

/// Under the newer decision the same is done with a text as under the former: the same relations
/// and routines (where the former understood them), the same values sealed and opened, the same
/// wall. Pure.
bool needs_the_same(const AnalysedText& former, const AnalysedText& newer);

/// Precondition: the portal's text was decided under other rules than are in force. A refusal
/// (kPolicyChanged, or that of the rules in force) where it does not stand under these.
Task<Result<ItemResult>> portal_stands(Session* session, std::shared_ptr<Portal> portal);

}  // namespace postern::proxy
