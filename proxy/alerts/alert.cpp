#include "proxy/alerts/alert.hpp"

#include <array>
#include <ctime>

#include <nlohmann/json.hpp>

#include "base/result.hpp"

namespace postern::proxy {
namespace {

// RFC 3339, UTC, milliseconds.
std::string time_text(std::int64_t time_us) {
  constexpr std::int64_t kMicros = 1'000'000;
  constexpr std::int64_t kMicrosPerMilli = 1'000;
  const std::time_t seconds = time_us / kMicros;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  const std::string millis = std::to_string(1'000 + time_us % kMicros / kMicrosPerMilli);
  return std::string(text.data(), size) + "." + millis.substr(1) + "Z";
}

}  // namespace

std::string alert_json(const Alert& alert, std::string_view instance) {
  nlohmann::ordered_json json;
  json["event"] = "violation";
  json["time"] = time_text(alert.time_us);
  json["instance"] = instance;
  json["rule"] = alert.rule;
  json["code"] = pst_label(alert.code);
  // The table's words alone: particulars may hold values.
  json["message"] = make_error(alert.code).message();
  json["fingerprint"] = alert.fingerprint;
  json["observed"] = alert.observed;
  json["repeated"] = alert.repeated;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) json[name] = value;
  };
  add("database", alert.database);
  add("login", alert.login);
  add("tenant", alert.tenant);
  add("application", alert.application);
  add("client", alert.address);
  add("object", alert.object);
  return json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace postern::proxy
