#include "proxy/keeper/service_connection.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/net.hpp"
#include "base/codes/pool.hpp"
#include "protocol/error_message.hpp"
#include "proxy/session/plain_query.hpp"

namespace postern::proxy {
namespace {

constexpr std::size_t kSqlstateLength = 5;
constexpr std::string_view kUnknownDatabaseState = "3D000";

void close_transport(void* owner) {
  static_cast<Transport*>(owner)->close();
}

Error login_error(UpstreamFailure failure) {
  if (!failure.server) return std::move(failure.error);
  const ByteView state = failure.server->get(protocol::kFieldSqlstate);
  const ByteView message = failure.server->get(protocol::kFieldMessage);
  if (state == kUnknownDatabaseState) return make_error(pst::kUnknownDatabase, Bytes(message));
  return make_error(pst::kUpstreamQuery, Bytes(state) + " " + Bytes(message));
}

}  // namespace

struct ServiceConnection::Open {
  Open(OpenedServer opened, Worker* worker)
      : transport(std::move(opened.transport)),
        facts(std::move(opened.facts)),
        input(worker->buffers(), kMaxPlainMessage) {}

  Transport transport;
  std::unique_ptr<ServerFacts> facts;
  ReadBuffer input;
};

ServiceConnection::ServiceConnection(Worker* worker, const config::ServiceOptions* service,
                                     ServicePlace place)
    : worker_(worker), service_(service), place_(std::move(place)) {
  if (!service->password.empty()) {
    password_ = std::make_shared<const Secret>(service->password.clone());
  }
}

ServiceConnection::~ServiceConnection() = default;

void ServiceConnection::move_to(std::size_t node) {
  if (node != place_.node) close();
  place_.node = node;
}

void ServiceConnection::use_database(std::string database) {
  if (database != place_.database) close();
  place_.database = std::move(database);
}

UpstreamTarget ServiceConnection::target() const {
  UpstreamTarget target = place_.cluster->target(place_.cluster->nodes().at(place_.node));
  target.database = place_.database;
  target.user = service_->user;
  target.password = password_;
  target.timeout = std::min(target.timeout, timeout_);
  // As startup parameters they outrank what ALTER ROLE or ALTER DATABASE set.
  target.parameters = {{"application_name", "postern"},
                       {"client_encoding", "UTF8"},
                       {"search_path", ""},
                       {"default_transaction_read_only", "on"}};
  return target;
}

Task<Status> ServiceConnection::open() {
  if (open_ != nullptr) co_return ok();
  UpstreamTarget where = target();
  OpenResult opened = co_await open_server(worker_, std::move(where));
  if (auto* failure = std::get_if<UpstreamFailure>(&opened)) {
    co_return login_error(std::move(*failure));
  }
  open_ = std::make_unique<Open>(std::get<OpenedServer>(std::move(opened)), worker_);
  ++generation_;
  co_return ok();
}

Task<Result<Rows>> ServiceConnection::query(std::string text) {
  std::optional<std::string> none;
  co_return co_await run(std::move(text), std::move(none));
}

Task<Result<Rows>> ServiceConnection::query(std::string text, std::string parameter) {
  std::optional<std::string> value(std::move(parameter));
  co_return co_await run(std::move(text), std::move(value));
}

Task<Result<Rows>> ServiceConnection::query_same(std::string text) {
  std::optional<std::string> none;
  co_return co_await run_same(std::move(text), std::move(none));
}

Task<Result<Rows>> ServiceConnection::query_same(std::string text, std::string parameter) {
  std::optional<std::string> value(std::move(parameter));
  co_return co_await run_same(std::move(text), std::move(value));
}

Task<Result<Rows>> ServiceConnection::run(std::string text, std::optional<std::string> parameter) {
  const bool kept = is_open();
  if (!kept) {
    const Status opened = co_await open();
    if (!opened) co_return opened.error();
  }
  std::string first_text = text;
  std::optional<std::string> first_parameter = parameter;
  Result<Rows> rows = co_await run_same(std::move(first_text), std::move(first_parameter));
  const bool was_dead = !rows && kept && rows.error().code == pst::kUpstreamLost;
  if (!was_dead) co_return rows;
  const Status reopened = co_await open();
  if (!reopened) co_return reopened.error();
  Result<Rows> again = co_await run_same(std::move(text), std::move(parameter));
  co_return again;
}

Task<Result<Rows>> ServiceConnection::run_same(std::string text,
                                               std::optional<std::string> parameter) {
  if (open_ == nullptr) co_return make_error(pst::kUpstreamLost);
  Deadline deadline(worker_->deadlines(), close_transport, &open_->transport);
  deadline.arm(SteadyClock::now() + timeout_);
  Task<Result<Rows>> asking =
      parameter
          ? plain_query(&open_->transport, &open_->input, std::move(text), std::move(*parameter))
          : plain_query(&open_->transport, &open_->input, std::move(text));
  Result<Rows> rows = co_await std::move(asking);
  deadline.disarm();
  if (rows || rows.error().code == pst::kUpstreamQuery) co_return rows;
  close();
  if (deadline.expired()) co_return make_error(pst::kConnectTimeout, "no answer to a query");
  co_return rows;
}

void ServiceConnection::close() {
  open_.reset();
}

const ServerFacts* ServiceConnection::facts() const {
  return open_ == nullptr ? nullptr : open_->facts.get();
}

std::string_view upstream_sqlstate(const Error& error) {
  const bool has_one = error.code == pst::kUpstreamQuery && error.what.size() >= kSqlstateLength;
  return has_one ? std::string_view(error.what).substr(0, kSqlstateLength) : std::string_view();
}

}  // namespace postern::proxy
