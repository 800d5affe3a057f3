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

std::optional<std::string_view> statement_of(const BatchItem& item) {
  if (item.type == FrontendType::kParse) {
    const auto parse = protocol::Parse::decode(item.body());
    if (parse) return parse->statement;
  } else if (item.type == FrontendType::kBind) {
    const auto bind = protocol::Bind::decode(item.body());
    if (bind) return bind->statement;
  } else if (item.type == FrontendType::kDescribe) {
    const auto describe = protocol::Describe::decode(item.body());
    if (describe && describe->target == protocol::Target::kStatement) return describe->name;
  }
  return std::nullopt;
}

// Of the messages behind the Parse, if there is one.
bool is_lone(const BatchItems& items, std::size_t begin) {
  const std::size_t count = items.size() - begin;
  if (count == 1) return items[begin].type == FrontendType::kDescribe;
  const bool described = count == 3 && items[begin + 1].type == FrontendType::kDescribe;
  return items[begin].type == FrontendType::kBind && items.back().type == FrontendType::kExecute &&
         (count == 2 || described);
}

// [Parse] Describe, or [Parse] Bind [Describe] Execute, of one named statement: what comes second
// has no answer where the first fails. Where to begin again: behind the Parse, which is answered.
std::optional<std::size_t> lone_group(const BatchItems& items) {
  if (items.empty()) return std::nullopt;
  const std::size_t begin = items.front().type == FrontendType::kParse ? 1 : 0;
  if (items.size() == begin || !is_lone(items, begin)) return std::nullopt;
  const auto statement = statement_of(items[begin]);
  if (!statement || statement->empty()) return std::nullopt;
  if (begin == 1 && statement_of(items.front()) != statement) return std::nullopt;
  return begin;
}

// The plan is outdated, or somebody deallocated the shared statement behind our back.
bool is_stale(const protocol::Frame& frame) {
  const auto fields = protocol::ErrorFields::decode(frame.body);
  if (!fields) return false;
  const auto sqlstate = fields->get(protocol::kFieldSqlstate);
  return sqlstate == kUnknownName ||
         (sqlstate == kNotSupported && fields->get(protocol::kFieldRoutine) == kRoutine);
}

// The statement that a request needs on the server as it was prepared; null: none.
const PreparedStatement* used_by(const Unit& unit) {
  const bool plans = unit.request == Request::kBind || unit.request == Request::kDescribeStatement;
  if (plans) return unit.statement.get();
  // By EXECUTE; the text fails, and the next one finds it prepared anew.
  return unit.execution != nullptr ? unit.execution->named.get() : nullptr;
}

// So far only the parameters are held back.
bool holds_parameters_only(const Retry& retry) {
  const Bytes& held = retry.error;
  return !held.empty() &&
         held.front() == static_cast<char>(protocol::BackendType::kParameterDescription) &&
         load_be32(held.data() + 1) + 1 == held.size();
}

bool is_first_describe(const Session& session, const Unit& unit) {
  const Retry& retry = session.retry;
  return unit.request == Request::kDescribeStatement && !retry.second_attempt &&
         !retry.items.empty() && retry.items.front().type == FrontendType::kDescribe;
}

}  // namespace

void keep_for_retry(Session* session, const BatchItems& items) {
  if (session->retry.second_attempt) return;
  session->retry = {};
  if (!session->pooled || !server_idle(*session)) return;
  const auto begin = lone_group(items);
  if (!begin) return;
  std::size_t bytes = 0;
  for (std::size_t i = *begin; i < items.size(); ++i) bytes += items[i].whole.size();
  if (bytes > kMaxKeptBytes) return;
  for (std::size_t i = *begin; i < items.size(); ++i) {
    BatchItem& kept = session->retry.items.emplace_back();
    kept.type = items[i].type;
    kept.whole = items[i].whole;
    kept.own();
  }
}

void await_retry(Session* session, std::uint64_t ready_number) {
  session->retry.ready_number = ready_number;
}

Result<bool> withhold_error(Session* session, ServerLink* link, const Unit& unit,
                            const protocol::Frame& frame) {
  Retry& retry = session->retry;
  const PreparedStatement* used = session->pooled ? used_by(unit) : nullptr;
  if (used == nullptr || used->name.empty() || !is_stale(frame)) return false;
  link->distrust(used->server_name);
  if (unit.execution != nullptr) return false;
  const bool first = retry.error.empty() || holds_parameters_only(retry);
  if (retry.items.empty() || retry.second_attempt || !first) return false;
  retry.error.append(frame.whole);
  return true;
}

bool withhold_parameters(Session* session, const Unit& unit, ByteView message) {
  if (!is_first_describe(*session, unit) || !session->retry.error.empty()) return false;
  session->retry.error = Bytes(message);
  return true;
}

void release_parameters(Session* session, const Unit& unit) {
  Retry& retry = session->retry;
  if (!is_first_describe(*session, unit) || !holds_parameters_only(retry)) return;
  session->out.pending().own().append(retry.error);
  retry.error.clear();
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
