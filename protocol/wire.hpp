// Names for the bytes of PostgreSQL's frontend/backend protocol, version 3 (protocol.sgml,
// "Message Formats"; src/include/libpq/protocol.h).
#pragma once

#include <cstdint>

namespace postern::protocol {

/// Who wrote the bytes. The same type byte means different things in the two directions.
enum class Direction : std::uint8_t { kFromFrontend, kFromBackend };

/// Where a connection stands; decides which message types may arrive and how long they may be.
enum class Phase : std::uint8_t {
  kStartup,         ///< frontend: untyped startup packets; backend: same as kAuthenticating
  kAuthenticating,  ///< frontend: 'p' only; backend: up to and including the first ReadyForQuery
  kReady,           ///< everything after the first ReadyForQuery
};

/// Type bytes a client sends.
enum class FrontendType : char {
  kBind = 'B',
  kClose = 'C',
  kCopyData = 'd',
  kCopyDone = 'c',
  kCopyFail = 'f',
  kDescribe = 'D',
  kExecute = 'E',
  kFlush = 'H',
  kFunctionCall = 'F',
  kParse = 'P',
  kPassword = 'p',  ///< PasswordMessage, SASLInitialResponse, SASLResponse
  kQuery = 'Q',
  kSync = 'S',
  kTerminate = 'X',
};

/// Type bytes a server sends.
enum class BackendType : char {
  kAuthentication = 'R',
  kBackendKeyData = 'K',
  kBindComplete = '2',
  kCloseComplete = '3',
  kCommandComplete = 'C',
  kCopyBothResponse = 'W',
  kCopyData = 'd',
  kCopyDone = 'c',
  kCopyInResponse = 'G',
  kCopyOutResponse = 'H',
  kDataRow = 'D',
  kEmptyQueryResponse = 'I',
  kErrorResponse = 'E',
  kFunctionCallResponse = 'V',
  kNegotiateProtocolVersion = 'v',
  kNoData = 'n',
  kNoticeResponse = 'N',
  kNotificationResponse = 'A',
  kParameterDescription = 't',
  kParameterStatus = 'S',
  kParseComplete = '1',
  kPortalSuspended = 's',
  kReadyForQuery = 'Z',
  kRowDescription = 'T',
};

/// The status byte of ReadyForQuery.
enum class TransactionStatus : char { kIdle = 'I', kInTransaction = 'T', kFailed = 'E' };

/// Prepared statement or portal, in Describe and Close.
enum class Target : char { kStatement = 'S', kPortal = 'P' };

/// Format codes of values.
inline constexpr std::int16_t kTextFormat = 0;
inline constexpr std::int16_t kBinaryFormat = 1;

/// Request codes in place of a protocol version, first word of a startup packet.
inline constexpr std::uint32_t kCancelRequestCode = 80877102;
inline constexpr std::uint32_t kSslRequestCode = 80877103;
inline constexpr std::uint32_t kGssEncRequestCode = 80877104;

/// Protocol versions as one word: major in the high half.
inline constexpr std::uint32_t protocol_version(std::uint16_t major, std::uint16_t minor) {
  return (std::uint32_t{major} << 16) | minor;
}
inline constexpr std::uint16_t protocol_major(std::uint32_t version) {
  return static_cast<std::uint16_t>(version >> 16);
}
inline constexpr std::uint16_t protocol_minor(std::uint32_t version) {
  return static_cast<std::uint16_t>(version & 0xFFFFU);
}

// Length limits. As in PostgreSQL they bound the length word, which counts itself but not the
// type byte; see the table in framer.cpp for who has which.

/// Startup packets: MAX_STARTUP_PACKET_LENGTH (10,000) bounds the packet without its length word.
inline constexpr std::uint32_t kMaxStartupLength = 10'004;
/// PG_MAX_AUTH_TOKEN_LENGTH: passwords and SASL messages.
inline constexpr std::uint32_t kMaxAuthLength = 65'535;
/// PQ_SMALL_MESSAGE_LIMIT: what a client sends, except statements and data.
inline constexpr std::uint32_t kMaxSmallLength = 10'000;
/// libpq's bound on server messages other than data, descriptions, errors and notifications.
inline constexpr std::uint32_t kMaxServerLength = 30'000;
/// ParameterDescription of 65,535 parameters.
inline constexpr std::uint32_t kMaxParameterDescriptionLength = 4 + 2 + 4 * 65'535;
/// Statements, bound values, rows, COPY data: 1 GiB - 1 unless the framer is told less.
inline constexpr std::uint32_t kMaxLargeLength = 0x3FFF'FFFF;

/// A cancel key has 4 bytes in 3.0 and 4 to 256 in 3.2.
inline constexpr std::uint32_t kMinCancelKey = 4;
inline constexpr std::uint32_t kMaxCancelKey = 256;

}  // namespace postern::protocol
