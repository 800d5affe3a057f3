// What the records of an access log say about use: who sends what, and what policy says to it.
//
// Feed every record in order; then read the sums. One thread. Nothing here throws: a record that
// has another form is counted in `strange`.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace postern::schema {

/// First and last time of something, microseconds since 1970; both 0 before anything was seen.
struct Period {
  std::int64_t first = 0;
  std::int64_t last = 0;
  void add(std::int64_t time);
};

struct ApplicationUse {
  std::uint64_t statements = 0;
  std::set<std::string> logins;
  std::set<std::string> tenants;
  std::uint64_t opaque = 0;  ///< statements that were not understood
  Period when;
};

struct ShapeUse {
  std::string text;  ///< normalised: no literal stands in it
  std::string operation;
  std::uint64_t calls = 0;
  std::uint64_t failed = 0;  ///< ended with an error of the server or of Postern
  std::set<std::string> applications;
  Period when;
};

struct TableUse {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::set<std::string> applications;
};

struct ColumnUse {
  std::uint64_t touched = 0;
  std::uint64_t decrypted = 0;
  std::set<std::string> applications;
  std::string why;  ///< "configured", or what its name looks like
};

/// Statements of one application refused for one reason.
struct RefusalGroup {
  std::string application;
  std::string code;      ///< PST-xxxx
  std::string rule;      ///< may be empty
  bool applied = false;  ///< false: observed, the statement passed
  std::uint64_t count = 0;
  std::set<std::string> shapes;  ///< fingerprints, at most kMaxShapesPerGroup
  std::string example;           ///< normalised text
  Period when;
};
inline constexpr std::size_t kMaxShapesPerGroup = 1000;

class Usage {
 public:
  /// Distinct applications, shapes, tables and columns beyond this many each are only counted.
  static constexpr std::size_t kMaxDistinct = 20'000;

  /// `pii_columns`: "schema.table.column" of the configuration, to be listed when touched.
  explicit Usage(std::set<std::string> pii_columns) : pii_columns_(std::move(pii_columns)) {}

  /// `kind` as audit::kind_name() writes it; `body` is the JSON of the record.
  void add(std::string_view kind, std::uint64_t index, std::string_view body);

  /// Records outside are skipped; set before the first add().
  std::int64_t from_us = std::numeric_limits<std::int64_t>::min();   ///< inclusive
  std::int64_t until_us = std::numeric_limits<std::int64_t>::max();  ///< exclusive

  std::uint64_t statements = 0;
  std::uint64_t refused = 0;   ///< applied
  std::uint64_t observed = 0;  ///< would be refused
  std::uint64_t failed_logins = 0;
  std::uint64_t strange = 0;
  std::uint64_t left_out = 0;
  Period when;
  std::map<std::string, ApplicationUse> applications;  ///< "" = gave no name
  std::map<std::string, ShapeUse> shapes;              ///< by fingerprint
  std::map<std::string, TableUse> tables;
  std::map<std::string, ColumnUse> pii;
  /// In order of their first appearance.
  std::vector<RefusalGroup> refusals;

 private:
  struct Record;
  void add_statement(const Record& record, std::uint64_t index);
  void add_refusal(const Record& record);
  void add_relations(const Record& record);
  void touch(const std::string& column, const std::string& application, bool decrypted);

  std::set<std::string> pii_columns_;
  std::map<std::uint64_t, std::string> open_;  ///< fingerprints of intents without outcome
};

}  // namespace postern::schema
