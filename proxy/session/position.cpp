#include "proxy/session/position.hpp"

#include <charconv>
#include <utility>

#include "protocol/rows.hpp"
#include "protocol/simple.hpp"
#include "proxy/session/publish.hpp"
#include "proxy/session/unseen_code.hpp"

namespace postern::proxy {
namespace {

using protocol::BackendType;
using protocol::Disposition;
using protocol::Request;

// One row: insert position and timeline. The segment size decides where page headers are long.
constexpr std::string_view kPositionSql =
    "SELECT pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text, "
    "pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8), "
    "(SELECT setting FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) "
    "'wal_segment_size')";

template <typename T>
bool parse_number(ByteView text, T& out, int base) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return ec == std::errc{} && end == text.data() + text.size();
}

bool routes(const Session& session) {
  return session.context->runtime->config->routing.has_value();
}

}  // namespace

void note_writes(Session* session, const Execution& execution) {
  if (!routes(*session)) return;
  const auto& decision = execution.analysed->decision;
  bool writes = decision == nullptr;
  if (decision != nullptr) {
    for (const auto& decided : decision->statements) writes = writes || decided.writes;
  }
  session->position_due = session->position_due || writes;
  // Where it cannot be asked behind a COPY, it stays owed, and the next statement asks for it.
  session->position_asked =
      session->position_due && may_commit(*session, execution) && !may_copy_in(*execution.analysed);
}

Status ask_position(Session* session) {
  if (!session->position_asked) return ok();
  session->position_asked = false;
  ServerLink* link = session->primary.get();
  POSTERN_TRY(protocol::Query{kPositionSql}.encode(link->out().own()));
  Unit unit;
  unit.request = Request::kQuery;
  unit.internal = Internal::kPosition;
  return link->expect(std::move(unit), Disposition::kSwallow);
}

Status on_position_reply(Session* session, ServerLink* link, const protocol::Frame& frame) {
  if (frame.backend() != BackendType::kDataRow) return ok();
  POSTERN_ASSIGN(const auto row, protocol::DataRow::decode(frame.body));
  if (row.values.size() != 3 || !row.values[0] || !row.values[1] || !row.values[2]) return ok();
  const auto insert = parse_lsn(*row.values[0]);
  std::uint32_t timeline = 0;
  std::uint64_t segment = 0;
  if (!insert || !parse_number(*row.values[1], timeline, 16) ||
      !parse_number(*row.values[2], segment, 10)) {
    return ok();
  }
  Token token;
  token.system_identifier = session->database->cluster().state()->system_identifier;
  token.timeline = timeline;
  token.lsn = without_page_header(*insert, segment);
  raise(session->floor, token);
  // Inside a transaction the commit is still to come.
  const bool open = link->queue().transaction_status() != protocol::TransactionStatus::kIdle;
  session->position_due = open;
  return ok();
}

}  // namespace postern::proxy
