#include "types/logical_type.hpp"

#include <doctest/doctest.h>

#include "base/codes/types.hpp"
#include "types/render.hpp"

using namespace postern;
using namespace postern::types;

TEST_CASE("OIDs, lengths, tags and names are PostgreSQL's, both ways") {
  struct Row {
    Oid oid;
    std::int32_t typmod;
    const char* sql;
    const char* tag;
    std::int16_t length;
  };
  const Row rows[] = {{25, -1, "text", "text", -1},
                      {1043, -1, "character varying", "varchar", -1},
                      {1043, 44, "character varying(40)", "varchar", -1},
                      {21, -1, "smallint", "int2", 2},
                      {23, -1, "integer", "int4", 4},
                      {20, -1, "bigint", "int8", 8},
                      {2950, -1, "uuid", "uuid", 16},
                      {1082, -1, "date", "date", 4}};
  for (const Row& row : rows) {
    CAPTURE(row.sql);
    const LogicalType type = from_oid(row.oid, row.typmod).value();
    CHECK(from_name(row.sql).value() == type);
    CHECK(sql_name(type) == row.sql);
    CHECK(type_tag(type) == row.tag);
    CHECK(type_oid(type) == row.oid);
    CHECK(type_typmod(type) == row.typmod);
    CHECK(type_length(type) == row.length);
  }
}

TEST_CASE("names as users write them") {
  CHECK(from_name("INT").value().kind == TypeKind::kInt4);
  CHECK(from_name(" VarChar ( 40 ) ").value() == LogicalType{TypeKind::kVarchar, 40});
  CHECK(from_name("character\n varying(40)").value() == LogicalType{TypeKind::kVarchar, 40});
  CHECK(from_name("varchar(1)").value().length == 1);
  CHECK(from_name("varchar(10485760)").value().length == kMaxVarcharLength);
  for (const char* bad :
       {"", "varchar(0)", "varchar(10485761)", "varchar(-1)", "varchar(4", "varchar()",
        "varchar(4)x", "varchar(4)(5)", "text(3)", "int4(2)", "numeric", "timestamp", "char(3)",
        "in t", "(4)", "varchar(99999999999)"}) {
    CAPTURE(bad);
    CHECK(from_name(bad).error().code == pst::kTypeNotSupported);
  }
}

TEST_CASE("other OIDs and modifiers are refused") {
  CHECK(from_oid(1700, -1).error().code == pst::kTypeNotSupported);
  CHECK(from_oid(25, 10).error().code == pst::kTypeNotSupported);
  CHECK(from_oid(1043, 4).error().code == pst::kTypeNotSupported);
  CHECK(from_oid(1043, 5).value().length == 1);
  CHECK(from_oid(1043, kMaxVarcharLength + 4).value().length == kMaxVarcharLength);
  CHECK(from_oid(1043, kMaxVarcharLength + 5).error().code == pst::kTypeNotSupported);
}

TEST_CASE("families") {
  CHECK(type_family(from_name("int2").value()) == type_family(from_name("int8").value()));
  CHECK(type_family(from_name("text").value()) == type_family(from_name("varchar(3)").value()));
  CHECK(family_tag(type_family(from_name("int2").value())) == "integer");
  CHECK(family_tag(type_family(from_name("varchar").value())) == "text");
  CHECK(family_tag(type_family(from_name("uuid").value())) == "uuid");
  CHECK(family_tag(type_family(from_name("date").value())) == "date");
}

TEST_CASE("settings as the server reports them; what is not understood changes nothing") {
  Render render;
  REQUIRE(apply_setting(render, "DateStyle", "Postgres, DMY"));
  CHECK(render.date_style == DateStyle::kPostgres);
  CHECK(render.date_order == DateOrder::kDmy);
  REQUIRE(apply_setting(render, "intervalstyle", "iso_8601"));
  CHECK(render.interval_style == IntervalStyle::kIso8601);
  REQUIRE(apply_setting(render, "TimeZone", "Europe/Paris"));
  CHECK(render.timezone == "Europe/Paris");
  REQUIRE(apply_setting(render, "extra_float_digits", "-15"));
  REQUIRE(apply_setting(render, "extra_float_digits", "3"));
  REQUIRE(apply_setting(render, "bytea_output", "escape"));
  CHECK(render.bytea_output == ByteaOutput::kEscape);
  REQUIRE(apply_setting(render, "application_name", "anything"));
  for (const auto& [name, value] :
       {std::pair("datestyle", "ISO"), std::pair("datestyle", "ISO, XYZ"),
        std::pair("datestyle", ""), std::pair("intervalstyle", "roman"),
        std::pair("extra_float_digits", "4"), std::pair("extra_float_digits", "-16"),
        std::pair("extra_float_digits", "2x"), std::pair("bytea_output", "base64")}) {
    CAPTURE(name);
    CHECK(apply_setting(render, name, value).error().code == pst::kSettingNotSupported);
  }
  CHECK(render.date_style == DateStyle::kPostgres);
  CHECK(render.extra_float_digits == 3);
}
