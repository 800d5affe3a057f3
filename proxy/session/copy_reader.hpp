// The data of a COPY FROM STDIN, cut into rows: text, CSV and binary as PostgreSQL 15 reads them
// (src/backend/commands/copyfromparse.c; protocol.sgml, "COPY Operations").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "sql/copy_facts.hpp"

namespace postern::proxy {

/// What is wrong with the data, in PostgreSQL's own words.
struct CopyFault {
  std::string sqlstate;
  std::string message;
  std::string hint;
  std::string context;  ///< "COPY t, line 3: ..."
};

/// One row, its values as Bind takes them.
struct CopyRow {
  Bytes values;
  std::uint32_t line = 0;  ///< where it ends, counted as PostgreSQL does
};

/// Bytes in, rows out; no I/O. What is held is at most one row beyond what was fed.
class CopyReader {
 public:
  /// `names`: of the columns, in order.
  CopyReader(sql::CopyIn form, std::string table, std::vector<std::string> names);

  void feed(ByteView data) { buffer_.append(data); }
  /// Nothing more will come.
  void finish() { finished_ = true; }

  enum class Step : std::uint8_t {
    kRow,    ///< row() is the next one
    kMore,   ///< feed more, or finish
    kEnd,    ///< the data ended; what is fed from here on is ignored
    kFault,  ///< fault() says why; nothing more will be read
  };
  Step next();
  [[nodiscard]] CopyRow& row() { return row_; }
  [[nodiscard]] const CopyFault& fault() const { return fault_; }
  /// Of the row last begun.
  [[nodiscard]] std::uint32_t line() const { return line_; }
  /// Bytes of a row that is not complete yet.
  [[nodiscard]] std::size_t pending() const { return buffer_.size() - at_; }
  /// "COPY t, line 3"
  [[nodiscard]] std::string place(std::uint32_t line) const;

 private:
  enum class LineEnd : std::uint8_t { kUnknown, kNewline, kReturn, kBoth };
  struct Field {
    std::string text;
    bool null = false;
  };

  // Lines.
  Step next_line(std::string_view& line);
  Step scan_line(std::string_view& line);
  bool scan_special(char c, std::size_t i, std::string_view& line, Step& step);
  Step end_line(std::size_t end, std::size_t next, LineEnd kind, std::string_view& line);
  Step on_return(std::size_t i, std::string_view& line);
  Step on_newline(std::size_t i, std::string_view& line);
  Step on_marker(std::size_t i, std::string_view& line, bool& taken);
  // Fields.
  Step split(std::string_view line);
  bool split_text(std::string_view line);
  bool split_csv(std::string_view line);
  void check_header(std::string_view line);
  void encode();
  // Binary.
  Step next_binary();
  Step binary_header();
  // Faults.
  Step fail(std::string sqlstate, std::string message, std::string hint = {});
  Step fail_line(std::string message, std::string_view line);

  sql::CopyIn form_;
  std::string table_;
  std::vector<std::string> names_;
  Bytes buffer_;
  std::size_t at_ = 0;    // where the next row begins
  std::size_t scan_ = 0;  // up to here the line was looked through
  bool in_quote_ = false;
  bool last_was_escape_ = false;
  std::uint32_t line_ = 0;
  std::uint32_t inner_lines_ = 0;  // line ends within quotes, of the line being looked through
  LineEnd line_end_ = LineEnd::kUnknown;
  bool header_due_;
  bool finished_ = false;
  bool ended_ = false;
  bool faulty_ = false;
  std::vector<Field> fields_;
  CopyRow row_;
  CopyFault fault_;
};

/// A text as error contexts show it: at most 100 bytes.
std::string shown_in_context(std::string_view text);

}  // namespace postern::proxy
