// All of an analysis as text, positions included: equal dumps mean equal facts.
#pragma once

#include <string>

#include "sql/facts.hpp"

namespace postern::sql::test {

inline std::string dump(Span span) {
  return "[" + std::to_string(span.begin) + "," + std::to_string(span.end) + ")";
}

inline std::string dump(const std::optional<ColumnRef>& ref) {
  return ref ? std::to_string(ref->relation) + "." + std::to_string(ref->attnum) : "-";
}

template <typename T>
std::string dump_list(const std::vector<T>& list) {
  std::string out;
  for (const T& item : list) out.append(std::to_string(item)).push_back(',');
  return out;
}

template <typename Input>
std::string dump_input(const Input& input) {
  return dump(input.span) + " role " + std::to_string(static_cast<int>(input.role)) + " cmp " +
         std::to_string(static_cast<int>(input.comparison)) + " col " + dump(input.column) +
         " cast " + std::to_string(input.cast) + dump(input.cast_span);
}

inline std::string dump_relation(const RelationUse& use) {
  return "\n rel " + std::to_string(use.oid) + " r" + dump_list(use.columns_read) + " w" +
         dump_list(use.columns_written) + (use.read ? " read" : "") +
         (use.written ? " written" : "") + (use.system_columns ? " system" : "") + " via " +
         std::to_string(use.via);
}

inline std::string dump_flags(const Statement& s) {
  std::string out;
  for (const bool flag : {s.returns_rows, s.locking_clause, s.reads_clock, s.reads_catalog,
                          s.reads_session, s.has_limit_without_order, s.writes_beyond, s.local}) {
    out.push_back(flag ? '1' : '0');
  }
  return out;
}

inline std::string dump(const Statement& s) {
  std::string out = std::string(to_word(s.kind)) + dump(s.span) + " tx " +
                    std::to_string(static_cast<int>(s.transaction)) + " session " +
                    std::to_string(static_cast<int>(s.session)) + " flags " + dump_flags(s) +
                    " copy " + std::to_string(static_cast<int>(s.copy_end)) + " name " + s.name +
                    " = " + s.value + " routines " + dump_list(s.routines);
  for (const RelationUse& use : s.relations) out.append(dump_relation(use));
  for (const Literal& literal : s.literals) {
    out.append("\n lit ").append(std::to_string(static_cast<int>(literal.token)));
    out.append(" ").append(dump_input(literal)).append(literal.merely_value ? " value" : "");
  }
  for (const Param& param : s.params) {
    out.append("\n par ")
        .append(std::to_string(param.number))
        .append(" ")
        .append(dump_input(param));
  }
  for (const ColumnUse& use : s.uses) {
    out.append("\n use ").append(dump(use.column)).append(" ");
    out.append(std::to_string(static_cast<int>(use.use))).append(" ").append(dump(use.other));
    out.append(" @").append(std::to_string(use.position));
  }
  for (const Output& output : s.outputs) {
    out.append("\n out ").append(output.name).append(" ").append(dump(output.source));
    out.append(" type ").append(std::to_string(output.type));
    for (const ColumnRef& ref : output.sources) out.append(" ").append(dump(ref));
  }
  if (s.opaque) {
    out.append("\n opaque ").append(s.opaque->reason);
    out.append(" @").append(std::to_string(s.opaque->position));
  }
  return out;
}

inline std::string dump(const Facts& facts) {
  std::string out =
      facts.fingerprint + " " + facts.normalized + " epoch " + std::to_string(facts.catalog_epoch);
  for (const Statement& statement : facts.statements) out.append("\n").append(dump(statement));
  return out;
}

}  // namespace postern::sql::test
