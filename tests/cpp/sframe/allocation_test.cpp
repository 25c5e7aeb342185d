#include <openssl/crypto.h>

#include <cstdlib>

#include "sealroom/sframe/media_frame.h"
#include "suite_fixture.h"
#include "support/allocation_counter.h"

namespace {

std::size_t openssl_allocations = 0;

void* openssl_malloc(std::size_t size, const char*, int) {
  ++openssl_allocations;
  return std::malloc(size);
}
void* openssl_realloc(void* memory, std::size_t size, const char*, int) {
  ++openssl_allocations;
  return std::realloc(memory, size);
}
void openssl_free(void* memory, const char*, int) { std::free(memory); }

// OpenSSL accepts an allocator only before its first allocation.
const bool counts_openssl =
    CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1;

}  // namespace

namespace sealroom::sframe {
namespace {

class AllocationTest : public SuiteTest {};

TEST_P(AllocationTest, FramesAllocateNothingAfterTheFirstIncludingRefusedOnes) {
  ASSERT_TRUE(counts_openssl);
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  const Bytes frame(60'000, 0x11);
  Bytes sealed(max_protected_size(FrameFormat::h264, frame.size()));
  Bytes opened(sealed.size());
  bool as_expected = true;
  const auto round = [&](FrameFormat format, std::size_t frame_size) {
    const auto size = protect_frame(sender, format, ByteView(frame).first(frame_size), sealed);
    if (!size) return false;
    const MutableByteView wire = MutableByteView(sealed).first(size.value());
    std::uint8_t& tag = wire[wire.size() - 2];
    tag ^= 1;
    const auto forged = unprotect_frame(receiver, format, wire, opened);
    tag ^= 1;
    const auto good = unprotect_frame(receiver, format, wire, opened);
    const auto replay = unprotect_frame(receiver, format, wire, opened);
    return !forged && good && !replay;
  };
  constexpr FrameFormat kFormats[] = {FrameFormat::opaque, FrameFormat::vp8, FrameFormat::h264,
                                      FrameFormat::av1};
  as_expected = round(FrameFormat::vp8, 100) && as_expected;

  OPENSSL_free(OPENSSL_malloc(1));  // with ipsec_mb nothing else may have asked OpenSSL for memory
  const std::size_t before = test::allocation_count();
  const std::size_t openssl_before = openssl_allocations;
  EXPECT_GT(before, 0U) << "the counter counts";
  EXPECT_GT(openssl_before, 0U) << "the counter counts";
  for (int i = 0; i < 50; ++i) {
    for (const FrameFormat format : kFormats) {
      for (const std::size_t size : {1U, 160U, 1200U, 60'000U})
        as_expected = round(format, size) && as_expected;
    }
  }
  const std::size_t during = test::allocation_count() - before;
  const std::size_t openssl_during = openssl_allocations - openssl_before;
  EXPECT_EQ(during, 0U);
  EXPECT_EQ(openssl_during, 0U);
  EXPECT_TRUE(as_expected);
}

INSTANTIATE_TEST_SUITE_P(Suites, AllocationTest, every_suite_and_backend(), suite_test_name);

}  // namespace
}  // namespace sealroom::sframe
