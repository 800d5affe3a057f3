#include "proxy/session/tracking.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/codes/session.hpp"
#include "protocol/rows.hpp"
#include "proxy/session/acting.hpp"
#include "proxy/session/clock.hpp"
#include "proxy/session/names.hpp"
#include "proxy/session/search_path.hpp"

namespace postern::proxy {
namespace {

using sql::SessionEffect;
using sql::StatementKind;

void forget_prepared(Session* session, ServerLink* link, const std::string& name) {
  if (name.empty()) return forget_statements(session, link);
  const auto known = session->confirmed_statements.find(name);
  if (known != session->confirmed_statements.end()) {
    const auto statement = known->second;
    forget_statement(session, link, *statement);
  }
}

// A cursor of SQL may take the name of a portal that SQL closed.
void forget_portals(Session* session, const std::string& name) {
  const auto gone = [&](const auto& entry) {
    return !entry.first.empty() && (name.empty() || entry.first == name);
  };
  std::erase_if(session->portals, gone);
  std::erase_if(session->confirmed_portals, gone);
}

void track_setting(Session* session, ServerLink* link, const sql::Statement& statement) {
  if (!claim_of_setting(statement.name).empty()) return;
  session->settings_changed = true;
  const bool all = statement.kind == StatementKind::kReset && statement.name == "all";
  const bool unknown = sql::has(statement.session, SessionEffect::kUnknown);
  // Either may have emptied the tenant context: it is set anew in front of the next statement.
  if (all || unknown) link->context().armed = false;
  if (statement.name != "search_path" && !all && !unknown) return;
  session->path_touched = true;
  session->path_due = true;
}

bool discards_all(const sql::Statement& statement) {
  return statement.name.empty() || statement.name == "all";
}

}  // namespace

void track_success(Session* session, ServerLink* link, const Execution& execution) {
  const sql::Statement* statement = execution.analysed->statement(execution.index);
  if (statement == nullptr) return;
  switch (statement->kind) {
    case StatementKind::kCreate:
    case StatementKind::kAlter:
    case StatementKind::kDrop:
    case StatementKind::kGrant:
    case StatementKind::kDo:
      session->runtime().keeper->catalog_changed(session->database);
      break;
    default:
      break;
  }
  const bool rolls_back = statement->kind == StatementKind::kRollback ||
                          statement->kind == StatementKind::kRollbackToSavepoint ||
                          statement->kind == StatementKind::kCommit;
  if (rolls_back && session->path_touched) session->path_due = true;
  const SessionEffect effect = statement->session;
  if (effect == SessionEffect::kNone) return;
  if (sql::has(effect, SessionEffect::kDiscard)) {
    link->context().armed = false;
    session->path_due = true;
    if (discards_all(*statement)) forget_prepared(session, link, {});
  }
  if (statement->kind == StatementKind::kDeallocate) {
    forget_prepared(session, link, statement->name);
  }
  if (statement->kind == StatementKind::kCloseCursor) forget_portals(session, statement->name);
  if (sql::has(effect, SessionEffect::kSetting) || sql::has(effect, SessionEffect::kUnknown)) {
    track_setting(session, link, *statement);
  }
  const bool pins =
      sql::has(effect, SessionEffect::kRole) || sql::has(effect, SessionEffect::kTempObject) ||
      sql::has(effect, SessionEffect::kAdvisoryLock) || sql::has(effect, SessionEffect::kCursor);
  if (pins) session->settings_changed = true;
}

bool alters_names(const sql::Statement& statement) {
  switch (statement.kind) {
    case StatementKind::kPrepare:
    case StatementKind::kDeallocate:
    case StatementKind::kDeclareCursor:
    case StatementKind::kCloseCursor:
    case StatementKind::kDiscard:
      return true;
    default:
      return false;
  }
}

void on_failed_statement(Session* session, ServerLink* link, const Unit& unit) {
  session->runtime().metrics.statements_failed.add();
  const bool in_batch = unit.request != protocol::Request::kQuery;
  session->fsm.on_error(in_batch && link->queue().skipping());
}

Status on_parameter(Session* session, ServerLink* link, ByteView name, ByteView value) {
  link->facts().parameters.set(name, value);
  if (link != session->primary.get()) return ok();
  const Status understood = types::apply_setting(session->render, name, value);
  const auto protection = session->database->protection();
  if (protection == nullptr || !protection->is_protected) return ok();
  if (!understood) return understood;
  const bool broken = (name == "client_encoding" && value != "UTF8") ||
                      (name == "standard_conforming_strings" && value != "on");
  if (broken && session->identity.profile != policy::Profile::kAdmin) {
    return make_error(pst::kSettingRefused, std::string(name));
  }
  return ok();
}

void next_statement(Execution& execution) {
  ++execution.index;
  execution.rows = 0;
  execution.bytes = 0;
  execution.outputs.clear();
  execution.rows_checked = false;
}

void take_search_path(Session* session, std::string_view text) {
  // Under transaction pooling it is the same one nearly always.
  if (session->search_path_known && session->search_path_text == text) return;
  auto path = parse_search_path(text, session->identity.upstream_user);
  session->search_path_known = path.has_value();
  if (!path) return;
  session->search_path = std::move(*path);
  session->search_path_text = text;
}

Status on_search_path_reply(Session* session, const protocol::Frame& frame) {
  if (frame.backend() == protocol::BackendType::kErrorResponse) {
    session->search_path_known = false;
    session->path_due = true;
  }
  if (frame.backend() != protocol::BackendType::kDataRow) return ok();
  POSTERN_ASSIGN(const auto row, protocol::DataRow::decode(frame.body));
  if (row.values.size() != 1 || !row.values[0]) return ok();
  take_search_path(session, *row.values[0]);
  return ok();
}

namespace {

// Questions of Postern's own behind the client's last message: one for the position, one for the
// path.
constexpr std::size_t kMostOwn = 8;

// Requests of the client whose answers are still to come behind the present one.
std::size_t unanswered(ServerLink* link) {
  const std::size_t behind = link->queue().size() - 1;
  if (behind > kMostOwn) return behind;
  std::size_t own = 0;
  link->each_unit([&](const Unit& unit) {
    own += unit.internal == Internal::kPosition || unit.internal == Internal::kSearchPath ? 1 : 0;
  });
  return behind - own;
}

}  // namespace

void on_ready(Session* session, ServerLink* link, ByteView status) {
  const std::size_t more = unanswered(link);
  clock_ready(session, status != "I", more);
  session->reset_done = false;
  session->statistics.ready(status.empty() ? 'I' : status.front());
  if (status == "I") end_choice(session);
  if (link->queue().size() <= 1) session->names_under_way = false;
  // Portals end with their transaction; those of a batch already on its way are kept.
  // Others see the change from its commit on.
  if (status == "I" && std::exchange(session->schema_changed, false)) {
    session->database->note_schema_change();
  }
  if (status != "I" || more > 0) return;
  session->portals.clear();
  session->confirmed_portals.clear();
  session->state.on_idle();
}

namespace {

// What a statement selects may be other columns from now on.
bool changes_schema(ByteView tag) {
  return tag.starts_with("ALTER ") || tag.starts_with("DROP ") || tag == "CREATE VIEW";
}

}  // namespace

void on_command_tag(Session* session, ServerLink* link, ByteView tag) {
  if (session->choice != nullptr) session->choice->on_tag(tag);
  if (changes_schema(tag)) {
    session->schema_changed = true;
    session->database->note_schema_change();
  }
  const bool discarded = tag == "DISCARD ALL";
  session->reset_done = session->reset_done || discarded || tag == "RESET";
  if (!session->pooled || (!discarded && tag != "DEALLOCATE ALL")) return;
  forget_prepared(session, link, {});
  session->sql_names.clear();
  if (discarded) link->context().armed = false;
}

}  // namespace postern::proxy
