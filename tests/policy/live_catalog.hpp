// A sql::Catalog of a real database, as far as the wall needs one.
#pragma once

#include <memory>

#include "sql/catalog.hpp"
#include "tests/policy/pg_cluster.hpp"

namespace postern::test {

std::shared_ptr<const sql::Catalog> load_catalog(Psql& psql);

}  // namespace postern::test
