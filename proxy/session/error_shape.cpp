#include "proxy/session/error_shape.hpp"

#include <algorithm>
#include <array>

#include "base/codes/gate.hpp"
#include "protocol/error_message.hpp"
#include "protocol/rows.hpp"

namespace postern::proxy {
namespace {

using protocol::BackendType;
using protocol::Frame;

// What a line "Name: ..." may begin with: conditions and lists of columns, which follow from the
// statement and the schema alone.
constexpr std::array<std::string_view, 21> kPlanNames = {"Output",
                                                         "Filter",
                                                         "Index Cond",
                                                         "Recheck Cond",
                                                         "Hash Cond",
                                                         "Merge Cond",
                                                         "Join Filter",
                                                         "Sort Key",
                                                         "Presorted Key",
                                                         "Group Key",
                                                         "Hash Key",
                                                         "One-Time Filter",
                                                         "TID Cond",
                                                         "Order By",
                                                         "Function Call",
                                                         "Conflict Resolution",
                                                         "Conflict Arbiter Indexes",
                                                         "Conflict Filter",
                                                         "Sampling",
                                                         "Cache Key",
                                                         "Inner Unique"};

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(' ');
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

// Lines that name a node or a part of a plan, not a property of one.
bool names_part(std::string_view line) {
  for (const std::string_view part : {"InitPlan ", "SubPlan ", "CTE "}) {
    if (line.starts_with(part)) return true;
  }
  return false;
}

bool permitted_property(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view name = line.substr(0, colon);
  return std::find(kPlanNames.begin(), kPlanNames.end(), name) != kPlanNames.end();
}

}  // namespace

bool tells_of_rows(char code) {
  constexpr std::string_view kFields = "DWqp";  // detail, where, internal query and its position
  return kFields.find(code) != std::string_view::npos;
}

bool shapes_messages(const Session& session) {
  if (session.identity.tenant.is_none() || session.database == nullptr) return false;
  const auto protection = session.database->protection();
  if (protection == nullptr || !protection->is_protected || protection->rules == nullptr) {
    return false;
  }
  const policy::Ruleset& rules = *protection->rules;
  if (!rules.separates_tenants()) return false;
  policy::Profile profile = session.identity.profile;
  if (profile == policy::Profile::kTransparent) profile = policy::Profile::kApp;
  const bool confined = profile == policy::Profile::kApp || profile == policy::Profile::kAnalyst;
  return confined && !rules.permits_of(profile).full_errors;
}

Status append_shaped(const Frame& frame, Bytes& out) {
  POSTERN_ASSIGN(auto fields, protocol::ErrorFields::decode(frame.body));
  std::erase_if(fields.fields, [](const auto& field) { return tells_of_rows(field.first); });
  return fields.encode(frame.backend(), out);
}

Status pass_notice(Session* session, const Frame& frame) {
  if (!shapes_messages(*session)) {
    session->out.pending().add_view(frame.whole);
    return ok();
  }
  if (++session->notices > kMaxNotices) return ok();
  Bytes& out = session->out.pending().own();
  POSTERN_TRY(append_shaped(frame, out));
  if (session->notices == kMaxNotices) {
    const PstInfo& info = pst_info(pst::kNoticesCut);
    protocol::append_notice(out, "WARNING", info.sqlstate,
                            pst_label(info.code) + " " + std::string(info.message));
  }
  return ok();
}

// A line is a node ("->  Seq Scan on t  (cost=...)", the first one without arrow), a property
// ("  Filter: ...") or a total ("Planning Time: ..."). Costs stand in brackets at the end of nodes.
std::optional<std::string> shaped_plan_line(std::string_view line) {
  const std::string_view text = trimmed(line);
  const std::size_t indent = line.size() - text.size();
  const auto brackets = std::min(line.find("  (cost="), line.find("  (actual "));
  const bool node = text.starts_with("->") || brackets != std::string_view::npos ||
                    (indent == 0 && text.find(':') == std::string_view::npos);
  if (node) return std::string(line.substr(0, brackets));
  if (names_part(text) || permitted_property(text)) return std::string(line);
  return std::nullopt;
}

Status append_plan_row(ByteView body, Bytes& out) {
  POSTERN_ASSIGN(const auto row, protocol::DataRow::decode(body));
  if (row.values.size() != 1) return make_error(pst::kNotCoveredByWall, "a plan of many columns");
  const protocol::Value value = row.values[0];
  const auto shown = value ? shaped_plan_line(*value) : std::nullopt;
  if (!shown) return ok();
  protocol::DataRowWriter writer(out, 1);
  writer.value(ByteView(*shown));
  return writer.finish();
}

}  // namespace postern::proxy
