// Bind: parameters are sealed here, and the statement is made sure of.
#include <utility>

#include "base/codes/session.hpp"
#include "protocol/extended.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/items.hpp"
#include "proxy/session/sealing.hpp"
#include "proxy/session/statement_names.hpp"
#include "proxy/session/unseen_code.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::Request;

std::vector<std::int16_t> formats_of(const protocol::FormatList& list) {
  std::vector<std::int16_t> formats;
  formats.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) formats.push_back(list[i]);
  return formats;
}

// A statement of SQL PREPARE, or none: the server knows. What Postern does not know it cannot seal.
Result<ItemResult> bind_unknown(Session* session, const BatchItem& item,
                                const protocol::Bind& bind) {
  if (gated(*session)) {
    const std::string name = "\"" + std::string(bind.statement) + "\"";
    return refused(make_error(pst::kUnknownStatement, name));
  }
  ServerLink* link = session->active;
  session->portals.erase(std::string(bind.portal));
  POSTERN_TRY(bar_foreign(session, bind.statement));
  link->out().add_view(item.whole);
  POSTERN_TRY(link->expect(unit_for(Request::kBind), Disposition::kForward));
  return sent();
}

// The portal exists from here on, and the reply to its Bind is awaited.
Status expect_bound(Session* session, const protocol::Bind& bind,
                    std::shared_ptr<PreparedStatement> statement) {
  const auto formats = formats_of(bind.result_formats);
  auto bound = std::make_shared<Portal>(Portal{std::string(bind.portal), statement, formats});
  bound->sent_in = session->ready_sent;
  session->portals.insert_or_assign(bound->name, bound);
  Unit unit = unit_for(Request::kBind);
  unit.statement = std::move(statement);
  unit.bound = std::move(bound);
  return session->active->expect(std::move(unit), Disposition::kForward);
}

// The client's message with another statement name; parameters and formats stay views.
void send_renamed(ServerLink* link, const BatchItem& item, const protocol::Bind& bind,
                  const std::string& name) {
  const std::size_t names = bind.portal.size() + bind.statement.size() + 2;  // with their zeros
  const ByteView tail = item.body().substr(names);
  const std::size_t length = 4 + bind.portal.size() + name.size() + 2 + tail.size();
  Bytes& out = link->out().own();
  out.push_back(static_cast<char>(protocol::FrontendType::kBind));
  out.append(4, '\0');
  store_be32(out.data() + out.size() - 4, static_cast<std::uint32_t>(length));
  out.append(bind.portal).push_back('\0');
  out.append(name).push_back('\0');
  link->out().add_view(tail);
}

Status send_bind(Session* session, const BatchItem& item, const protocol::Bind& bind,
                 std::shared_ptr<PreparedStatement> statement) {
  ServerLink* link = session->active;
  if (statement->server_name == statement->name) {
    link->out().add_view(item.whole);
  } else {
    send_renamed(link, item, bind, statement->server_name);
  }
  return expect_bound(session, bind, std::move(statement));
}

Result<ItemResult> bind_known(Session* session, const BatchItem& item, const protocol::Bind& bind,
                              std::shared_ptr<PreparedStatement> statement) {
  const std::shared_ptr<const AnalysedText> analysed = statement->analysed;
  // Sealing comes first: what cannot be sealed is refused before anything is sent for it.
  Bytes sealed;
  const bool seals = seals_parameters(*statement);
  if (seals && session->effect_under_way) return refused(make_error(pst::kSettingInBatch));
  if (seals) {
    const Status status = seal_bind(session, *statement, bind, sealed);
    if (!status) return refused(status.error());
  }
  POSTERN_TRY(ensure_named(session, session->active, *statement));
  POSTERN_TRY(ensure_prepared(session, session->active, statement));
  if (seals) {
    session->active->out().own().append(sealed);
    POSTERN_TRY(expect_bound(session, bind, std::move(statement)));
  } else {
    POSTERN_TRY(send_bind(session, item, bind, std::move(statement)));
  }
  // Planning already calls functions that say they are immutable.
  if (session->reading == nullptr) note_unseen(session, *analysed);
  return sent();
}

bool name_in_doubt(const Session& session, ByteView name) {
  return in_doubt(session, name) && heeds_names(session);
}

// What the name stands for, or the text means, has to be found out first.
Task<Result<ItemResult>> bind_when_known(Session* session, const BatchItem* item) {
  const auto bind = protocol::Bind::decode(item->body());
  if (!bind) co_return bind.error();
  if (name_in_doubt(*session, bind->statement)) {
    const Status known = co_await resolve_names(session);
    if (!known) co_return known.error();
  }
  auto statement = find_statement(session, bind->statement);
  if (statement == nullptr) co_return bind_unknown(session, *item, *bind);
  if (statement->names_another) {
    if (names_in_doubt(*session, statement->analysed->text)) {
      const Status known = co_await resolve_names(session);
      if (!known) co_return known.error();
    }
    follow_named(session, &statement);
  }
  if (means_other(*session, *statement->analysed)) {
    const auto fresh = co_await refresh(session, &statement);
    if (!fresh) co_return fresh.error();
    if (fresh->refusal) co_return *fresh;
  }
  co_return bind_known(session, *item, *bind, std::move(statement));
}

}  // namespace

Prompt<Result<ItemResult>> run_bind(Session* session, const BatchItem* item) {
  const auto bind = protocol::Bind::decode(item->body());
  if (!bind) return bind.error();
  if (name_in_doubt(*session, bind->statement)) return bind_when_known(session, item);
  auto statement = find_statement(session, bind->statement);
  if (statement == nullptr) return bind_unknown(session, *item, *bind);
  if (statement->names_another || means_other(*session, *statement->analysed)) {
    return bind_when_known(session, item);
  }
  return bind_known(session, *item, *bind, std::move(statement));
}

}  // namespace postern::proxy
