#include "sealroom/base/cpu_features.h"

#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace sealroom {

#if defined(__x86_64__)
namespace {

constexpr bool has(std::uint32_t word, unsigned bit) { return (word >> bit & 1U) != 0; }

/// Which register states the operating system saves (XCR0); 0 where it saves none.
std::uint64_t saved_states(std::uint32_t leaf1_ecx) {
  constexpr unsigned kOsxsave = 27;
  if (!has(leaf1_ecx, kOsxsave)) return 0;
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
}

}  // namespace

std::vector<std::string_view> cpu_features() {
  std::vector<std::string_view> names;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
  std::uint32_t d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return names;
  constexpr std::uint64_t kAvxStates = 0x6;
  constexpr std::uint64_t kAvx512States = 0xE6;
  const std::uint64_t saved = saved_states(c);
  const bool avx_saved = (saved & kAvxStates) == kAvxStates;
  if (has(c, 25)) names.emplace_back("aes");
  if (has(c, 1)) names.emplace_back("pclmulqdq");
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return names;
  if (has(b, 29)) names.emplace_back("sha_ni");
  if (has(b, 5) && avx_saved) names.emplace_back("avx2");
  if (has(b, 16) && (saved & kAvx512States) == kAvx512States) names.emplace_back("avx512f");
  if (has(c, 9) && avx_saved) names.emplace_back("vaes");
  if (has(c, 10) && avx_saved) names.emplace_back("vpclmulqdq");
  return names;
}
#elif defined(__aarch64__) && defined(__linux__)
std::vector<std::string_view> cpu_features() {
  std::vector<std::string_view> names;
  const unsigned long capabilities = ::getauxval(AT_HWCAP);
  if ((capabilities & HWCAP_AES) != 0) names.emplace_back("aes");
  if ((capabilities & HWCAP_PMULL) != 0) names.emplace_back("pmull");
  if ((capabilities & HWCAP_SHA1) != 0) names.emplace_back("sha1");
  if ((capabilities & HWCAP_SHA2) != 0) names.emplace_back("sha2");
  return names;
}
#else
std::vector<std::string_view> cpu_features() { return {}; }
#endif

}  // namespace sealroom
