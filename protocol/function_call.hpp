// FunctionCall, the legacy fast path, and its response.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "protocol/lists.hpp"

namespace postern::protocol {

/// Views point into the body decoded.
struct FunctionCall {
  Oid function = kInvalidOid;
  FormatList argument_formats;
  ValueList arguments;
  std::int16_t result_format = 0;
  static Result<FunctionCall> decode(ByteView body);
  Status encode(Bytes& out) const;
};

struct FunctionCallResponse {
  Value result;
  static Result<FunctionCallResponse> decode(ByteView body);
  Status encode(Bytes& out) const;
};

}  // namespace postern::protocol
