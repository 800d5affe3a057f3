#include "proxy/session/error_shape.hpp"

#include <doctest/doctest.h>

#include "protocol/error_message.hpp"

using namespace postern;
using proxy::shaped_plan_line;

namespace {

std::string line(std::string_view text) {
  return shaped_plan_line(text).value_or("-");
}

}  // namespace

TEST_CASE("lines of plans: nodes without costs, conditions, nothing that counts rows") {
  CHECK(line("Seq Scan on t  (cost=0.00..35.50 rows=2550 width=4)") == "Seq Scan on t");
  CHECK(line("Seq Scan on t") == "Seq Scan on t");
  CHECK(line("  ->  Index Scan using i on t  (cost=0.29..8.30 rows=1 width=4)") ==
        "  ->  Index Scan using i on t");
  CHECK(line("        Index Cond: (id = 5)") == "        Index Cond: (id = 5)");
  CHECK(line("  InitPlan 1 (returns $0)") == "  InitPlan 1 (returns $0)");
  CHECK(line("  Filter: (a ~~ '  (cost=1'::text)") == "  Filter: (a ~~ '");
  for (const char* dropped :
       {"  Rows Removed by Filter: 1", "Planning Time: 0.1 ms", "Execution Time: 2 ms",
        "  Heap Fetches: 3", "  Buffers: shared hit=3", "  Workers Planned: 2", "Settings: x = 'y'",
        "  Subplans Removed: 4", "  Batches: 1  Memory Usage: 24kB", "  anything: else"}) {
    CHECK(line(dropped) == "-");
  }
}

TEST_CASE("errors keep code, message, hint and names; what may hold rows goes") {
  Bytes message;
  protocol::ErrorWriter writer(message, protocol::ErrorWriter::Kind::kError);
  writer.field('S', "ERROR").field('C', "23505").field('M', "duplicate").field('D', "Key (a)=(1)");
  writer.field('H', "hint").field('W', "PL/pgSQL function f()").field('q', "SELECT 2");
  writer.field('p', "1").field('P', "7").field('n', "t_pkey").field('t', "t");
  writer.finish();
  protocol::Frame frame;
  frame.type = 'E';
  frame.whole = message;
  frame.body = frame.whole.substr(5);
  Bytes shaped;
  REQUIRE(proxy::append_shaped(frame, shaped));
  const auto fields = protocol::ErrorFields::decode(ByteView(shaped).substr(5));
  REQUIRE(fields);
  std::string codes;
  for (const auto& [code, value] : fields->fields) codes.push_back(code);
  CHECK(codes == "SCMHPnt");
}
