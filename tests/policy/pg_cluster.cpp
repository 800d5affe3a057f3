#include "tests/policy/pg_cluster.hpp"

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace postern::test {
namespace {

constexpr const char* kBin = "/usr/lib/postgresql/15/bin/";
constexpr std::string_view kMarker = "__postern_end_of_answer__\n";

std::string as_user() {
  return geteuid() == 0 ? "runuser -u nobody -- " : "";
}

bool shell(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  if (!text.empty() && text.back() == separator) parts.emplace_back();
  return parts;
}

}  // namespace

PgCluster::PgCluster() {
  std::array<char, 32> name{"/tmp/postern_policy_XXXXXX"};
  if (mkdtemp(name.data()) == nullptr) return;
  folder_ = name.data();
  if (geteuid() == 0 && !shell("chown nobody " + folder_)) return;
  const std::string data = folder_ + "/data";
  if (!shell(as_user() + kBin + "initdb -D " + data +
             " -U postgres -A trust -E UTF8 "
             "--locale=C --no-sync")) {
    return;
  }
  running_ = shell(as_user() + kBin + "pg_ctl -D " + data + " -w -l " + folder_ +
                   "/log -o \"-c listen_addresses='' -c unix_socket_directories=" + folder_ +
                   " -c fsync=off\" start");
}

PgCluster::~PgCluster() {
  if (running_) shell(as_user() + kBin + "pg_ctl -D " + folder_ + "/data -m immediate -w stop");
  if (folder_.starts_with("/tmp/postern_policy_")) shell("rm -rf " + folder_);
}

Psql::Psql(const PgCluster& cluster, const std::string& user, const std::string& database) {
  int in[2];
  int out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) return;
  child_ = fork();
  if (child_ == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(out[1], 2);
    execlp("psql", "psql", "-XAtq", "-F", "\x1f", "-R", "\x1e", "-v", "VERBOSITY=verbose", "-h",
           cluster.folder().c_str(), "-U", user.c_str(), "-d", database.c_str(), nullptr);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  to_ = in[1];
  from_ = out[0];
}

Psql::~Psql() {
  close(to_);
  close(from_);
  if (child_ > 0) waitpid(child_, nullptr, 0);
}

std::string Psql::run(std::string_view sql) {
  const std::string input = std::string(sql) + "\n;\n\\warn " + std::string(kMarker);
  for (std::size_t done = 0; done < input.size();) {
    const ssize_t n = write(to_, input.data() + done, input.size() - done);
    if (n <= 0) return "psql is gone";
    done += static_cast<std::size_t>(n);
  }
  std::string output;
  std::array<char, 4096> buffer{};
  while (output.find(kMarker) == std::string::npos) {
    const ssize_t n = read(from_, buffer.data(), buffer.size());
    if (n <= 0) return output + "psql is gone";
    output.append(buffer.data(), static_cast<std::size_t>(n));
  }
  output.resize(output.find(kMarker));
  while (!output.empty() && output.back() == '\n') output.pop_back();
  return output;
}

std::vector<std::vector<std::string>> Psql::rows(std::string_view sql) {
  const std::string output = run(sql);
  std::vector<std::vector<std::string>> out;
  if (output.empty() || output.starts_with("ERROR") || output.starts_with("psql")) return out;
  for (const std::string& row : split(output, '\x1e')) out.push_back(split(row, '\x1f'));
  return out;
}

}  // namespace postern::test
