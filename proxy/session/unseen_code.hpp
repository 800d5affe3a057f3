// What a session has to heed once code of the database runs behind a statement (code_behind.hpp).
#pragma once

#include "proxy/session/code_behind.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Code behind the text is about to run on the primary: it may change what later texts mean.
void note_unseen(Session* session, const AnalysedText& analysed);

/// The text itself is about to: the same, and for what it says.
void note_effects(Session* session, const AnalysedText& analysed);

}  // namespace postern::proxy
