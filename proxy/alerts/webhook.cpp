#include "proxy/alerts/webhook.hpp"

#include <algorithm>
#include <csignal>
#include <curl/curl.h>
#include <unistd.h>
#include <utility>

#include "base/bytes.hpp"
#include "base/codes/alert.hpp"
#include "crypto/hash.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

constexpr long kTooManyRequests = 429;
constexpr long kRequestTimeout = 408;
constexpr std::chrono::milliseconds kLongestPause{60'000};

std::size_t ignore(char*, std::size_t size, std::size_t count, void*) {
  return size * count;
}

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Headers make_headers(const Secret& secret, std::string_view body) {
  Headers headers(curl_slist_append(nullptr, "Content-Type: application/json"),
                  curl_slist_free_all);
  // Without it libcurl waits for a go-ahead in front of longer bodies.
  curl_slist_append(headers.get(), "Expect:");
  if (!secret.empty()) {
    const std::string line =
        "X-Postern-Signature: " + Webhook::signature(secret, unix_seconds(), body);
    curl_slist_append(headers.get(), line.c_str());
  }
  return headers;
}

// Nothing but this URL is ever asked: no redirects, no proxies of the environment.
void bound_request(CURL* curl, const config::AlertsOptions& options) {
  curl_easy_setopt(curl, CURLOPT_URL, options.webhook.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(options.timeout.count()));
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options.ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, options.ca_file.path.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "postern/" POSTERN_VERSION);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
}

}  // namespace

Result<std::unique_ptr<Webhook>> Webhook::open(const config::AlertsOptions* options) {
  if (!options->ca_file.empty() && ::access(options->ca_file.path.c_str(), R_OK) != 0) {
    return make_error(pst::kWebhookUnusable, "alerts.ca_file cannot be read");
  }
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return make_error(pst::kWebhookUnusable, "libcurl does not start");
  }
  std::unique_ptr<Webhook> webhook(new Webhook(options));
  webhook->thread_ = std::thread([self = webhook.get()] { self->run(); });
  return webhook;
}

Webhook::~Webhook() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    counts_.dropped += queue_.size();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Webhook::put(std::string body) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= options_->queue) {
      ++counts_.dropped;
      return;
    }
    queue_.push_back(std::move(body));
  }
  wake_.notify_one();
}

std::string Webhook::signature(const Secret& secret, std::int64_t seconds, std::string_view body) {
  const std::string time = std::to_string(seconds);
  const auto mac = crypto::hmac_sha256(secret.reveal(), time + "." + std::string(body));
  return "t=" + time + ",v1=" + to_hex(mac.view());
}

void Webhook::run() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  for (;;) {
    std::string body;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      body = std::move(queue_.front());
      queue_.pop_front();
    }
    deliver(body);
  }
}

void Webhook::deliver(const std::string& body) {
  std::chrono::milliseconds span = options_->backoff;
  for (std::uint32_t attempt = 1;; ++attempt) {
    const Verdict verdict = request(body);
    if (verdict == Verdict::kTaken) {
      ++counts_.sent;
      return;
    }
    if (stopping_) {
      ++counts_.dropped;
      return;
    }
    if (verdict == Verdict::kRefused || attempt >= options_->attempts) break;
    if (!pause(span)) continue;
    span = std::min(2 * span, kLongestPause);
  }
  ++counts_.failed;
  log_warning("alert_not_delivered", {{"attempts", options_->attempts}});
}

// False: the process stops.
bool Webhook::pause(std::chrono::milliseconds span) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, span, [this] { return stopping_.load(); });
}

Webhook::Verdict Webhook::request(const std::string& body) {
  if (stopping_) return Verdict::kAgain;
  const Handle curl(curl_easy_init(), curl_easy_cleanup);
  if (curl == nullptr) return Verdict::kAgain;
  const Headers headers = make_headers(options_->secret, body);
  bound_request(curl.get(), *options_);
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, this);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, &Webhook::watch);
  const CURLcode code = curl_easy_perform(curl.get());
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  const bool answered = code == CURLE_OK;
  if (answered && status >= 200 && status < 300) return Verdict::kTaken;
  log_warning("alert_attempt_failed",
              {{"status", static_cast<std::int64_t>(status)},
               {"reason", answered ? "the answer is no success" : curl_easy_strerror(code)}});
  const bool wrong = answered && status >= 300 && status < 500 && status != kRequestTimeout &&
                     status != kTooManyRequests;
  return wrong ? Verdict::kRefused : Verdict::kAgain;
}

int Webhook::watch(void* self, long, long, long, long) {
  return static_cast<Webhook*>(self)->stopping_ ? 1 : 0;
}

}  // namespace postern::proxy
