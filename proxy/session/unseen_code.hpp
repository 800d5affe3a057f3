// Code of the database that runs behind a statement: functions, triggers, rules, policies. Nobody
// looks into it, and it may leave something behind in the server's session.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Protected databases: the text runs such code.
bool runs_unseen_code(const AnalysedText& analysed);

/// Such code runs that may change search_path: names mean what the server says afterwards.
bool may_move_path(const AnalysedText& analysed);

/// Code behind the text is about to run on the primary: it may change what later texts mean.
void note_unseen(Session* session, const AnalysedText& analysed);

/// The text itself is about to: the same, and for what it says.
void note_effects(Session* session, const AnalysedText& analysed);

/// While a server awaits COPY data nothing else may be sent.
bool may_copy_in(const AnalysedText& analysed);

}  // namespace postern::proxy
