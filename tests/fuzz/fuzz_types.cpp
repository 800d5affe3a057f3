// Values of protected columns: what is understood is written back to the same canonical form.
#include "tests/fuzz/support.hpp"
#include "types/value.hpp"

using namespace postern;
using namespace postern::types;

namespace {

Render settings_of(fuzz::Feed& feed) {
  Render render;
  render.date_style = static_cast<DateStyle>(feed.below(4));
  render.date_order = static_cast<DateOrder>(feed.below(3));
  // Written day first whatever the order, and read by the order: other orders lose the meaning.
  if (render.date_style == DateStyle::kGerman) render.date_order = DateOrder::kDmy;
  const bool year_first = render.date_order == DateOrder::kYmd;  // only ISO writes that
  if (year_first && render.date_style != DateStyle::kIso) render.date_order = DateOrder::kMdy;
  return render;
}

void parsed(const Input& input, const LogicalType& type, const Render& settings) {
  const auto value = parse(input, type, settings);
  if (!value) {
    POSTERN_CHECK(!client_message(value.error(), input, type).empty());
    return;
  }
  for (const Format format : {Format::kText, Format::kBinary}) {
    Bytes out;
    POSTERN_CHECK(render(value->reveal(), type, {format, settings}, out).has_value());
    const auto again = parse({format, out}, type, settings);
    POSTERN_CHECK(again && again->reveal() == value->reveal());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Feed feed(fuzz::view(data, size));
  LogicalType type{static_cast<TypeKind>(feed.below(7)), 0};
  if (type.kind == TypeKind::kVarchar) type.length = static_cast<std::int32_t>(feed.below(20));
  Render settings = settings_of(feed);
  const auto format = feed.below(3) == 0 ? Format::kBinary : Format::kText;
  const ByteView bytes = feed.rest();
  Bytes out = "before";
  if (!render(bytes, type, {format, settings}, out)) POSTERN_CHECK(out == "before");
  parsed({format, bytes}, type, settings);
  (void)from_name(bytes).has_value();
  (void)apply_setting(settings, "datestyle", bytes).has_value();
  return 0;
}
