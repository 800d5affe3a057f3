#include "sql/facts.hpp"

namespace postern::sql {

const char* to_word(StatementKind kind) {
  static constexpr const char* kWords[] = {"empty",
                                           "select",
                                           "insert",
                                           "update",
                                           "delete",
                                           "merge",
                                           "copy from",
                                           "copy to",
                                           "begin",
                                           "commit",
                                           "rollback",
                                           "savepoint",
                                           "release",
                                           "rollback to",
                                           "prepare transaction",
                                           "commit prepared",
                                           "rollback prepared",
                                           "set",
                                           "reset",
                                           "show",
                                           "discard",
                                           "prepare",
                                           "execute",
                                           "deallocate",
                                           "declare cursor",
                                           "fetch",
                                           "close",
                                           "listen",
                                           "unlisten",
                                           "notify",
                                           "lock",
                                           "explain",
                                           "truncate",
                                           "create",
                                           "alter",
                                           "drop",
                                           "grant",
                                           "do",
                                           "call",
                                           "maintenance",
                                           "other"};
  static_assert(std::size(kWords) == static_cast<std::size_t>(StatementKind::kOther) + 1);
  return kWords[static_cast<std::size_t>(kind)];
}

namespace {

template <typename T>
std::size_t bytes_of(const std::vector<T>& list) {
  return list.capacity() * sizeof(T);
}

std::size_t bytes_of(const Statement& s) {
  std::size_t bytes = bytes_of(s.relations) + bytes_of(s.routines) + bytes_of(s.literals) +
                      bytes_of(s.params) + bytes_of(s.uses) + bytes_of(s.outputs) +
                      s.name.capacity() + s.value.capacity() + bytes_of(s.guard.policies) +
                      bytes_of(s.guard.columns) + bytes_of(s.guard.joins);
  for (const RelationUse& use : s.relations) {
    bytes += bytes_of(use.columns_read) + bytes_of(use.columns_written);
  }
  for (const Output& output : s.outputs) bytes += output.name.capacity() + bytes_of(output.sources);
  if (s.opaque) bytes += s.opaque->reason.capacity();
  return bytes;
}

}  // namespace

std::size_t footprint(const Facts& facts) {
  std::size_t bytes = sizeof(facts) + bytes_of(facts.statements) + facts.fingerprint.capacity() +
                      facts.normalized.capacity();
  for (const Statement& statement : facts.statements) bytes += bytes_of(statement);
  return bytes;
}

}  // namespace postern::sql
