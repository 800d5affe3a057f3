// C2SP tlog-checkpoint in a C2SP signed note, and the note keys of the same specification.
//
// A checkpoint is five lines: origin, decimal size, base64 root, an empty line, one signature line
// "— <name> <base64(key id || Ed25519 signature)>". A checkpoint file is such notes one after the
// other, so its last five lines are a note that other tools read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/primitives.hpp"
#include "audit/prove.hpp"

namespace postern::audit {

/// Longest origin; it is a line of its own and must not hold blanks, '+' or control characters.
inline constexpr std::size_t kMaxOriginBytes = 255;

/// True for 1 to kMaxOriginBytes printable ASCII characters without blank and '+'.
bool valid_origin(std::string_view origin);

/// Public half of a log key. Text form: "<name>+<8 hex key id>+<base64(0x01 || key)>".
struct VerifierKey {
  std::string name;
  Bytes public_key;

  /// SHA-256(name || 0x0A || 0x01 || key)[:4].
  [[nodiscard]] Bytes id() const;
  [[nodiscard]] std::string text() const;
  /// kAuditKeyBad where the text is not exactly what text() writes.
  static Result<VerifierKey> parse(std::string_view text);
};

/// Private half. Text form: "PRIVATE+KEY+<name>+<8 hex key id>+<base64(0x01 || seed)>".
struct LogKey {
  std::string name;
  SigningKey key;

  [[nodiscard]] VerifierKey verifier() const { return {name, key.public_key}; }
  [[nodiscard]] Secret text() const;
  static Result<LogKey> parse(std::string_view text);
  /// A new random key. `name` is the log's origin.
  static LogKey generate(std::string name);
};

/// Reads a key file (one line, the text form above). Refuses (kAuditKeyBad) a file that group or
/// others may access.
Result<LogKey> load_log_key(const std::string& path);
/// Writes a new key file (0600, must not exist) and "<path>.pub" with the verifier key (0644).
Status store_log_key(const std::string& path, const LogKey& key);

/// Five lines as described above.
std::string sign_checkpoint(const LogKey& key, const TreeHead& head);

/// Reads one note of exactly five lines and checks name, key id and signature. Any byte that
/// differs from what sign_checkpoint writes for this key is an error (kAuditCheckpointBad).
Result<TreeHead> open_checkpoint(const VerifierKey& key, std::string_view note);
/// The same without checking the signature itself, for notes that were checked before.
Result<TreeHead> read_checkpoint(const VerifierKey& key, std::string_view note);

/// One note inside a checkpoint file.
struct NoteSpan {
  std::uint64_t offset = 0;
  std::string_view text;  ///< view into the text given to split_notes
};

/// Cuts a checkpoint file into notes of five lines. `torn` receives the offset of an incomplete
/// last note, or the size of the text.
std::vector<NoteSpan> split_notes(std::string_view text, std::uint64_t& torn);

}  // namespace postern::audit
