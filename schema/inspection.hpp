// What `postern init` learns about a database, without changing anything in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "schema/connection.hpp"
#include "schema/pii.hpp"

namespace postern::schema {

struct InspectedColumn {
  std::string name;
  std::string type;  ///< format_type()
  ValueClass values = ValueClass::kOther;
  std::size_t sampled = 0;  ///< values that were looked at; they are kept nowhere
  bool named_so = false;    ///< `pii` follows from the name
  bool valued_so = false;   ///< and from the values
  std::optional<PiiKind> pii;
};

/// A table, or a partitioned table as a whole; partitions are not listed.
struct InspectedTable {
  std::string name;  ///< "schema.name"
  std::string owner;
  std::int64_t estimated_rows = 0;  ///< pg_class.reltuples; -1 where never analysed
  std::vector<InspectedColumn> columns;
};

struct InspectedRole {
  std::string name;
  bool superuser = false;
  bool bypasses = false;
  std::size_t sessions = 0;  ///< at the moment, as far as the login may see
};

struct InspectedReplica {
  std::string name;     ///< application_name of its WAL receiver
  std::string address;  ///< empty for a unix socket
  std::string state;
};

struct Inspection {
  std::string host;
  std::string port;
  std::string user;
  std::string database;
  std::string version;  ///< "15.20 (Debian ...)"
  bool is_replica = false;
  bool tls = false;
  std::vector<InspectedTable> tables;  ///< by name
  std::vector<InspectedRole> roles;    ///< that may log in, by name
  std::vector<InspectedReplica> replicas;
  std::vector<std::string> not_sampled;  ///< tables this login may not read
};

inline constexpr std::size_t kSampleRows = 200;
/// Longer values are cut by the server.
inline constexpr std::size_t kSampleBytes = 320;
/// Tables beyond this many are judged by names alone.
inline constexpr std::size_t kMaxSampledTables = 500;

/// One read-only transaction with short time limits.
Result<Inspection> inspect(Connection& connection);

}  // namespace postern::schema
