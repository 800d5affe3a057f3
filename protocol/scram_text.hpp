// The text of SCRAM messages: attributes separated by commas (RFC 5802 section 7).
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace postern::protocol {

/// kSaslMalformed with particulars.
Error sasl_error(std::string_view what);

/// Reads "name=value" attributes in their fixed order. Views point into the message.
class ScramReader {
 public:
  explicit ScramReader(ByteView message) : rest_(message) {}

  /// The next attribute, which must have this name.
  Result<ByteView> attribute(char name);
  /// Skips optional extensions up to the end, or up to an attribute called `stop` (not consumed).
  /// Extensions may not use the names RFC 5802 gives a meaning: a repeated or misplaced attribute
  /// is an error, as is the mandatory extension "m".
  Status skip_extensions(char stop = '\0');
  [[nodiscard]] ByteView rest() const { return rest_; }
  Status done() const;

 private:
  ByteView rest_;
};

/// Printable ASCII without comma, not empty.
bool is_nonce(ByteView text);

/// A user name as SCRAM writes it: '=' and ',' escaped.
Bytes escape_name(ByteView name);

}  // namespace postern::protocol
