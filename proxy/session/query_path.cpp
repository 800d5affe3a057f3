#include "proxy/session/query_path.hpp"

#include <utility>

#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "protocol/extended.hpp"
#include "protocol/rows.hpp"
#include "protocol/simple.hpp"
#include "proxy/session/acting.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/batch_items.hpp"
#include "proxy/session/choosing.hpp"
#include "proxy/session/clock.hpp"
#include "proxy/session/copy_run.hpp"
#include "proxy/session/elsewhere.hpp"
#include "proxy/session/items.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/names.hpp"
#include "proxy/session/position.hpp"
#include "proxy/session/publish.hpp"
#include "proxy/session/refuse.hpp"
#include "proxy/session/retry.hpp"
#include "proxy/session/sealing.hpp"
#include "proxy/session/settling.hpp"
#include "proxy/session/state_following.hpp"
#include "proxy/session/statement_names.hpp"
#include "proxy/session/tracking.hpp"
#include "proxy/session/unseen_code.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::FrontendType;
using protocol::Request;

std::shared_ptr<Execution> begin(Session* session, std::shared_ptr<const AnalysedText> analysed) {
  auto execution = std::make_shared<Execution>();
  execution->analysed = std::move(analysed);
  execution->started = Clock::now();
  session->runtime().metrics.statements.add();
  return execution;
}

using Refusal = std::optional<Error>;

Refusal policy_changed(const Session& session, const Execution& execution) {
  const bool other = gated(session) && means_other(session, *execution.analysed);
  return other ? Refusal(make_error(pst::kPolicyChanged)) : std::nullopt;
}

Task<Result<Refusal>> clear_in_time(Session* session, std::shared_ptr<Execution> execution,
                                    Prompt<Status> attaching) {
  const Status attached = co_await std::move(attaching);
  if (!attached && attached.error().code == pst::kStatementCancelled) {
    co_return Refusal(attached.error());
  }
  if (!attached) co_return attached.error();
  const Status armed = co_await arm_when_due(session);
  if (!armed) co_return armed.error();
  // Writes wait here until what they intend is on disk, where the log is strict.
  if (const auto index = forward_gate(*session, *execution)) {
    const Status durable = co_await wait_durable(session, *index);
    if (!durable) co_return Refusal(durable.error());
  }
  if (marks_writes(*session)) co_await mark_writes(session, execution.get());
  co_return policy_changed(*session, *execution);
}

// Connection, context and gates of an execution bound for the primary. A value is the refusal that
// takes its place.
Prompt<Result<Refusal>> clear_for_primary(Session* session, std::shared_ptr<Execution> execution) {
  Prompt<Status> attaching = attach_primary(session);
  const Status* attached = attaching.result();
  const bool at_once = attached != nullptr && *attached &&
                       !arming_due(*session, *session->primary) &&
                       !forward_gate(*session, *execution) && !marks_writes(*session);
  if (at_once) return Result<Refusal>(policy_changed(*session, *execution));
  return clear_in_time(session, std::move(execution), std::move(attaching));
}

// A cache miss hands its fill and its intents to the Execute that follows; where none did, they end
// here and never meet another statement.
void drop_pending(Session* session) {
  session->pending_fill.reset();
  if (session->pending_tickets.empty()) return;
  Execution unused;
  unused.analysed = std::make_shared<const AnalysedText>();
  unused.tickets = std::exchange(session->pending_tickets, {});
  end_execution(session, unused, audit::State::kCancelled);
}

// Transaction pooling: what the text may leave behind is noted, and a name of the client's is given
// as the server knows it.
Status follow_query(Session* session, Execution* execution, std::vector<Splice>& splices) {
  const StateScan scan = scan_state(execution->analysed->text);
  session->state.note(scan);
  expect_name_changes(session, *execution, scan);
  if (runs_unseen_code(*execution->analysed)) note_unseen_code(session, session->primary.get());
  if (!has(scan.hint, StateHint::kPrepared | StateHint::kTemporary) || !splices.empty()) {
    return ok();
  }
  const auto named = find_named(session, execution->analysed->text);
  if (!named) return ok();
  ServerLink* link = session->primary.get();
  named->statement->unprepared.clear();
  POSTERN_TRY(ensure_prepared(session, link, named->statement, Internal::kReparseText));
  if (!link->queue().empty() && link->awaits_last(Internal::kReparseText)) {
    // The server answers the text even where it could not prepare the statement.
    protocol::Sync{}.encode(link->out().own());
    POSTERN_TRY(link->expect(unit_for(Request::kSync, Internal::kReparse), Disposition::kSwallow));
  }
  splices.push_back({named->span, "\"" + named->statement->server_name + "\""});
  execution->named = named->statement;
  execution->deallocates = named->deallocates;
  return ok();
}

Status send_query(Session* session, std::shared_ptr<Execution> execution,
                  std::vector<Splice> splices) {
  ServerLink* link = session->primary.get();
  const std::string& text = execution->analysed->text;
  if (session->pooled) POSTERN_TRY(follow_query(session, execution.get(), splices));
  if (!splices.empty()) execution->spliced.emplace(text, std::move(splices));
  const std::string_view final_text = execution->spliced ? execution->spliced->text() : text;
  POSTERN_TRY(protocol::Query{final_text}.encode(link->out().own()));
  note_node(*session, *link, execution.get());
  execution->fill = std::exchange(session->pending_fill, nullptr);
  session->runtime().metrics.routed_primary.add();
  note_writes(session, *execution);
  note_effects(session, *execution->analysed);
  Unit unit;
  unit.request = Request::kQuery;
  unit.ready_number = ++session->ready_sent;
  unit.execution = std::move(execution);
  clock_request(session);
  unit.statement = expect_unnamed_end(session, link);
  POSTERN_TRY(link->expect(std::move(unit), Disposition::kForward));
  POSTERN_TRY(ask_position(session));
  return ask_path(session);
}

// Rules and catalog may change between the decision and its turn on the server: then the text is
// decided anew, at most `decisions` times.
Task<Status> decide_and_send(Session* session, ByteView text, int decisions) {
  // 2, 3: what does the text say under the settings now in force, and what is to happen to it?
  heed_unseen(session, text);
  if (must_settle(*session)) {
    const Status settled = co_await settle_settings(session);
    if (!settled) co_return settled.error();
  }
  Result<std::shared_ptr<const AnalysedText>> analysed = analysed_already(session);
  if (*analysed == nullptr) analysed = co_await analyse(session, text);
  if (!analysed && ends_session(analysed.error())) co_return analysed.error();
  if (!analysed) co_return co_await refuse_query(session, analysed.error(), Recorded::kNo);
  const AnalysedText& known = **analysed;
  if (shows_tenant(known)) co_return co_await show_tenant(session);
  if (known.decision != nullptr && known.decision->refusal) {
    const auto refusal = co_await refusal_of(session, *analysed);
    if (refusal) co_return co_await refuse_query(session, *refusal, Recorded::kYes);
  }
  auto execution = begin(session, text_of(*analysed, text));

  // 5: seal literals. Before the record of the intent: a value the column does not take is an error
  // of the client's, not an access.
  auto splices = seal_literals(session, known);
  if (!splices) co_return co_await refuse_query(session, splices.error(), Recorded::kNo);

  // 4: who wants what, on record.
  if (records(*session)) {
    const Status opened = co_await open_intents(session, execution.get());
    if (!opened) {
      end_execution(session, *execution, audit::State::kCancelled);
      co_return co_await refuse_query(session, opened.error(), Recorded::kNo);
    }
  }

  // 6, 7: a read may be answered from the cache or by a replica.
  if (may_leave_primary(*session, *execution)) {
    const auto served = co_await serve_query_elsewhere(session, execution, &*splices);
    if (!served) co_return served.error();
    if (*served) co_return ok();
  }
  const auto cleared = co_await clear_for_primary(session, execution);
  if (!cleared) {
    end_execution(session, *execution, audit::State::kCancelled);
    co_return cleared.error();
  }
  if (*cleared) {
    end_execution(session, *execution, audit::State::kCancelled);
    if ((*cleared)->code == pst::kPolicyChanged && decisions > 1) {
      co_return co_await decide_and_send(session, text, decisions - 1);
    }
    co_return co_await refuse_query(session, **cleared, Recorded::kNo);
  }
  // 8: forward.
  const auto copies = co_await copy_may_begin(session, &known);
  if (!copies) {
    end_execution(session, *execution, audit::State::kCancelled);
    co_return copies.error();
  }
  if (*copies) co_return co_await begin_copy(session, std::move(execution));
  if (names_in_doubt(*session, text)) {
    const Status resolved = co_await resolve_names(session);
    if (!resolved) co_return resolved.error();
  }
  co_return send_query(session, std::move(execution), std::move(*splices));
}

constexpr int kDecisions = 4;

Task<Status> choose_and_decide(Session* session, ByteView text) {
  const auto chosen = co_await choose_for_query(session, text);
  if (!chosen) co_return chosen.error();
  if (*chosen == Chosen::kAnswered) co_return ok();
  co_return co_await decide_and_send(session, text, kDecisions);
}

}  // namespace

Prompt<Status> run_query(Session* session, ByteView text) {
  // 1: whom is it for?
  if (session->choice != nullptr) return choose_and_decide(session, text);
  return decide_and_send(session, text, kDecisions);
}

Task<Status> run_batch(Session* session, FrontendType last) {
  BatchItems items = session->batch.take();
  const bool synced = last == FrontendType::kSync;
  std::optional<Error> barred;
  if (session->choice != nullptr) {
    const BatchItems* all = &items;
    const auto chosen = co_await choose_for_batch(session, all);
    if (!chosen) co_return chosen.error();
    barred = *chosen;
  }
  for (const BatchItem& item : items) {
    if (item.type == FrontendType::kParse) heed_unseen(session, item.body());
  }
  if (!session->batch_sent && must_settle(*session)) {
    const Status settled = co_await settle_settings(session);
    if (!settled) co_return settled.error();
  }
  // 2 to 7 for a lone read; everything else goes to the primary, item by item.
  if (synced && !session->batch_sent && !barred && may_read_elsewhere(*session)) {
    const auto served = co_await serve_batch_elsewhere(session, &items);
    if (!served) co_return served.error();
    if (*served) co_return ok();
  }
  if (synced && !session->batch_sent) keep_for_retry(session, items);
  for (const BatchItem& item : items) {
    const BatchItem* current = &item;
    Result<ItemResult> sent = ItemResult{barred, Recorded::kNo};
    if (!barred) sent = co_await run_item(session, current);
    if (!sent) {
      drop_pending(session);
      co_return sent.error();
    }
    if (sent->refusal) {
      if (sent->recorded == Recorded::kNo) {
        auto unknown = std::make_shared<const AnalysedText>();
        Error error = *sent->refusal;
        const Status recorded =
            co_await record_refusal(session, std::move(unknown), std::move(error), false);
        if (!recorded) co_return recorded.error();
      }
      const Status refused = refuse_in_batch(session, *sent->refusal, !session->batch_sent, synced);
      if (!refused) co_return refused.error();
      break;
    }
    session->batch_sent = true;
  }
  drop_pending(session);
  // What was sent may still be views into these items until it is flushed.
  session->unflushed.push_back(std::move(items));
  if (synced) co_return co_await end_batch(session);
  if (last == FrontendType::kFlush && session->primary != nullptr && session->batch_sent) {
    co_return send_flush(session);
  }
  co_return ok();
}

}  // namespace postern::proxy
