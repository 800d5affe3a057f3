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

}  // namespace postern::sql
