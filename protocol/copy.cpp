#include "protocol/copy.hpp"

#include "protocol/cursor.hpp"

namespace postern::protocol {

template <BackendType kType>
Result<CopyResponse<kType>> CopyResponse<kType>::decode(ByteView body) {
  Cursor in(body);
  CopyResponse message;
  POSTERN_ASSIGN(const std::uint8_t overall, in.u8());
  if (overall > 1) return violation("unknown COPY format");
  message.overall_format = static_cast<std::int8_t>(overall);
  POSTERN_ASSIGN(message.column_formats, FormatList::read(in));
  POSTERN_TRY(in.done());
  POSTERN_TRY(check_formats(message.column_formats, message.column_formats.size()));
  return message;
}

template <BackendType kType>
Status CopyResponse<kType>::encode(Bytes& out) const {
  MessageWriter m(out, kType);
  m.u8(static_cast<std::uint8_t>(overall_format));
  column_formats.write(m);
  return m.finish();
}

template struct CopyResponse<BackendType::kCopyInResponse>;
template struct CopyResponse<BackendType::kCopyOutResponse>;
template struct CopyResponse<BackendType::kCopyBothResponse>;

Status CopyData::encode(Bytes& out) const {
  MessageWriter m(out, FrontendType::kCopyData);
  m.bytes(data);
  return m.finish();
}

Result<CopyFail> CopyFail::decode(ByteView body) {
  Cursor in(body);
  POSTERN_ASSIGN(const ByteView reason, in.cstring());
  POSTERN_TRY(in.done());
  return CopyFail{reason};
}

Status CopyFail::encode(Bytes& out) const {
  MessageWriter m(out, FrontendType::kCopyFail);
  m.cstring(reason);
  return m.finish();
}

}  // namespace postern::protocol
