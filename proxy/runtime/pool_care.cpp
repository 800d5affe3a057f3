#include "proxy/runtime/pool_care.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "proxy/pool/identity.hpp"
#include "proxy/session/tenant_role.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

std::shared_ptr<const Secret> password_of(Runtime& runtime, const Database& database,
                                          const std::string& user) {
  const config::DatabaseOptions& options = database.options();
  if (user == options.user && !options.password.empty()) {
    return std::make_shared<const Secret>(options.password.clone());
  }
  auto password = tenant_role_password(*runtime.config, user);
  return password != nullptr ? password : runtime.users.password(user);
}

std::optional<UpstreamTarget> target_of(Runtime& runtime, const PoolTicket& ticket) {
  Database* database = runtime.databases.find(ticket.key().database);
  auto startup = startup_of(ticket.taker().identity);
  if (database == nullptr || !startup) return std::nullopt;
  for (const Endpoint& node : database->cluster().nodes()) {
    if (node.text() != ticket.key().node) continue;
    UpstreamTarget target = database->cluster().target(node);
    target.database = database->upstream();
    target.user = ticket.key().user;
    target.password = password_of(runtime, *database, target.user);
    target.parameters = std::move(*startup);
    return target;
  }
  return std::nullopt;
}

// Whatever goes wrong here says nothing to clients: each of them learns by its own attempt.
Task<void> open_spare(Runtime* runtime, Worker* home, PoolTicket ticket) {
  std::optional<UpstreamTarget> target = target_of(*runtime, ticket);
  if (!target) co_return;
  OpenResult result = co_await open_server(home, std::move(*target));
  auto* opened = std::get_if<OpenedServer>(&result);
  if (opened == nullptr) {
    log_failure("spare_not_opened", std::get<UpstreamFailure>(result).error,
                {{"node", ticket.key().node}, {"database", ticket.key().database}});
    co_return;
  }
  runtime->metrics.servers_opened.add();
  IdleServer server{opened->transport.release(), std::move(opened->facts)};
  ticket.release(std::move(server));
}

}  // namespace

Task<void> care_for_pools(Runtime* runtime, Worker* home) {
  Timer timer(home->executor());
  for (;;) {
    timer.expires_after(Broker::kTendInterval);
    auto operation = timer.async_wait(kAwait);
    co_await std::move(operation);
    runtime->broker.tend(SteadyClock::now());
    for (PoolTicket& ticket : runtime->broker.wanted(SteadyClock::now())) {
      home->spawn(open_spare(runtime, home, std::move(ticket)));
    }
  }
}

}  // namespace postern::proxy
