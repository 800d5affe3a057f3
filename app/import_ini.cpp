#include "app/import_ini.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/codes/tools.hpp"

namespace postern::app {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

Error fault(const std::string& where, const std::string& what) {
  return make_error(pst::kImportFile, where + ": " + what);
}

Result<std::string> read_whole(const std::string& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error) return fault(file, error.message());
  if (size > kMaxIniBytes) return fault(file, "is larger than 4 MB");
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return fault(file, "cannot be read");
  return text.str();
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// A word in `quote`s at the front of `text`, doubled quotes undone. none: it does not end.
std::optional<std::string> take_quoted(std::string_view& text, char quote) {
  std::string out;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] != quote) {
      out.push_back(text[i]);
    } else if (i + 1 < text.size() && text[i + 1] == quote) {
      out.push_back(quote);
      ++i;
    } else {
      text.remove_prefix(i + 1);
      return out;
    }
  }
  return std::nullopt;
}

/// Reads a file and those it includes into one list.
class Reader {
 public:
  Status read(const std::string& file, int depth) {
    if (depth > kMaxIniDepth) return fault(file, "%include goes too deep");
    POSTERN_ASSIGN(const std::string text, read_whole(file));
    std::istringstream lines(text);
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
      const std::string where = file + ":" + std::to_string(number);
      POSTERN_TRY(take_line(trim(line), file, where, depth));
    }
    return ok();
  }
  std::vector<IniEntry> take() { return std::move(entries_); }

 private:
  Status take_line(std::string_view line, const std::string& file, const std::string& where,
                   int depth) {
    if (line.empty() || line.front() == ';' || line.front() == '#') return ok();
    if (line.starts_with("%include")) return include(line.substr(8), file, where, depth);
    if (line.front() == '[') {
      if (line.back() != ']') return fault(where, "a section ends with ]");
      section_ = lower(trim(line.substr(1, line.size() - 2)));
      return ok();
    }
    return take_pair(line, where);
  }

  Status include(std::string_view name, const std::string& file, const std::string& where,
                 int depth) {
    const std::filesystem::path wanted{std::string(trim(name))};
    if (wanted.empty()) return fault(where, "%include names no file");
    if (wanted.is_absolute() || std::filesystem::exists(wanted)) {
      return read(wanted.string(), depth + 1);
    }
    // Relative to PgBouncer's working folder, which nobody knows here: beside the file.
    return read((std::filesystem::path(file).parent_path() / wanted).string(), depth + 1);
  }

  Status take_pair(std::string_view line, const std::string& where) {
    if (section_.empty()) return fault(where, "stands in no section");
    std::string key;
    if (line.front() == '"') {
      auto quoted = take_quoted(line, '"');
      if (!quoted) return fault(where, "a quoted name does not end");
      key = std::move(*quoted);
      line = trim(line);
    } else {
      const std::size_t end = line.find('=');
      if (end == std::string_view::npos) return fault(where, "is not key = value");
      key = std::string(trim(line.substr(0, end)));
      line.remove_prefix(end);
    }
    if (line.empty() || line.front() != '=' || key.empty()) {
      return fault(where, "is not key = value");
    }
    const bool is_name = section_ == "databases" || section_ == "users" || section_ == "peers";
    if (!is_name) key = lower(key);
    entries_.push_back({section_, std::move(key), std::string(trim(line.substr(1))), where});
    return ok();
  }

  std::string section_;
  std::vector<IniEntry> entries_;
};

}  // namespace

Result<std::vector<IniEntry>> read_ini(const std::string& file) {
  Reader reader;
  POSTERN_TRY(reader.read(file, 0));
  return reader.take();
}

Result<std::vector<std::pair<std::string, std::string>>> read_connection(std::string_view text,
                                                                         const std::string& where) {
  std::vector<std::pair<std::string, std::string>> out;
  for (text = trim(text); !text.empty(); text = trim(text)) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return fault(where, "is not key=value key=value");
    std::string key = lower(trim(text.substr(0, equals)));
    text = trim(text.substr(equals + 1));
    std::string value;
    if (!text.empty() && text.front() == '\'') {
      auto quoted = take_quoted(text, '\'');
      if (!quoted) return fault(where, "the quoted value of " + key + " does not end");
      value = std::move(*quoted);
    } else {
      const std::size_t end = std::min(text.find_first_of(kBlanks), text.size());
      value = std::string(text.substr(0, end));
      text.remove_prefix(end);
    }
    out.emplace_back(std::move(key), std::move(value));
  }
  return out;
}

Result<std::vector<ListedUser>> read_userlist(const std::string& file) {
  POSTERN_ASSIGN(const std::string text, read_whole(file));
  std::vector<ListedUser> out;
  std::istringstream lines(text);
  std::string whole;
  for (int number = 1; std::getline(lines, whole); ++number) {
    std::string_view line = trim(whole);
    if (line.empty() || line.front() == ';' || line.front() == '#') continue;
    const std::string where = file + ":" + std::to_string(number);
    const auto name = line.front() == '"' ? take_quoted(line, '"') : std::nullopt;
    line = trim(line);
    auto secret = !line.empty() && line.front() == '"' ? take_quoted(line, '"') : std::nullopt;
    if (!name || name->empty() || !secret) return fault(where, "is not \"user\" \"secret\"");
    out.push_back({*name, Secret(std::move(*secret))});
  }
  return out;
}

}  // namespace postern::app
