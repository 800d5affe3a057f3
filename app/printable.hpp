// What commands print: nothing from data may act on a terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace postern::app {

/// The text with everything a terminal could act on shown instead of performed: control characters,
/// bytes that are not UTF-8 and characters that change the direction of writing become \xNN or
/// \u{NNNN}. Line breaks become blanks.
std::string printable(std::string_view text);

/// To standard output; the text is printable already.
void print_line(const std::string& text);

/// ASCII only, two blanks a level, with a line end.
void print_json(const nlohmann::ordered_json& json);

/// Rows of text, printed as aligned columns. Every cell is made printable.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header);
  /// Missing cells at the end are empty.
  void add(std::vector<std::string> row);
  [[nodiscard]] bool empty() const { return rows_.size() <= 1; }
  /// Each line after `indent`; the last column is not padded.
  void print(std::string_view indent = "  ") const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// "a, b, c"; "-" for none.
std::string joined(const std::vector<std::string>& parts, std::string_view separator = ", ");

}  // namespace postern::app
