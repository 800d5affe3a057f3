#include "schema/conninfo.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <libpq-fe.h>

#include "base/codes/tools.hpp"

namespace postern::schema {
namespace {

std::string ssl_mode(config::UpstreamTlsMode mode) {
  switch (mode) {
    case config::UpstreamTlsMode::kDisable:
      return "disable";
    case config::UpstreamTlsMode::kAllow:
      return "allow";
    case config::UpstreamTlsMode::kPrefer:
      return "prefer";
    case config::UpstreamTlsMode::kRequire:
      return "require";
    case config::UpstreamTlsMode::kVerifyCa:
      return "verify-ca";
    case config::UpstreamTlsMode::kVerifyFull:
      return "verify-full";
  }
  return "verify-full";
}

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

}  // namespace

Result<Conninfo> Conninfo::parse(const std::string& text) {
  char* reason = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(
      PQconninfoParse(text.c_str(), &reason));
  PQfreemem(reason);  // it may quote a part of the password
  if (options == nullptr) return make_error(pst::kBadConnectionString);
  Conninfo out;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string keyword = option->keyword;
    if (keyword == "password") {
      out.set_password(Secret(Bytes(option->val)));
    } else {
      out.set(keyword, option->val);
    }
  }
  return out;
}

Conninfo Conninfo::of_node(const config::ClusterOptions& cluster, const config::HostPort& node) {
  constexpr std::int64_t kLeastSeconds = 2;  // libpq takes no less
  Conninfo out;
  const std::int64_t seconds = cluster.connect_timeout.count() / 1000;
  out.set("host", node.host).set("port", std::to_string(node.port));
  out.set("connect_timeout", std::to_string(std::max(kLeastSeconds, seconds)));
  out.set("sslmode", ssl_mode(cluster.tls.mode));
  if (!cluster.tls.ca_file.empty()) out.set("sslrootcert", cluster.tls.ca_file.path);
  if (!cluster.tls.cert_file.empty()) {
    out.set("sslcert", cluster.tls.cert_file.path).set("sslkey", cluster.tls.key_file.path);
  }
  return out;
}

Conninfo& Conninfo::set(std::string keyword, std::string value) {
  values_[std::move(keyword)] = std::move(value);
  return *this;
}

Conninfo& Conninfo::set_password(Secret password) {
  password_ = std::move(password);
  return *this;
}

Conninfo& Conninfo::set_default(const std::string& keyword, std::string value) {
  values_.try_emplace(keyword, std::move(value));
  return *this;
}

std::string Conninfo::get(const std::string& keyword) const {
  const auto found = values_.find(keyword);
  return found == values_.end() ? std::string() : found->second;
}

}  // namespace postern::schema
