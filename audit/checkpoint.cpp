#include "audit/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/file_ops.hpp"
#include "base/codes/audit.hpp"

namespace postern::audit {
namespace {

constexpr char kEd25519 = 1;  // C2SP signed-note signature type
constexpr std::string_view kPrivatePrefix = "PRIVATE+KEY+";
constexpr std::string_view kDash = "\xE2\x80\x94 ";  // em dash and blank
constexpr int kNoteLines = 5;

Bytes key_id(std::string_view name, ByteView public_key) {
  const Hash hash = sha256({name, "\n", ByteView(&kEd25519, 1), public_key});
  return Bytes(bytes_of(hash).substr(0, 4));
}

std::string key_text(std::string_view name, ByteView public_key, ByteView key) {
  std::string text(name);
  text.append("+").append(to_hex(key_id(name, public_key))).append("+");
  Bytes typed(1, kEd25519);
  typed.append(key);
  text.append(base64_encode(typed));
  wipe(typed);
  return text;
}

struct KeyParts {
  std::string name;
  Secret key;
};

// "<name>+<id>+<base64>"; the id is compared by the callers, who know the public key.
Result<KeyParts> split_key(std::string_view text) {
  const std::size_t first = text.find('+');
  const std::size_t second = first == text.npos ? text.npos : text.find('+', first + 1);
  if (second == text.npos) return make_error(pst::kAuditKeyBad, "not a note key");
  const std::string_view name = text.substr(0, first);
  auto typed = base64_decode(text.substr(second + 1));
  if (!valid_origin(name) || !typed || typed->size() != 33 || (*typed)[0] != kEd25519) {
    return make_error(pst::kAuditKeyBad, "not an Ed25519 note key");
  }
  Secret key(typed->substr(1));
  wipe(*typed);
  return KeyParts{std::string(name), std::move(key)};
}

std::string note_text(std::string_view origin, const TreeHead& head) {
  std::string text(origin);
  text.append("\n").append(std::to_string(head.size)).append("\n");
  return text.append(base64_encode(bytes_of(head.root))).append("\n");
}

// The line without its line feed, which is removed from `rest`; nullopt where there is none.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  if (end == rest.npos) return std::nullopt;
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return line;
}

std::optional<TreeHead> parse_head(std::string_view size, std::string_view root) {
  TreeHead head;
  const auto [end, ec] = std::from_chars(size.data(), size.data() + size.size(), head.size);
  if (ec != std::errc{} || end != size.data() + size.size()) return std::nullopt;
  const auto bytes = base64_decode(root);
  if (!bytes || bytes->size() != head.root.size()) return std::nullopt;
  std::memcpy(head.root.data(), bytes->data(), head.root.size());
  return head;
}

struct ParsedNote {
  TreeHead head;
  std::string text;  // what is signed
  Bytes signature;
};

Result<ParsedNote> parse_note(const VerifierKey& key, std::string_view note) {
  const auto bad = [](const char* what) { return make_error(pst::kAuditCheckpointBad, what); };
  std::string_view rest = note;
  std::array<std::string_view, kNoteLines> lines;
  for (std::string_view& line : lines) {
    const auto taken = take_line(rest);
    if (!taken) return bad("not five lines");
    line = *taken;
  }
  if (!rest.empty()) return bad("not five lines");
  if (lines[0] != key.name) return bad("another origin");
  const auto head = parse_head(lines[1], lines[2]);
  if (!head) return bad("size or root is malformed");
  // Re-creating the text refuses every second spelling of the same values.
  std::string text = note_text(key.name, *head);
  if (!lines[3].empty() || !note.starts_with(text)) return bad("size or root is malformed");
  const std::string prefix = std::string(kDash) + key.name + " ";
  if (!lines[4].starts_with(prefix)) return bad("another signer");
  const auto signature = base64_decode(lines[4].substr(prefix.size()));
  if (!signature || signature->size() != 4 + kSignatureBytes) return bad("malformed signature");
  if (ByteView(*signature).substr(0, 4) != key.id()) return bad("another key");
  return ParsedNote{*head, std::move(text), signature->substr(4)};
}

Status write_key_file(const std::string& path, ByteView content, mode_t mode) {
  const Fd fd(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode));
  if (!fd.valid()) return make_error(pst::kAuditUnreadable, path + ": " + errno_text());
  const FileOps ops = FileOps::system();
  POSTERN_TRY(write_all(ops, fd.get(), content));
  if (ops.sync(fd.get()) != 0) {
    return make_error(pst::kAuditUnreadable, path + ": " + errno_text());
  }
  return ok();
}

}  // namespace

bool valid_origin(std::string_view origin) {
  return !origin.empty() && origin.size() <= kMaxOriginBytes &&
         std::all_of(origin.begin(), origin.end(),
                     [](char c) { return c > ' ' && c < 0x7F && c != '+'; });
}

Bytes VerifierKey::id() const {
  return key_id(name, public_key);
}

std::string VerifierKey::text() const {
  return key_text(name, public_key, public_key);
}

Result<VerifierKey> VerifierKey::parse(std::string_view text) {
  POSTERN_ASSIGN(const KeyParts parts, split_key(text));
  VerifierKey key{parts.name, Bytes(parts.key.reveal())};
  if (key.text() != text) return make_error(pst::kAuditKeyBad, "the key id does not match");
  return key;
}

Secret LogKey::text() const {
  std::string text(kPrivatePrefix);
  text.append(key_text(name, key.public_key, key.secret.reveal().substr(0, kSeedBytes)));
  return Secret(std::move(text));
}

Result<LogKey> LogKey::parse(std::string_view text) {
  if (!text.starts_with(kPrivatePrefix)) {
    return make_error(pst::kAuditKeyBad, "not a private note key");
  }
  POSTERN_ASSIGN(const KeyParts parts, split_key(text.substr(kPrivatePrefix.size())));
  LogKey key{parts.name, signing_key_from_seed(parts.key.reveal())};
  if (!equal_constant_time(key.text().reveal(), text)) {
    return make_error(pst::kAuditKeyBad, "the key id does not match");
  }
  return key;
}

LogKey LogKey::generate(std::string name) {
  const Secret seed(random_bytes(kSeedBytes));
  return {std::move(name), signing_key_from_seed(seed.reveal())};
}

Result<LogKey> load_log_key(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    return make_error(pst::kAuditUnreadable, path + ": " + errno_text());
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return make_error(pst::kAuditKeyBad, path + " may be accessed by group or others");
  }
  POSTERN_ASSIGN(Bytes content, read_file(path));
  const Secret secret(std::move(content));
  std::string_view line = secret.reveal();
  if (line.ends_with('\n')) line.remove_suffix(1);
  return LogKey::parse(line);
}

Status store_log_key(const std::string& path, const LogKey& key) {
  Bytes line(key.text().reveal());
  line.push_back('\n');
  const Secret content(std::move(line));
  POSTERN_TRY(write_key_file(path, content.reveal(), 0600));
  return write_key_file(path + ".pub", key.verifier().text() + "\n", 0644);
}

std::string sign_checkpoint(const LogKey& key, const TreeHead& head) {
  std::string note = note_text(key.name, head);
  const Bytes signature = sign(key.key, note);
  note.append("\n").append(kDash).append(key.name).append(" ");
  note.append(base64_encode(key.verifier().id() + signature)).append("\n");
  return note;
}

Result<TreeHead> open_checkpoint(const VerifierKey& key, std::string_view note) {
  POSTERN_ASSIGN(const ParsedNote parsed, parse_note(key, note));
  if (!verify_signature(key.public_key, parsed.text, parsed.signature)) {
    return make_error(pst::kAuditCheckpointBad, "wrong signature");
  }
  return parsed.head;
}

Result<TreeHead> read_checkpoint(const VerifierKey& key, std::string_view note) {
  POSTERN_ASSIGN(const ParsedNote parsed, parse_note(key, note));
  return parsed.head;
}

std::vector<NoteSpan> split_notes(std::string_view text, std::uint64_t& torn) {
  std::vector<NoteSpan> notes;
  std::size_t begin = 0;
  int lines = 0;
  for (std::size_t i = text.find('\n'); i != text.npos; i = text.find('\n', i + 1)) {
    if (++lines % kNoteLines != 0) continue;
    notes.push_back({begin, text.substr(begin, i + 1 - begin)});
    begin = i + 1;
  }
  torn = begin;
  return notes;
}

}  // namespace postern::audit
