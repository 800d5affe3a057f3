#include "proxy/admin/metrics_listener.hpp"

#include <string>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "base/codes/session.hpp"
#include "proxy/admin/scrape.hpp"
#include "proxy/net/acceptor.hpp"
#include "proxy/runtime/runtime.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

namespace http = boost::beast::http;

struct Reply {
  int status = 200;
  const char* reason = "OK";
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

std::string render(const Reply& reply) {
  std::string out = "HTTP/1.1 " + std::to_string(reply.status) + " " + reply.reason;
  out += "\r\nContent-Type: " + reply.type;
  out += "\r\nContent-Length: " + std::to_string(reply.body.size());
  out += "\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n";
  return out + reply.body;
}

constexpr const char* kPlain = "text/plain; charset=utf-8";

Reply readiness(const Runtime& runtime) {
  const std::vector<std::string> reasons = not_ready(runtime);
  if (reasons.empty()) return {200, "OK", kPlain, "ready\n"};
  Reply reply{503, "Service Unavailable", kPlain, {}};
  for (const std::string& reason : reasons) reply.body += reason + "\n";
  return reply;
}

Reply answer(Runtime& runtime, std::string_view target) {
  target = target.substr(0, target.find('?'));
  if (target == "/metrics") {
    return {200, "OK", "text/plain; version=0.0.4; charset=utf-8", scrape(runtime)};
  }
  if (target == "/healthz") return {200, "OK", kPlain, "alive\n"};
  if (target == "/readyz") return readiness(runtime);
  return {404, "Not Found", kPlain, "postern: try /metrics, /healthz or /readyz\n"};
}

void close_transport(void* owner) {
  static_cast<Transport*>(owner)->close();
}

// The request line's target, once the header is whole; empty: more input is needed.
Result<std::string> target_of(ByteView unread) {
  http::request_parser<http::empty_body> parser;
  boost::system::error_code error;
  parser.put(asio::buffer(unread.data(), unread.size()), error);
  if (error == http::error::need_more) return std::string();
  if (error) return make_error(pst::kBadHttpRequest, error.message());
  if (!parser.is_header_done()) return std::string();
  if (parser.get().method() != http::verb::get) return make_error(pst::kBadHttpRequest, "GET only");
  return std::string(parser.get().target());
}

Task<void> answer_one(Worker* home, Runtime* runtime, UnboundTransport unbound) {
  auto adopted = Transport::adopt(home->executor(), std::move(unbound));
  if (!adopted) co_return;
  Transport transport = std::move(*adopted);
  Deadline deadline(home->deadlines(), close_transport, &transport);
  deadline.arm(SteadyClock::now() + MetricsListener::kRequestTimeout);
  ReadBuffer input(home->buffers(), MetricsListener::kMaxRequestBytes);
  for (;;) {
    Result<std::span<char>> room = input.reserve(1);
    if (!room) co_return;
    char* into = room->data();
    const std::size_t size = room->size();
    const Result<std::size_t> got = co_await transport.read_some(into, size);
    if (!got || *got == 0) co_return;
    input.commit(*got);
    const Result<std::string> target = target_of(input.unread());
    if (target && target->empty()) continue;
    const std::string text =
        render(target ? answer(*runtime, *target)
                      : Reply{400, "Bad Request", "text/plain", target.error().message() + "\n"});
    const ByteView view(text);
    (void)co_await transport.write(view);
    (void)co_await transport.finish();
    co_return;
  }
}

}  // namespace

/// The acceptor hands connections to a group; this one has a single member of its own.
struct MetricsListener::State {
  State() : group(1, WorkerOptions{"metrics", {}}) {}
  WorkerGroup group;
  std::optional<Acceptor> acceptor;
};

MetricsListener::MetricsListener(std::unique_ptr<State> state) : state_(std::move(state)) {}
MetricsListener::MetricsListener(MetricsListener&&) noexcept = default;
MetricsListener& MetricsListener::operator=(MetricsListener&&) noexcept = default;

MetricsListener::~MetricsListener() {
  if (state_ == nullptr) return;
  state_->acceptor->stop();
  state_->group.stop();
  state_->group.join();
}

Result<MetricsListener> MetricsListener::open(Worker* home, Runtime* runtime) {
  auto state = std::make_unique<State>();
  AcceptorOptions options;
  options.listen.host = runtime->config->metrics->address;
  options.listen.port = runtime->config->metrics->port;
  options.on_trouble = [](const Error& error) { log_failure("metrics_paused", error); };
  options.on_connection = [runtime](Worker& worker, UnboundTransport unbound, LoadTicket) {
    worker.spawn(answer_one(&worker, runtime, std::move(unbound)));
  };
  POSTERN_ASSIGN(Acceptor acceptor, Acceptor::open(*home, state->group, std::move(options)));
  state->acceptor.emplace(std::move(acceptor));
  state->group.start();
  log_info("metrics", {{"address", runtime->config->metrics->address},
                       {"port", static_cast<int>(state->acceptor->port())}});
  return MetricsListener(std::move(state));
}

}  // namespace postern::proxy
