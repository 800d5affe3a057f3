// What administrators type on the console.
#include "proxy/console/command.hpp"
#include "proxy/console/lexer.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::proxy::console;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView text = fuzz::view(data, size);
  POSTERN_CHECK(statement_end(text) <= text.size());
  std::size_t total = 0;
  for (const Token& token : tokens_of(text)) total += token.text.size();
  POSTERN_CHECK(total <= text.size());
  for (const std::string_view statement : split_statements(text)) {
    POSTERN_CHECK(!statement.empty());
    POSTERN_CHECK(statement.data() >= text.data() &&
                  statement.data() + statement.size() <= text.data() + text.size());
    const auto command = parse_command(statement);
    if (command) (void)row_of(command->verb);
  }
  (void)parse_command(text);
  (void)setting_value(text);
  return 0;
}
