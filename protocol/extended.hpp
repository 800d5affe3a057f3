// The extended query protocol: Parse, Bind, Describe, Execute, Close, Sync, Flush and the replies
// that carry no rows. All views point into the body decoded.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/lists.hpp"
#include "protocol/wire.hpp"
#include "protocol/writer.hpp"

namespace postern::protocol {

struct Parse {
  ByteView statement;  ///< name; empty = the unnamed statement
  ByteView text;
  OidList parameter_types;  ///< may be shorter than the statement's parameters; 0 = infer
  static Result<Parse> decode(ByteView body);
  Status encode(Bytes& out) const;
};

struct Bind {
  ByteView portal;
  ByteView statement;
  FormatList parameter_formats;  ///< to be none, one for all, or one each; see `format_of`
  ValueList values;
  FormatList result_formats;  ///< none, one for all, or one per result column
  /// Format codes and their number are the sender's: who reads values by them calls
  /// `check_formats` first, who passes the message on leaves the verdict to the server.
  static Result<Bind> decode(ByteView body);
  Status encode(Bytes& out) const;
};

struct Describe {
  Target target = Target::kStatement;
  ByteView name;
  static Result<Describe> decode(ByteView body);
  Status encode(Bytes& out) const;
};

struct Close {
  Target target = Target::kStatement;
  ByteView name;
  static Result<Close> decode(ByteView body);
  Status encode(Bytes& out) const;
};

struct Execute {
  ByteView portal;
  std::int32_t max_rows = 0;  ///< 0 and below: no limit
  static Result<Execute> decode(ByteView body);
  Status encode(Bytes& out) const;
};

using Sync = EmptyMessage<FrontendType::kSync>;
using Flush = EmptyMessage<FrontendType::kFlush>;

using ParseComplete = EmptyMessage<BackendType::kParseComplete>;
using BindComplete = EmptyMessage<BackendType::kBindComplete>;
using CloseComplete = EmptyMessage<BackendType::kCloseComplete>;
using NoData = EmptyMessage<BackendType::kNoData>;
using PortalSuspended = EmptyMessage<BackendType::kPortalSuspended>;

struct ParameterDescription {
  OidList types;
  static Result<ParameterDescription> decode(ByteView body);
  Status encode(Bytes& out) const;
};

}  // namespace postern::protocol
