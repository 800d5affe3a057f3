// From what was found in a database to what its configuration should say. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schema/inspection.hpp"

namespace postern::schema {

struct TenantProposal {
  std::string column;
  std::string type;           ///< as [tenant] type writes it; empty: a type that cannot be one
  std::string declared_type;  ///< as the tables declare it
  std::size_t tables_with = 0;
  std::size_t tables_without = 0;
  std::vector<std::string> other_types;  ///< "schema.table (type)" that declare it differently
};

/// A table without the tenant column that has another candidate for one.
struct OtherTenantColumn {
  std::string table;
  std::string column;
};

struct PiiProposal {
  std::string table;
  std::string column;
  std::string type;
  PiiKind kind = PiiKind::kEmail;
  std::string evidence;  ///< "name and 200 of 200 sampled values"; never a value
  std::string scheme;    ///< empty: the type cannot be encrypted yet
};

struct Proposal {
  std::optional<TenantProposal> tenant;
  std::vector<std::string> shared;
  std::vector<OtherTenantColumn> others;
  std::vector<PiiProposal> pii;
};

/// Names a tenant column may have, most usual first.
const std::vector<std::string>& tenant_candidates();

Proposal propose(const Inspection& inspection);

}  // namespace postern::schema
