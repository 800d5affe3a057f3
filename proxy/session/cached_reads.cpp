#include "proxy/session/cached_reads.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/audit.hpp"
#include "config/options.hpp"
#include "protocol/extended.hpp"
#include "protocol/rows.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/forwarding.hpp"

namespace postern::proxy {
namespace {

using protocol::Frame;

// Settings that a server reports and that change how an answer looks.
constexpr std::string_view kAnswerSettings[] = {"DateStyle", "IntervalStyle", "TimeZone",
                                                "client_encoding", "standard_conforming_strings"};

Bytes answer_settings(const Session& session) {
  std::vector<std::pair<std::string_view, std::string_view>> settings;
  for (const std::string_view name : kAnswerSettings) {
    const auto value = session.reported.find(name);
    if (value) settings.emplace_back(name, *value);
  }
  // Everything the client set at startup too; a later SET keeps reads off the cache altogether.
  for (const auto& [name, value] : session.identity.startup) settings.emplace_back(name, value);
  for (const auto& [name, value] : session.state.wanted()) settings.emplace_back(name, value);
  return canonical_settings(settings);
}

CacheKeyParts key_parts(const Session& session, const ReadRequest& read) {
  const AnalysedText& analysed = *read.execution->analysed;
  CacheKeyParts parts;
  parts.cluster = session.database->cluster().name();
  parts.database = session.database->upstream();
  parts.protection = analysed.protection->epoch;
  // Epochs of policy and catalog count within one process: its answers are its own.
  parts.epoch = session.context->runtime->instance;
  parts.server_text = read.server_text;
  parts.params = read.params;
  parts.result_formats = read.execution->result_formats;
  parts.shape = read.shape;
  parts.upstream_role = session.identity.upstream_user;
  parts.login = session.identity.login;
  parts.tenant = session.identity.tenant.text();
  parts.acting = session.identity.context_scope;
  parts.decrypts = analysed.decrypts;
  for (const std::string& schema : session.search_path) parts.search_path += schema + ",";
  parts.settings = answer_settings(session);
  return parts;
}

bool rule_matches(const config::CacheRule& rule, const Session& session,
                  const AnalysedText& analysed) {
  if (!rule.login.empty() && rule.login != session.identity.login) return false;
  if (!rule.statement.empty() && !config::glob_match(rule.statement, analysed.text)) return false;
  if (rule.tables.empty()) return true;
  const auto covered = [&](Oid oid) {
    const sql::Relation* relation = analysed.protection->catalog->relation(oid);
    return relation != nullptr &&
           std::any_of(rule.tables.begin(), rule.tables.end(), [&](const std::string& glob) {
             return config::glob_match(glob, relation->qualified());
           });
  };
  const auto& tables = analysed.decided(0)->cache.tables;
  return std::all_of(tables.begin(), tables.end(), covered);
}

Frame first_frame(ByteView messages) {
  const std::size_t size = 1 + load_be32(messages.data() + 1);
  Frame frame;
  frame.type = messages.front();
  frame.whole = messages.substr(0, size);
  frame.body = frame.whole.substr(5);
  return frame;
}

// The answer's messages go the way they would go had a server sent them.
Status replay_rows(Session* session, Unit& unit, const CachedAnswer& answer) {
  if (!answer.row_description.empty()) {
    const Frame description = first_frame(answer.row_description);
    POSTERN_TRY(forward(session, session->primary.get(), unit, description));
  }
  for (ByteView rest = answer.rows; !rest.empty();) {
    const Frame row = first_frame(rest);
    POSTERN_TRY(forward(session, session->primary.get(), unit, row));
    rest.remove_prefix(row.whole.size());
  }
  return ok();
}

Bytes complete_message(const CachedAnswer& answer) {
  Bytes message;
  const Status encoded = protocol::CommandComplete{answer.command_tag}.encode(message);
  POSTERN_CHECK(encoded.has_value());
  return message;
}

Task<Status> wait_for(Session* session, std::optional<std::uint64_t> index) {
  if (!index) co_return ok();
  co_return co_await wait_durable(session, *index);
}

// The audit gates of a served answer are those of a read from a server.
Task<Status> replay(Session* session, const ReadRequest* read, const CachedAnswer* answer) {
  Execution& execution = *read->execution;
  execution.route = "cache";
  Status durable = co_await wait_for(session, row_gate(*session, execution));
  if (!durable) co_return durable.error();
  Unit unit;
  unit.request = protocol::Request::kQuery;
  unit.execution = read->execution;
  if (read->parsed) protocol::ParseComplete{}.encode(session->out.pending().own());
  if (read->shape != AnswerShape::kSimple) {
    protocol::BindComplete{}.encode(session->out.pending().own());
  }
  const Status rows = replay_rows(session, unit, *answer);
  if (!rows) co_return rows.error();
  const Bytes complete = complete_message(*answer);
  const Frame frame = first_frame(complete);
  auto settled = settle(session, unit, frame);
  while (!settled && settled.error().code == pst::kAuditBusy) {
    co_await room_in_log(session);
    settled = settle(session, unit, frame);
  }
  if (!settled) co_return settled.error();
  durable = co_await wait_for(session, *settled);
  if (!durable) co_return durable.error();
  const Status passed = forward(session, session->primary.get(), unit, frame);
  if (!passed) co_return passed.error();
  protocol::ReadyForQuery{protocol::TransactionStatus::kIdle}.encode(session->out.pending().own());
  // The views added point into the answer, which goes with the caller.
  co_return co_await session->out.flush();
}

}  // namespace

std::optional<std::chrono::milliseconds> cache_ttl(const Session& session,
                                                   const AnalysedText& analysed) {
  const config::Config& config = *session.context->runtime->config;
  const auto* decided = analysed.decided(0);
  if (!config.cache || decided == nullptr || !decided->cache.cacheable) return std::nullopt;
  for (const config::CacheRule& rule : config.cache->rules) {
    if (rule_matches(rule, session, analysed)) {
      return rule.ttl.count() > 0 ? rule.ttl : config.cache->ttl;
    }
  }
  return std::nullopt;
}

Task<Result<bool>> serve_cached(Session* session, const ReadRequest* read) {
  ResultCache* cache = session->runtime().cache.get();
  const AnalysedText& analysed = *read->execution->analysed;
  const auto ttl = cache_ttl(*session, analysed);
  if (cache == nullptr || !ttl) co_return false;
  CacheQuery query;
  query.key = cache->key(key_parts(*session, *read));
  query.scope = session->database->cluster().name() + "/" + session->database->upstream();
  query.tables = analysed.decided(0)->cache.tables;
  query.ttl = *ttl;
  CacheLookup found = co_await cache->lookup(session->worker(), std::move(query));
  session->pending_fill = std::move(found.fill);
  if (!found.hit) co_return false;
  // The policy may have moved while the store was asked.
  if (session->database->protection() != analysed.protection) co_return false;
  const CachedAnswer* answer = &*found.hit;
  const Status replayed = co_await replay(session, read, answer);
  if (!replayed) {
    // What is pending points into the answer, which ends here.
    session->out.pending().detach();
    co_return replayed.error();
  }
  co_return true;
}

}  // namespace postern::proxy
