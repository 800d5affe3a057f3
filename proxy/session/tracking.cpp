#include "proxy/session/tracking.hpp"

#include <algorithm>
#include <cctype>

#include "proxy/session/search_path.hpp"

namespace postern::proxy {
namespace {

using sql::SessionEffect;
using sql::StatementKind;

// PostgreSQL forgets protocol-level statements too with DEALLOCATE ALL and DISCARD ALL.
void forget_prepared(Session* session, ServerLink* link, const std::string& name) {
  if (name.empty()) {
    session->statements.clear();
    link->prepared.clear();
  } else {
    session->statements.erase(name);
    link->prepared.erase(name);
  }
}

void track_setting(Session* session, ServerLink* link, const sql::Statement& statement) {
  session->settings_changed = true;
  const bool all = statement.kind == StatementKind::kReset && statement.name == "all";
  const bool unknown = sql::has(statement.session, SessionEffect::kUnknown);
  // Either may have emptied the tenant context: it is set anew in front of the next statement.
  if (all || unknown) link->armed = false;
  if (statement.name != "search_path" && !all && !unknown) return;
  const bool plain = statement.kind == StatementKind::kSet && !statement.local && !unknown &&
                     link->queue().transaction_status() == protocol::TransactionStatus::kIdle;
  session->search_path_known = false;
  if (!plain) return;
  if (auto path = parse_search_path(statement.value, session->identity.upstream_user)) {
    session->search_path = std::move(*path);
    session->search_path_known = true;
  }
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
  const SessionEffect effect = statement->session;
  if (effect == SessionEffect::kNone) return;
  if (sql::has(effect, SessionEffect::kDiscard)) {
    link->armed = false;
    session->search_path_known = false;
    forget_prepared(session, link, {});
  }
  if (statement->kind == StatementKind::kDeallocate) {
    forget_prepared(session, link, statement->name);
  }
  if (sql::has(effect, SessionEffect::kSetting) || sql::has(effect, SessionEffect::kUnknown)) {
    track_setting(session, link, *statement);
  }
  const bool pins = sql::has(effect, SessionEffect::kRole) ||
                    sql::has(effect, SessionEffect::kTempObject) ||
                    sql::has(effect, SessionEffect::kAdvisoryLock) ||
                    sql::has(effect, SessionEffect::kCursor);
  if (pins) session->settings_changed = true;
}

void on_failed_statement(Session* session, ServerLink* link, const Unit& unit) {
  session->runtime().metrics.statements_failed.add();
  const bool in_batch = unit.request != protocol::Request::kQuery;
  session->fsm.on_error(in_batch && link->queue().skipping());
}

Status on_parameter(Session* session, ServerLink* link, ByteView name, ByteView value) {
  link->facts().parameters.insert_or_assign(std::string(name), std::string(value));
  if (link != session->primary.get()) return ok();
  const Status understood = types::apply_setting(session->render, name, value);
  const auto protection = session->database->protection();
  if (protection == nullptr || !protection->is_protected) return ok();
  if (!understood) return understood;
  const bool broken = (name == "client_encoding" && value != "UTF8") ||
                      (name == "standard_conforming_strings" && value != "on");
  if (broken && session->identity.profile != policy::Profile::kAdmin) {
    return make_error(Pst::kSettingRefused, std::string(name));
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

}  // namespace postern::proxy
