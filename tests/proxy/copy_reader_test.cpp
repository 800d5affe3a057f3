#include "proxy/session/copy_reader.hpp"

#include <doctest/doctest.h>

#include "protocol/lists.hpp"

using namespace postern;
using proxy::CopyReader;
using Step = CopyReader::Step;

namespace {

sql::CopyIn form(sql::CopyFormat format, std::size_t columns) {
  sql::CopyIn out;
  out.format = format;
  out.columns.resize(columns);
  out.force_null.resize(columns);
  out.force_not_null.resize(columns);
  if (format == sql::CopyFormat::kCsv) {
    out.delimiter = ',';
    out.null_text = "";
  }
  return out;
}

std::vector<std::string> names(std::size_t columns) {
  static const std::vector<std::string> kNames = {"a", "b", "c"};
  return {kNames.begin(), kNames.begin() + static_cast<std::ptrdiff_t>(columns)};
}

// Rows as "v|v|NULL;" and then how it ended: "end", or message and context of the fault.
std::string drain(CopyReader& reader, std::size_t columns) {
  std::string out;
  for (;;) {
    const Step step = reader.next();
    if (step == Step::kEnd) return out + "end";
    if (step == Step::kFault) return out + reader.fault().message + " @ " + reader.fault().context;
    if (step == Step::kMore) return out;
    const auto values =
        protocol::ValueList::over(reader.row().values, static_cast<std::uint16_t>(columns));
    for (const protocol::Value value : values) {
      out.append(value ? std::string(*value) : "NULL").append("|");
    }
    out.push_back(';');
  }
}

std::string read(const sql::CopyIn& how, std::string_view data) {
  const std::size_t columns = how.columns.size();
  CopyReader whole(how, "t", names(columns));
  whole.feed(data);
  whole.finish();
  const std::string expected = drain(whole, columns);
  // Cut anywhere, it reads the same.
  for (std::size_t cut = 0; cut <= data.size(); ++cut) {
    CopyReader parts(how, "t", names(columns));
    parts.feed(data.substr(0, cut));
    std::string got = drain(parts, columns);
    const bool over = got.ends_with("end") || got.find(" @ ") != std::string::npos;
    if (!over) {
      parts.feed(data.substr(cut));
      parts.finish();
      got += drain(parts, columns);
    }
    CAPTURE(cut);
    CHECK(got == expected);
  }
  return expected;
}

std::string text(std::string_view data, std::size_t columns = 2) {
  return read(form(sql::CopyFormat::kText, columns), data);
}
std::string csv(std::string_view data, std::size_t columns = 2) {
  return read(form(sql::CopyFormat::kCsv, columns), data);
}

}  // namespace

TEST_CASE("text: values, escapes, nulls, line ends") {
  CHECK(text("") == "end");
  CHECK(text("1\tx\n2\t\\N\n") == "1|x|;2|NULL|;end");
  CHECK(text("1\tx\r\n2\ty\r\n") == "1|x|;2|y|;end");
  CHECK(text("1\tx\r2\ty") == "1|x|;2|y|;end");
  CHECK(text("\\t\\n\\\\\t\\x41\\101\\q\n") == "\t\n\\|AAq|;end");
  CHECK(text("a\\\nb\tc\n") == "a\nb|c|;end");
  CHECK(text("\t\n") == "||;end");
  CHECK(text("\n", 1) == "|;end");
  CHECK(text("1\tx\n\\.\nnot read\n") == "1|x|;end");
  CHECK(text("\\\\N\t\\N\n") == "\\N|NULL|;end");
}

TEST_CASE("text: faults in PostgreSQL's words") {
  CHECK(text("1\tx\n2\n") == "1|x|;missing data for column \"b\" @ COPY t, line 2: \"2\"");
  CHECK(text("1\tx\t3\n") == "extra data after last expected column @ COPY t, line 1: \"1\tx\t3\"");
  CHECK(text("1\tx\n2\ty\r\n") == "1|x|;literal carriage return found in data @ COPY t, line 2");
  CHECK(text("1\tx\r\n2\ty\n") == "1|x|;literal newline found in data @ COPY t, line 2");
  CHECK(text("1\t\\.\n") == "end-of-copy marker corrupt @ COPY t, line 1");
}

TEST_CASE("csv: quotes, embedded line ends, nulls") {
  CHECK(csv("1,x\n2,\n3,\"\"\n") == "1|x|;2|NULL|;3||;end");
  CHECK(csv("\"a,b\",\"c\"\"d\"\n") == "a,b|c\"d|;end");
  CHECK(csv("\"a\nb\",c\n1,2\n") == "a\nb|c|;1|2|;end");
  CHECK(csv("x\"y,z\"w,2\n") == "xy,zw|2|;end");
  CHECK(csv("1,2\n\\.\n9,9\n") == "1|2|;end");
  CHECK(csv("\\.x,2\n") == "\\.x|2|;end");
  CHECK(csv("1,\"x\n") == "unterminated CSV quoted field @ COPY t, line 2: \"1,\"x\n\"");
  auto escaped = form(sql::CopyFormat::kCsv, 2);
  escaped.escape = '\\';
  CHECK(read(escaped, "\"a\\\"b\",c\n") == "a\"b|c|;end");
  auto forced = form(sql::CopyFormat::kCsv, 2);
  forced.force_not_null[0] = forced.force_null[1] = true;
  CHECK(read(forced, ",\"\"\n") == "|NULL|;end");
}

TEST_CASE("headers are skipped, or compared") {
  auto skip = form(sql::CopyFormat::kCsv, 2);
  skip.header = sql::CopyHeader::kSkip;
  CHECK(read(skip, "x,y,z\n1,2\n") == "1|2|;end");
  CHECK(read(skip, "a,b\n1\n") == "missing data for column \"b\" @ COPY t, line 2: \"1\"");
  auto match = skip;
  match.header = sql::CopyHeader::kMatch;
  CHECK(read(match, "a,b\n1,2\n") == "1|2|;end");
  CHECK(read(match, "a,x\n1,2\n") ==
        "column name mismatch in header line field 2: got \"x\", expected \"b\" @ COPY t, line 1: "
        "\"a,x\"");
}

TEST_CASE("binary: header, rows, trailer") {
  const auto how = form(sql::CopyFormat::kBinary, 2);
  const std::string header("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  const std::string row("\0\2\0\0\0\1x\377\377\377\377", 11);
  const std::string trailer("\377\377", 2);
  CHECK(read(how, header + row + trailer) == "x|NULL|;end");
  CHECK(read(how, header + row) == "x|NULL|;end");
  CHECK(read(how, header + row + trailer + "x") ==
        "x|NULL|;received copy data after EOF marker @ COPY t, line 2");
  CHECK(read(how, header + row + std::string("\0\3", 2)) ==
        "x|NULL|;row field count is 3, expected 2 @ COPY t, line 2");
  CHECK(read(how, header + row.substr(0, 8)) == "unexpected EOF in COPY data @ COPY t, line 1");
  CHECK(read(how, "nonsense, and long enough") ==
        "COPY file signature not recognized @ COPY t, line 0");
}

TEST_CASE("long texts are cut in contexts, between characters") {
  CHECK(proxy::shown_in_context(std::string(100, 'x')) == std::string(100, 'x'));
  CHECK(proxy::shown_in_context(std::string(101, 'x')) == std::string(100, 'x') + "...");
  CHECK(proxy::shown_in_context(std::string(99, 'x') + "\303\274y") ==
        std::string(99, 'x') + "...");
}
