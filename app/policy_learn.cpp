// postern policy learn: shapes of statements seen, into the file that mode `pinned` reads.
#include <algorithm>
#include <fstream>
#include <set>

#include "app/command.hpp"
#include "app/inputs.hpp"
#include "app/printable.hpp"
#include "base/codes/config.hpp"
#include "base/codes/tools.hpp"
#include "config/assign.hpp"
#include "crypto/file_io.hpp"
#include "proxy/runtime/shapes.hpp"

namespace postern::app {
namespace {

constexpr std::size_t kMaxFileBytes = 64U << 20;
constexpr Flag kFlags[] = {
    {"--into", 0, "PINS", "the file of [policy] pins_file; made where it is not there"},
};

/// The lines of shapes; comments are kept for a person and dropped here.
Status take_shapes(const std::string& path, std::set<std::string>& lines) {
  POSTERN_ASSIGN(const Bytes content, config::read_whole_file(path, kMaxFileBytes));
  std::string_view rest = content;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    POSTERN_ASSIGN(const std::string shape, proxy::shape_of_line(line));
    if (!shape.empty()) lines.emplace(line);
  }
  return ok();
}

Status write_shapes(const std::string& path, const std::set<std::string>& lines) {
  Bytes content;
  for (const std::string& line : lines) content.append(line).push_back('\n');
  if (!crypto::replace_file(path, content)) return make_error(pst::kOutputNotWritten, path);
  return ok();
}

Exit run(const Arguments& arguments) {
  if (!arguments.has("--into") || arguments.positionals().size() != 1) {
    return fail(make_error(pst::kUsage, "policy learn needs LEARNED and --into PINS"));
  }
  const std::string pins = arguments.value("--into");
  std::set<std::string> lines;
  if (std::ifstream(pins).good()) {
    if (const Status taken = take_shapes(pins, lines); !taken) return fail(taken.error());
  }
  const std::size_t before = lines.size();
  const Status learnt = take_shapes(arguments.positionals().front(), lines);
  if (!learnt) return fail(learnt.error());
  const Status written = write_shapes(pins, lines);
  if (!written) return fail(written.error());
  print_line(std::to_string(lines.size() - before) + " shapes added, " +
             std::to_string(lines.size()) + " in " + printable(pins));
  return Exit::kGood;
}

}  // namespace

extern const Command kPolicyLearnCommand;
const Command kPolicyLearnCommand{
    "policy learn",
    "LEARNED",
    1,
    "add the shapes of statements in a learn file to the file of pins",
    "LEARNED is what [policy] learn_file names. Read the lines before: each is let pass in mode\n"
    "`pinned`. Lines are sorted, and each shape stands once.",
    kFlags,
    run,
};

}  // namespace postern::app
