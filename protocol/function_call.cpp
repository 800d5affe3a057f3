#include "protocol/function_call.hpp"

#include "protocol/cursor.hpp"

namespace postern::protocol {

Result<FunctionCall> FunctionCall::decode(ByteView body) {
  Cursor in(body);
  FunctionCall message;
  POSTERN_ASSIGN(message.function, in.u32());
  POSTERN_ASSIGN(message.argument_formats, FormatList::read(in));
  POSTERN_ASSIGN(message.arguments, ValueList::read(in));
  POSTERN_ASSIGN(message.result_format, in.i16());
  POSTERN_TRY(in.done());
  POSTERN_TRY(check_formats(message.argument_formats, message.arguments.size()));
  if (message.result_format != kTextFormat && message.result_format != kBinaryFormat) {
    return violation("unknown format code");
  }
  return message;
}

Status FunctionCall::encode(Bytes& out) const {
  MessageWriter m(out, FrontendType::kFunctionCall);
  m.u32(function);
  argument_formats.write(m);
  arguments.write(m);
  m.i16(result_format);
  return m.finish();
}

Result<FunctionCallResponse> FunctionCallResponse::decode(ByteView body) {
  Cursor in(body);
  FunctionCallResponse message;
  POSTERN_ASSIGN(const std::uint32_t length, in.u32());
  if (length != 0xFFFF'FFFF) {
    POSTERN_ASSIGN(message.result, in.bytes(length));
  }
  POSTERN_TRY(in.done());
  return message;
}

Status FunctionCallResponse::encode(Bytes& out) const {
  MessageWriter m(out, BackendType::kFunctionCallResponse);
  if (result) {
    m.counted(*result);
  } else {
    m.i32(-1);
  }
  return m.finish();
}

}  // namespace postern::protocol
