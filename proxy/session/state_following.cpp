#include "proxy/session/state_following.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/codes/session.hpp"
#include "protocol/error_message.hpp"
#include "protocol/extended.hpp"
#include "protocol/session_setup.hpp"
#include "protocol/simple.hpp"
#include "proxy/session/items.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/tenant_role.hpp"
#include "proxy/session/tracking.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::Request;

constexpr std::string_view kSearchPath = "search_path";

// The path of a fresh server session, or the one the session set for itself.
void adopt_search_path(Session* session, const ServerLink& link) {
  const auto wanted = session->state.wanted().find(kSearchPath);
  const bool own = session->pooled && wanted != session->state.wanted().end();
  const std::string& text = own ? wanted->second : link.facts().search_path;
  take_search_path(session, text);
}

// True: the reply will say what the parameters are then.
Result<bool> send_settings(Session* session, ServerLink* link) {
  if (link->facts().applied == session->state.wanted()) return false;
  Settings applied = link->facts().applied;
  // By itself and first: a message is read in the encoding in force when it arrives, and the other
  // values are in the client's.
  const std::string encoding = encoding_change(applied, session->state.wanted());
  const std::string others = settings_change(applied, session->state.wanted());
  for (const std::string& change : {encoding, others}) {
    if (change.empty()) continue;
    POSTERN_TRY(protocol::Query{change}.encode(link->out().own()));
    POSTERN_TRY(
        link->expect(unit_for(Request::kQuery, Internal::kSettings), Disposition::kSwallow));
  }
  link->facts().applied = session->state.wanted();
  return !encoding.empty() || !others.empty();
}

// The least recently used go, before anything of the new holder refers to them.
Status thin_out(Session* session, ServerLink* link) {
  auto& prepared = link->prepared();
  const std::size_t limit = session->database->options().max_prepared_statements;
  if (prepared.size() <= limit) return ok();
  std::vector<std::pair<std::uint64_t, std::string>> by_age;
  for (const auto& [name, known] : prepared) by_age.emplace_back(known.used, name);
  const auto surplus = static_cast<std::ptrdiff_t>(prepared.size() - limit);
  std::nth_element(by_age.begin(), by_age.begin() + surplus - 1, by_age.end());
  for (std::ptrdiff_t i = 0; i < surplus; ++i) {
    const std::string& name = by_age[static_cast<std::size_t>(i)].second;
    const protocol::Close close{protocol::Target::kStatement, name};
    POSTERN_TRY(close.encode(link->out().own()));
    POSTERN_TRY(link->expect(unit_for(Request::kClose, Internal::kReparse), Disposition::kSwallow));
    prepared.erase(name);
  }
  protocol::Sync{}.encode(link->out().own());
  return link->expect(unit_for(Request::kSync, Internal::kReparse), Disposition::kSwallow);
}

// What a connection borrowed for one read reports is none of the client's business.
Status tell_differences(Session* session, ServerLink* link) {
  if (link != session->primary.get()) return ok();
  const ReportedParameters& now = link->facts().parameters;
  if (now.digest() == session->reported.digest()) return ok();
  for (const auto& [name, value] : now.all()) {
    if (!session->reported.set(name, value)) continue;
    if (!session->serving) continue;  // the welcome will tell
    POSTERN_TRY((protocol::ParameterStatus{name, value}.encode(session->out.pending().own())));
    POSTERN_TRY(on_parameter(session, link, name, value));
  }
  return ok();
}

}  // namespace

Status take_state_along(Session* session, ServerLink* link) {
  const bool primary = link == session->primary.get();
  if (primary) adopt_search_path(session, *link);
  if (!session->pooled) return ok();
  if (primary) session->path_due = false;
  link->forget("");
  POSTERN_TRY(thin_out(session, link));
  POSTERN_ASSIGN(const bool awaited, send_settings(session, link));
  return awaited ? ok() : tell_differences(session, link);
}

void note_unseen_code(Session* session, ServerLink* link) {
  session->state.note_unseen();
  link->context().armed = false;
}

namespace {

// Names every client its own, and the encoding that all have, are told without having been asked.
Settings asked_for(const Settings& wanted, const FreshSession& fresh) {
  Settings settings = wanted;
  settings.erase("application_name");
  const auto encoding = settings.find("client_encoding");
  const bool usual =
      encoding != settings.end() && fresh.parameters.find("client_encoding") == encoding->second;
  if (usual) settings.erase(encoding);
  return settings;
}

void take_welcome(Session* session, const ReportedParameters& reported,
                  const std::string& search_path, const FreshSession& fresh) {
  constexpr std::string_view kName = "application_name";
  session->reported = reported;
  const Settings& wanted = session->state.wanted();
  const auto own = wanted.find(kName);
  session->reported.set(
      kName, own != wanted.end() ? own->second : fresh.parameters.find(kName).value_or(""));
  take_search_path(session, search_path);
}

// The server it comes from begins its sessions as the latest did, but for what the client set.
bool is_as_fresh(const ReportedParameters& reported, const Settings& set,
                 const FreshSession& fresh) {
  for (const auto& [name, value] : fresh.parameters.all()) {
    if (name == "application_name" || set.contains(name)) continue;
    if (reported.find(name) != value) return false;
  }
  return true;
}

}  // namespace

bool welcome_from_memory(Session* session) {
  if (!session->pooled || !fresh_startup(session->identity)) return false;
  const std::string& user = session->identity.upstream_user;
  const auto fresh = session->database->fresh_session(user);
  if (fresh == nullptr) return false;
  const Settings settings = asked_for(session->state.wanted(), *fresh);
  if (settings.empty()) {
    take_welcome(session, fresh->parameters, fresh->search_path, *fresh);
    return true;
  }
  // Only a server knows whether it takes others, and how it would put them.
  const auto known = session->database->welcome(user, settings);
  if (known == nullptr) return false;
  take_welcome(session, known->parameters, known->search_path, *fresh);
  return true;
}

void remember_welcome(Session* session) {
  if (!session->pooled || !fresh_startup(session->identity)) return;
  const std::string& user = session->identity.upstream_user;
  const auto fresh = session->database->fresh_session(user);
  if (fresh == nullptr) return;
  const Settings settings = asked_for(session->state.wanted(), *fresh);
  if (settings.empty() || !is_as_fresh(session->reported, settings, *fresh)) return;
  session->database->remember(
      user, settings, {session->reported, session->search_path_text, fresh->parameters.digest()});
}

Status renew_state(Session* session, ServerLink* link) {
  if (!session->state_differs || !link->queue().releasable()) return ok();
  session->state_differs = false;
  POSTERN_TRY(send_settings(session, link));
  return ok();
}

Status on_settings_reply(const protocol::Frame& frame) {
  if (frame.backend() != protocol::BackendType::kErrorResponse) return ok();
  POSTERN_ASSIGN(const auto fields, protocol::ErrorFields::decode(frame.body));
  const std::string text(fields.get(protocol::kFieldMessage).value_or(""));
  // Up to the value: an application's own parameters may hold what is nobody's business.
  return make_error(pst::kStateNotApplied, text.substr(0, text.find(": ")));
}

Status on_settings_done(Session* session, ServerLink* link) {
  if (link->awaits(Internal::kSettings)) return ok();  // the encoding was only the first of them
  return tell_differences(session, link);
}

void on_state_done(Session* session, ServerLink* link) {
  Settings applied;
  if (!session->state.done(applied)) return;
  session->state_differs = applied.size() != session->state.wanted().size();
  link->facts().applied = std::move(applied);
  session->path_due = false;
  session->path_touched = false;
  session->settings_changed = session->state.pins() != Pin::kNone;
  if (!has(session->state.pins(), Pin::kPrepared)) session->sql_names.clear();
  adopt_search_path(session, *link);
}

bool may_let_go(const Session& session) {
  const ServerLink* link = session.primary.get();
  return session.pooled && session.parked && !session.ending && link != nullptr && !link->broken &&
         !link->stop_pump && link->quiet() && link->out_empty() && !link->flushing() &&
         !session.batch_sent && !session.retry.due &&
         (session.state.pins() == Pin::kNone || session.state.suspect());
}

Result<bool> ask_state(Session* session, ServerLink* link) {
  if (!session->state.suspect() && !session->path_due) return false;
  POSTERN_TRY(protocol::Query{session->state.question()}.encode(link->out().own()));
  POSTERN_TRY(link->expect(unit_for(Request::kQuery, Internal::kState), Disposition::kSwallow));
  return true;
}

namespace {

// As PostgreSQL reads a time limit: a number, with a unit or in milliseconds. In ms; nullopt where
// it is not plainly one.
std::optional<double> milliseconds(std::string_view value) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"", 1.0},     {"us", 0.001}, {"ms", 1.0},         {"s", 1000.0},
      {"min", 60e3}, {"h", 3600e3}, {"d", 24.0 * 3600e3}};
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(value.data() + value.size() - end));
  for (const auto& [name, factor] : kUnits) {
    if (unit == name) return number * factor;
  }
  return std::nullopt;
}

}  // namespace

bool is_hasty(const Settings& applied) {
  constexpr double kShortest = 10;  // ms
  for (const std::string_view name : {"statement_timeout", "transaction_timeout"}) {
    const auto found = applied.find(name);
    if (found == applied.end()) continue;
    const auto limit = milliseconds(found->second);
    if (!limit || (*limit > 0 && *limit < kShortest)) return true;
  }
  return false;
}

void let_go(Session* session, std::unique_ptr<ServerLink> link) {
  const bool fit = !link->mixed && link->transport().glance() == IdleState::kQuiet;
  give_back(session, std::move(link), fit);
}

void offer_primary(Session* session) {
  if (!may_let_go(*session)) return;
  session->primary->transport().interrupt();
}

}  // namespace postern::proxy
