#include "sealroom/base/cpu_features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace sealroom {
namespace {

// The kernel's own reading of the same registers.
TEST(CpuFeatures, AgreeWithProcCpuinfo) {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  const auto is_flags = [&] { return line.starts_with("flags") || line.starts_with("Features"); };
  while (std::getline(file, line) && !is_flags()) {
  }
  if (!is_flags()) GTEST_SKIP() << "no /proc/cpuinfo with flags here";
  std::istringstream words(line.substr(line.find(':') + 1));
  const std::vector<std::string> kernel{std::istream_iterator<std::string>(words), {}};
  const std::vector<std::string_view> ours = cpu_features();
  for (const char* name : {"aes", "pclmulqdq", "sha_ni", "avx2", "avx512f", "vaes", "vpclmulqdq",
                           "pmull", "sha1", "sha2"}) {
    EXPECT_EQ(std::ranges::count(kernel, name) > 0, std::ranges::count(ours, name) > 0) << name;
  }
}

}  // namespace
}  // namespace sealroom
