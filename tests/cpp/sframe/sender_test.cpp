#include "sealroom/sframe/sender.h"

#include "suite_fixture.h"

namespace sealroom::sframe {
namespace {

class SenderTest : public SuiteTest {};

TEST_P(SenderTest, AFailedProtectSpendsNoCounter) {
  Sender sender = make_sender({.first_counter = 5});
  const Bytes plaintext(10, 1);
  Bytes out(sender.protected_size(plaintext.size()));
  for (std::size_t size = 0; size < out.size(); ++size) {
    const auto result = sender.protect({}, plaintext, MutableByteView(out).first(size));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), Error::buffer_too_small);
    EXPECT_EQ(sender.next_counter(), 5U);
  }
  EXPECT_EQ(sender.protect(Bytes(kMaxMetadataSize + 1), plaintext, out).error(),
            Error::invalid_argument);
  EXPECT_EQ(sender.next_counter(), 5U);
  EXPECT_EQ(out, Bytes(out.size(), 0));

  EXPECT_TRUE(sender.protect(Bytes(kMaxMetadataSize), plaintext, out));
  EXPECT_EQ(sender.next_counter(), 6U);
}

TEST_P(SenderTest, RefusesAtItsCounterLimitForGood) {
  Sender sender = make_sender({.first_counter = 0, .counter_limit = 2});
  EXPECT_FALSE(protect(sender, Bytes(1)).empty());
  EXPECT_FALSE(protect(sender, Bytes(1)).empty());
  Bytes out(100);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(sender.protect({}, Bytes(1), out).error(), Error::key_exhausted);
    EXPECT_EQ(sender.next_counter(), 2U);
  }
  EXPECT_EQ(out, Bytes(100, 0));
}

TEST_P(SenderTest, TheLargestCounterDoesNotWrapToZero) {
  constexpr auto kLargest = std::numeric_limits<std::uint64_t>::max();
  Sender sender = make_sender({.first_counter = kLargest - 1});
  EXPECT_FALSE(protect(sender, Bytes(1)).empty());
  EXPECT_EQ(sender.next_counter(), kLargest);
  Bytes out(100);
  EXPECT_EQ(sender.protect({}, Bytes(1), out).error(), Error::key_exhausted);
  EXPECT_EQ(sender.next_counter(), kLargest);
}

TEST_P(SenderTest, EqualFramesGiveUnrelatedCiphertexts) {
  Sender sender = make_sender();
  const Bytes first = protect(sender, Bytes(64));
  const Bytes second = protect(sender, Bytes(64));
  ASSERT_EQ(first.size(), second.size());
  int equal_bytes = 0;
  for (std::size_t i = 1; i < first.size(); ++i) equal_bytes += first[i] == second[i] ? 1 : 0;
  EXPECT_LT(equal_bytes, 8);
}

TEST_P(SenderTest, ProtectedSizeIsExactAcrossHeaderGrowth) {
  for (const std::uint64_t counter : {0ULL, 7ULL, 8ULL, 255ULL, 256ULL, 1ULL << 40}) {
    Sender sender = make_sender({.first_counter = counter}, KeyId{70000});
    for (const std::size_t size : {0U, 1U, 1000U}) {
      const std::size_t expected = sender.protected_size(size);
      EXPECT_EQ(protect(sender, Bytes(size)).size(), expected);
      EXPECT_LE(expected, size + kMaxOverhead);
    }
  }
}

TEST_P(SenderTest, AnEmptyBaseKeyIsRefused) {
  EXPECT_EQ(Sender::create(backend(), suite(), kKeyId, {}).error(), Error::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Suites, SenderTest, every_suite_and_backend(), suite_test_name);

}  // namespace
}  // namespace sealroom::sframe
