#include "proxy/session/search_path.hpp"

namespace postern::proxy {
namespace {

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// A cursor over the list; every function leaves it behind what it took.
struct Reader {
  std::string_view rest;

  void skip_spaces() {
    while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
  }
  std::optional<std::string> quoted() {
    std::string name;
    rest.remove_prefix(1);
    for (;;) {
      const std::size_t quote = rest.find('"');
      if (quote == std::string_view::npos) return std::nullopt;
      name.append(rest.substr(0, quote));
      rest.remove_prefix(quote + 1);
      if (rest.empty() || rest.front() != '"') return name;
      name.push_back('"');
      rest.remove_prefix(1);
    }
  }
  std::optional<std::string> plain() {
    std::string name;
    while (!rest.empty() && rest.front() != ',' && !is_space(rest.front())) {
      const char c = rest.front();
      name.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
      rest.remove_prefix(1);
    }
    if (name.empty()) return std::nullopt;
    return name;
  }
};

}  // namespace

std::optional<std::vector<std::string>> parse_search_path(std::string_view text,
                                                          std::string_view user) {
  std::vector<std::string> schemas;
  if (text.size() > kMaxSearchPathBytes) return std::nullopt;
  Reader in{text};
  in.skip_spaces();
  if (in.rest.empty()) return schemas;
  for (;;) {
    in.skip_spaces();
    const bool is_quoted = !in.rest.empty() && in.rest.front() == '"';
    std::optional<std::string> name = is_quoted ? in.quoted() : in.plain();
    if (!name) return std::nullopt;
    if (*name == "$user") *name = std::string(user);
    if (!name->empty()) schemas.push_back(std::move(*name));
    in.skip_spaces();
    if (in.rest.empty()) return schemas;
    if (in.rest.front() != ',') return std::nullopt;
    in.rest.remove_prefix(1);
  }
}

}  // namespace postern::proxy
