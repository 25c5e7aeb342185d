#pragma once

#include <string_view>
#include <vector>

namespace sealroom {

/// Instructions of this CPU that matter to cryptography and that the operating system allows, by
/// the names of Linux's /proc/cpuinfo: aes, pclmulqdq, sha_ni, avx2, avx512f, vaes, vpclmulqdq on
/// x86-64, aes, pmull, sha1, sha2 on AArch64. The crypto libraries choose among them by themselves.
[[nodiscard]] std::vector<std::string_view> cpu_features();

}  // namespace sealroom
