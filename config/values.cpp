#include "config/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "base/codes/config.hpp"

namespace postern::config {
namespace {

constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kTimeUnits{
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<std::pair<std::string_view, std::int64_t>, 3> kSizeUnits{
    {{"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// digits + one of `units` (or none, meaning 1); nullopt also on overflow.
template <std::size_t N>
std::optional<std::int64_t> parse_scaled(
    std::string_view text, const std::array<std::pair<std::string_view, std::int64_t>, N>& units) {
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec != std::errc{}) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.empty()) return number;
  for (const auto& [name, factor] : units) {
    if (unit != name) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / factor) return std::nullopt;
    return number * factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string format_scaled(std::int64_t value,
                          const std::array<std::pair<std::string_view, std::int64_t>, N>& units) {
  if (value == 0) return "0";
  for (auto it = units.rbegin(); it != units.rend(); ++it) {
    if (value % it->second == 0) {
      return std::to_string(value / it->second) + std::string(it->first);
    }
  }
  return std::to_string(value);
}

Error missing_variable(std::string_view name) {
  return make_error(pst::kConfigSecret,
                    "environment variable " + std::string(name) + " is not set");
}

/// Length of the NAME in "NAME}…", 0 if it is not well formed.
std::size_t variable_length(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && (is_alpha(text[n]) || (n > 0 && is_digit(text[n])))) ++n;
  return n < text.size() && text[n] == '}' ? n : 0;
}

}  // namespace

std::optional<Millis> parse_duration(std::string_view text) {
  const auto value = parse_scaled(text, kTimeUnits);
  if (!value) return std::nullopt;
  return Millis(*value);
}

std::string format_duration(Millis value) {
  return format_scaled(value.count(), kTimeUnits);
}

std::optional<ByteSize> parse_size(std::string_view text) {
  const auto value = parse_scaled(text, kSizeUnits);
  if (!value) return std::nullopt;
  return ByteSize{static_cast<std::uint64_t>(*value)};
}

std::string format_size(ByteSize value) {
  return format_scaled(static_cast<std::int64_t>(value.bytes), kSizeUnits);
}

std::optional<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  const bool printable =
      std::all_of(host.begin(), host.end(), [](char c) { return c > ' ' && c < 127; });
  if (host.empty() || host.size() > 255 || !printable) return std::nullopt;
  if (host.find_first_of("[]") != std::string_view::npos) return std::nullopt;
  std::uint16_t port = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (ec != std::errc{} || end != digits.data() + digits.size() || port == 0) return std::nullopt;
  return HostPort{std::string(host), port};
}

std::optional<HostPort> parse_node(std::string_view text) {
  HostPort node;
  node.host = text;
  if (!node.is_unix()) return parse_host_port(text);
  constexpr std::uint16_t kDefaultPort = 5432;
  constexpr std::size_t kMaxFolder = 90;  // with ".s.PGSQL.65535" it still is a socket's path
  node.port = kDefaultPort;
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    const auto port = parse_host_port("port" + std::string(text.substr(colon)));
    if (!port) return std::nullopt;
    node = {std::string(text.substr(0, colon)), port->port};
  }
  const bool printable =
      std::all_of(node.host.begin(), node.host.end(), [](char c) { return c > ' ' && c < 127; });
  if (!printable || node.host.size() < 2 || node.host.size() > kMaxFolder) return std::nullopt;
  return node;
}

Result<Secret> substitute(std::string_view text, const Environment& environment) {
  Bytes out;
  out.reserve(text.size() + 256);
  while (!text.empty()) {
    if (text.starts_with("$${")) {
      out += "${";
      text.remove_prefix(3);
    } else if (text.starts_with("${")) {
      const std::size_t length = variable_length(text.substr(2));
      if (length == 0) {
        wipe(out);
        return make_error(pst::kConfigBadValue, "\"${\" does not begin a ${NAME}");
      }
      const std::string name(text.substr(2, length));
      auto value = environment(name);
      if (!value) {
        wipe(out);
        return missing_variable(name);
      }
      out += *value;
      wipe(*value);
      text.remove_prefix(length + 3);
    } else {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return Secret(std::move(out));
}

bool mentions_variable(std::string_view text) {
  return text.find("${") != std::string_view::npos;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

bool is_qualified(std::string_view text) {
  const std::size_t dot = text.find('.');
  return dot != std::string_view::npos && dot > 0 && dot + 1 < text.size();
}

}  // namespace postern::config
