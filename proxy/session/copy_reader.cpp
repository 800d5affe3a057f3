#include "proxy/session/copy_reader.hpp"

#include <utility>

#include "protocol/lists.hpp"

namespace postern::proxy {
namespace {

using sql::CopyFormat;

constexpr std::string_view kBadFormat = "22P04";
constexpr std::size_t kContextBytes = 100;
constexpr std::size_t kCompactAbove = 64 * 1024;

}  // namespace

std::string shown_in_context(std::string_view text) {
  if (text.size() <= kContextBytes) return std::string(text);
  std::size_t end = kContextBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end)) + "...";
}

CopyReader::CopyReader(sql::CopyIn form, std::string table, std::vector<std::string> names)
    : form_(std::move(form)),
      table_(std::move(table)),
      names_(std::move(names)),
      header_due_(form_.header != sql::CopyHeader::kNone || form_.format == CopyFormat::kBinary) {}

std::string CopyReader::place(std::uint32_t line) const {
  return "COPY " + table_ + ", line " + std::to_string(line);
}

CopyReader::Step CopyReader::fail(std::string sqlstate, std::string message, std::string hint) {
  faulty_ = true;
  fault_ = {std::move(sqlstate), std::move(message), std::move(hint), place(line_)};
  return Step::kFault;
}

CopyReader::Step CopyReader::fail_line(std::string message, std::string_view line) {
  const Step step = fail(std::string(kBadFormat), std::move(message));
  fault_.context += ": \"" + shown_in_context(line) + "\"";
  return step;
}

CopyReader::Step CopyReader::next() {
  if (faulty_) return Step::kFault;
  if (ended_) {
    buffer_.clear();
    at_ = scan_ = 0;
    return Step::kEnd;
  }
  if (at_ > kCompactAbove) {
    buffer_.erase(0, at_);
    scan_ -= at_;
    at_ = 0;
  }
  if (form_.format == CopyFormat::kBinary) return next_binary();
  for (;;) {
    std::string_view line;
    const Step step = next_line(line);
    if (step != Step::kRow) return step;
    if (!std::exchange(header_due_, false)) return split(line);
    if (form_.header != sql::CopyHeader::kMatch) continue;
    check_header(line);
    if (faulty_) return Step::kFault;
  }
}

// --- lines
// ----------------------------------------------------------------------------------------

CopyReader::Step CopyReader::next_line(std::string_view& line) {
  const Step step = scan_line(line);
  if (step == Step::kRow) {
    line_ += 1 + std::exchange(inner_lines_, 0);
    in_quote_ = last_was_escape_ = false;
  }
  return step;
}

CopyReader::Step CopyReader::scan_line(std::string_view& line) {
  const bool csv = form_.format == CopyFormat::kCsv;
  // Where both are one byte, a doubled quote closes and opens again: the same to the end of a line.
  const char escape = form_.escape == form_.quote ? '\0' : form_.escape;
  for (; scan_ < buffer_.size(); ++scan_) {
    const char c = buffer_[scan_];
    if (csv && in_quote_ && c == escape && escape != '\0') last_was_escape_ = !last_was_escape_;
    if (csv && c == form_.quote && !last_was_escape_) in_quote_ = !in_quote_;
    if (c != escape) last_was_escape_ = false;
    if (csv && in_quote_) {
      const bool ends = c == (line_end_ == LineEnd::kReturn ? '\r' : '\n');
      if (ends) ++inner_lines_;
      continue;
    }
    Step step = Step::kMore;
    if (scan_special(c, scan_, line, step)) return step;
  }
  if (!finished_) return Step::kMore;
  if (at_ == buffer_.size()) {
    ended_ = true;
    return Step::kEnd;
  }
  // A last line without its end.
  return end_line(buffer_.size(), buffer_.size(), line_end_, line);
}

// True: `step` is the result. May move scan_ over bytes that mean nothing more.
bool CopyReader::scan_special(char c, std::size_t i, std::string_view& line, Step& step) {
  if (c == '\r') {
    step = on_return(i, line);
    return true;
  }
  if (c == '\n') {
    step = on_newline(i, line);
    return true;
  }
  const bool csv = form_.format == CopyFormat::kCsv;
  if (c != '\\' || (csv && i != at_)) return false;
  if (i + 1 >= buffer_.size()) {
    step = Step::kMore;
    if (finished_) return false;
    return true;  // the next byte decides
  }
  if (buffer_[i + 1] == '.') {
    bool taken = true;
    step = on_marker(i, line, taken);
    return taken;
  }
  if (!csv) ++scan_;  // an escaped byte ends no line
  return false;
}

CopyReader::Step CopyReader::end_line(std::size_t end, std::size_t next, LineEnd kind,
                                      std::string_view& line) {
  line = std::string_view(buffer_).substr(at_, end - at_);
  line_end_ = kind;
  at_ = scan_ = next;
  return Step::kRow;
}

CopyReader::Step CopyReader::on_return(std::size_t i, std::string_view& line) {
  const bool csv = form_.format == CopyFormat::kCsv;
  const bool looks_on = line_end_ == LineEnd::kUnknown || line_end_ == LineEnd::kBoth;
  if (looks_on && i + 1 >= buffer_.size() && !finished_) return Step::kMore;
  const bool both = looks_on && i + 1 < buffer_.size() && buffer_[i + 1] == '\n';
  if (both) return end_line(i, i + 2, LineEnd::kBoth, line);
  if (line_end_ == LineEnd::kUnknown || line_end_ == LineEnd::kReturn) {
    return end_line(i, i + 1, LineEnd::kReturn, line);
  }
  ++line_;
  return csv ? fail(std::string(kBadFormat), "unquoted carriage return found in data",
                    "Use quoted CSV field to represent carriage return.")
             : fail(std::string(kBadFormat), "literal carriage return found in data",
                    "Use \"\\r\" to represent carriage return.");
}

CopyReader::Step CopyReader::on_newline(std::size_t i, std::string_view& line) {
  const bool csv = form_.format == CopyFormat::kCsv;
  if (line_end_ == LineEnd::kUnknown || line_end_ == LineEnd::kNewline) {
    return end_line(i, i + 1, LineEnd::kNewline, line);
  }
  ++line_;
  return csv ? fail(std::string(kBadFormat), "unquoted newline found in data",
                    "Use quoted CSV field to represent newline.")
             : fail(std::string(kBadFormat), "literal newline found in data",
                    "Use \"\\n\" to represent newline.");
}

// "\." alone on its line ends the data. `taken` is false where it is data.
CopyReader::Step CopyReader::on_marker(std::size_t i, std::string_view& line, bool& taken) {
  (void)line;
  const bool known = i + 2 < buffer_.size();
  if (!known && !finished_) return Step::kMore;
  const bool ends = !known || buffer_[i + 2] == '\n' || buffer_[i + 2] == '\r';
  if (i == at_ && ends) {
    ended_ = true;
    return Step::kEnd;
  }
  if (form_.format == CopyFormat::kCsv) {
    taken = false;
    return Step::kMore;
  }
  ++line_;
  return fail(std::string(kBadFormat), "end-of-copy marker corrupt");
}

// --- fields
// ---------------------------------------------------------------------------------------

CopyReader::Step CopyReader::split(std::string_view line) {
  const bool whole = form_.format == CopyFormat::kCsv ? split_csv(line) : split_text(line);
  if (!whole) return fail_line("unterminated CSV quoted field", line);
  if (fields_.size() > names_.size()) {
    return fail_line("extra data after last expected column", line);
  }
  if (fields_.size() < names_.size()) {
    return fail_line("missing data for column \"" + names_[fields_.size()] + "\"", line);
  }
  encode();
  return Step::kRow;
}

void CopyReader::encode() {
  row_.values.clear();
  row_.line = line_;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    Field& field = fields_[i];
    if (field.null && form_.force_not_null[i]) field = {form_.null_text, false};
    if (!field.null && form_.force_null[i] && field.text == form_.null_text) field.null = true;
    protocol::ValueList::append(
        row_.values, field.null ? protocol::Value() : protocol::Value(ByteView(field.text)));
  }
}

void CopyReader::check_header(std::string_view line) {
  const bool whole = form_.format == CopyFormat::kCsv ? split_csv(line) : split_text(line);
  if (!whole) {
    fail_line("unterminated CSV quoted field", line);
    return;
  }
  if (fields_.size() != names_.size()) {
    fail_line("wrong number of fields in header line: got " + std::to_string(fields_.size()) +
                  ", expected " + std::to_string(names_.size()),
              line);
    return;
  }
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const Field& field = fields_[i];
    if (!field.null && field.text == names_[i]) continue;
    const std::string got =
        field.null ? "null value (\"" + form_.null_text + "\")" : "\"" + field.text + "\"";
    fail_line("column name mismatch in header line field " + std::to_string(i + 1) + ": got " +
                  got + ", expected \"" + names_[i] + "\"",
              line);
    return;
  }
}

namespace {

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char plain_escape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return c;
  }
}

// The byte an escape stands for; `i` is behind the backslash, and behind the escape afterwards.
char take_escape(std::string_view line, std::size_t& i) {
  const char c = line[i++];
  if (is_octal(c)) {
    int value = c - '0';
    for (int more = 0; more < 2 && i < line.size() && is_octal(line[i]); ++more) {
      value = value * 8 + (line[i++] - '0');
    }
    return static_cast<char>(value & 0xFF);
  }
  if (c == 'x' && i < line.size() && hex_value(line[i]) >= 0) {
    int value = hex_value(line[i++]);
    if (i < line.size() && hex_value(line[i]) >= 0) value = value * 16 + hex_value(line[i++]);
    return static_cast<char>(value & 0xFF);
  }
  return plain_escape(c);
}

}  // namespace

bool CopyReader::split_text(std::string_view line) {
  fields_.clear();
  std::size_t i = 0;
  for (;;) {
    Field& field = fields_.emplace_back();
    const std::size_t begin = i;
    while (i < line.size() && line[i] != form_.delimiter) {
      const char c = line[i++];
      const bool escapes = c == '\\' && i < line.size();
      field.text.push_back(escapes ? take_escape(line, i) : c);
    }
    if (line.substr(begin, i - begin) == form_.null_text) field = {{}, true};
    if (i >= line.size()) return true;
    ++i;
  }
}

bool CopyReader::split_csv(std::string_view line) {
  fields_.clear();
  std::size_t i = 0;
  for (;;) {
    Field& field = fields_.emplace_back();
    const std::size_t begin = i;
    bool quoted = false;
    bool inside = false;
    for (; i < line.size() && (inside || line[i] != form_.delimiter); ++i) {
      const char c = line[i];
      const bool pair = inside && c == form_.escape && i + 1 < line.size() &&
                        (line[i + 1] == form_.escape || line[i + 1] == form_.quote);
      if (pair) {
        field.text.push_back(line[++i]);
      } else if (c == form_.quote) {
        inside = !inside;
        quoted = true;
      } else {
        field.text.push_back(c);
      }
    }
    if (inside) return false;
    if (!quoted && line.substr(begin, i - begin) == form_.null_text) field = {{}, true};
    if (i >= line.size()) return true;
    ++i;
  }
}

}  // namespace postern::proxy
