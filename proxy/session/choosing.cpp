#include "proxy/session/choosing.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "protocol/error_message.hpp"
#include "protocol/extended.hpp"
#include "protocol/rows.hpp"
#include "proxy/session/acting.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/refuse.hpp"
#include "proxy/session/settling.hpp"
#include "proxy/session/state_following.hpp"

namespace postern::proxy {
namespace {

using protocol::TransactionStatus;
using sql::StatementKind;
using Analysed = std::shared_ptr<const AnalysedText>;

/// What a Query or batch is about to run.
struct Texts {
  std::vector<Step> steps;
  std::string begin;  ///< the statement that opens its first transaction block
};

bool ends_transaction(StatementKind kind) {
  return kind == StatementKind::kCommit || kind == StatementKind::kRollback ||
         kind == StatementKind::kPrepareTransaction;
}

bool resets_all(const sql::Statement& statement) {
  if (statement.kind == StatementKind::kReset) return statement.name == "all";
  return statement.kind == StatementKind::kDiscard &&
         (statement.name.empty() || statement.name == "all");
}

Step step_of(const sql::Statement& statement, const ChoiceRights& rights) {
  Step step;
  const bool sets =
      statement.kind == StatementKind::kSet || statement.kind == StatementKind::kReset;
  const std::string_view claim = sets ? claim_of_setting(statement.name) : std::string_view();
  if (!claim.empty() && rights.by_set) {
    step.kind = Step::Kind::kClaim;
    step.local = statement.local;
    *step.claims.find(claim) = statement.value;
  } else if (statement.kind == StatementKind::kBegin) {
    step.kind = Step::Kind::kBegin;
  } else if (ends_transaction(statement.kind)) {
    step.kind = Step::Kind::kEnd;
    step.chains = statement.transaction == sql::TransactionEffect::kCommitAndChain ||
                  statement.transaction == sql::TransactionEffect::kRollbackAndChain;
  }
  step.resets = resets_all(statement);
  return step;
}

Status add_steps(Texts& out, const AnalysedText& analysed, const ChoiceRights& rights) {
  if (analysed.facts == nullptr) return ok();
  Claims comment;
  if (rights.by_comment) {
    POSTERN_ASSIGN(comment, read_comments(analysed.text));
  }
  for (const sql::Statement& statement : analysed.facts->statements) {
    if (statement.kind == StatementKind::kEmpty && statement.understood()) continue;
    Step step = step_of(statement, rights);
    step.comment = comment;
    if (step.kind == Step::Kind::kBegin && out.begin.empty()) {
      const sql::Span span = statement.span;
      out.begin = analysed.text.substr(span.begin, span.end - span.begin);
    }
    out.steps.push_back(std::move(step));
  }
  return ok();
}

TransactionStatus status_of(const Session& session) {
  const ServerLink* link = session.primary.get();
  return link == nullptr ? TransactionStatus::kIdle : link->queue().transaction_status();
}

ChoiceMoment choice_moment(const Session& session) {
  if (session.batch_sent) return ChoiceMoment::kWithin;
  return status_of(session) == TransactionStatus::kIdle ? ChoiceMoment::kOutside
                                                        : ChoiceMoment::kOpen;
}

// Nothing of ours and nothing of the client's is under way. Not within a batch: a server may keep
// its answers to itself until the end of one.
Task<Status> come_to_rest(Session* session) {
  if (session->batch_sent) co_return ok();
  if (session->primary == nullptr || session->primary->queue().empty()) co_return ok();
  co_return co_await drain_primary(session);
}

// Under transaction pooling the tenant's connection goes back, and the other one comes from there.
Task<Status> leave_connection(Session* session) {
  if (session->primary == nullptr || !session->pooled) co_return ok();
  const Result<bool> asked = ask_state(session, session->primary.get());
  if (!asked) co_return asked.error();
  const Status settled = co_await drain_primary(session);
  if (!settled) co_return settled.error();
  if (session->state.pins() != Pin::kNone) co_return make_error(pst::kTenantChangeBlocked);
  co_await detach_primary(session);
  session->active = nullptr;
  co_return ok();
}

// The transaction that a client's BEGIN opened, and in which nothing ran yet, begins anew.
Task<Status> begin_again(Session* session, std::string begin) {
  Status attached = co_await attach_primary(session);
  // The client's BEGIN has been answered: nothing is left of it to cancel.
  while (!attached && attached.error().code == pst::kStatementCancelled) {
    attached = co_await attach_primary(session);
  }
  if (!attached) co_return attached.error();
  const Status armed = co_await arm_when_due(session);
  if (!armed) co_return armed.error();
  const Status sent = add_plain(session->primary.get(), begin);
  if (!sent) co_return sent.error();
  const Status begun = co_await drain_primary(session);
  if (!begun) co_return begun.error();
  if (status_of(*session) == TransactionStatus::kInTransaction) co_return ok();
  co_return make_error(pst::kArmingFailed, "the transaction could not begin anew");
}

// Another tenant or subject: nothing of the former one's goes on. Within a transaction block only
// where nothing ran in it (Choice::plan).
Task<Status> change(Session* session, const ChoicePlan* plan, bool open) {
  const bool tenant = plan->target.tenant != session->identity.tenant;
  const bool subject = plan->target.subject != session->identity.subject;
  if (open && (tenant || subject)) {
    const Status sent = add_plain(session->primary.get(), "ROLLBACK");
    if (!sent) co_return sent.error();
    const Status ended = co_await drain_primary(session);
    if (!ended) co_return ended.error();
  }
  if (tenant) {
    const Status left = co_await leave_connection(session);
    if (!left) co_return left.error();
  }
  act_for(session, plan->target);
  if (!open || (!tenant && !subject)) co_return ok();
  std::string begin = session->choice->fresh_begin();
  co_return co_await begin_again(session, std::move(begin));
}

/// The plan, or the refusal.
Task<Result<std::optional<Error>>> carry_out(Session* session, const Texts* texts,
                                             ChoicePlan* plan) {
  using Answer = std::optional<Error>;
  const ChoiceMoment moment = choice_moment(*session);
  auto planned = session->choice->plan(texts->steps, moment);
  if (!planned) co_return Answer(planned.error());
  *plan = std::move(*planned);
  const bool pinned = session->pooled && session->state.pins() != Pin::kNone;
  if (pinned && plan->target.tenant != session->identity.tenant) {
    co_return Answer(make_error(pst::kTenantChangePinned));
  }
  // A failed transaction takes nothing but its end.
  const bool failed = status_of(*session) == TransactionStatus::kFailed;
  if (failed) plan->claims_only = false;
  const Status changed = co_await change(session, plan, moment == ChoiceMoment::kOpen);
  if (!changed) co_return changed.error();
  // Outside of transactions also where nobody is named: what was in force before has ended.
  const bool adopts = !texts->steps.empty() || moment == ChoiceMoment::kOutside;
  if (adopts) session->choice->adopt(*plan, moment, texts->begin);
  co_return Answer();
}

// SET LOCAL outside a transaction block does nothing, and PostgreSQL says so.
bool without_effect(const Texts& texts) {
  return std::all_of(texts.steps.begin(), texts.steps.end(), [](const Step& s) { return s.local; });
}

// One column as SHOW has it: text, of no table.
Status append_shown(Bytes& out, std::string_view value) {
  constexpr Oid kTextOid = 25;
  protocol::RowDescriptionWriter columns(out, 1);
  protocol::Field field;
  field.name = "postern.tenant";
  field.type_oid = kTextOid;
  field.typlen = -1;
  columns.field(field);
  POSTERN_TRY(columns.finish());
  protocol::DataRowWriter row(out, 1);
  row.value(protocol::Value(value));
  return row.finish();
}

void answer_claims(Session* session, const AnalysedText& analysed, bool warns) {
  Bytes& out = session->out.pending().own();
  for (const sql::Statement& statement : analysed.facts->statements) {
    if (statement.kind == StatementKind::kEmpty) continue;
    if (warns) {
      protocol::append_notice(out, "WARNING", "25P01",
                              "SET LOCAL can only be used in transaction blocks");
    }
    const ByteView tag = statement.kind == StatementKind::kReset ? "RESET" : "SET";
    const Status encoded = protocol::CommandComplete{tag}.encode(out);
    POSTERN_CHECK(encoded.has_value());
  }
  protocol::ReadyForQuery{status_of(*session)}.encode(out);
}

/// The text of each statement and portal that a batch names.
class BatchTexts {
 public:
  explicit BatchTexts(Session* session) : session_(session) {}

  // The text that this message runs; nullptr: it runs none, or one nobody saw.
  const std::string* run(const BatchItem& item) {
    switch (item.type) {
      case protocol::FrontendType::kParse:
        if (const auto parse = protocol::Parse::decode(item.body())) {
          statements_[std::string(parse->statement)] = std::string(parse->text);
        }
        return nullptr;
      case protocol::FrontendType::kBind:
        if (const auto bind = protocol::Bind::decode(item.body())) {
          const std::string* text = statement(std::string(bind->statement));
          portals_[std::string(bind->portal)] = text != nullptr ? *text : std::string();
        }
        return nullptr;
      case protocol::FrontendType::kExecute:
        if (const auto execute = protocol::Execute::decode(item.body())) {
          return portal(std::string(execute->portal));
        }
        return nullptr;
      default:
        return nullptr;
    }
  }

 private:
  const std::string* statement(const std::string& name) {
    const auto fresh = statements_.find(name);
    if (fresh != statements_.end()) return &fresh->second;
    const auto known = session_->statements.find(name);
    return known != session_->statements.end() ? &known->second->analysed->text : nullptr;
  }
  const std::string* portal(const std::string& name) {
    const auto fresh = portals_.find(name);
    if (fresh != portals_.end()) return &fresh->second;
    const auto known = session_->portals.find(name);
    return known != session_->portals.end() ? &known->second->statement->analysed->text : nullptr;
  }

  Session* session_;
  std::map<std::string, std::string> statements_;
  std::map<std::string, std::string> portals_;
};

Task<Result<Texts>> texts_of_batch(Session* session, const BatchItems* items) {
  Texts texts;
  BatchTexts batch(session);
  for (const BatchItem& item : *items) {
    const std::string* text = batch.run(item);
    if (text == nullptr) continue;
    const auto analysed = co_await analyse(session, *text);
    // Whom it is for cannot be told: nothing of the batch is run.
    if (!analysed) co_return analysed.error();
    const Status added = add_steps(texts, **analysed, session->choice->rights());
    if (!added) co_return added.error();
  }
  co_return texts;
}

Task<Status> ready_to_choose(Session* session) {
  const Status valid = still_valid(*session);
  const ChoiceRights& rights = session->choice->rights();
  if (!valid || rights.by_set || rights.by_comment) {
    const Status rested = co_await come_to_rest(session);
    if (!rested) co_return rested.error();
  }
  // A transaction that began in time may end.
  const bool open = status_of(*session) != TransactionStatus::kIdle;
  if (!valid && !open && !session->batch_sent) co_return valid.error();
  co_return ok();
}

bool chooses(const Session& session) {
  const ChoiceRights& rights = session.choice->rights();
  return rights.by_set || rights.by_comment;
}

}  // namespace

Task<Result<Chosen>> choose_for_query(Session* session, ByteView text) {
  const Status ready = co_await ready_to_choose(session);
  if (!ready) co_return ready.error();
  if (!chooses(*session)) co_return Chosen::kGoOn;
  const auto analysed = co_await analyse(session, text);
  if (!analysed) {
    if (ends_session(analysed.error())) co_return analysed.error();
    const Status refused = co_await refuse_query(session, analysed.error(), Recorded::kNo);
    if (!refused) co_return refused.error();
    co_return Chosen::kAnswered;
  }
  if ((*analysed)->facts == nullptr) co_return Chosen::kGoOn;
  Texts texts;
  const Status added = add_steps(texts, **analysed, session->choice->rights());
  if (!added) {
    const Status refused = co_await refuse_query(session, added.error(), Recorded::kNo);
    if (!refused) co_return refused.error();
    co_return Chosen::kAnswered;
  }
  const bool open = status_of(*session) != TransactionStatus::kIdle;
  ChoicePlan plan;
  const Texts* given = &texts;
  ChoicePlan* made = &plan;
  const auto refusal = co_await carry_out(session, given, made);
  if (!refusal) co_return refusal.error();
  if (*refusal) {
    const Status refused = co_await refuse_query(session, **refusal, Recorded::kNo);
    if (!refused) co_return refused.error();
    co_return Chosen::kAnswered;
  }
  if (!plan.claims_only) co_return Chosen::kGoOn;
  answer_claims(session, **analysed, !open && without_effect(texts));
  if (!open) end_choice(session);
  co_return Chosen::kAnswered;
}

Task<Result<std::optional<Error>>> choose_for_batch(Session* session, const BatchItems* items) {
  using Answer = std::optional<Error>;
  const Status ready = co_await ready_to_choose(session);
  if (!ready) co_return ready.error();
  if (!chooses(*session)) co_return Answer();
  const auto texts = co_await texts_of_batch(session, items);
  if (!texts) co_return Answer(texts.error());
  const Texts* given = &*texts;
  ChoicePlan plan;
  ChoicePlan* made = &plan;
  co_return co_await carry_out(session, given, made);
}

Task<Status> show_tenant(Session* session) {
  const Status rested = co_await come_to_rest(session);
  if (!rested) co_return rested.error();
  Bytes& out = session->out.pending().own();
  const TenantId& tenant = session->identity.tenant;
  const std::string text = tenant.is_none() ? std::string() : tenant.text();
  const Status shown = append_shown(out, text);
  if (!shown) co_return shown.error();
  const Status complete = protocol::CommandComplete{"SHOW"}.encode(out);
  if (!complete) co_return complete.error();
  protocol::ReadyForQuery{status_of(*session)}.encode(out);
  co_return ok();
}

}  // namespace postern::proxy
