// Unix sockets to listen on: files, locks, and what dead processes leave.
#include "proxy/net/socket_file.hpp"

#include <csignal>
#include <fstream>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "base/codes/net.hpp"
#include "proxy/net/endpoint.hpp"
#include "tests/config/files.hpp"

using namespace postern;
using namespace postern::proxy;
using Folder = postern::config::testing::Folder;

namespace {

SocketFile::Options options(const std::string& dir) {
  SocketFile::Options out;
  out.dir = dir;
  out.port = 6432;
  out.mode = 0750;
  return out;
}

bool exists(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0;
}

bool connects(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  std::size_t size = sizeof name;
  if (path.starts_with('@')) {
    name.sun_path[0] = '\0';
    size = offsetof(sockaddr_un, sun_path) + path.size();
  }
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  return ::connect(fd.get(), reinterpret_cast<sockaddr*>(&name), static_cast<socklen_t>(size)) == 0;
}

// A process that has ended and was waited for.
pid_t dead_process() {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  ::waitpid(pid, nullptr, 0);
  return pid;
}

}  // namespace

TEST_CASE("a socket and its lock come and go together") {
  const Folder folder;
  const std::string path = folder.path() + "/.s.PGSQL.6432";
  {
    auto file = SocketFile::open(options(folder.path()));
    REQUIRE(file);
    CHECK(file->path() == path);
    CHECK(connects(path));
    struct stat info{};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0750);
    CHECK(exists(path + ".lock"));
  }
  CHECK_FALSE(exists(path));
  CHECK_FALSE(exists(path + ".lock"));
}

TEST_CASE("what a dead process left is replaced, what a living one has is not") {
  const Folder folder;
  const std::string path = folder.path() + "/.s.PGSQL.6432";
  std::ofstream(path + ".lock") << dead_process() << "\n";
  folder.write(".s.PGSQL.6432", "no socket at all");
  CHECK(SocketFile::open(options(folder.path())));
  std::ofstream(path + ".lock") << ::getppid() << "\n";
  const auto refused = SocketFile::open(options(folder.path()));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == pst::kListenFailed);
  CHECK(refused.error().what.find(std::to_string(::getppid())) != std::string::npos);
  CHECK(exists(path + ".lock"));
  for (const std::string garbage : {"", "x", "-1", "0"}) {
    std::ofstream(path + ".lock") << garbage;
    CHECK(SocketFile::open(options(folder.path())));
  }
}

TEST_CASE("a successor takes the place and its predecessor leaves it alone") {
  const Folder folder;
  auto taking = options(folder.path());
  taking.take_over = true;
  auto first = SocketFile::open(options(folder.path()));
  REQUIRE(first);
  std::optional<SocketFile> old(std::move(*first));
  std::ofstream(folder.path() + "/.s.PGSQL.6432.lock") << ::getppid() << "\n";
  const auto second = SocketFile::open(taking);
  REQUIRE(second);
  old.reset();
  CHECK(connects(second->path()));
}

TEST_CASE("abstract sockets need no file") {
  const std::string name = "@postern-test-" + std::to_string(::getpid());
  const auto file = SocketFile::open(options(name));
  REQUIRE(file);
  CHECK(connects(name + "/.s.PGSQL.6432"));
  const auto again = SocketFile::open(options(name));
  REQUIRE_FALSE(again);
  CHECK(again.error().code == pst::kListenFailed);
}

TEST_CASE("folders that cannot hold a socket") {
  const Folder folder;
  CHECK_FALSE(SocketFile::open(options(folder.path() + "/absent")));
  const std::string name = "/.s.PGSQL.6432";
  const auto too_long = SocketFile::open(options("/" + std::string(Endpoint::kMaxUnixPath, 'x')));
  REQUIRE_FALSE(too_long);
  CHECK(too_long.error().what.find("too long") != std::string::npos);
}
