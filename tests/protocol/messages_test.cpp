// Every message: decode(encode(x)) = x, every proper prefix and every excess byte is refused,
// declared counts and lengths that lie are refused.
#include <array>
#include <functional>
#include <limits>

#include "base/codes/wire.hpp"
#include "protocol/auth.hpp"
#include "protocol/copy.hpp"
#include "protocol/extended.hpp"
#include "protocol/framer.hpp"
#include "protocol/function_call.hpp"
#include "protocol/rows.hpp"
#include "protocol/session_setup.hpp"
#include "protocol/simple.hpp"
#include "protocol/startup.hpp"
#include "tests/protocol/support.hpp"

using namespace postern;
using namespace postern::protocol;
using namespace postern::protocol::test;

namespace {

/// Whether the body may be cut or extended without becoming malformed (raw tails).
enum class Tail { kExact, kOpen };

Bytes whole_of(const std::function<bool(Bytes&)>& encode) {
  Bytes out = "kept";
  REQUIRE(encode(out));
  REQUIRE(out.starts_with("kept"));
  return out.substr(4);
}

template <typename Message>
bool encode_into(const Message& message, Bytes& out) {
  if constexpr (std::is_void_v<decltype(message.encode(out))>) {
    message.encode(out);
    return true;
  } else {
    return message.encode(out).has_value();
  }
}

/// Encodes, frames, decodes and encodes again; then tries all cuts of the body.
template <typename Message>
void round_trip(const Message& original, Direction direction, Phase phase, Tail tail) {
  const Bytes wire = whole_of([&](Bytes& out) { return encode_into(original, out); });
  const auto framed = Framer(direction, phase).next(wire);
  REQUIRE(framed);
  REQUIRE(framed->complete());
  REQUIRE(framed->item.whole == wire);
  const Bytes body(framed->item.body);
  const auto decoded = Message::decode(body);
  REQUIRE(decoded);
  CHECK(whole_of([&](Bytes& out) { return encode_into(*decoded, out); }) == wire);
  if (tail == Tail::kOpen) return;
  for (std::size_t n = 0; n < body.size(); ++n) {
    CAPTURE(n);
    CHECK(code_of(Message::decode(ByteView(body).substr(0, n))) == pst::kProtocolViolation);
  }
  CHECK(code_of(Message::decode(body + '\0')) == pst::kProtocolViolation);
}

template <typename Message>
void frontend(const Message& message, Tail tail = Tail::kExact) {
  round_trip(message, Direction::kFromFrontend, Phase::kReady, tail);
}
template <typename Message>
void backend(const Message& message, Tail tail = Tail::kExact) {
  round_trip(message, Direction::kFromBackend, Phase::kReady, tail);
}
template <typename Message>
void login(const Message& message, Direction direction, Tail tail = Tail::kExact) {
  round_trip(message, direction, Phase::kAuthenticating, tail);
}

struct Lists {
  Bytes formats_store, oids_store, values_store;
  FormatList formats;
  OidList oids;
  ValueList values;
  Lists() {
    const std::int16_t f[] = {0, 1, 1};
    const std::uint32_t o[] = {23, 0, 0xFFFF'FFFF};
    formats = FormatList::pack(f, formats_store);
    oids = OidList::pack(o, oids_store);
    ValueList::append(values_store, "one");
    ValueList::append(values_store, std::nullopt);
    ValueList::append(values_store, "");
    values = ValueList::over(values_store, 3);
  }
};

}  // namespace

TEST_CASE("round trip of frontend messages") {
  const Lists l;
  frontend(Query{"select 1"});
  frontend(Parse{"s", "select $1", l.oids});
  frontend(Bind{"p", "s", l.formats, l.values, l.formats});
  frontend(Describe{Target::kPortal, "p"});
  frontend(Close{Target::kStatement, "s"});
  frontend(Execute{"p", 7});
  frontend(Sync{});
  frontend(Flush{});
  frontend(Terminate{});
  frontend(CopyDone{});
  frontend(CopyData{"a\tb\n"}, Tail::kOpen);
  frontend(CopyFail{"no more"});
  frontend(FunctionCall{1234, l.formats, l.values, 1});
  login(PasswordMessage{"secret"}, Direction::kFromFrontend);
  login(SaslInitialResponse{"SCRAM-SHA-256", "n,,n=,r=x"}, Direction::kFromFrontend);
  login(SaslInitialResponse{"SCRAM-SHA-256", std::nullopt}, Direction::kFromFrontend);
  login(SaslResponse{"c=biws"}, Direction::kFromFrontend, Tail::kOpen);
}

TEST_CASE("round trip of backend messages") {
  const Lists l;
  for (const AuthKind kind : {AuthKind::kOk, AuthKind::kKerberosV5, AuthKind::kCleartextPassword,
                              AuthKind::kGss, AuthKind::kSspi}) {
    login(Authentication{kind, {}, {}}, Direction::kFromBackend);
  }
  login(Authentication{AuthKind::kMd5Password, "salt", {}}, Direction::kFromBackend);
  login(Authentication{AuthKind::kSasl, {}, {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}},
        Direction::kFromBackend);
  for (const AuthKind kind :
       {AuthKind::kGssContinue, AuthKind::kSaslContinue, AuthKind::kSaslFinal}) {
    login(Authentication{kind, "data", {}}, Direction::kFromBackend, Tail::kOpen);
  }
  login(NegotiateProtocolVersion{196608, {"_pq_.a", "_pq_.b"}}, Direction::kFromBackend);
  login(BackendKeyData{42, "1234"}, Direction::kFromBackend, Tail::kOpen);
  backend(ParameterStatus{"TimeZone", "UTC"});
  backend(NotificationResponse{42, "channel", ""});
  backend(ParseComplete{});
  backend(BindComplete{});
  backend(CloseComplete{});
  backend(NoData{});
  backend(PortalSuspended{});
  backend(EmptyQueryResponse{});
  backend(ParameterDescription{l.oids});
  backend(DataRow{l.values});
  backend(CommandComplete{"INSERT 0 5"});
  for (const auto status :
       {TransactionStatus::kIdle, TransactionStatus::kInTransaction, TransactionStatus::kFailed}) {
    backend(ReadyForQuery{status});
  }
  backend(CopyInResponse{0, {}});
  backend(CopyOutResponse{1, l.formats});
  backend(CopyBothResponse{0, {}});
  backend(FunctionCallResponse{"v"});
  backend(FunctionCallResponse{std::nullopt});
}

TEST_CASE("fields arrive as they were sent") {
  const Lists l;
  Bytes out;
  REQUIRE(Bind{"p", "s", l.formats, l.values, {}}.encode(out));
  const auto bind = Bind::decode(ByteView(out).substr(5));
  REQUIRE(bind);
  CHECK(bind->portal == "p");
  CHECK(bind->statement == "s");
  REQUIRE(bind->values.size() == 3);
  CHECK(bind->values[0] == Value("one"));
  CHECK(bind->values[1] == std::nullopt);
  CHECK(bind->values[2] == Value(""));
  CHECK(format_of(bind->parameter_formats, 0) == 0);
  CHECK(format_of(bind->parameter_formats, 2) == 1);
  CHECK(bind->result_formats.empty());
  CHECK(format_of(bind->result_formats, 5) == kTextFormat);
}

TEST_CASE("RowDescription keeps every attribute of its fields") {
  const Field fields[] = {{"id", 16384, 1, 23, 4, -1, 0}, {"", 0, 0, 1043, -1, 36, 1}};
  Bytes out;
  RowDescriptionWriter writer(out, 2);
  for (const Field& field : fields) writer.field(field);
  REQUIRE(writer.finish());
  const auto decoded = RowDescription::decode(ByteView(out).substr(5));
  REQUIRE(decoded);
  std::size_t i = 0;
  for (const Field& field : *decoded) CHECK(field == fields[i++]);
  CHECK(i == 2);
  backend(*decoded);
}

TEST_CASE("rows are read without copying") {
  Bytes out;
  DataRowWriter writer(out, 3);
  writer.value("abc");
  writer.value(std::nullopt);
  writer.value("");
  REQUIRE(writer.finish());
  const auto row = DataRow::decode(ByteView(out).substr(5));
  REQUIRE(row);
  std::vector<Value> values(row->values.begin(), row->values.end());
  CHECK(values == std::vector<Value>{Value("abc"), std::nullopt, Value("")});
  CHECK(values[0]->data() == out.data() + 5 + 2 + 4);
}

TEST_CASE("writers refuse a wrong number of columns and leave nothing behind") {
  for (const int given : {1, 3}) {
    Bytes out = "kept";
    {
      DataRowWriter row(out, 2);
      for (int i = 0; i < given; ++i) row.value("x");
      CHECK(code_of(row.finish()) == pst::kNotEncodable);
    }
    CHECK(out == "kept");
    {
      RowDescriptionWriter description(out, 2);
      for (int i = 0; i < given; ++i) description.field({});
      CHECK(code_of(description.finish()) == pst::kNotEncodable);
    }
    CHECK(out == "kept");
  }
}

TEST_CASE("text with a zero byte is never cut but refused") {
  Bytes out = "kept";
  const Bytes evil = lit("select 1\0; drop table t");
  CHECK(code_of(Query{evil}.encode(out)) == pst::kNotEncodable);
  CHECK(code_of(Parse{"", evil, {}}.encode(out)) == pst::kNotEncodable);
  CHECK(code_of(PasswordMessage{evil}.encode(out)) == pst::kNotEncodable);
  CHECK(out == "kept");
}

TEST_CASE("a writer given up takes its bytes back") {
  Bytes out = "kept";
  {
    MessageWriter(out, FrontendType::kQuery).cstring("abandoned");
  }
  CHECK(out == "kept");
}

TEST_CASE("password messages are bounded when written") {
  Bytes out;
  CHECK(PasswordMessage{Bytes(65'530, 'x')}.encode(out));
  CHECK(code_of(PasswordMessage{Bytes(65'531, 'x')}.encode(out)) == pst::kNotEncodable);
}

TEST_CASE("counts and lengths that lie are refused before anything is sized by them") {
  const Bytes many = lit("\xFF\xFF");
  CHECK(code_of(DataRow::decode(many)) == pst::kProtocolViolation);
  CHECK(code_of(RowDescription::decode(many)) == pst::kProtocolViolation);
  CHECK(code_of(ParameterDescription::decode(many)) == pst::kProtocolViolation);
  CHECK(code_of(Parse::decode(lit("\0\0\xFF\xFF"))) == pst::kProtocolViolation);
  CHECK(code_of(Bind::decode(lit("\0\0\xFF\xFF\0\0\0\0"))) == pst::kProtocolViolation);
  CHECK(code_of(NegotiateProtocolVersion::decode(be32(196608) + be32(0x7FFF'FFFF) + lit("a\0"))) ==
        pst::kProtocolViolation);
  // One value: longer than the message, negative but not -1, and one past the end.
  for (const std::uint32_t length : {0x7FFF'FFFFU, 0xFFFF'FFFEU, 0x8000'0000U, 4U}) {
    CHECK(code_of(DataRow::decode(lit("\0\1") + be32(length) + "abc")) == pst::kProtocolViolation);
    CHECK(code_of(FunctionCallResponse::decode(be32(length) + "abc")) == pst::kProtocolViolation);
  }
  CHECK(DataRow::decode(lit("\0\1") + be32(3) + "abc"));
  CHECK(code_of(DataRow::decode(lit("\0\1") + be32(2) + "abc")) == pst::kProtocolViolation);
}

TEST_CASE("a row of 65,535 columns is read, an array of as many parameters too") {
  Bytes out;
  DataRowWriter row(out, 65'535);
  for (int i = 0; i < 65'535; ++i) row.value(std::nullopt);
  REQUIRE(row.finish());
  CHECK(DataRow::decode(ByteView(out).substr(5))->values.size() == 65'535);
  Bytes storage;
  const std::vector<std::uint32_t> oids(65'536, 23);
  out.clear();
  CHECK(ParameterDescription{OidList::pack(std::span(oids).first(65'535), storage)}.encode(out));
  CHECK(out.size() == 1 + kMaxParameterDescriptionLength);
  CHECK(code_of(ParameterDescription{OidList::pack(oids, storage)}.encode(out)) ==
        pst::kNotEncodable);
}

TEST_CASE("format codes must be known and match their values in number") {
  Bytes store;
  const std::int16_t two[] = {0, 1};
  const std::int16_t unknown[] = {2};
  CHECK(check_formats({}, 0));
  CHECK(check_formats(FormatList::pack(two, store), 2));
  CHECK(code_of(check_formats(FormatList::pack(two, store), 1)) == pst::kProtocolViolation);
  CHECK(code_of(check_formats(FormatList::pack(unknown, store), 1)) == pst::kProtocolViolation);
  CHECK(code_of(CopyInResponse::decode(lit("\2\0\0"))) == pst::kProtocolViolation);
}

TEST_CASE("a Bind keeps the format codes it came with: the verdict is the server's") {
  Bytes store_a, store_b, values;
  ValueList::append(values, "x");
  const std::int16_t two[] = {0, 1};
  const std::int16_t unknown[] = {2};
  Bytes out;
  REQUIRE(Bind{"", "", FormatList::pack(two, store_a), ValueList::over(values, 1),
               FormatList::pack(unknown, store_b)}
              .encode(out));
  const auto bind = Bind::decode(ByteView(out).substr(5));
  REQUIRE(bind);
  CHECK(bind->parameter_formats.size() == 2);
  CHECK(bind->result_formats[0] == 2);
}

TEST_CASE("unknown codes inside messages are refused") {
  CHECK(code_of(Describe::decode(lit("X\0"))) == pst::kProtocolViolation);
  CHECK(code_of(Close::decode(lit("\0\0"))) == pst::kProtocolViolation);
  CHECK(code_of(ReadyForQuery::decode("X")) == pst::kProtocolViolation);
  for (const std::uint32_t kind : {1U, 4U, 6U, 13U, 0xFFFF'FFFFU}) {
    CHECK(code_of(Authentication::decode(be32(kind))) == pst::kProtocolViolation);
  }
  CHECK(code_of(Authentication::decode(be32(10) + '\0')) == pst::kProtocolViolation);
}

TEST_CASE("CommandComplete gives command and rows") {
  CHECK(CommandComplete{"INSERT 0 5"}.rows() == 5);
  CHECK(CommandComplete{"INSERT 0 5"}.command() == "INSERT");
  CHECK(CommandComplete{"SELECT 18446744073709551615"}.rows() ==
        std::numeric_limits<std::uint64_t>::max());
  CHECK(CommandComplete{"CREATE TABLE"}.rows() == 0);
  CHECK(CommandComplete{"BEGIN"}.command() == "BEGIN");
}

TEST_CASE("startup packets") {
  Bytes out;
  const StartupMessage original{protocol_version(3, 2),
                                {{"user", "u"}, {"database", "d"}, {"_pq_.x", "1"}, {"user", "v"}}};
  REQUIRE(original.encode(out));
  const Bytes body = out.substr(4);
  const auto decoded = decode_startup(body);
  REQUIRE(decoded);
  const auto& message = std::get<StartupMessage>(*decoded);
  CHECK(message.version == 196610);
  CHECK(message.parameters == original.parameters);
  for (std::size_t n = 0; n < body.size(); ++n) {
    CHECK_FALSE(decode_startup(ByteView(body).substr(0, n)).has_value());
  }
  CHECK(code_of(decode_startup(body + "x")) == pst::kProtocolViolation);
}

TEST_CASE("encryption requests carry nothing") {
  Bytes out;
  SslRequest{}.encode(out);
  GssEncRequest{}.encode(out);
  CHECK(out == lit("\0\0\0\x08\x04\xD2\x16\x2F\0\0\0\x08\x04\xD2\x16\x30"));
  CHECK(std::holds_alternative<SslRequest>(*decode_startup(out.substr(4, 4))));
  CHECK(std::holds_alternative<GssEncRequest>(*decode_startup(out.substr(12, 4))));
  CHECK(code_of(decode_startup(out.substr(4, 5))) == pst::kProtocolViolation);
}

TEST_CASE("cancel keys have 4 to 256 bytes") {
  for (const std::size_t size : {3, 4, 32, 256, 257}) {
    const Bytes key(size, 'k');
    const bool good = size >= 4 && size <= 256;
    const Bytes body = be32(kCancelRequestCode) + be32(7) + key;
    const auto decoded = decode_startup(body);
    REQUIRE(decoded.has_value() == good);
    Bytes out;
    CHECK(CancelRequest{7, key}.encode(out).has_value() == good);
    CHECK(BackendKeyData{7, key}.encode(out).has_value() == good);
    CHECK(BackendKeyData::decode(be32(7) + key).has_value() == good);
    if (good) CHECK(std::get<CancelRequest>(*decoded).key == key);
  }
}

TEST_CASE("other protocol versions are refused as such") {
  CHECK(code_of(decode_startup(be32(0x0002'0000) + Bytes(288, '\0'))) == pst::kUnsupportedProtocol);
  CHECK(code_of(decode_startup(be32(0x0004'0000) + '\0')) == pst::kUnsupportedProtocol);
  CHECK(code_of(decode_startup(be32(80877105))) == pst::kUnsupportedProtocol);
}
