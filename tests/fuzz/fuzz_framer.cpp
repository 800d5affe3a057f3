// Message borders: the same bytes give the same messages however they are cut, nothing is lost,
// and the framer never asks for fewer bytes than it has.
#include "protocol/framer.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::protocol;

namespace {

/// Frames found in `stream` when only `step` more bytes are shown each time.
std::size_t frames(const Framer& framer, ByteView stream, std::size_t step) {
  std::size_t count = 0;
  std::size_t shown = std::min(step, stream.size());
  std::size_t start = 0;
  while (start <= stream.size()) {
    const ByteView unread = stream.substr(start, shown - start);
    const auto framed = framer.next(unread);
    const auto header = framer.header(unread);
    if (!framed) break;
    POSTERN_CHECK(header.has_value());
    if (!framed->complete()) {
      POSTERN_CHECK(framed->need > unread.size());
      if (shown == stream.size()) break;
      shown = std::min(stream.size(), shown + step);
      continue;
    }
    const Frame& frame = framed->item;
    POSTERN_CHECK(frame.whole.size() == header->item.total() && !frame.whole.empty());
    POSTERN_CHECK(frame.whole.size() <= unread.size() && frame.whole.data() == unread.data());
    POSTERN_CHECK(frame.whole.ends_with(frame.body));
    start += frame.whole.size();
    shown = std::max(shown, start);
    ++count;
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Feed feed(fuzz::view(data, size));
  const auto direction = feed.below(2) == 0 ? Direction::kFromFrontend : Direction::kFromBackend;
  const auto phase = static_cast<Phase>(feed.below(3));
  const Framer framer(direction, phase, feed.below(2) == 0 ? 1024 : kMaxLargeLength);
  const std::size_t step = 1 + feed.below(64);
  const ByteView stream = feed.rest();
  POSTERN_CHECK(frames(framer, stream, step) == frames(framer, stream, stream.size()));
  return 0;
}
