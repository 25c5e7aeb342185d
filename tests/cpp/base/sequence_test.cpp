#include "sealroom/base/sequence.h"

#include <gtest/gtest.h>

namespace sealroom {
namespace {

TEST(IsNewer, OrdersAcrossTheWrap) {
  EXPECT_TRUE(is_newer(std::uint16_t{0}, std::uint16_t{65535}));
  EXPECT_FALSE(is_newer(std::uint16_t{65535}, std::uint16_t{0}));
  EXPECT_FALSE(is_newer(std::uint16_t{5}, std::uint16_t{5}));
  EXPECT_TRUE(is_newer(std::uint32_t{1}, std::uint32_t{0xffffffff}));
}

TEST(SequenceUnwrapper, FollowsWrapsInBothDirections) {
  SequenceUnwrapper unwrapper;
  EXPECT_EQ(unwrapper.unwrap(65534), 65534);
  EXPECT_EQ(unwrapper.unwrap(1), 65537);
  EXPECT_EQ(unwrapper.unwrap(65535), 65535);
  EXPECT_EQ(unwrapper.unwrap(2), 65538);
}

TEST(SequenceUnwrapper, NumberBeforeTheFirstIsNegative) {
  SequenceUnwrapper unwrapper;
  EXPECT_EQ(unwrapper.unwrap(0), 0);
  EXPECT_EQ(unwrapper.unwrap(65535), -1);
}

TEST(SequenceUnwrapper, HalfRangeJumpIsForward) {
  SequenceUnwrapper unwrapper;
  EXPECT_EQ(unwrapper.unwrap(0), 0);
  EXPECT_EQ(unwrapper.unwrap(0x8000), 0x8000);
}

TEST(SequenceUnwrapper, PeekDoesNotMove) {
  SequenceUnwrapper unwrapper;
  unwrapper.unwrap(10);
  EXPECT_EQ(unwrapper.peek(30000), 30000);
  EXPECT_EQ(unwrapper.peek(30000 + 20000), 30000 + 20000 - 65536);
}

TEST(TimestampUnwrapper, FollowsWrap) {
  TimestampUnwrapper unwrapper;
  EXPECT_EQ(unwrapper.unwrap(0xffffff00U), 0xffffff00LL);
  EXPECT_EQ(unwrapper.unwrap(0x100U), 0x100000100LL);
}

}  // namespace
}  // namespace sealroom
