// search_path as clients set it and servers show it.
#include "proxy/session/search_path.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;

namespace {

std::string quoted(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ", ";
    text += '"';
    for (const char c : name) text += c == '"' ? std::string("\"\"") : std::string(1, c);
    text += '"';
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView text = fuzz::view(data, size);
  const auto names = proxy::parse_search_path(text, "somebody");
  if (!names) return 0;
  POSTERN_CHECK(names->size() <= text.size() + 1);
  const std::string again = quoted(*names);
  // "$user" stands for the login and is not written back; long paths are not followed.
  if (again.size() > proxy::kMaxSearchPathBytes) return 0;
  if (again.find("\"$user\"") != std::string::npos) return 0;
  POSTERN_CHECK(proxy::parse_search_path(again, "somebody") == names);
  return 0;
}
