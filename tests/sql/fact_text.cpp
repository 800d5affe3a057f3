// Facts as text for table-driven tests. Columns are written table.column by catalog name.
//   kind word, then flags
//   tx EFFECT / session EFFECTS / name NAME = VALUE (local)
//   opaque: REASON @position
//   rel table r(columns) w(columns) sys via VIEW
//   use table.column WHAT [other]
//   lit TEXT ROLE COMPARISON column cast=OID "span with cast"
//   par TEXT ROLE COMPARISON column cast=OID "span with cast"
//   fun name/arguments, or the number of an operator's routine
//   out name = source <- sources
#include <algorithm>
#include <vector>

#include "tests/sql/fixture_catalog.hpp"

namespace postern::sql::test {

namespace {

std::string relation_name(Oid oid) {
  const Relation* relation = fixture_catalog()->relation(oid);
  return relation == nullptr ? "?" : relation->name;
}

std::string column_name(ColumnRef ref) {
  const Relation* relation = fixture_catalog()->relation(ref.relation);
  const Column* column = relation == nullptr ? nullptr : relation->column(ref.attnum);
  return relation_name(ref.relation) + "." + (column == nullptr ? "?" : column->name);
}

std::string columns_text(Oid oid, const std::vector<std::int16_t>& attnums) {
  std::string out;
  for (std::int16_t attnum : attnums) {
    const std::string full = column_name({oid, attnum});
    out.append(out.empty() ? "" : ",").append(full.substr(full.find('.') + 1));
  }
  return out;
}

const char* word(Use use) {
  static constexpr const char* kWords[] = {"projected", "stored",   "copied",     "equality",
                                           "columneq",  "grouping", "nulltest",   "counted",
                                           "conflict",  "ordering", "expression", "defaulted"};
  return kWords[static_cast<int>(use)];
}
const char* word(ValueRole role) {
  static constexpr const char* kWords[] = {"stored", "operand", "other"};
  return kWords[static_cast<int>(role)];
}
const char* word(Comparison comparison) {
  static constexpr const char* kWords[] = {"-", "=", "<>", "in", "any", "?"};
  return kWords[static_cast<int>(comparison)];
}

template <typename Input>
std::string input_text(const char* tag, std::string_view text, const Input& input) {
  const auto slice = [&](Span span) {
    return std::string(text.substr(span.begin, span.end - span.begin));
  };
  std::string out = std::string(tag) + " " + slice(input.span) + " " + word(input.role) + " " +
                    word(input.comparison);
  if (input.column) out += " " + column_name(*input.column);
  if (input.cast != kInvalidOid) {
    out += " cast=" + std::to_string(input.cast) + " {" + slice(input.cast_span) + "}";
  } else if (!(input.cast_span == input.span)) {
    out += " BAD SPAN";
  }
  return out;
}

std::string relation_text(const RelationUse& use) {
  std::string out = "rel " + relation_name(use.oid);
  if (use.read) out += " r(" + columns_text(use.oid, use.columns_read) + ")";
  if (use.written) out += " w(" + columns_text(use.oid, use.columns_written) + ")";
  if (use.system_columns) out += " sys";
  if (use.via != kInvalidOid) out += " via " + relation_name(use.via);
  return out;
}

std::string output_text(const Output& output) {
  std::string out = "out " + output.name;
  if (output.source) out += " = " + column_name(*output.source);
  for (const ColumnRef& source : output.sources) {
    if (output.source != source) out += " <- " + column_name(source);
  }
  return out;
}

std::string session_text(const Statement& statement) {
  static constexpr const char* kEffects[] = {"setting", "role",     "temp",    "prepared", "cursor",
                                             "listen",  "advisory", "discard", "sequence"};
  static constexpr const char* kTransactions[] = {"",
                                                  "begin",
                                                  "begin read only",
                                                  "commit",
                                                  "rollback",
                                                  "commit and chain",
                                                  "rollback and chain"};
  std::string out;
  if (statement.transaction != TransactionEffect::kNone) {
    out += std::string("\ntx ") + kTransactions[static_cast<int>(statement.transaction)];
  }
  std::string effects;
  for (unsigned i = 0; i < std::size(kEffects); ++i) {
    if (has(statement.session, static_cast<SessionEffect>(1U << i))) {
      effects.append(" ").append(kEffects[i]);
    }
  }
  if (has(statement.session, SessionEffect::kUnknown)) effects += " unknown";
  if (!effects.empty()) out += "\nsession" + effects;
  if (!statement.name.empty()) {
    out += "\nname " + statement.name;
    if (!statement.value.empty()) out += " = " + statement.value;
    if (statement.local) out += " (local)";
  }
  return out;
}

std::string flag_text(const Statement& statement) {
  std::string out;
  if (statement.returns_rows) out += " rows";
  if (statement.locking_clause) out += " locks";
  if (statement.reads_clock) out += " clock";
  if (statement.reads_catalog) out += " catalog";
  if (statement.reads_session) out += " session";
  if (statement.has_limit_without_order) out += " limit";
  if (statement.writes_beyond) out += " beyond";
  static constexpr const char* kEnds[] = {"", " client", " file", " program"};
  return out + kEnds[static_cast<int>(statement.copy_end)];
}

}  // namespace

std::string describe(std::string_view text, const Statement& statement) {
  std::vector<std::string> lines;
  for (const RelationUse& use : statement.relations) lines.push_back(relation_text(use));
  for (const ColumnUse& use : statement.uses) {
    std::string line = "use " + column_name(use.column) + " " + word(use.use);
    if (use.other) line += " " + column_name(*use.other);
    lines.push_back(line);
  }
  std::sort(lines.begin(), lines.end());
  for (const Literal& literal : statement.literals) {
    lines.push_back(input_text("lit", text, literal));
  }
  for (const Param& param : statement.params) lines.push_back(input_text("par", text, param));
  for (const Output& output : statement.outputs) lines.push_back(output_text(output));
  for (Oid oid : statement.routines) {
    const Routine* routine = fixture_catalog()->routine(oid);
    lines.push_back("fun " + (routine != nullptr
                                  ? routine->name + "/" + std::to_string(routine->max_args)
                                  : std::to_string(oid)));
  }
  std::string out = to_word(statement.kind) + flag_text(statement) + session_text(statement);
  if (statement.opaque) {
    out +=
        "\nopaque: " + statement.opaque->reason + " @" + std::to_string(statement.opaque->position);
  }
  for (const std::string& line : lines) out += "\n" + line;
  return out;
}

}  // namespace postern::sql::test
