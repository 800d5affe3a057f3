// Authentication messages. protocol.sgml, "Message Formats": Authentication*, PasswordMessage,
// SASLInitialResponse, SASLResponse.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace postern::protocol {

/// Second word of an 'R' message.
enum class AuthKind : std::uint32_t {
  kOk = 0,
  kKerberosV5 = 2,
  kCleartextPassword = 3,
  kMd5Password = 5,
  kGss = 7,
  kGssContinue = 8,
  kSspi = 9,
  kSasl = 10,
  kSaslContinue = 11,
  kSaslFinal = 12,
};

/// Any of the Authentication messages; they share one type byte.
struct Authentication {
  AuthKind kind = AuthKind::kOk;
  ByteView data;  ///< kMd5Password: 4 bytes of salt; kGssContinue, kSaslContinue, kSaslFinal: data
  std::vector<ByteView> mechanisms;  ///< kSasl only, in the server's order, never empty there

  /// Views point into `body`. kProtocolViolation for an unknown kind.
  static Result<Authentication> decode(ByteView body);
  Status encode(Bytes& out) const;
};

/// Password in clear or as MD5 digest, NUL-terminated on the wire.
struct PasswordMessage {
  ByteView password;
  static Result<PasswordMessage> decode(ByteView body);
  Status encode(Bytes& out) const;
};

struct SaslInitialResponse {
  ByteView mechanism;
  std::optional<ByteView> response;  ///< nullopt: no initial response (-1 on the wire)
  static Result<SaslInitialResponse> decode(ByteView body);
  Status encode(Bytes& out) const;
};

struct SaslResponse {
  ByteView data;
  static Result<SaslResponse> decode(ByteView body);
  Status encode(Bytes& out) const;
};

}  // namespace postern::protocol
