// What a text runs of the database's own code: found once for a text, asked at each execution.
#pragma once

#include "proxy/session/unit.hpp"

namespace postern::proxy {

/// Of a text with facts, under the protection (never null here) and decision it has.
CodeBehind code_behind(const AnalysedText& analysed);

/// Protected databases: the text runs such code; where it was not analysed, it may.
bool runs_unseen_code(const AnalysedText& analysed);

/// Such code runs that may change search_path: names mean what the server says afterwards.
bool may_move_path(const AnalysedText& analysed);

/// While a server awaits COPY data nothing else may be sent.
bool may_copy_in(const AnalysedText& analysed);

}  // namespace postern::proxy
