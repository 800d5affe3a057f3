#include "app/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/bytes.hpp"

namespace postern::app {
namespace {

struct Character {
  std::size_t size = 1;
  std::uint32_t point = 0;
  bool good = false;
};

Character read_character(std::string_view text, std::size_t at) {
  const unsigned first = byte_at(text, at);
  if (first < 0x80) return {1, first, true};
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  const std::string_view bytes = text.substr(at, size);
  if (bytes.size() != size || !is_utf8(bytes)) return {1, first, false};
  std::uint32_t point = first & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) point = (point << 6) | (byte_at(bytes, i) & 0x3FU);
  return {size, point, true};
}

/// Controls of C0 and C1, and the invisible characters that reorder or hide text.
bool acts(std::uint32_t point) {
  constexpr std::array<std::pair<std::uint32_t, std::uint32_t>, 9> kActing{{
      {0x00, 0x1F},
      {0x7F, 0x9F},
      {0xAD, 0xAD},
      {0x61C, 0x61C},
      {0x200B, 0x200F},
      {0x2028, 0x202E},
      {0x2060, 0x206F},
      {0xFEFF, 0xFEFF},
      {0xE0000, 0xE007F},
  }};
  return std::any_of(kActing.begin(), kActing.end(), [&](const auto& range) {
    return point >= range.first && point <= range.second;
  });
}

void append_shown(std::string& out, const Character& character) {
  std::array<char, 16> buffer{};
  const bool byte = !character.good || character.point < 0x80;
  std::snprintf(buffer.data(), buffer.size(), byte ? "\\x%02x" : "\\u{%x}", character.point);
  out += buffer.data();
}

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Character character = read_character(text, at);
    if (character.point == '\n') {
      out += ' ';
    } else if (!character.good || acts(character.point)) {
      append_shown(out, character);
    } else {
      out.append(text.substr(at, character.size));
    }
    at += character.size;
  }
  return out;
}

void print_line(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
}

void print_json(const nlohmann::ordered_json& json) {
  print_line(json.dump(2, ' ', true, nlohmann::ordered_json::error_handler_t::replace));
}

TextTable::TextTable(std::vector<std::string> header) {
  add(std::move(header));
}

void TextTable::add(std::vector<std::string> row) {
  for (std::string& cell : row) cell = printable(cell);
  rows_.push_back(std::move(row));
}

void TextTable::print(std::string_view indent) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  for (const auto& row : rows_) {
    std::string line(indent);
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
    }
    line.resize(line.find_last_not_of(' ') + 1);
    print_line(line);
  }
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  if (parts.empty()) return "-";
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += separator;
    out += part;
  }
  return out;
}

}  // namespace postern::app
