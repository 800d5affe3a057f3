// We log in to a server of arbitrary bytes, arriving in arbitrary pieces.
#include "protocol/server_login.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::protocol;

namespace {

class Driver {
 public:
  explicit Driver(ByteView input) : feed_(input), login_(options()) {
    step_ = 1 + feed_.below(200);
    stream_ = feed_.rest();
  }

  void run() {
    for (std::size_t round = 0; round < 64 + 2 * stream_.size(); ++round) {
      const ServerStep step = login_.advance(unread_, out_);
      POSTERN_CHECK(step.consumed <= unread_.size());
      unread_.erase(0, step.consumed);
      if (!follow(step)) return;
    }
    // A server may go on with notices for as long as it likes, but not without sending any.
    POSTERN_CHECK(stream_.empty());
  }

 private:
  ServerLogin::Options options() {
    ServerLogin::Options options;
    options.ssl = static_cast<SslMode>(feed_.below(3));
    options.user = "u";
    options.database = "d";
    if (feed_.below(4) != 0) options.password = Secret("secret");
    options.minor = feed_.below(2) == 0 ? 0 : 2;
    options.primitives = &fuzz::kFakePrimitives;
    options.cleartext = static_cast<WeakMethod>(feed_.below(3));
    options.md5_password = static_cast<WeakMethod>(feed_.below(3));
    options.md5 = fuzz::fake_md5;
    return options;
  }
  bool follow(const ServerStep& step) {
    switch (step.kind) {
      case ServerStep::Kind::kRead:
        POSTERN_CHECK(step.need > unread_.size());
        return show(std::max(step_, step.need - unread_.size())) && unread_.size() >= step.need;
      case ServerStep::Kind::kReadOneByte:
        POSTERN_CHECK(unread_.empty());
        return show(1);
      case ServerStep::Kind::kUpgradeTls:
        POSTERN_CHECK(unread_.empty());
        login_.tls_established(Bytes(32, 'b'));
        return true;
      case ServerStep::Kind::kReady:
        POSTERN_CHECK(login_.take_facts().parameters.size() <= kMaxParameterReports);
        return false;
      case ServerStep::Kind::kFailed:
        return false;
    }
    return false;
  }
  bool show(std::size_t more) {
    if (stream_.empty()) return false;
    unread_.append(stream_.substr(0, more));
    stream_.remove_prefix(std::min(more, stream_.size()));
    return true;
  }

  fuzz::Feed feed_;
  ServerLogin login_;
  ByteView stream_;
  Bytes unread_;
  Bytes out_;
  std::size_t step_ = 1;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Driver(fuzz::view(data, size)).run();
  return 0;
}
