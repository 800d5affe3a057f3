// The SQL functions and the domain of the wall, as data: the plan creates them, verification
// compares them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/ruleset.hpp"

namespace postern::policy {

struct WallFunction {
  std::string_view name;       ///< without schema
  std::string_view arguments;  ///< as in CREATE FUNCTION
  std::string_view identity;   ///< argument types as pg_get_function_identity_arguments prints them
  std::string_view returns;    ///< as format_type prints it
  bool security_definer = true;
  bool for_public = true;        ///< EXECUTE granted to PUBLIC
  std::string body;              ///< pg_proc.prosrc
  std::string_view symbol = {};  ///< in the library of postern_guard; empty: there is none
  bool fixed_path = true;        ///< SET search_path = pg_catalog, pg_temp
  char volatility = 's';         ///< pg_proc.provolatile
};

/// In order of creation. Those of the event triggers say what the ruleset's options say.
std::vector<WallFunction> wall_functions(const Ruleset& rules);

/// CREATE OR REPLACE FUNCTION with its ownership and grants; several statements.
std::string function_sql(const WallFunction& function, std::string_view owner_role);

/// Where the extension postern_guard is created (policy/guard), its C functions take the place of
/// the SQL bodies. One statement, to be run behind every function_sql().
extern const std::string_view kGuardInstallSql;

/// The library as CREATE FUNCTION names it.
inline constexpr std::string_view kGuardLibrary = "$libdir/postern_guard";

/// The CHECK of the domain postern.pe1, and how the server prints it (spaces and brackets aside).
inline constexpr std::string_view kContainerCheck =
    "pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.>=) 48 "
    "AND pg_catalog.substr(VALUE, 1, 3) OPERATOR(pg_catalog.=) '\\xf55001'::pg_catalog.bytea "
    "AND pg_catalog.get_byte(VALUE, 3) OPERATOR(pg_catalog.=) "
    "ANY ('{1,2,17,33}'::pg_catalog.int4[])";

}  // namespace postern::policy
