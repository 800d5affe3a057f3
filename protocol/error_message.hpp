// ErrorResponse and NoticeResponse: reading their fields, and building them from Postern's errors.
// protocol.sgml, "Error and Notice Message Fields".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/result.hpp"
#include "protocol/wire.hpp"

namespace postern::protocol {

/// Field codes Postern itself reads or writes; others are carried unread.
inline constexpr char kFieldSeverity = 'S';
inline constexpr char kFieldSeverityPlain = 'V';  ///< never localised; since 9.6
inline constexpr char kFieldSqlstate = 'C';
inline constexpr char kFieldMessage = 'M';
inline constexpr char kFieldDetail = 'D';
inline constexpr char kFieldHint = 'H';
inline constexpr char kFieldPosition = 'P';
inline constexpr char kFieldRoutine = 'R';  ///< function of the server's source that reported it

/// Fields in the order received. Views into the body decoded. Any field may be absent, also the
/// SQLSTATE: `get` says so instead of guessing.
struct ErrorFields {
  std::vector<std::pair<char, ByteView>> fields;

  static Result<ErrorFields> decode(ByteView body);
  /// Appends a message of type kErrorResponse or kNoticeResponse.
  Status encode(BackendType type, Bytes& out) const;

  /// The first field with this code.
  [[nodiscard]] std::optional<ByteView> get(char code) const;
};

/// Appends fields of a message one by one. Text is cut at a NUL: an error report must always be
/// sendable.
class ErrorWriter {
 public:
  enum class Kind : char { kError = 'E', kNotice = 'N' };
  ErrorWriter(Bytes& out, Kind kind);
  /// Empty values are left out.
  ErrorWriter& field(char code, ByteView value);
  void finish();

 private:
  Bytes& out_;
  std::size_t start_;
};

/// Who hears of an error. A FATAL tells the client that the connection ends after it.
enum class Report : std::uint8_t { kAsInTable, kFatal };

/// Appends the ErrorResponse of a Postern error: S and V (severity of the table, or FATAL), C, M,
/// D = "PST-xxxx", H and, where known, P.
void append_error(Bytes& out, const Error& error, Report report = Report::kAsInTable);

/// Appends a NoticeResponse with severity WARNING or NOTICE, an SQLSTATE and a message.
void append_notice(Bytes& out, ByteView severity, ByteView sqlstate, ByteView message);

/// An error report kept beyond the buffer it came in.
struct OwnedErrorFields {
  std::vector<std::pair<char, Bytes>> fields;
  static OwnedErrorFields copy(const ErrorFields& from);
  /// The first field with this code; empty view where absent. Valid as long as this object.
  [[nodiscard]] ByteView get(char code) const;
};

}  // namespace postern::protocol
