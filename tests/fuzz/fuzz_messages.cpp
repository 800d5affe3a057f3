// Every message's decoder: what decodes also encodes, to the same body, and decodes again.
#include "protocol/auth.hpp"
#include "protocol/copy.hpp"
#include "protocol/extended.hpp"
#include "protocol/function_call.hpp"
#include "protocol/rows.hpp"
#include "protocol/session_setup.hpp"
#include "protocol/simple.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::protocol;

namespace {

template <typename Message>
bool encode(const Message& message, Bytes& out) {
  if constexpr (std::is_void_v<decltype(message.encode(out))>) {
    message.encode(out);
    return true;
  } else {
    return message.encode(out).has_value();
  }
}

template <typename Message>
void round_trip(ByteView body) {
  const auto message = Message::decode(body);
  if (!message) return;
  Bytes out;
  POSTERN_CHECK(encode(*message, out));
  POSTERN_CHECK(out.substr(5) == body);
  POSTERN_CHECK(Message::decode(ByteView(out).substr(5)).has_value());
}

void walk_values(const ValueList& values) {
  std::size_t bytes = 0;
  std::size_t count = 0;
  for (const Value& value : values) bytes += value ? value->size() : 0, ++count;
  POSTERN_CHECK(count == values.size() && bytes <= values.wire().size());
}

void walk_rows(ByteView body) {
  if (const auto row = DataRow::decode(body)) walk_values(row->values);
  if (const auto call = FunctionCall::decode(body)) walk_values(call->arguments);
  if (const auto complete = CommandComplete::decode(body)) {
    (void)complete->rows();
    POSTERN_CHECK(complete->tag.starts_with(complete->command()));
  }
  const auto columns = RowDescription::decode(body);
  if (!columns) return;
  Bytes out;
  RowDescriptionWriter writer(out, static_cast<std::uint16_t>(columns->size()));
  for (const Field& field : *columns) writer.field(field);
  POSTERN_CHECK(writer.finish().has_value() && out.substr(5) == body);
}

void walk_bind(ByteView body) {
  const auto bind = Bind::decode(body);
  if (!bind) return;
  walk_values(bind->values);
  if (!check_formats(bind->parameter_formats, bind->values.size())) return;
  for (std::size_t i = 0; i < std::min<std::size_t>(bind->values.size(), 64); ++i) {
    const std::int16_t format = format_of(bind->parameter_formats, i);
    POSTERN_CHECK(format == kTextFormat || format == kBinaryFormat);
    (void)bind->values[i];
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView body = fuzz::view(data, size);
  round_trip<Query>(body);
  round_trip<NotificationResponse>(body);
  round_trip<Parse>(body);
  round_trip<Bind>(body);
  round_trip<Describe>(body);
  round_trip<Close>(body);
  round_trip<Execute>(body);
  round_trip<Sync>(body);
  round_trip<ParameterDescription>(body);
  round_trip<DataRow>(body);
  round_trip<RowDescription>(body);
  round_trip<CommandComplete>(body);
  round_trip<ReadyForQuery>(body);
  round_trip<CopyInResponse>(body);
  round_trip<CopyOutResponse>(body);
  round_trip<CopyBothResponse>(body);
  round_trip<CopyData>(body);
  round_trip<CopyFail>(body);
  round_trip<FunctionCall>(body);
  round_trip<FunctionCallResponse>(body);
  round_trip<Authentication>(body);
  round_trip<PasswordMessage>(body);
  round_trip<SaslInitialResponse>(body);
  round_trip<SaslResponse>(body);
  round_trip<NegotiateProtocolVersion>(body);
  round_trip<BackendKeyData>(body);
  round_trip<ParameterStatus>(body);
  walk_rows(body);
  walk_bind(body);
  return 0;
}
