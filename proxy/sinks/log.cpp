#include "proxy/sinks/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/bytes.hpp"
#include "base/codes/config.hpp"

namespace postern::proxy {
namespace {

using config::LogFormat;
using config::LogLevel;

LogFormat g_format = LogFormat::kText;

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// Text values are quoted and escaped only where a reader could mistake them.
void append_text_value(std::string& line, std::string_view value) {
  const bool plain = !value.empty() &&
                     value.find_first_of(" \"\\=\n\r\t") == std::string_view::npos &&
                     is_utf8(value);
  if (plain) {
    line.append(value);
  } else {
    append_json_string(line, value);
  }
}

void append_text_field(std::string& line, const LogField& field) {
  line.append(" ").append(field.key).append("=");
  if (field.is_number) {
    line.append(std::to_string(field.number));
  } else {
    append_text_value(line, field.text);
  }
}

void append_json_field(std::string& line, const LogField& field) {
  line.append(",");
  append_json_string(line, field.key);
  line.append(":");
  if (field.is_number) {
    line.append(std::to_string(field.number));
  } else {
    append_json_string(line, field.text);
  }
}

void append_field(std::string& line, const LogField& field) {
  if (g_format == LogFormat::kText) {
    append_text_field(line, field);
  } else {
    append_json_field(line, field);
  }
}

std::string render(std::string_view event, LogFields fields, LogFields more = {}) {
  std::string line;
  if (g_format == LogFormat::kText) {
    line.append(event);
  } else {
    append_json_string(line, event);
  }
  for (const LogField& field : fields) append_field(line, field);
  for (const LogField& field : more) append_field(line, field);
  return line;
}

void write(LogLevel level, const std::string& line) {
  spdlog::default_logger_raw()->log(spdlog_level(level),
                                    spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

Status open_log(const config::LogOptions& options) {
  try {
    auto logger = options.file.empty() ? spdlog::stderr_logger_mt("postern")
                                       : spdlog::basic_logger_mt("postern", options.file.path);
    logger->set_level(spdlog_level(options.level));
    logger->set_pattern(options.format == LogFormat::kJson
                            ? R"({"time":"%Y-%m-%dT%H:%M:%S.%f%z","level":"%l","event":%v})"
                            : "%Y-%m-%dT%H:%M:%S.%f%z %l %v");
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
  } catch (const spdlog::spdlog_ex&) {
    return make_error(pst::kConfigUnreadable, "log file " + options.file.path);
  }
  g_format = options.format;
  return ok();
}

void set_log_level(LogLevel level) {
  spdlog::default_logger_raw()->set_level(spdlog_level(level));
}

void log(LogLevel level, std::string_view event, LogFields fields) {
  if (!spdlog::default_logger_raw()->should_log(spdlog_level(level))) return;
  write(level, render(event, fields));
}

void log_failure(std::string_view event, const Error& error, LogFields fields) {
  const std::string label = pst_label(error.code);
  const std::string message = error.message();
  write(LogLevel::kError,
        render(event, fields,
               {{"code", label}, {"error", message}, {"hint", error.effective_hint()}}));
}

}  // namespace postern::proxy
