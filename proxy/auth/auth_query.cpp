#include "proxy/auth/auth_query.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/codes/auth.hpp"
#include "base/codes/pool.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

// Seconds until a password expires; no row where it never does. The clock is the server's.
#define POSTERN_SECONDS_LEFT                \
  "SELECT pg_catalog.date_part('epoch', v)" \
  " OPERATOR(pg_catalog.-) pg_catalog.date_part('epoch', pg_catalog.now()) FROM "
constexpr std::string_view kGivenExpirySql = POSTERN_SECONDS_LEFT
    "(SELECT $1::pg_catalog.timestamptz AS v) AS s"
    " WHERE v OPERATOR(pg_catalog.<) 'infinity'::pg_catalog.timestamptz";
constexpr std::string_view kRoleExpirySql = POSTERN_SECONDS_LEFT
    "(SELECT rolvaliduntil AS v FROM pg_catalog.pg_roles"
    " WHERE rolname OPERATOR(pg_catalog.=) $1::pg_catalog.name) AS s"
    " WHERE v OPERATOR(pg_catalog.<) 'infinity'::pg_catalog.timestamptz";
#undef POSTERN_SECONDS_LEFT

constexpr std::size_t kNameAndSecret = 2;
constexpr std::size_t kWithExpiry = 3;

config::ServiceOptions service_of(const config::AuthQueryOptions& options) {
  config::ServiceOptions service;
  service.user = options.user;
  service.password = options.password.clone();
  return service;
}

FoundSecret nobody() {
  static const auto kNobody = std::make_shared<const protocol::StoredPassword>();
  return kNobody;
}

// The forms of pg_authid.rolpassword. Anything else could be a password in clear: it is not used.
Result<FoundSecret> read_secret(const std::string& text) {
  protocol::StoredPassword stored;
  if (protocol::is_md5_hash(text)) {
    stored.md5 = Secret(text);
  } else {
    POSTERN_ASSIGN(stored.scram, protocol::ScramSecret::parse(text));
  }
  return FoundSecret(std::make_shared<const protocol::StoredPassword>(std::move(stored)));
}

Error failed(std::string_view what) {
  return make_error(pst::kAuthQueryFailed, std::string(what));
}

// The primary as last seen, then the others.
std::vector<std::size_t> nodes_in_order(const Cluster& cluster) {
  const auto state = cluster.state();
  std::vector<std::size_t> order(cluster.nodes().size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_partition(order.begin(), order.end(),
                        [&](std::size_t i) { return state->nodes[i].role == NodeRole::kPrimary; });
  return order;
}

}  // namespace

/// As Keeper's: `event` is touched on the caller's thread only and null once the login is gone.
struct AuthQuery::Waiter {
  Worker* caller = nullptr;
  Event* event = nullptr;
  Result<FoundSecret> found = FoundSecret();
  bool done = false;
};

AuthQuery::AuthQuery(const config::AuthQueryOptions* options, const Cluster* cluster, Worker* home)
    : options_(options),
      cluster_(cluster),
      home_(home),
      login_(service_of(*options)),
      connection_(home, &login_, {cluster, 0, options->database}) {
  connection_.limit(kTimeout);
}

AuthQuery::~AuthQuery() = default;

Task<Result<FoundSecret>> AuthQuery::lookup(Worker* caller, std::string login) {
  auto waiter = std::make_shared<Waiter>();
  Event event(caller->executor());
  waiter->caller = caller;
  waiter->event = &event;
  struct Leave {
    Waiter* waiter;
    ~Leave() { waiter->event = nullptr; }
  };
  const Leave leave{waiter.get()};
  home_->post([this, waiter, login = std::move(login)] { take(waiter, login); });
  while (!waiter->done) co_await event.wait();
  co_return waiter->found;
}

void AuthQuery::forget(std::string login) {
  home_->post([this, login = std::move(login)] { kept_.erase(login); });
}

namespace {

template <typename Waiter>
void answer(const std::shared_ptr<Waiter>& waiter, const Result<FoundSecret>& found) {
  waiter->caller->post([waiter, found] {
    waiter->found = found;
    waiter->done = true;
    if (waiter->event != nullptr) waiter->event->set();
  });
}

}  // namespace

void AuthQuery::take(std::shared_ptr<Waiter> waiter, const std::string& login) {
  const auto kept = kept_.find(login);
  if (kept != kept_.end() && SteadyClock::now() < kept->second.until) {
    return answer(waiter, Result<FoundSecret>(kept->second.secret));
  }
  const auto under_way = waiting_.find(login);
  if (under_way != waiting_.end()) {
    under_way->second.push_back(std::move(waiter));
    return;
  }
  if (SteadyClock::now() < down_until_) return answer(waiter, Result<FoundSecret>(failed("")));
  if (waiting_.size() >= kMaxWaiting)
    return answer(waiter, Result<FoundSecret>(failed("too many")));
  waiting_[login].push_back(std::move(waiter));
  queue_.push_back(login);
  if (!std::exchange(working_, true)) home_->spawn(work());
}

Task<void> AuthQuery::work() {
  while (!queue_.empty()) {
    std::string login = queue_.front();
    queue_.pop_front();
    std::string copy = login;
    expires_ = SteadyClock::now() + options_->ttl;
    const Result<FoundSecret> found = co_await ask(std::move(copy));
    if (found) {
      keep(login, *found, expires_);
    } else {
      log_failure("auth_query_failed", found.error(), {{"user", login}});
    }
    // What the server said is for the log, not for who is not logged in yet.
    const Result<FoundSecret> told = found ? found : Result<FoundSecret>(failed(""));
    tell(login, told);
    // The same server would be asked for the others.
    const bool down = !found && SteadyClock::now() < down_until_;
    for (; down && !queue_.empty(); queue_.pop_front()) tell(queue_.front(), told);
  }
  working_ = false;
}

void AuthQuery::tell(const std::string& login, const Result<FoundSecret>& told) {
  const auto node = waiting_.extract(login);
  for (const auto& waiter : node.mapped()) answer(waiter, told);
}

Task<Result<FoundSecret>> AuthQuery::ask(std::string login) {
  std::string name = login;
  Result<Rows> rows = co_await ask_nodes(std::move(name));
  if (!rows) co_return rows.error();
  if (rows->empty()) co_return nobody();
  const bool sound = rows->size() == 1 && (rows->front().size() == kNameAndSecret ||
                                           rows->front().size() == kWithExpiry);
  if (!sound) co_return failed("auth.query: one row of two or three columns is expected");
  Row row = std::move(rows->front());
  // Another name's secret must not stand for this one's.
  if (row[0] != login || !row[1]) co_return nobody();
  co_return co_await check_expiry(std::move(login), std::move(row));
}

Task<Result<Rows>> AuthQuery::ask_nodes(std::string login) {
  Result<Rows> rows = failed("auth.query: the cluster has no nodes");
  for (const std::size_t node : nodes_in_order(*cluster_)) {
    connection_.move_to(node);
    std::string text = options_->query;
    std::string parameter = login;
    rows = co_await connection_.query(std::move(text), std::move(parameter));
    if (rows || rows.error().code == pst::kUpstreamQuery) co_return rows;
  }
  down_until_ = SteadyClock::now() + kDownTime;
  co_return rows;
}

// VALID UNTIL counts (CVE-2025-2291): as the statement gives it, else as the role of this name has
// it. A password valid for less than the ttl is kept for that long only.
Task<Result<FoundSecret>> AuthQuery::check_expiry(std::string login, Row row) {
  const bool given = row.size() == kWithExpiry;
  Result<FoundSecret> secret = read_secret(*row[1]);
  wipe(*row[1]);
  if (!secret || (given && !row[2])) co_return secret;
  std::string text(given ? kGivenExpirySql : kRoleExpirySql);
  std::string parameter = given ? *row[2] : std::move(login);
  const Result<Rows> left = co_await connection_.query_same(std::move(text), std::move(parameter));
  if (!left) co_return left.error();
  if (left->empty() || left->front().empty() || !left->front()[0]) co_return secret;
  const std::string& digits = *left->front()[0];
  double seconds = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  if (error != std::errc{} || std::isnan(seconds)) co_return failed("auth.query: bad expiry");
  if (seconds <= 0) co_return nobody();
  const double most = std::chrono::duration<double>(options_->ttl).count();
  const std::chrono::duration<double> life(std::min(seconds, most));
  expires_ = SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(life);
  co_return secret;
}

void AuthQuery::keep(const std::string& login, FoundSecret secret, SteadyClock::time_point until) {
  // Invented names must not fill the memory; a full table starts afresh.
  if (kept_.size() >= kMaxKept) kept_.clear();
  kept_.insert_or_assign(login, Kept{std::move(secret), until});
}

}  // namespace postern::proxy
