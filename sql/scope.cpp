#include "sql/scope.hpp"

#include <utility>

namespace postern::sql {

void Value::absorb(const Value& other) {
  if (other.column) sources.push_back(*other.column);
  sources.insert(sources.end(), other.sources.begin(), other.sources.end());
  for (const Value& field : other.row) absorb(field);
}

std::size_t RangeItem::size() const {
  return relation != nullptr ? relation->columns.size() : columns.size();
}

std::string_view RangeItem::name(std::size_t index) const {
  return relation != nullptr ? std::string_view(relation->columns[index].name)
                             : columns[index].name;
}

std::pair<std::size_t, int> RangeItem::find(std::string_view wanted) const {
  std::size_t index = 0;
  int hits = 0;
  for (std::size_t i = 0; i < size(); ++i) {
    if (name(i) != wanted) continue;
    index = i;
    ++hits;
  }
  return {index, hits};
}

Value RangeItem::value(std::size_t index, std::uint32_t position) const {
  Value out;
  if (relation != nullptr) {
    const Column& column = relation->columns[index];
    out.column = ColumnRef{relation->oid, column.attnum};
    out.type = column.type;
  } else {
    out = columns[index].value;
  }
  out.position = position;
  return out;
}

}  // namespace postern::sql
