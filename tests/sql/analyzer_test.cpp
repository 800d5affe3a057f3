#include <doctest/doctest.h>

#include "fixture_catalog.hpp"

using namespace postern::sql;
using namespace postern::sql::test;

TEST_CASE("first") {
  for (const char* s :
       {"SELECT id, email FROM users WHERE email = $1 AND name = 'x'",
        "INSERT INTO users (id, email) VALUES (1, 'a@b'), ($1, DEFAULT) RETURNING id",
        "UPDATE users u SET email = $1, name = 'n'::text WHERE u.id = $2",
        "DELETE FROM users WHERE email IN ('a', $1)",
        "SELECT DISTINCT u.* , o.total FROM users u JOIN orders o ON o.user_id = u.id ORDER BY "
        "total LIMIT 3",
        "SELECT count(*) FROM user_names", "SELECT 1 FROM nowhere", "SELEC", "SELECT '"}) {
    auto f = facts_of(s);
    MESSAGE(s, "\n", describe(s, f->statements[0]), "\n", f->normalized, " ", f->fingerprint);
  }
}
