// Once an SSRC is known, packets cost no allocation: neither ours nor the crypto library's.

#include <gtest/gtest.h>

#include "srtp/support.h"

namespace {
thread_local std::size_t allocations = 0;
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
#define SEALROOM_COUNTS_ALLOCATIONS 1
// operator new and OpenSSL both end here.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) {
  ++allocations;
  return __libc_realloc(old, size);
}
}
#else
#define SEALROOM_COUNTS_ALLOCATIONS 0
#endif

namespace sealroom::srtp::test {
namespace {

class SrtpAllocation : public SrtpTest {};
INSTANTIATE_TEST_SUITE_P(Profiles, SrtpAllocation, testing::ValuesIn(all_cases()), case_name);

TEST_P(SrtpAllocation, SteadyStateAllocatesNothing) {
  if (!SEALROOM_COUNTS_ALLOCATIONS) GTEST_SKIP() << "a sanitizer owns malloc";
  Bytes buffer(1200 + kMaxRtcpOverhead);
  const auto round = [&](std::uint16_t number, std::uint32_t ssrc) {
    const std::size_t size = 1200;
    buffer[0] = 0x80;
    buffer[2] = static_cast<std::uint8_t>(number >> 8);
    buffer[3] = static_cast<std::uint8_t>(number);
    buffer[8] = static_cast<std::uint8_t>(ssrc);
    const MutableByteView view(buffer);
    auto sealed = sender_.protect_rtp(view, 12, view.subspan(12, size - 12));
    if (!sealed || !receiver_.unprotect_rtp(view.first(sealed.value()), view)) return false;
    buffer[4] = static_cast<std::uint8_t>(ssrc);
    sealed = sender_.protect_rtcp(view, 100);
    if (!sealed || !receiver_.unprotect_rtcp(view.first(sealed.value()), view)) return false;
    // A forgery costs no more.
    return !receiver_.unprotect_rtp(view.first(600), view.subspan(600));
  };
  for (std::uint32_t ssrc = 0; ssrc < 4; ++ssrc) ASSERT_TRUE(round(0, ssrc));
  const std::size_t before = allocations;
  bool ok = true;
  for (std::uint32_t i = 1; i < 70'000; ++i)
    ok = ok && round(static_cast<std::uint16_t>(i / 4 + 1), i % 4);
  const std::size_t made = allocations - before;
  EXPECT_TRUE(ok);
  EXPECT_EQ(made, 0U);
}

TEST_P(SrtpAllocation, BatchesAllocateNothing) {
  if (!SEALROOM_COUNTS_ALLOCATIONS) GTEST_SKIP() << "a sanitizer owns malloc";
  constexpr std::size_t kCount = 100;
  constexpr std::size_t kSize = 1200;
  std::vector<Bytes> buffers(kCount, Bytes(kSize + kMaxRtpOverhead));
  std::vector<Bytes> opened(kCount, Bytes(kSize + kMaxRtpOverhead));
  std::vector<ProtectTask> sealing(kCount);
  std::vector<UnprotectTask> opening(kCount);
  std::uint16_t number = 0;
  const auto round = [&] {
    for (std::size_t i = 0; i < kCount; ++i) {
      ++number;
      buffers[i][0] = 0x80;
      buffers[i][2] = static_cast<std::uint8_t>(number >> 8);
      buffers[i][3] = static_cast<std::uint8_t>(number);
      buffers[i][8] = static_cast<std::uint8_t>(i % 3);
      sealing[i] = {buffers[i], 12, ByteView(buffers[i]).subspan(12, kSize - 12)};
    }
    if (sender_.protect_rtp_batch(sealing) != kCount) return false;
    for (std::size_t i = 0; i < kCount; ++i) {
      const ByteView packet = ByteView(buffers[i]).first(sealing[i].size.value());
      opening[i] = {packet, i % 2 == 0 ? MutableByteView(opened[i]) : MutableByteView(buffers[i])};
    }
    buffers[7].at(40) ^= 1;  // a forgery costs no more
    return receiver_.unprotect_rtp_batch(opening) == kCount - 1;
  };
  ASSERT_TRUE(round());
  const std::size_t before = allocations;
  bool ok = true;
  for (int i = 0; i < 1000; ++i) ok = ok && round();
  const std::size_t made = allocations - before;
  EXPECT_TRUE(ok);
  EXPECT_EQ(made, 0U);
}

}  // namespace
}  // namespace sealroom::srtp::test
