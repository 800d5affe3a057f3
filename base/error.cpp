#include "base/error.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace postern {
namespace {

constexpr PstInfo kTable[] = {
#define PST(name, number, sqlstate, severity, message, hint) \
  {Pst{number}, #name, sqlstate, Severity::severity, message, hint},
#include "base/error_codes.def"
#undef PST
};

constexpr bool sorted_and_unique() {
  for (std::size_t i = 1; i < std::size(kTable); ++i) {
    if (kTable[i - 1].code >= kTable[i].code) return false;
  }
  return true;
}
static_assert(sorted_and_unique(), "error_codes.def must be in ascending order of its numbers");

const PstInfo* lookup(std::uint16_t number) {
  const auto* it = std::lower_bound(
      std::begin(kTable), std::end(kTable), number,
      [](const PstInfo& row, std::uint16_t n) { return static_cast<std::uint16_t>(row.code) < n; });
  if (it == std::end(kTable) || static_cast<std::uint16_t>(it->code) != number) return nullptr;
  return it;
}

}  // namespace

const PstInfo& pst_info(Pst code) {
  const PstInfo* row = lookup(static_cast<std::uint16_t>(code));
  return row != nullptr ? *row : *lookup(static_cast<std::uint16_t>(pst::kInternal));
}

std::string pst_label(Pst code) {
  return "PST-" + std::to_string(static_cast<unsigned>(code));
}

std::optional<PstInfo> pst_find(std::string_view label) {
  constexpr std::string_view kPrefix = "PST-";
  const bool prefixed =
      label.size() > kPrefix.size() &&
      std::equal(kPrefix.begin(), kPrefix.end(), label.begin(),
                 [](char p, char c) { return p == std::toupper(static_cast<unsigned char>(c)); });
  if (prefixed) label.remove_prefix(kPrefix.size());
  std::uint16_t number = 0;
  const auto [end, ec] = std::from_chars(label.data(), label.data() + label.size(), number);
  if (ec != std::errc{} || end != label.data() + label.size()) return std::nullopt;
  const PstInfo* row = lookup(number);
  return row != nullptr ? std::optional(*row) : std::nullopt;
}

std::string Error::message() const {
  std::string text(pst_info(code).message);
  // Particulars that begin with a space go on with the sentence.
  const bool continues = !what.empty() && what.front() == ' ';
  if (!what.empty()) text.append(continues ? "" : ": ").append(what);
  return text;
}

std::string_view Error::effective_hint() const {
  return hint.empty() ? pst_info(code).hint : std::string_view(hint);
}

std::string Error::line() const {
  std::string text = pst_label(code) + " " + message();
  if (!effective_hint().empty()) text.append(" (").append(effective_hint()).append(")");
  return text;
}

}  // namespace postern
