#include "proxy/session/unseen_code.hpp"

#include "proxy/session/tracking.hpp"

namespace postern::proxy {

void note_unseen(Session* session, const AnalysedText& analysed) {
  if (analysed.facts == nullptr) return;
  session->unseen_under_way = session->unseen_under_way || runs_unseen_code(analysed);
  if (may_move_path(analysed)) {
    session->path_due = true;
    session->path_touched = true;  // a rollback may change it back
  }
  session->path_asked = session->path_due && !may_copy_in(analysed);
}

void note_effects(Session* session, const AnalysedText& analysed) {
  if (analysed.facts == nullptr) return;
  for (const sql::Statement& statement : analysed.facts->statements) {
    if (policy::alters_meaning(statement)) session->effect_under_way = true;
    if (alters_names(statement)) session->names_under_way = true;
  }
  note_unseen(session, analysed);
}

}  // namespace postern::proxy
