// Structured log lines: an event name and fields, as text or JSON. Never SQL text with literals,
// parameters, keys or passwords: fields are names, counts, codes and addresses.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/result.hpp"
#include "config/options_run.hpp"

namespace postern::proxy {

/// One key=value of a log line. Views live until the call returns.
struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), text(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), text(v) {}
  LogField(std::string_view k, const char* v) : key(k), text(v) {}
  LogField(std::string_view k, std::int64_t v) : key(k), number(v), is_number(true) {}
  LogField(std::string_view k, std::uint64_t v) : LogField(k, static_cast<std::int64_t>(v)) {}
  LogField(std::string_view k, int v) : LogField(k, static_cast<std::int64_t>(v)) {}
  LogField(std::string_view k, unsigned v) : LogField(k, static_cast<std::int64_t>(v)) {}

  std::string_view key;
  std::string_view text;
  std::int64_t number = 0;
  bool is_number = false;
};

using LogFields = std::initializer_list<LogField>;

/// Opens the process's log as configured. Call once before the first worker starts; without it
/// lines go to standard error as text. Errors: kConfigUnreadable where the file cannot be opened.
Status open_log(const config::LogOptions& options);

/// Another least level from now on. Any thread.
void set_log_level(config::LogLevel level);

/// Thread-safe. `event` is a stable word such as "client_login"; see docs/operating.md.
void log(config::LogLevel level, std::string_view event, LogFields fields = {});

inline void log_info(std::string_view event, LogFields fields = {}) {
  log(config::LogLevel::kInfo, event, fields);
}
inline void log_warning(std::string_view event, LogFields fields = {}) {
  log(config::LogLevel::kWarning, event, fields);
}
inline void log_error(std::string_view event, LogFields fields = {}) {
  log(config::LogLevel::kError, event, fields);
}
/// Logs an Error with its code, message and hint.
void log_failure(std::string_view event, const Error& error, LogFields fields = {});

}  // namespace postern::proxy
