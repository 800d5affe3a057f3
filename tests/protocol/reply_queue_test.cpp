#include "protocol/reply_queue.hpp"

#include "base/codes/wire.hpp"
#include "tests/protocol/support.hpp"

using namespace postern;
using namespace postern::protocol;
using namespace postern::protocol::test;

namespace {

/// A queue driven by letters, which records what happens in order:
/// pushes   Q P B d(statement) p(portal) E C S H F c f; a prefix '-' swallows, '=' synthesises
/// records  the type byte of a forwarded message, '(x)' of a swallowed one, '[n+]' done, '[n!]'
///          failed, '[n-]' skipped, '[n=]' to synthesise, '*' asynchronous, '~' server closing,
///          '#' error
/// Tags number the pushes from 1.
struct Script {
  ReplyQueue queue;
  std::uint64_t tag = 0;
  std::string log;

  static Request request(char letter) {
    constexpr std::string_view kLetters = "QPBdpECSHFcf";
    constexpr Request kRequests[] = {Request::kQuery,          Request::kParse,
                                     Request::kBind,           Request::kDescribeStatement,
                                     Request::kDescribePortal, Request::kExecute,
                                     Request::kClose,          Request::kSync,
                                     Request::kFlush,          Request::kFunctionCall,
                                     Request::kCopyDone,       Request::kCopyFail};
    REQUIRE(kLetters.find(letter) != std::string_view::npos);
    return kRequests[kLetters.find(letter)];
  }
  void completions() {
    while (const auto c = queue.next_completion()) {
      constexpr char kOutcomes[] = {'+', '!', '-', '='};
      log += "[" + std::to_string(c->entry.tag) + kOutcomes[static_cast<int>(c->outcome)] + "]";
    }
  }
  Script& push(std::string_view letters) {
    Disposition disposition = Disposition::kForward;
    for (const char letter : letters) {
      if (letter == '-') {
        disposition = Disposition::kSwallow;
      } else if (letter == '=') {
        disposition = Disposition::kSynthesise;
      } else {
        REQUIRE(queue.push({request(letter), disposition, ++tag}));
        disposition = Disposition::kForward;
        completions();
      }
    }
    return *this;
  }
  /// Server messages by type byte; 'Z' is followed by its status.
  Script& server(std::string_view types) {
    for (std::size_t i = 0; i < types.size(); ++i) {
      const char type = types[i];
      const ByteView body = type == 'Z' ? types.substr(++i, 1) : ByteView{};
      const auto disposal = queue.on_backend(static_cast<BackendType>(type), body);
      if (!disposal) {
        CHECK(disposal.error().code == pst::kServerProtocol);
        log += "#";
        return *this;
      }
      record(type, *disposal);
      completions();
    }
    return *this;
  }
  void record(char type, const Disposal& disposal) {
    if (disposal.asynchronous) {
      log += "*";
    } else if (disposal.action == Disposal::Action::kServerClosing) {
      log += "~";
    } else if (disposal.action == Disposal::Action::kSwallow) {
      log += std::string("(") + type + ")";
    } else {
      log += type;
    }
  }
  std::string take() { return std::exchange(log, {}); }
};

}  // namespace

TEST_CASE("simple queries") {
  Script s;
  CHECK(s.push("Q").server("TDDCZI").take() == "TDDCZ[1+]");
  CHECK(s.push("Q").server("TDCTCCIZT").take() == "TDCTCCIZ[2+]");
  CHECK(s.queue.transaction_status() == TransactionStatus::kInTransaction);
  CHECK_FALSE(s.queue.releasable());
  CHECK(s.push("Q").server("IZI").take() == "IZ[3+]");
  CHECK(s.push("Q").server("TDEZI").take() == "TDEZ[4!]");
  CHECK(s.push("Q").server("EZE").take() == "EZ[5!]");
  CHECK(s.queue.transaction_status() == TransactionStatus::kFailed);
  CHECK(s.push("Q").server("CZI").take() == "CZ[6+]");
  CHECK(s.queue.releasable());
}

TEST_CASE("an extended batch, pipelined twice") {
  Script s;
  s.push("PBpESPBpES");
  CHECK(s.take().empty());
  CHECK_FALSE(s.queue.releasable());
  CHECK(s.server("12TDDCZI").take() == "1[1+]2[2+]T[3+]DDC[4+]Z[5+]");
  CHECK_FALSE(s.queue.releasable());
  CHECK(s.server("12nCZI").take() == "1[6+]2[7+]n[8+]C[9+]Z[10+]");
  CHECK(s.queue.releasable());
}

TEST_CASE("describe of a statement, close, portal suspension, empty query") {
  Script s;
  CHECK(s.push("PdCS").server("1tT3ZI").take() == "1[1+]tT[2+]3[3+]Z[4+]");
  CHECK(s.push("PdS").server("1tnZI").take() == "1[5+]tn[6+]Z[7+]");
  CHECK(s.push("BEEES").server("2DsDDsCZI").take() == "2[8+]Ds[9+]DDs[10+]C[11+]Z[12+]");
  CHECK(s.push("BES").server("2IZI").take() == "2[13+]I[14+]Z[15+]");
}

TEST_CASE("Flush keeps the batch open: not releasable") {
  Script s;
  CHECK(s.push("PBEH").server("12C").take() == "1[1+]2[2+]C[3+][4+]");
  CHECK(s.queue.empty());
  CHECK_FALSE(s.queue.releasable());
  CHECK(s.push("S").server("ZI").take() == "Z[5+]");
  CHECK(s.queue.releasable());
}

TEST_CASE("an error skips to the next Sync and no further") {
  Script s;
  CHECK(s.push("PBESPBES").server("1EZI").take() == "1[1+]E[2!][3-]Z[4+]");
  CHECK(s.server("12CZI").take() == "1[5+]2[6+]C[7+]Z[8+]");
  CHECK(s.queue.releasable());
}

TEST_CASE("a Query or FunctionCall inside a failed batch gets no ReadyForQuery") {
  Script s;
  CHECK(s.push("PQFBS").server("EZI").take() == "E[1!][2-][3-][4-]Z[5+]");
}

TEST_CASE("an error before Sync was sent: later messages are skipped until it comes") {
  Script s;
  CHECK(s.push("P").server("E").take() == "E[1!]");
  CHECK(s.queue.skipping());
  CHECK_FALSE(s.queue.releasable());
  CHECK(s.push("BE=PQ").take() == "[2-][3-][4-][5-]");
  CHECK(s.push("S").take().empty());
  CHECK_FALSE(s.queue.skipping());
  CHECK(s.server("ZE").take() == "Z[6+]");
}

TEST_CASE("an error at Sync itself skips nothing") {
  Script s;
  CHECK(s.push("BESQ").server("2CEZI").take() == "2[1+]C[2+]EZ[3!]");
  CHECK(s.server("CZI").take() == "CZ[4+]");
}

TEST_CASE("function calls") {
  Script s;
  CHECK(s.push("FF").server("VZIEZI").take() == "VZ[1+]EZ[2!]");
}

TEST_CASE("asynchronous messages come at any time and belong to nobody") {
  Script s;
  CHECK(s.server("NSA").take() == "***");
  CHECK(s.push("PdBES").server("N1StAT2SDNCSZI").take() == "*1[1+]*t*T[2+]2[3+]*D*C[4+]*Z[5+]");
  CHECK(s.push("P").server("E").take() == "E[6!]");
  CHECK(s.server("NSA").take() == "***");
}

TEST_CASE("injected groups are swallowed, in front and behind, with their own Sync") {
  Script s;
  s.push("-Q-P-B-E-SPBES-Q");
  CHECK(s.server("CZI").take() == "(C)(Z)[1+]");
  CHECK(s.server("12DCZI").take() == "(1)[2+](2)[3+](D)(C)[4+](Z)[5+]");
  CHECK(s.server("12DCZT").take() == "1[6+]2[7+]DC[8+]Z[9+]");
  CHECK(s.queue.transaction_status() == TransactionStatus::kInTransaction);
  CHECK(s.server("CZI").take() == "(C)(Z)[10+]");
  CHECK(s.queue.releasable());
}

TEST_CASE("an injected message inside the client's batch is swallowed in place") {
  Script s;
  CHECK(s.push("-PBES").server("12CZI").take() == "(1)[1+]2[2+]C[3+]Z[4+]");
  // Its failure is swallowed too, and reported; the rest is skipped as the server does.
  CHECK(s.push("B-PES").server("2EZE").take() == "2[5+](E)[6!][7-]Z[8+]");
}

TEST_CASE("the failure of an injected group does not reach the client's batch behind it") {
  Script s;
  CHECK(s.push("-P-SPS").server("EZI1ZI").take() == "(E)[1!](Z)[2+]1[3+]Z[4+]");
}

TEST_CASE("synthesised replies keep their place") {
  Script s;
  CHECK(s.push("=P").take() == "[1=]");
  CHECK(s.push("B=PES").server("2").take() == "2[2+][3=]");
  CHECK(s.server("CZI").take() == "C[4+]Z[5+]");
  // Before an error they are due, after it they are skipped.
  CHECK(s.push("B=CE=C=PS").server("2").take() == "2[6+][7=]");
  CHECK(s.server("EZI").take() == "E[8!][9-][10-]Z[11+]");
}

TEST_CASE("a batch answered without the server") {
  Script s;
  CHECK(s.push("=P=B=E=S").take() == "[1=][2=][3=][4=]");
  CHECK(s.queue.releasable());
}

TEST_CASE("COPY OUT, simple and extended") {
  Script s;
  CHECK(s.push("Q").server("HddNcCZI").take() == "Hdd*cCZ[1+]");
  CHECK(s.push("BES").server("2HdcCZI").take() == "2[2+]HdcC[3+]Z[4+]");
  CHECK(s.push("BES").server("2HdEZI").take() == "2[5+]HdE[6!]Z[7+]");
  CHECK(s.push("Q").server("HdEZI").take() == "HdEZ[8!]");
}

TEST_CASE("COPY IN by Query: done, failed by the client, failed by the server") {
  Script s;
  CHECK(s.push("Q").server("G").take() == "G");
  CHECK(s.queue.in_copy_in());
  CHECK(s.push("c").server("CZI").take() == "CZ[1+][2+]");
  CHECK(s.push("Q").server("G").push("f").server("EZI").take() == "GEZ[3!][4+]");
  CHECK(s.push("Q").server("GEZI").take() == "GEZ[5!]");
  CHECK(s.push("cQ").server("CZI").take() == "[6+]CZ[7+]");
  CHECK_FALSE(s.queue.uncertain());
  CHECK(s.queue.releasable());
}

TEST_CASE("two COPY IN in one Query") {
  Script s;
  CHECK(s.push("Q").server("G").push("c").server("CG").take() == "GCG");
  CHECK(s.push("c").server("CCZI").take() == "CCZ[1+][2+][3+]");
}

TEST_CASE("COPY IN by Execute, done") {
  Script s;
  CHECK(s.push("BE").server("2G").push("cS").server("CZI").take() == "2[1+]GC[2+][3+]Z[4+]");
  CHECK(s.queue.releasable());
}

TEST_CASE("a Sync sent behind the Execute of a COPY is ignored by the server") {
  Script s;
  CHECK(s.push("BES").server("2G").take() == "2[1+]G");
  CHECK_FALSE(s.queue.releasable());
  CHECK(s.push("HS").take().empty());  // also ignored, behind the pending Execute
  CHECK(s.push("cS").server("C").take() == "C[2+][3-][4-][5-][6+]");
  CHECK_FALSE(s.queue.releasable());
  CHECK(s.server("ZI").take() == "Z[7+]");
  CHECK(s.queue.releasable());
}

TEST_CASE("data, CopyDone and Sync sent blindly before the COPY was known") {
  Script s;
  CHECK(s.push("BEcS").server("2GCZI").take() == "2[1+]GC[2+][3+]Z[4+]");
  CHECK(s.push("BEcS").server("2GEZI").take() == "2[5+]GE[6!][7-]Z[8+]");
  CHECK_FALSE(s.queue.uncertain());
}

TEST_CASE("COPY IN by Execute that fails skips to the Sync behind it") {
  Script s;
  CHECK(s.push("BE").server("2GE").take() == "2[1+]GE[2!]");
  CHECK(s.queue.skipping());
  CHECK(s.push("cS").server("ZI").take() == "[3-]Z[4+]");
  CHECK_FALSE(s.queue.uncertain());
}

TEST_CASE("a COPY that fails after swallowing a Sync leaves the connection unsharable") {
  Script s;
  CHECK(s.push("BES").server("2GE").take() == "2[1+]GE[2!][3-]");
  CHECK(s.queue.uncertain());
  CHECK(s.push("cS").server("ZI").take() == "[4-]Z[5+]");
  CHECK_FALSE(s.queue.releasable());
}

TEST_CASE("a request sent during a simple COPY makes its failure unknowable") {
  Script s;
  CHECK(s.push("QQ").server("GE").take() == "G#");
}

TEST_CASE("a COPY that completes without CopyDone is out of step") {
  Script s;
  CHECK(s.push("Q").server("GC").take() == "G#");
}

TEST_CASE("COPY BOTH is not known") {
  CHECK(Script().push("Q").server("W").take() == "#");
  CHECK(Script().push("E").server("W").take() == "#");
}

TEST_CASE("an error nobody asked for announces the end") {
  Script s;
  CHECK(s.server("E").take() == "~");
  CHECK(s.push("Q").server("EE").take() == "E~");
  Script skipping;
  CHECK(skipping.push("P").server("EE").take() == "E[1!]~");
}

TEST_CASE("anything that fits no expectation is an error") {
  constexpr std::string_view kTypes = "123CDGHITVWcdnstRKv";
  for (const char type : kTypes) {
    const std::string t(1, type);
    CAPTURE(t);
    CHECK(Script().server(t).take() == "#");
  }
  CHECK(Script().server("ZI").take() == "#");
  struct Row {
    const char* request;
    std::string_view fits;
  };
  for (const Row& row : {Row{"P", "1"}, Row{"B", "2"}, Row{"C", "3"}, Row{"d", "t"}, Row{"p", "Tn"},
                         Row{"E", "DCIsGH"}, Row{"Q", "TCIGH"}, Row{"F", "V"}, Row{"S", ""}}) {
    for (const char type : kTypes) {
      const std::string t(1, type);
      CAPTURE(row.request);
      CAPTURE(t);
      const bool fits = row.fits.find(type) != std::string_view::npos;
      CHECK((Script().push(row.request).server(t).take() != "#") == fits);
    }
    if (row.request[0] != 'S') CHECK(Script().push(row.request).server("ZI").take() == "#");
  }
}

TEST_CASE("sequences that break off or repeat") {
  CHECK(Script().push("Q").server("TT").take() == "T#");
  CHECK(Script().push("Q").server("TZI").take() == "T#");
  CHECK(Script().push("Q").server("D").take() == "#");
  CHECK(Script().push("Q").server("CZX").take() == "C#");
  CHECK(Script().push("S").server("Z").take() == "#");
  CHECK(Script().push("dS").server("tt").take() == "t#");
  CHECK(Script().push("ES").server("DI").take() == "D#");
  CHECK(Script().push("ES").server("HC").take() == "H#");
  CHECK(Script().push("ES").server("HcD").take() == "Hc#");
  CHECK(Script().push("F").server("VV").take() == "V#");
  CHECK(Script().push("PS").server("1ZIZI").take() == "1[1+]Z[2+]#");
}

TEST_CASE("the number of outstanding requests is bounded") {
  ReplyQueue queue(3);
  for (int i = 0; i < 3; ++i) CHECK(queue.push({Request::kSync, Disposition::kForward, 0}));
  CHECK(code_of(queue.push({Request::kSync, Disposition::kForward, 0})) == pst::kPipelineTooLong);
  CHECK(queue.on_backend(BackendType::kReadyForQuery, "I"));
  CHECK(queue.next_completion().has_value());
  CHECK(queue.push({Request::kSync, Disposition::kForward, 0}));
}

TEST_CASE("a long pipeline keeps its order through compaction") {
  ReplyQueue queue;
  std::uint64_t pushed = 0;
  std::uint64_t done = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 200; ++i) {
      REQUIRE(queue.push({Request::kSync, Disposition::kForward, pushed++}));
    }
    for (int i = 0; i < 150 + round; ++i) {
      if (queue.empty()) break;
      const auto disposal = queue.on_backend(BackendType::kReadyForQuery, "I");
      REQUIRE(disposal);
      CHECK(disposal->tag == done);
      CHECK(queue.next_completion()->entry.tag == done++);
    }
    CHECK(queue.size() == pushed - done);
  }
}
