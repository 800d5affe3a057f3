// Data of COPY FROM STDIN in every form, in arbitrary pieces: cut anywhere, it reads the same.
#include <string>
#include <vector>

#include "protocol/lists.hpp"
#include "proxy/session/copy_reader.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using proxy::CopyReader;
using Step = CopyReader::Step;

namespace {

sql::CopyIn form_of(fuzz::Feed& feed) {
  sql::CopyIn form;
  form.columns.resize(feed.below(4));
  form.format = static_cast<sql::CopyFormat>(feed.below(3));
  form.header = static_cast<sql::CopyHeader>(feed.below(3));
  const std::uint8_t flags = feed.byte();
  if (form.format == sql::CopyFormat::kCsv) {
    form.delimiter = ',';
    form.null_text = (flags & 1) != 0 ? "NULL" : "";
    form.escape = (flags & 2) != 0 ? '\\' : '"';
  }
  form.force_null.assign(form.columns.size(), (flags & 4) != 0);
  form.force_not_null.assign(form.columns.size(), (flags & 8) != 0);
  return form;
}

CopyReader reader_of(const sql::CopyIn& form) {
  static const std::vector<std::string> kNames = {"a", "b", "c"};
  const auto columns = static_cast<std::ptrdiff_t>(form.columns.size());
  return CopyReader(form, "t", {kNames.begin(), kNames.begin() + columns});
}

// A row is exactly as many values as there are columns.
void check_row(const Bytes& values, std::size_t columns) {
  const auto list = protocol::ValueList::over(values, static_cast<std::uint16_t>(columns));
  std::size_t size = 0;
  for (const protocol::Value value : list) size += 4 + (value ? value->size() : 0);
  POSTERN_CHECK(size == values.size());
}

// All there is to read, as one text; whether it is over.
bool drain(CopyReader& reader, std::size_t columns, Bytes& read) {
  for (;;) {
    const Step step = reader.next();
    if (step == Step::kMore) return false;
    if (step == Step::kEnd) read.append("end");
    if (step == Step::kFault) {
      read.append(reader.fault().sqlstate).append(reader.fault().message);
      read.append(reader.fault().context);
    }
    if (step != Step::kRow) return true;
    check_row(reader.row().values, columns);
    read.append(reader.row().values).append(std::to_string(reader.row().line)).append(";");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Feed feed(fuzz::view(data, size));
  const sql::CopyIn form = form_of(feed);
  const std::size_t step = 1 + feed.below(32);
  ByteView stream = feed.rest();

  Bytes whole;
  CopyReader at_once = reader_of(form);
  at_once.feed(stream);
  at_once.finish();
  POSTERN_CHECK(drain(at_once, form.columns.size(), whole));

  Bytes pieces;
  CopyReader in_pieces = reader_of(form);
  bool over = false;
  while (!over && !stream.empty()) {
    in_pieces.feed(stream.substr(0, step));
    stream.remove_prefix(std::min(step, stream.size()));
    over = drain(in_pieces, form.columns.size(), pieces);
  }
  in_pieces.finish();
  if (!over) POSTERN_CHECK(drain(in_pieces, form.columns.size(), pieces));
  POSTERN_CHECK(pieces == whole);
  return 0;
}
