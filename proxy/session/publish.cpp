#include "proxy/session/publish.hpp"

#include <utility>
#include <vector>

namespace postern::proxy {
namespace {

bool commits(const sql::Statement& statement) {
  return statement.transaction == sql::TransactionEffect::kCommit ||
         statement.transaction == sql::TransactionEffect::kCommitAndChain;
}

bool begins(const sql::Statement& statement) {
  return statement.transaction == sql::TransactionEffect::kBegin ||
         statement.transaction == sql::TransactionEffect::kBeginReadOnly;
}

std::string cache_scope(const Session& session) {
  return session.database->cluster().name() + "/" + session.database->upstream();
}

}  // namespace

bool may_commit(const Session& session, const Execution& execution) {
  bool inside = session.primary != nullptr && session.primary->queue().empty() &&
                session.primary->queue().transaction_status() != protocol::TransactionStatus::kIdle;
  if (execution.analysed->facts == nullptr) return true;
  for (const sql::Statement& statement : execution.analysed->facts->statements) {
    if (commits(statement) || !statement.understood()) return true;
    if (begins(statement)) inside = true;
  }
  return !inside;
}

bool marks_writes(const Session& session) {
  return session.context->runtime->cache != nullptr;
}

Task<void> mark_writes(Session* session, const Execution* execution) {
  ResultCache* cache = session->runtime().cache.get();
  if (cache == nullptr) co_return;
  if (execution->analysed->decision == nullptr) {
    session->writes_any = true;
  } else {
    for (const auto& decided : execution->analysed->decision->statements) {
      if (!decided.writes) continue;
      session->write_set.insert(decided.written_tables.begin(), decided.written_tables.end());
      session->writes_any = session->writes_any || decided.unknown_write_set;
    }
  }
  const bool wrote = session->writes_any || !session->write_set.empty();
  if (!wrote || !may_commit(*session, *execution)) co_return;
  std::vector<Oid> tables(session->write_set.begin(), session->write_set.end());
  const bool any = std::exchange(session->writes_any, false);
  session->write_set.clear();
  std::string scope = cache_scope(*session);
  WriteMark mark =
      co_await cache->begin_write(session->worker(), std::move(scope), std::move(tables), any);
  // Published by the ReadyForQuery of the message about to be sent, or a later one that finds the
  // transaction ended.
  session->marks.emplace_back(session->ready_sent + 1, std::move(mark));
}

bool must_publish(const Session& session, const Unit& unit, const protocol::Frame& frame) {
  return frame.body == "I" && !session.marks.empty() &&
         session.marks.front().first <= unit.ready_number;
}

Task<void> publish_writes(Session* session, std::uint64_t ready_number) {
  while (!session->marks.empty() && session->marks.front().first <= ready_number) {
    WriteMark mark = std::move(session->marks.front().second);
    session->marks.erase(session->marks.begin());
    co_await session->runtime().cache->end_write(session->worker(), std::move(mark), std::nullopt);
  }
}

void collect_description(Execution& execution, const protocol::Frame& frame) {
  if (execution.fill != nullptr) execution.fill->add_description(frame.whole);
}

void collect_row(Execution& execution, const protocol::Frame& frame) {
  if (execution.fill != nullptr) execution.fill->add_row(frame.whole);
}

void collect_complete(Session* session, Execution& execution, ByteView tag) {
  if (execution.fill == nullptr) return;
  execution.fill->complete(tag);
  auto fill = std::exchange(execution.fill, nullptr);
  if (!fill->is_complete()) return;
  ResultCache* cache = session->runtime().cache.get();
  session->worker()->spawn(cache->store(session->worker(), std::move(fill)));
}

void abandon_fill(Execution& execution) {
  if (execution.fill != nullptr) execution.fill->abandon();
}

}  // namespace postern::proxy
