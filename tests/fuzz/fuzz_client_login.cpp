// A client of arbitrary bytes, arriving in arbitrary pieces, logs in to us.
#include "protocol/client_login.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::protocol;

namespace {

ScramSecret secret_of(ByteView password) {
  return build_scram_secret(fuzz::kFakePrimitives, password, "0123456789abcdef").value();
}

UserAnswer answer_of(unsigned choice) {
  switch (choice) {
    case 0:
      return TrustUser{};
    case 1:
      return KnownUser{secret_of("secret")};
    case 2:
      return PasswordUser{{secret_of("secret"), {}}};
    case 3:
      return Md5User{md5_hash(fuzz::fake_md5, "secret", "u").value()};
    case 4:
      return Md5User{};
    case 5:
      return RejectUser{make_error(pst::kInternal)};
    default:
      return UnknownUser{};
  }
}

class Driver {
 public:
  explicit Driver(ByteView input) : feed_(input), login_(options()) {
    answer_ = feed_.below(7);
    step_ = 1 + feed_.below(200);
    if (feed_.below(8) == 0 && tls_ != TlsPolicy::kRefuse) {
      login_.begin_direct_tls();
      login_.tls_established(feed_.below(2) == 0 ? Bytes() : Bytes(32, 'b'));
    }
    stream_ = feed_.rest();
  }

  void run() {
    // Every step either uses bytes, shows more of them, or changes the state: bounded by both.
    for (std::size_t round = 0; round < 64 + 2 * stream_.size(); ++round) {
      const LoginStep step = login_.advance(unread_, out_);
      POSTERN_CHECK(step.consumed <= unread_.size());
      unread_.erase(0, step.consumed);
      if (!follow(step)) return;
    }
    POSTERN_CHECK(false);
  }

 private:
  ClientLogin::Options options() {
    ClientLogin::Options options;
    tls_ = static_cast<TlsPolicy>(feed_.below(3));
    options.tls = tls_;
    options.primitives = &fuzz::kFakePrimitives;
    options.mock_key = "mock";
    options.md5 = fuzz::fake_md5;
    return options;
  }
  /// False: the login is over.
  bool follow(const LoginStep& step) {
    switch (step.kind) {
      case LoginStep::Kind::kRead:
        POSTERN_CHECK(step.need > unread_.size() && step.need <= kMaxAuthLength + 5);
        return show(step.need);
      case LoginStep::Kind::kUpgradeTls:
        POSTERN_CHECK(unread_.empty());
        login_.tls_established(Bytes(32, 'b'));
        return true;
      case LoginStep::Kind::kLookupUser:
        POSTERN_CHECK(!login_.request().user.empty());
        login_.answer(answer_of(answer_));
        return true;
      case LoginStep::Kind::kAuthenticated:
        POSTERN_CHECK(answer_ < 4);  // nobody else can have proven anything
        (void)login_.take_request();
        (void)login_.take_proof();
        return false;
      case LoginStep::Kind::kCancel:
        POSTERN_CHECK(login_.take_cancel().key.size() >= kMinCancelKey);
        return false;
      case LoginStep::Kind::kFailed:
        return false;
    }
    return false;
  }
  bool show(std::size_t need) {
    const std::size_t more = std::max(step_, need - unread_.size());
    if (stream_.empty()) return false;
    unread_.append(stream_.substr(0, more));
    stream_.remove_prefix(std::min(more, stream_.size()));
    return unread_.size() >= need;
  }

  fuzz::Feed feed_;
  TlsPolicy tls_ = TlsPolicy::kRefuse;
  ClientLogin login_;
  ByteView stream_;
  Bytes unread_;
  Bytes out_;
  unsigned answer_ = 0;
  std::size_t step_ = 1;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Driver(fuzz::view(data, size)).run();
  return 0;
}
