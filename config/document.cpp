#include "config/document.hpp"

#include <vector>

#include "config/key.hpp"
#include "config/values.hpp"

namespace postern::config {
namespace {

/// Type, unit and range of a key, and its default, as the page shows them.
struct Description {
  std::string type;
  std::string initial;
};

std::string code(std::string_view text) {
  return "`" + std::string(text) + "`";
}

std::string text_or_none(const std::string& text) {
  return text.empty() ? "" : code("\"" + text + "\"");
}

std::string range(const std::string& min, const std::string& max) {
  return ", " + min + " to " + max;
}

std::string join(std::span<const std::string_view> names) {
  std::string out;
  for (const auto name : names) out.append(out.empty() ? "" : ", ").append(code(name));
  return out;
}

Description describe(const FlagKey& key) {
  return {"true or false", code(*key.value ? "true" : "false")};
}
Description describe(const NumberKey& key) {
  const auto value = std::visit([](auto* field) { return std::to_string(*field); }, key.value);
  return {"integer" + range(std::to_string(key.min), std::to_string(key.max)), code(value)};
}
Description describe(const SizeKey& key) {
  return {"size" + range(format_size({key.min}), format_size({key.max})),
          code("\"" + format_size(*key.value) + "\"")};
}
Description describe(const DurationKey& key) {
  return {"duration" + range(format_duration(key.min), format_duration(key.max)),
          code("\"" + format_duration(*key.value) + "\"")};
}
Description describe(const ChoiceKey& key) {
  return {"one of " + join(key.names), code("\"" + std::string(key.names[*key.value]) + "\"")};
}
Description describe(const TextKey& key) {
  return {"string, up to " + std::to_string(key.max_bytes) + " bytes", text_or_none(*key.value)};
}
Description describe(const TextsKey&) {
  return {"list of strings", code("[]")};
}
Description describe(const PathKey&) {
  return {"path", ""};
}
Description describe(const HostPortKey&) {
  return {"`\"host:port\"`", ""};
}
Description describe(const HostPortsKey&) {
  return {"list of `\"host:port\"`", ""};
}
Description describe(const SecretKey&) {
  return {"secret", ""};
}
Description describe(const SecretFileKey&) {
  return {"path of a secret", ""};
}
Description describe(const TenantKey&) {
  return {"tenant", ""};
}
Description describe(const TenantsKey&) {
  return {"list of tenants", ""};
}
Description describe(const RolesKey&) {
  return {"table of strings", ""};
}
Description describe(const IncludeKey&) {
  return {"list of paths", code("[]")};
}
template <typename Section>
Description describe(const Section&) {
  return {};
}

/// One section of the page.
struct Page {
  std::string heading;  ///< "[cluster.NAME]"
  std::string prefix;   ///< "cluster.NAME"
  std::string doc;
  KeyRows rows;
};

bool is_section(const Slot& slot) {
  return std::holds_alternative<TableKey>(slot) || std::holds_alternative<NamedKey>(slot) ||
         std::holds_alternative<ListKey>(slot);
}

void collect(const Page& page, std::vector<Page>& out);

/// Adds the pages below `row`.
void collect_section(const KeyRow& row, const std::string& parent, std::vector<Page>& out) {
  const std::string path =
      parent.empty() ? std::string(row.name) : parent + "." + std::string(row.name);
  const std::string doc(row.doc);
  if (const auto* table = std::get_if<TableKey>(&row.slot)) {
    collect({"[" + path + "]", path, doc, table->enter()}, out);
  } else if (const auto* named = std::get_if<NamedKey>(&row.slot)) {
    collect({"[" + path + ".NAME]", path + ".NAME", doc, named->enter("NAME")}, out);
  } else if (const auto* list = std::get_if<ListKey>(&row.slot)) {
    collect({"[[" + path + "]]", path, doc, list->append()}, out);
  }
}

void collect(const Page& page, std::vector<Page>& out) {
  out.push_back(page);
  for (const KeyRow& row : page.rows) collect_section(row, page.prefix, out);
}

/// Every section; `config` is what the rows point into.
std::vector<Page> pages(Config& config) {
  std::vector<Page> out;
  collect({"Top level", "", "before any section", keys_of(config)}, out);
  for (const KeyRow& row : users_keys(config)) collect_section(row, "", out);
  return out;
}

std::string row_line(const KeyRow& row) {
  const Description d = std::visit([](const auto& key) { return describe(key); }, row.slot);
  const std::string initial = row.need == Need::kRequired ? "**required**" : d.initial;
  return "| " + code(row.name) + " | " + d.type + " | " + initial + " | " +
         (row.reload == Reload::kYes ? "yes" : "") + " | " + std::string(row.doc) + " |\n";
}

void append_page(const Page& page, std::string& out) {
  std::string lines;
  for (const KeyRow& row : page.rows) {
    if (!is_section(row.slot)) lines += row_line(row);
  }
  const bool top = page.prefix.empty();
  out += "\n## " + (top ? page.heading : code(page.heading)) + "\n\n" + page.doc + "\n";
  if (!lines.empty()) {
    out += "\n| key | value | default | reload | meaning |\n|---|---|---|---|---|\n" + lines;
  }
}

constexpr std::string_view kIntroduction = R"(# Configuration

Generated by `postern explain config` from the key table; `./dev docs` writes it anew.

One TOML file. Unknown keys are errors. An absent section is off.

- **duration**: `"250ms"`, `"5s"`, `"2m"`, `"1h"`, `"7d"`; a bare integer is milliseconds.
- **size**: `"64KB"`, `"16MB"`, `"2GB"`, powers of 1024; a bare integer is bytes.
- **path**: relative to the file that names it.
- **secret**: `${NAME}` stands for an environment variable, `$${` for `${` itself. Only secrets are
  substituted. Of a secret file one trailing line end is cut off.
- **tenant**: 1 to 63 of letters, digits, `_`, `.` and `-`.
- **reload**: `yes` where a reload takes the new value over without a restart.
- A section may be spread over included files; a key may stand in one of them only.

The `[user.NAME]` sections stand in the file that `auth.users_file` names.
)";

}  // namespace

std::string config_document() {
  Config config;
  std::string out(kIntroduction);
  for (const Page& page : pages(config)) append_page(page, out);
  return out;
}

std::optional<std::string> explain_key(std::string_view path) {
  Config config;
  for (const Page& page : pages(config)) {
    if (page.prefix == path && !page.prefix.empty()) {
      std::string out;
      append_page(page, out);
      return out.substr(1);
    }
    for (const KeyRow& row : page.rows) {
      const std::string name =
          page.prefix.empty() ? std::string(row.name) : page.prefix + "." + std::string(row.name);
      if (name != path || is_section(row.slot)) continue;
      const Description d = std::visit([](const auto& key) { return describe(key); }, row.slot);
      return name + ": " + std::string(row.doc) + "\n  value:   " + d.type +
             "\n  default: " + (row.need == Need::kRequired ? "required" : d.initial) + "\n";
    }
  }
  return std::nullopt;
}

}  // namespace postern::config
