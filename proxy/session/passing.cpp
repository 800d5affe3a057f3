#include "proxy/session/passing.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/pool.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/completion.hpp"
#include "proxy/session/copy_run.hpp"
#include "proxy/session/forwarding.hpp"

namespace postern::proxy {
namespace {

using protocol::BackendType;
using protocol::Disposal;
using protocol::Frame;

/// A larger message that needs no change is passed through in parts instead of being held whole.
constexpr std::size_t kStreamAbove = 256 * 1024;

Pause need(std::size_t bytes) {
  return {Pause::Kind::kNeedInput, bytes, 0};
}

// Passes on, or drops, what is here of a message that is streamed.
void pass_stream(Session* session, ServerLink* link) {
  const std::size_t size = std::min(link->stream_left, link->input().size());
  const ByteView part = link->input().unread().substr(0, size);
  if (link->stream_forward) session->out.pending().add_view(part);
  link->input().consume(size);
  link->stream_left -= size;
}

// Begins streaming a large message whose header is here. False: it has to be held whole.
Result<bool> begin_stream(Session* session, ServerLink* link, const protocol::Header& header) {
  const auto type = static_cast<BackendType>(header.type);
  const bool data = type == BackendType::kDataRow || type == BackendType::kCopyData;
  if (!data || link->held) return false;
  POSTERN_ASSIGN(const Disposal disposal, link->queue().on_backend(type, {}));
  const bool forward = disposal.action == Disposal::Action::kForward;
  const Unit& unit = link->unit(disposal.tag);
  const bool gated_rows =
      forward && unit.execution != nullptr && row_gate(*session, *unit.execution).has_value();
  const bool whole = forward && type == BackendType::kDataRow && needs_whole(*session, unit);
  if (gated_rows || whole) {
    link->held = disposal;
    return false;
  }
  if (forward) count_streamed(link->unit(disposal.tag), type, header.total());
  link->stream_left = header.total();
  link->stream_forward = forward;
  return true;
}

}  // namespace

Status take_completions(Session* session, ServerLink* link) {
  while (auto completion = link->queue().next_completion()) {
    POSTERN_TRY(on_completion(session, link, *completion));
  }
  return ok();
}

namespace {

// One whole message. A pause means that it was not consumed and will be looked at again.
Result<std::optional<Pause>> pass_frame(Session* session, ServerLink* link, const Frame& frame) {
  if (!link->held) {
    POSTERN_ASSIGN(link->held, link->queue().on_backend(frame.backend(), frame.body));
  }
  const Disposal disposal = *link->held;
  if (disposal.action == Disposal::Action::kServerClosing) {
    POSTERN_TRY(on_server_closing(session, link, frame));
    return make_error(pst::kUpstreamLost);
  }
  if (disposal.asynchronous) {
    POSTERN_TRY(on_asynchronous(session, link, frame));
  } else if (disposal.action == Disposal::Action::kSwallow) {
    POSTERN_TRY(on_internal(session, link, link->unit(disposal.tag), frame));
  } else {
    Unit& unit = link->unit(disposal.tag);
    const Frame shown = shown_frame(session, link, unit, frame);
    POSTERN_ASSIGN(const auto pause, hold_back(session, link, unit, shown));
    if (pause) return pause;
    POSTERN_TRY(forward(session, link, unit, shown));
  }
  link->held.reset();
  link->input().consume(frame.whole.size());
  POSTERN_TRY(take_completions(session, link));
  return std::optional<Pause>{};
}

}  // namespace

Result<Pause> pass_replies(Session* session, ServerLink* link) {
  // A reply that is made here is due as soon as it stands at the head.
  if (!link->held && link->stream_left == 0) POSTERN_TRY(take_completions(session, link));
  for (;;) {
    if (link->stream_left > 0) {
      pass_stream(session, link);
      if (link->stream_left > 0) return need(1);
      POSTERN_TRY(take_completions(session, link));
      continue;
    }
    const ByteView unread = link->input().unread();
    if (unread.empty()) return need(1);
    POSTERN_ASSIGN(const auto header, link->framer().header(unread));
    if (!header.complete()) return need(header.need);
    if (header.item.total() > kStreamAbove) {
      POSTERN_ASSIGN(const bool streaming, begin_stream(session, link, header.item));
      if (streaming) continue;
    }
    if (unread.size() < header.item.total()) return need(header.item.total());
    Frame frame;
    frame.type = header.item.type;
    frame.whole = unread.substr(0, header.item.total());
    frame.body = frame.whole.substr(header.item.size);
    POSTERN_ASSIGN(const auto pause, pass_frame(session, link, frame));
    if (pause) return *pause;
  }
}

}  // namespace postern::proxy
