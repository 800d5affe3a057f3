#include "proxy/session/state_scan.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sql/lexer.hpp"

namespace postern::proxy {
namespace {

using sql::Token;
using sql::TokenKind;
using Hint = StateHint;

struct Word {
  std::string_view text;
  Hint hint;
};

// Statements by their first word.
constexpr std::array<Word, 14> kCommands = {{
    {"call", kAllState},
    {"close", Hint::kRelease},
    {"deallocate", Hint::kPrepared},
    {"declare", Hint::kCursor},
    {"discard", kAllState},
    {"do", kAllState},
    {"drop", Hint::kRelease},
    {"execute", Hint::kSettings | Hint::kTemporary | Hint::kAdvisory},
    {"listen", Hint::kListen},
    {"load", Hint::kUnfollowed},
    {"prepare", Hint::kPrepared},
    {"reset", Hint::kSettings},
    {"set", Hint::kSettings},
    {"unlisten", Hint::kListen},
}};

constexpr std::string_view kSetConfig = "set_config";
constexpr std::string_view kAdvisory = "advisory";
/// Its rules turn an UPDATE into set_config().
constexpr std::string_view kSettingsView = "pg_settings";

/// Functions that leave behind what nothing asks about and DISCARD ALL does not undo.
constexpr std::array<std::string_view, 11> kLasting = {
    "pg_backup_start",
    "pg_backup_stop",
    "pg_start_backup",
    "pg_replication_origin_session_setup",
    // A slot may be temporary.
    "pg_create_physical_replication_slot",
    "pg_create_logical_replication_slot",
    "pg_copy_physical_replication_slot",
    "pg_copy_logical_replication_slot",
    "dblink_connect",
    "dblink_connect_u",
    "dblink_disconnect",
};

/// Functions whose locks end with their transaction.
constexpr std::array<std::string_view, 4> kTransactionLocks = {
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
};

template <std::size_t kSize>
bool is_one_of(const std::array<std::string_view, kSize>& names, std::string_view word) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return sql::is_keyword(word, name); });
}

bool is_lasting(std::string_view word) {
  return is_one_of(kLasting, word);
}

constexpr std::array<bool, 256> word_bytes() {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < table.size(); ++c) {
    table[c] = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '$' || c >= 0x80U;
  }
  return table;
}

// Every byte of every text passes here.
bool is_word_byte(char c) {
  static constexpr std::array<bool, 256> kTable = word_bytes();
  return kTable[static_cast<unsigned char>(c)];
}

char fold(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

bool starts_with_folded(std::string_view word, std::string_view prefix) {
  return word.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), word.begin(),
                                                    [](char p, char c) { return p == fold(c); });
}

bool contains_folded(std::string_view word, std::string_view part) {
  return word.size() >= part.size() &&
         std::search(word.begin(), word.end(), part.begin(), part.end(),
                     [](char c, char p) { return fold(c) == p; }) != word.end();
}

bool is_temp_keyword(std::string_view word) {
  return sql::is_keyword(word, "temp") || sql::is_keyword(word, "temporary");
}

bool is_temp_schema(std::string_view word) {
  return starts_with_folded(word, "pg_temp");
}

bool takes_session_lock(std::string_view word) {
  return contains_folded(word, kAdvisory) && !is_one_of(kTransactionLocks, word);
}

Hint command_hint(std::string_view word) {
  const char first = fold(word.front());
  for (const Word& command : kCommands) {
    if (first == command.text.front() && sql::is_keyword(word, command.text)) return command.hint;
  }
  return Hint::kNone;
}

// Could this word matter anywhere? Most texts hold none that does, and are not tokenized.
bool is_candidate(std::string_view word) {
  switch (fold(word.front())) {
    case 'd':
      return command_hint(word) != Hint::kNone || is_lasting(word);
    case 'c':
    case 'e':
    case 'l':
    case 'r':
    case 'u':
      return command_hint(word) != Hint::kNone;
    case 's':
      return command_hint(word) != Hint::kNone || contains_folded(word, kSetConfig);
    case 'p':
      return command_hint(word) != Hint::kNone || is_temp_schema(word) ||
             takes_session_lock(word) || sql::is_keyword(word, kSettingsView) || is_lasting(word);
    case 't':
      return is_temp_keyword(word);
    default:
      return false;
  }
}

bool worth_a_look(std::string_view sql) {
  std::size_t i = 0;
  while (i < sql.size()) {
    if (!is_word_byte(sql[i])) {
      // U&"..." can spell any name.
      if (sql[i] == '&' && i + 1 < sql.size() && sql[i + 1] == '"') return true;
      ++i;
      continue;
    }
    const std::size_t begin = i;
    while (i < sql.size() && is_word_byte(sql[i])) ++i;
    if (is_candidate(sql.substr(begin, i - begin))) return true;
  }
  return false;
}

// Without quotes, folded as PostgreSQL folds names.
std::string name_of(std::string_view token) {
  std::string name;
  const bool quoted = token.size() >= 2 && (token.front() == '"' || token.front() == '\'');
  if (quoted) token = token.substr(1, token.size() - 2);
  for (const char c : token) name.push_back(quoted ? c : fold(c));
  return name;
}

class Scanner {
 public:
  Scanner(std::string_view sql, const std::vector<Token>& tokens) : sql_(sql), tokens_(tokens) {}

  StateScan run() {
    bool first = true;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const Token& token = tokens_[i];
      if (token.kind == TokenKind::kSymbol && text(i) == ";") {
        first = true;
        continue;
      }
      if (token.kind == TokenKind::kWord) {
        if (first) on_command(i);
        if (is_temp_keyword(text(i)) && may_make_temporary(i)) add(Hint::kTemporary);
        on_word(i, text(i));
      } else if (token.kind == TokenKind::kQuotedWord) {
        on_quoted(i);
      }
      first = false;
    }
    return std::move(scan_);
  }

 private:
  [[nodiscard]] std::string_view text(std::size_t i) const { return tokens_[i].text(sql_); }
  [[nodiscard]] bool keyword(std::size_t i, std::string_view word) const {
    return i < tokens_.size() && tokens_[i].kind == TokenKind::kWord &&
           sql::is_keyword(text(i), word);
  }
  void add(Hint hint) { scan_.hint = scan_.hint | hint; }

  void on_command(std::size_t i) {
    if (keyword(i, "set")) return on_set(i + 1);
    if (keyword(i, "reset")) remember_name(i + 1);
    if (keyword(i, "explain")) return on_explain(i + 1);
    add(command_hint(text(i)));
  }

  // EXPLAIN ANALYZE runs what it explains.
  void on_explain(std::size_t i) {
    for (; i < tokens_.size() && text(i) != ";"; ++i) {
      if (keyword(i, "execute")) add(command_hint("execute"));
    }
  }

  // SET LOCAL, SET TRANSACTION and SET CONSTRAINTS end with the transaction.
  void on_set(std::size_t i) {
    if (keyword(i, "transaction") || keyword(i, "constraints")) return;
    if (keyword(i, "local")) {
      scan_.local = true;
      return on_name(name_at(i + 1), true);
    }
    const bool session = keyword(i, "session");
    if (session && keyword(i + 1, "authorization")) return add(Hint::kUnfollowed);
    add(Hint::kSettings);
    remember_name(session ? i + 1 : i);
  }

  void remember_name(std::size_t i) { on_name(name_at(i), false); }

  // a.b.c, in as many parts as there are.
  [[nodiscard]] std::string name_at(std::size_t i) const {
    if (i >= tokens_.size()) return {};
    std::string name = name_of(text(i));
    for (; i + 2 < tokens_.size() && text(i + 1) == "."; i += 2) {
      name += "." + name_of(text(i + 2));
    }
    return name;
  }

  void on_name(std::string name, bool local) {
    std::transform(name.begin(), name.end(), name.begin(), fold);
    // pg_settings does not show it, and to become somebody else is not ours to repeat.
    if (name == "session_authorization") return add(Hint::kUnfollowed);
    // Under a path that begins with pg_temp, every CREATE makes temporary objects.
    if (name == "search_path") add(Hint::kTemporary);
    // Whom statements are for is no setting of the server's.
    if (name.starts_with("postern.")) return;
    if (!local && name.find('.') != std::string::npos) scan_.custom.push_back(std::move(name));
  }

  // CREATE [OR REPLACE] [LOCAL | GLOBAL] TEMP, INTO [LOCAL | GLOBAL] TEMP (gram.y, OptTemp and
  // OptTempTableName): elsewhere it is a name.
  [[nodiscard]] bool may_make_temporary(std::size_t i) const {
    if (i == 0) return false;
    return keyword(i - 1, "create") || keyword(i - 1, "replace") || keyword(i - 1, "local") ||
           keyword(i - 1, "global") || keyword(i - 1, "into");
  }

  void on_word(std::size_t i, std::string_view word) {
    if (is_temp_schema(word)) add(Hint::kTemporary);
    if (takes_session_lock(word)) add(Hint::kAdvisory);
    if (sql::is_keyword(word, kSettingsView)) add(Hint::kSettings);
    if (is_lasting(word)) add(Hint::kUnfollowed);
    if (sql::is_keyword(word, kSetConfig)) on_set_config(i + 1);
  }

  void on_quoted(std::size_t i) {
    const std::string_view word = text(i);
    if (word.front() != '"') return add(kAllState | Hint::kUnfollowed);  // U&"..."
    on_word(i, word.substr(1, word.size() - 2));
  }

  // set_config('name', value, true) ends with the transaction.
  void on_set_config(std::size_t open) {
    if (open >= tokens_.size() || text(open) != "(") return;
    std::size_t depth = 0;
    std::size_t commas = 0;
    bool local = false;
    for (std::size_t i = open; i < tokens_.size(); ++i) {
      const std::string_view here = text(i);
      if (here == "(" || here == "[") ++depth;
      if ((here == ")" || here == "]") && --depth == 0) {
        local = commas == 2 && keyword(i - 1, "true") && text(i - 2) == ",";
        break;
      }
      if (depth == 0) break;
      if (here == "," && depth == 1) ++commas;
    }
    scan_.local = scan_.local || local;
    if (!local) add(Hint::kSettings);
    const bool literal = open + 2 < tokens_.size() &&
                         tokens_[open + 1].kind == TokenKind::kString && text(open + 2) == ",";
    if (!literal) return add(local ? Hint::kTemporary : Hint::kUnfollowed);
    on_name(name_of(text(open + 1)), local);
  }

  std::string_view sql_;
  const std::vector<Token>& tokens_;
  StateScan scan_;
};

}  // namespace

StateScan scan_state(std::string_view sql) {
  if (!worth_a_look(sql)) return {};
  const sql::Tokens tokens = sql::tokenize(sql, kMaxScanTokens);
  if (tokens.error != nullptr) return {kAllState | StateHint::kUnfollowed, {}, true};
  return Scanner(sql, tokens.list).run();
}

}  // namespace postern::proxy
