#include "config/toml_document.hpp"

#include <algorithm>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "base/codes/config.hpp"
#include "base/secret.hpp"

namespace postern::config {
namespace {

Node convert(const toml::node& from, std::uint32_t line);

Node convert_table(const toml::table& from, std::uint32_t line) {
  Node node;
  node.kind = Node::Kind::kTable;
  node.line = line;
  for (const auto& [key, value] : from) {
    // Implicit tables ([a.b] makes `a`) have no place of their own in some versions.
    std::uint32_t at = key.source().begin.line;
    if (at == 0) at = value.source().begin.line;
    node.members.push_back({std::string(key.str()), convert(value, at)});
  }
  std::stable_sort(node.members.begin(), node.members.end(),
                   [](const auto& a, const auto& b) { return a.node.line < b.node.line; });
  return node;
}

Node convert(const toml::node& from, std::uint32_t line) {
  Node node;
  node.line = line;
  if (const auto* table = from.as_table()) return convert_table(*table, line);
  if (const auto* array = from.as_array()) {
    node.kind = Node::Kind::kArray;
    for (const auto& item : *array) {
      node.items.push_back(convert(item, item.source().begin.line));
    }
  } else if (const auto* text = from.as_string()) {
    node.kind = Node::Kind::kText;
    node.text = text->get();
  } else if (const auto* integer = from.as_integer()) {
    node.kind = Node::Kind::kInteger;
    node.integer = integer->get();
  } else if (const auto* boolean = from.as_boolean()) {
    node.kind = Node::Kind::kBoolean;
    node.boolean = boolean->get();
  }
  return node;
}

/// The library's description up to where it starts to quote the file.
std::string harmless(std::string_view description) {
  std::size_t end = description.find_first_of(";'\"");
  end = std::min(end, description.find(", saw"));
  if (end != std::string_view::npos) description = description.substr(0, end);
  while (!description.empty() && (description.back() == ' ' || description.back() == ',')) {
    description.remove_suffix(1);
  }
  return std::string(description.substr(0, 120));
}

}  // namespace

std::string_view Node::kind_name() const {
  switch (kind) {
    case Kind::kText:
      return "a string";
    case Kind::kInteger:
      return "an integer";
    case Kind::kBoolean:
      return "a boolean";
    case Kind::kArray:
      return "a list";
    case Kind::kTable:
      return "a section";
    case Kind::kOther:
      break;
  }
  return "a fraction or date";
}

void wipe_texts(Node& node) noexcept {
  wipe(node.text);
  for (Node& item : node.items) wipe_texts(item);
  for (auto& [name, member] : node.members) wipe_texts(member);
}

Result<Node> parse_toml(std::string_view content, const std::string& file) {
  const toml::parse_result parsed = toml::parse(content);
  if (!parsed) {
    const auto& error = parsed.error();
    return make_error(pst::kConfigSyntax, file + ":" + std::to_string(error.source().begin.line) +
                                              ": " + harmless(error.description()));
  }
  return convert_table(parsed.table(), 1);
}

}  // namespace postern::config
