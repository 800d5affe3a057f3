// COPY: responses that open it, its data, and its two ends. All views point into the body decoded.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/lists.hpp"
#include "protocol/wire.hpp"
#include "protocol/writer.hpp"

namespace postern::protocol {

/// CopyInResponse, CopyOutResponse and CopyBothResponse: same body, three type bytes.
template <BackendType kType>
struct CopyResponse {
  std::int8_t overall_format = 0;  ///< 0 text (also CSV), 1 binary
  FormatList column_formats;       ///< all 0 where the overall format is text
  static Result<CopyResponse> decode(ByteView body);
  Status encode(Bytes& out) const;
};

using CopyInResponse = CopyResponse<BackendType::kCopyInResponse>;
using CopyOutResponse = CopyResponse<BackendType::kCopyOutResponse>;
using CopyBothResponse = CopyResponse<BackendType::kCopyBothResponse>;

/// Part of the stream; its borders mean nothing when sent by a client. Same form in both
/// directions.
struct CopyData {
  ByteView data;
  static Result<CopyData> decode(ByteView body) { return CopyData{body}; }
  Status encode(Bytes& out) const;
};

/// Same form in both directions.
using CopyDone = EmptyMessage<FrontendType::kCopyDone>;

struct CopyFail {
  ByteView reason;
  static Result<CopyFail> decode(ByteView body);
  Status encode(Bytes& out) const;
};

}  // namespace postern::protocol
