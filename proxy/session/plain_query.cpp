#include "proxy/session/plain_query.hpp"

#include <optional>
#include <utility>

#include "base/codes/pool.hpp"
#include "base/codes/wire.hpp"
#include "protocol/error_message.hpp"
#include "protocol/extended.hpp"
#include "protocol/framer.hpp"
#include "protocol/rows.hpp"
#include "protocol/simple.hpp"

namespace postern::proxy {
namespace {

using protocol::BackendType;
using protocol::Frame;

// Collects one answer; the result is set when ReadyForQuery came.
class Answer {
 public:
  Status on_frame(const Frame& frame) {
    switch (frame.backend()) {
      case BackendType::kDataRow:
        return on_row(frame.body);
      case BackendType::kErrorResponse:
        return on_error(frame.body);
      case BackendType::kReadyForQuery:
        done_ = true;
        return ok();
      case BackendType::kParseComplete:
      case BackendType::kBindComplete:
      case BackendType::kRowDescription:
      case BackendType::kCommandComplete:
      case BackendType::kEmptyQueryResponse:
      case BackendType::kNoticeResponse:
      case BackendType::kParameterStatus:
      case BackendType::kNotificationResponse:
        return ok();
      default:
        return make_error(pst::kServerProtocol, "unexpected message in the answer to a query");
    }
  }
  [[nodiscard]] bool done() const { return done_; }
  Result<Rows> take() {
    if (error_) return std::move(*error_);
    return std::move(rows_);
  }

 private:
  Status on_row(ByteView body) {
    POSTERN_ASSIGN(const protocol::DataRow row, protocol::DataRow::decode(body));
    Row& target = rows_.emplace_back();
    for (const protocol::Value value : row.values) {
      if (value) {
        target.emplace_back(std::string(*value));
      } else {
        target.emplace_back(std::nullopt);
      }
    }
    return ok();
  }
  Status on_error(ByteView body) {
    POSTERN_ASSIGN(const auto fields, protocol::ErrorFields::decode(body));
    std::string what(fields.get(protocol::kFieldSqlstate).value_or("?????"));
    what.append(" ").append(fields.get(protocol::kFieldMessage).value_or("no message"));
    error_ = make_error(pst::kUpstreamQuery, std::move(what));
    return ok();
  }

  Rows rows_;
  std::optional<Error> error_;
  bool done_ = false;
};

Status take_frames(ReadBuffer& input, Answer& answer) {
  const protocol::Framer framer(protocol::Direction::kFromBackend, protocol::Phase::kReady);
  while (!answer.done()) {
    POSTERN_ASSIGN(const auto framed, framer.next(input.unread()));
    if (!framed.complete()) return ok();
    POSTERN_TRY(answer.on_frame(framed.item));
    input.consume(framed.item.whole.size());
  }
  return ok();
}

Status encode_group(ByteView text, ByteView parameter, Bytes& out) {
  POSTERN_TRY((protocol::Parse{"", text, {}}.encode(out)));
  Bytes storage;
  protocol::ValueList::append(storage, parameter);
  protocol::Bind bind;
  bind.values = protocol::ValueList::over(storage, 1);
  POSTERN_TRY(bind.encode(out));
  POSTERN_TRY((protocol::Execute{"", 0}.encode(out)));
  protocol::Sync{}.encode(out);
  return ok();
}

Task<Result<Rows>> exchange(Transport* transport, ReadBuffer* input, Bytes message) {
  const ByteView view(message);
  const Status sent = co_await transport->write(view);
  if (!sent) co_return make_error(pst::kUpstreamLost);
  Answer answer;
  while (!answer.done()) {
    constexpr std::size_t kReadSize = 8192;
    Result<std::span<char>> room = input->reserve(kReadSize);
    if (!room) co_return room.error();
    char* into = room->data();
    const std::size_t size = room->size();
    const Result<std::size_t> got = co_await transport->read_some(into, size);
    if (!got || *got == 0) co_return make_error(pst::kUpstreamLost);
    input->commit(*got);
    const Status taken = take_frames(*input, answer);
    if (!taken) co_return taken.error();
  }
  input->trim();
  co_return answer.take();
}

}  // namespace

Task<Result<Rows>> plain_query(Transport* transport, ReadBuffer* input, std::string text) {
  Bytes message;
  const Status encoded = protocol::Query{text}.encode(message);
  if (!encoded) co_return encoded.error();
  co_return co_await exchange(transport, input, std::move(message));
}

Task<Result<Rows>> plain_query(Transport* transport, ReadBuffer* input, std::string text,
                               std::string parameter) {
  Bytes message;
  const Status encoded = encode_group(text, parameter, message);
  if (!encoded) co_return encoded.error();
  co_return co_await exchange(transport, input, std::move(message));
}

}  // namespace postern::proxy
