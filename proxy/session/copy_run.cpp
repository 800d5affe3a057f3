#include "proxy/session/copy_run.hpp"

#include <utility>

#include "base/codes/gate.hpp"
#include "protocol/copy.hpp"
#include "protocol/extended.hpp"
#include "protocol/simple.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/clock.hpp"
#include "proxy/session/copy_target.hpp"
#include "proxy/session/error_shape.hpp"
#include "proxy/session/items.hpp"
#include "proxy/session/position.hpp"
#include "proxy/session/settling.hpp"
#include "proxy/session/state_following.hpp"
#include "proxy/session/unseen_code.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::Frame;
using protocol::FrontendType;
using protocol::Request;

constexpr std::string_view kSavepoint = "SAVEPOINT postern_copy";
constexpr std::string_view kRelease = "RELEASE SAVEPOINT postern_copy";
constexpr std::string_view kRollbackTo = "ROLLBACK TO SAVEPOINT postern_copy";
// A syntax error in every state of a transaction.
constexpr std::string_view kAlwaysFails = "postern ends this copy";

Status add_query(ServerLink* link, std::string_view text) {
  POSTERN_TRY(protocol::Query{text}.encode(link->out().own()));
  return link->expect(unit_for(Request::kQuery, Internal::kCopy), Disposition::kSwallow);
}

Status expect_swallowed(ServerLink* link, Request request) {
  return link->expect(unit_for(request, Internal::kCopy), Disposition::kSwallow);
}

Status add_parse(ServerLink* link, const std::string& text) {
  POSTERN_TRY((protocol::Parse{"", text, {}}.encode(link->out().own())));
  link->forget("");
  return expect_swallowed(link, Request::kParse);
}

Status add_sync(ServerLink* link) {
  protocol::Sync{}.encode(link->out().own());
  return expect_swallowed(link, Request::kSync);
}

Status add_rows(ServerLink* link, const CopyInsert& copy, std::size_t first, std::size_t count) {
  POSTERN_TRY(copy.encode_rows(first, count, link->out().own()));
  POSTERN_TRY(expect_swallowed(link, Request::kBind));
  return expect_swallowed(link, Request::kExecute);
}

// All rows by one statement, inside a savepoint.
Status add_batch(ServerLink* link, const CopyInsert& copy) {
  POSTERN_TRY(add_query(link, kSavepoint));
  POSTERN_TRY(add_parse(link, copy.statement(copy.rows().size())));
  POSTERN_TRY(add_rows(link, copy, 0, copy.rows().size()));
  POSTERN_TRY(add_sync(link));
  return add_query(link, kRelease);
}

Status add_one_by_one(ServerLink* link, const CopyInsert& copy) {
  POSTERN_TRY(add_parse(link, copy.statement(1)));
  for (std::size_t i = 0; i < copy.rows().size(); ++i) POSTERN_TRY(add_rows(link, copy, i, 1));
  return add_sync(link);
}

// The rows collected so far. Where one of them fails they are tried again one by one, so that the
// client hears which one it was.
Task<Status> insert_rows(Session* session, CopyInsert* copy) {
  ServerLink* link = session->primary.get();
  if (copy->rows().empty()) co_return ok();
  const bool single = copy->rows().size() == 1;
  copy->begin_attempt();
  Status added = single ? add_one_by_one(link, *copy) : add_batch(link, *copy);
  if (!added) co_return added;
  Status drained = co_await drain_primary(session);
  if (!drained) co_return drained;
  if (copy->failed() && !single) {
    added = add_query(link, kRollbackTo);
    if (!added) co_return added;
    drained = co_await drain_primary(session);
    if (!drained) co_return drained;
    copy->begin_attempt();
    added = add_one_by_one(link, *copy);
    if (!added) co_return added;
    drained = co_await drain_primary(session);
    if (!drained) co_return drained;
  }
  if (copy->failed()) co_return ok();
  copy->accept();
  copy->drop_rows();
  co_return ok();
}

// The last message, whose answer the client hears as that of its COPY.
Status conclude(Session* session, CopyInsert* copy, std::string_view text) {
  ServerLink* link = session->primary.get();
  POSTERN_TRY(protocol::Query{text}.encode(link->out().own()));
  Unit unit;
  unit.request = Request::kQuery;
  unit.ready_number = ++session->ready_sent;
  unit.execution = copy->execution();
  clock_request(session);
  POSTERN_TRY(link->expect(std::move(unit), Disposition::kForward));
  return ask_position(session);
}

Status conclude_failure(Session* session, CopyInsert* copy) {
  if (copy->owns_transaction()) POSTERN_TRY(add_query(session->primary.get(), "ROLLBACK"));
  copy->drop_rows();
  return conclude(session, copy, kAlwaysFails);
}

Status fail_as_server(Session* session, CopyInsert* copy) {
  copy->fail_as_server(shapes_messages(*session));
  return conclude_failure(session, copy);
}

Status fail_with(Session* session, CopyInsert* copy, const CopyFault& fault) {
  copy->fail_with(fault);
  return conclude_failure(session, copy);
}

CopyFault too_long(const CopyReader& reader) {
  return {"54000", "a row of COPY is longer than limits.message_bytes",
          "Raise limits.message_bytes, or insert the row by INSERT.",
          reader.place(reader.line() + 1)};
}

// Everything that is complete of what was fed. True: the data is at its end.
Task<Result<bool>> take_rows(Session* session, CopyInsert* copy) {
  CopyReader& reader = copy->reader();
  for (;;) {
    const CopyReader::Step step = reader.next();
    if (step == CopyReader::Step::kFault) {
      const Status failed = fail_with(session, copy, reader.fault());
      if (!failed) co_return failed.error();
      co_return true;
    }
    if (step == CopyReader::Step::kEnd) co_return true;
    if (step == CopyReader::Step::kMore) break;
    copy->add(std::move(reader.row()));
    if (!copy->full()) continue;
    const Status inserted = co_await insert_rows(session, copy);
    if (!inserted) co_return inserted.error();
    if (!copy->failed()) continue;
    const Status failed = fail_as_server(session, copy);
    if (!failed) co_return failed.error();
    co_return true;
  }
  if (reader.pending() > session->config().limits.message_bytes.bytes) {
    const Status failed = fail_with(session, copy, too_long(reader));
    if (!failed) co_return failed.error();
    co_return true;
  }
  co_return false;
}

Task<Status> finish(Session* session, CopyInsert* copy) {
  copy->reader().finish();
  const auto taken = co_await take_rows(session, copy);
  if (!taken) co_return taken.error();
  if (copy->concluded()) co_return ok();
  const Status inserted = co_await insert_rows(session, copy);
  if (!inserted) co_return inserted;
  if (copy->failed()) co_return fail_as_server(session, copy);
  const Status answered = copy->succeed();
  if (!answered) co_return answered;
  // Within the client's transaction only an answer is needed.
  co_return conclude(session, copy, copy->owns_transaction() ? "COMMIT" : "");
}

Status ask_for_data(Session* session, const CopyInsert& copy) {
  const std::int16_t format = copy.binary() ? protocol::kBinaryFormat : protocol::kTextFormat;
  const std::vector<std::int16_t> formats(copy.columns(), format);
  Bytes storage;
  protocol::CopyInResponse response;
  response.overall_format = static_cast<std::int8_t>(format);
  response.column_formats = protocol::FormatList::pack(formats, storage);
  POSTERN_TRY(response.encode(session->out.pending().own()));
  session->fsm.on_copy_in();
  return ok();
}

}  // namespace

bool copies_as_insert(const AnalysedText& analysed) {
  return analysed.decision != nullptr && analysed.decision->statements.size() == 1 &&
         analysed.decision->statements.front().copy_as_insert;
}

Task<Result<bool>> copy_may_begin(Session* session, const AnalysedText* analysed) {
  if (!copies_as_insert(*analysed)) co_return false;
  const Status drained = co_await drain_primary(session);
  if (!drained) co_return drained.error();
  // In a failed transaction the server says itself that it takes nothing.
  const auto status = session->primary->queue().transaction_status();
  co_return status != protocol::TransactionStatus::kFailed;
}

namespace {

CopyFault unknown_target(const std::string& problem, bool column) {
  return {column ? "42703" : "42P01", problem, "", ""};
}

// Of a table that the catalog does not show: what it is, as the server says. False: the client has
// heard that there is none.
Task<Result<bool>> learn_target(Session* session, const sql::CopyIn* form) {
  CopyInsert* copy = session->copying.get();
  const std::shared_ptr<Execution> execution = copy->execution();
  const auto names = copy_names(execution->analysed->text);
  std::string problem = "the name of its table is not understood";
  std::optional<CopyTarget> target;
  if (names) {
    const Status added = add_query(session->primary.get(), copy_target_sql(*names));
    if (!added) co_return added.error();
    const Status drained = co_await drain_primary(session);
    if (!drained) co_return drained.error();
    if (!copy->failed()) target = copy_target(*names, *form, copy->told(), problem);
  }
  if (!target) {
    copy->stop_taking();
    const bool no_column = names && !copy->told().empty();
    const Status failed = copy->failed()
                              ? fail_as_server(session, copy)
                              : fail_with(session, copy, unknown_target(problem, no_column));
    if (!failed) co_return failed.error();
    co_return false;
  }
  const auto transaction =
      copy->owns_transaction() ? CopyTransaction::kOwn : CopyTransaction::kClients;
  session->copying =
      std::make_unique<CopyInsert>(execution, target->form, target->relation, transaction);
  co_return true;
}

}  // namespace

Task<Status> begin_copy(Session* session, std::shared_ptr<Execution> execution) {
  // What a former COPY said may still be on its way.
  const Status flushed = co_await session->out.flush();
  if (!flushed) co_return flushed;
  ServerLink* link = session->primary.get();
  const bool own = link->queue().transaction_status() == protocol::TransactionStatus::kIdle;
  note_node(*session, *link, execution.get());
  session->runtime().metrics.routed_primary.add();
  note_writes(session, *execution);
  const AnalysedText& analysed = *execution->analysed;
  const sql::CopyIn& form = *analysed.facts->statements.front().copy_in;
  const bool unknown = form.table == kInvalidOid;
  const sql::Relation none;
  const sql::Relation* relation =
      unknown ? &none : analysed.protection->rules->catalog->relation(form.table);
  if (relation == nullptr) co_return make_error(pst::kInternal, "COPY into an unknown table");
  const std::shared_ptr<const AnalysedText> kept = execution->analysed;
  session->copying =
      std::make_unique<CopyInsert>(std::move(execution), form, *relation,
                                   own ? CopyTransaction::kOwn : CopyTransaction::kClients);
  note_effects(session, analysed);
  session->path_asked = false;  // with the next text: here the client's rows come first
  if (session->pooled) {
    session->state.note(scan_state(analysed.text));
    if (runs_unseen_code(analysed)) note_unseen_code(session, link);
  }
  clock_request(session);
  // Rights and names are looked at before the client is asked for its data.
  Status added = own ? add_query(link, "BEGIN") : ok();
  if (added && unknown) {
    const auto learnt = co_await learn_target(session, &form);
    if (!learnt) co_return learnt.error();
    if (!*learnt) co_return ok();
  }
  CopyInsert* copy = session->copying.get();
  if (added) added = add_parse(link, copy->statement(1));
  if (added) added = add_sync(link);
  if (!added) co_return added;
  const Status drained = co_await drain_primary(session);
  if (!drained) co_return drained;
  if (copy->failed()) {
    copy->stop_taking();
    co_return fail_as_server(session, copy);
  }
  co_return ask_for_data(session, *copy);
}

bool takes_copy(const Session& session) {
  return session.copying != nullptr && session.copying->taking();
}

Task<Status> take_copy(Session* session, const Frame* frame) {
  CopyInsert* copy = session->copying.get();
  const FrontendType type = frame->frontend();
  if (type != FrontendType::kCopyData) copy->stop_taking();
  if (copy->concluded()) co_return ok();
  if (type == FrontendType::kCopyDone) co_return co_await finish(session, copy);
  if (type == FrontendType::kCopyFail) {
    const auto fail = protocol::CopyFail::decode(frame->body);
    if (!fail) co_return fail.error();
    CopyFault fault{"57014", "COPY from stdin failed: " + std::string(fail->reason), "",
                    copy->reader().place(copy->reader().line() + 1)};
    co_return fail_with(session, copy, fault);
  }
  copy->reader().feed(frame->body);
  const auto taken = co_await take_rows(session, copy);
  if (!taken) co_return taken.error();
  co_return ok();
}

Frame shown_frame(Session* session, ServerLink* link, const Unit& unit, const Frame& frame) {
  const bool ends = session->copying != nullptr && link == session->primary.get() &&
                    unit.execution != nullptr && unit.execution == session->copying->execution();
  return ends ? session->copying->shown(frame) : frame;
}

}  // namespace postern::proxy
