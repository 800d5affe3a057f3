#include "proxy/session/retry.hpp"

#include <utility>

#include "protocol/error_message.hpp"
#include "protocol/extended.hpp"
#include "proxy/session/query_path.hpp"
#include "proxy/session/refuse.hpp"

namespace postern::proxy {
namespace {

using protocol::FrontendType;
using protocol::Request;

constexpr std::string_view kNotSupported = "0A000";
constexpr std::string_view kUnknownName = "26000";
/// The function of PostgreSQL that finds a plan outdated; the message itself is translated.
constexpr std::string_view kRoutine = "RevalidateCachedQuery";
/// Larger groups are not kept: they would be copied for nothing nearly always.
constexpr std::size_t kMaxKeptBytes = 64 * 1024;

bool is_lone_execution(const BatchItems& items) {
  if (items.size() < 2 || items.size() > 3) return false;
  const bool described = items.size() == 3 && items[1].type == FrontendType::kDescribe;
  return items.front().type == FrontendType::kBind && items.back().type == FrontendType::kExecute &&
         (items.size() == 2 || described);
}

// The plan is outdated, or somebody deallocated the shared statement behind our back.
bool is_stale(const protocol::Frame& frame) {
  const auto fields = protocol::ErrorFields::decode(frame.body);
  if (!fields) return false;
  const auto sqlstate = fields->get(protocol::kFieldSqlstate);
  return sqlstate == kUnknownName ||
         (sqlstate == kNotSupported && fields->get(protocol::kFieldRoutine) == kRoutine);
}

}  // namespace

void keep_for_retry(Session* session, const BatchItems& items) {
  if (session->retry.second_attempt) return;
  session->retry = {};
  if (!session->pooled || !server_idle(*session) || !is_lone_execution(items)) return;
  const auto bind = protocol::Bind::decode(items.front().body());
  if (!bind || bind->statement.empty()) return;
  std::size_t bytes = 0;
  for (const BatchItem& item : items) bytes += item.whole.size();
  if (bytes > kMaxKeptBytes) return;
  for (const BatchItem& item : items) {
    BatchItem& kept = session->retry.items.emplace_back();
    kept.type = item.type;
    kept.whole = item.whole;
    kept.own();
  }
}

void await_retry(Session* session, std::uint64_t ready_number) {
  session->retry.ready_number = ready_number;
}

Result<bool> withhold_error(Session* session, ServerLink* link, const Unit& unit,
                            const protocol::Frame& frame) {
  Retry& retry = session->retry;
  const bool ours = session->pooled && unit.statement != nullptr && !unit.statement->name.empty();
  if (unit.request != Request::kBind || !ours || !is_stale(frame)) return false;
  link->distrust(unit.statement->server_name);
  const bool kept = !retry.items.empty() && !retry.second_attempt && retry.error.empty();
  if (!kept) return false;
  retry.error = Bytes(frame.whole);
  return true;
}

bool withhold_ready(Session* session, ServerLink* link, const Unit& unit,
                    const protocol::Frame& frame) {
  Retry& retry = session->retry;
  if (unit.ready_number != retry.ready_number) return false;
  if (retry.error.empty()) {
    retry = {};
    return false;
  }
  // The client may have gone on meanwhile: then the order of its requests comes first.
  const bool between = session->parked && session->batch.empty() && !session->batch_sent;
  if (between && link->queue().size() == 1 && frame.body == "I") {
    retry.due = true;
    look_up(session);
    return true;
  }
  session->out.pending().own().append(retry.error);
  retry = {};
  return false;
}

Task<Status> run_again(Session* session) {
  BatchItems items = std::move(session->retry.items);
  session->retry = {};
  session->retry.second_attempt = true;
  session->batch.put_in_front(std::move(items));
  const Status sent = co_await run_batch(session, FrontendType::kSync);
  co_return sent;
}

}  // namespace postern::proxy
