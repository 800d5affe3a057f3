#include "proxy/console/execute.hpp"

#include <charconv>
#include <utility>

#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "protocol/error_message.hpp"
#include "proxy/console/gather.hpp"
#include "proxy/console/tables.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/session.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy::console {
namespace {

const Console& console_of(Session* session) {
  return *session->runtime().console;
}

std::string text_of(const Command& command) {
  std::string text(row_of(command.verb).words);
  if (!command.argument.empty()) text += " " + command.argument;
  return text;
}

Error not_served(Verb verb, std::string hint) {
  Error error = make_error(pst::kConsoleNotServed, std::string(row_of(verb).words));
  error.hint = std::move(hint);
  return error;
}

bool names_database(Verb verb) {
  const Argument argument = row_of(verb).argument;
  return argument == Argument::kDatabase || argument == Argument::kMaybeDatabase;
}

Status check_database(Session* session, const Command& command) {
  if (!names_database(command.verb) || command.argument.empty()) return ok();
  const std::string& name = command.argument;
  const bool known = config::find_database(session->config(), name) != nullptr;
  if (!known || name == config::kConsoleDatabase) {
    return make_error(pst::kConsoleNoDatabase, "\"" + name + "\"");
  }
  return ok();
}

const Actions::OnDatabase* action_of(const Actions& actions, Verb verb) {
  switch (verb) {
    case Verb::kPause:
      return &actions.pause;
    case Verb::kResume:
      return &actions.resume;
    case Verb::kReconnect:
      return &actions.reconnect;
    case Verb::kKill:
      return &actions.kill;
    case Verb::kDisable:
      return &actions.disable;
    case Verb::kEnable:
      return &actions.enable;
    case Verb::kShutdown:
      return &actions.shutdown;
    default:
      return nullptr;
  }
}

// PAUSE and WAIT_CLOSE answer when what they ask for has come about. The wait ends with the client
// and with the process.
Task<Status> wait_for(Session* session, const Actions::Wait* wait, const std::string* database) {
  for (;;) {
    std::string name = *database;
    Task<Result<bool>> operation = (*wait)(session->worker(), std::move(name), kWaitSlice);
    const Result<bool> done = co_await std::move(operation);
    if (!done) co_return done.error();
    if (*done) co_return ok();
    if (session->runtime().stopping) co_return make_error(pst::kShuttingDown);
    if (session->client.peek() == IdleState::kGone) session->ending = true;
    if (session->ending) co_return ok();
  }
}

Task<Status> reload(Session* session) {
  const auto& function = console_of(session).actions().reload;
  if (!function) co_return not_served(Verb::kReload, "Restart to apply changes.");
  Task<Result<std::vector<std::string>>> operation = function(session->worker());
  const Result<std::vector<std::string>> lines = co_await std::move(operation);
  if (!lines) co_return lines.error();
  for (const std::string& line : *lines) {
    protocol::append_notice(session->out.pending().own(), "NOTICE", "00000", line);
  }
  co_return ok();
}

Task<Status> kill(Session* session, const Command* command) {
  std::uint64_t id = 0;
  const std::string& digits = command->argument;
  std::from_chars(digits.data(), digits.data() + digits.size(), id);
  const Console* console = &console_of(session);
  const bool found = co_await kill_client(console, session->worker(), id);
  if (!found) co_return make_error(pst::kConsoleNoClient, digits);
  co_return ok();
}

Task<Status> act(Session* session, const Command* command) {
  const Actions& actions = console_of(session).actions();
  const Status known = check_database(session, *command);
  if (!known) co_return known.error();
  if (command->verb == Verb::kReload) co_return co_await reload(session);
  if (command->verb == Verb::kKillClient) co_return co_await kill(session, command);
  if (command->verb == Verb::kWaitClose) {
    if (!actions.wait_closed) co_return not_served(command->verb, {});
    co_return co_await wait_for(session, &actions.wait_closed, &command->argument);
  }
  const Actions::OnDatabase* action = action_of(actions, command->verb);
  if (action == nullptr) co_return ok();  // a courtesy
  if (!*action) co_return not_served(command->verb, "This build has no such operation.");
  const Status done = (*action)(command->argument);
  if (!done) co_return done.error();
  if (command->verb != Verb::kPause || !actions.wait_paused) co_return ok();
  co_return co_await wait_for(session, &actions.wait_paused, &command->argument);
}

// Before anything happens.
Task<Status> put_on_record(Session* session, const Command* command) {
  if (row_of(command->verb).needs != Needs::kAdmin) co_return ok();
  std::string text = text_of(*command);
  log_info("console_command", {{"user", session->identity.login},
                               {"client", session->identity.address},
                               {"command", text}});
  co_return co_await record_command(session, std::move(text));
}

std::optional<Error> refused(Verb verb) {
  if (verb == Verb::kShowFds) {
    return not_served(verb, "Descriptors, keys and passwords are not given away.");
  }
  if (verb == Verb::kSuspend) {
    return not_served(verb, "PAUSE does the same for servers; clients keep their connections.");
  }
  return std::nullopt;
}

}  // namespace

Task<Result<Reply>> execute(Session* session, const Command* command) {
  const Status recorded = co_await put_on_record(session, command);
  if (!recorded) co_return recorded.error();
  if (const auto no = refused(command->verb)) co_return *no;
  Reply reply;
  reply.tag = tag_of(command->verb);
  if (columns_of(command->verb).empty()) {
    const Status done = co_await act(session, command);
    if (!done) co_return done.error();
  } else {
    const Console* console = &console_of(session);
    const Snapshot snapshot = co_await gather(console, session->worker(), command->verb);
    reply.rows = rows_of(command->verb, snapshot, command->argument);
  }
  session->statistics.statement_answered();
  co_return reply;
}

}  // namespace postern::proxy::console
