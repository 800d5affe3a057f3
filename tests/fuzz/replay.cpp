// Runs every kept input through its target: replay_corpora FOLDER, or replay_corpora FILE... where
// the name of a file's folder names the target. A defect ends the process, as it would fuzzing.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" {
#define FUZZ_TARGET(name) int name(const std::uint8_t* data, std::size_t size);
#include "tests/fuzz/targets.def"
#undef FUZZ_TARGET
}

namespace {

namespace fs = std::filesystem;

struct Target {
  std::string name;
  int (*run)(const std::uint8_t*, std::size_t);
};

const std::vector<Target>& targets() {
  static const std::vector<Target> all{
#define FUZZ_TARGET(name) {std::string(#name).substr(5), name},
#include "tests/fuzz/targets.def"
#undef FUZZ_TARGET
  };
  return all;
}

void replay(const Target& target, const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  // On the heap and exactly as long as the input: sanitizers see a read past its end.
  const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(in), {}};
  std::fprintf(stderr, "\r%s", file.c_str());  // the last one shown is the one that failed
  target.run(bytes.data(), bytes.size());
}

int replay_folder(const fs::path& folder) {
  int failures = 0;
  std::size_t inputs = 0;
  for (const Target& target : targets()) {
    std::size_t count = 0;
    if (fs::is_directory(folder / target.name)) {
      for (const auto& entry : fs::directory_iterator(folder / target.name)) {
        replay(target, entry.path());
        ++count;
      }
    }
    if (count == 0) std::fprintf(stderr, "\n%s has no corpus\n", target.name.c_str());
    if (count == 0) ++failures;
    inputs += count;
  }
  std::printf("\n%zu inputs of %zu targets\n", inputs, targets().size());
  return failures == 0 ? 0 : 1;
}

int replay_file(const fs::path& file) {
  const std::string name = fs::absolute(file).parent_path().filename();
  for (const Target& target : targets()) {
    if (target.name != name) continue;
    replay(target, file);
    return 0;
  }
  std::fprintf(stderr, "there is no target \"%s\"\n", name.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  if (argc == 2 && fs::is_directory(argv[1])) return replay_folder(argv[1]);
  for (int i = 1; i < argc; ++i) {
    if (const int status = replay_file(argv[i]); status != 0) return status;
  }
  return 0;
}
