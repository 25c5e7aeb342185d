#include "srtp/packet_index.h"

#include <gtest/gtest.h>

namespace sealroom::srtp {
namespace {

constexpr std::uint64_t index_of(std::uint64_t roll_over_counter, std::uint16_t sequence_number) {
  return roll_over_counter << 16 | sequence_number;
}

TEST(PacketIndex, FollowsTheNumberWithinHalfTheRange) {
  EXPECT_EQ(nearest_index(index_of(3, 100), 101), index_of(3, 101));
  EXPECT_EQ(nearest_index(index_of(3, 100), 99), index_of(3, 99));
  EXPECT_EQ(nearest_index(index_of(3, 40000), 50000), index_of(3, 50000));
  EXPECT_EQ(nearest_index(index_of(3, 40000), 10000), index_of(3, 10000));
}

TEST(PacketIndex, CrossesTheWrapForwardAndBack) {
  EXPECT_EQ(nearest_index(index_of(3, 65535), 0), index_of(4, 0));
  EXPECT_EQ(nearest_index(index_of(3, 40000), 7000), index_of(4, 7000));
  EXPECT_EQ(nearest_index(index_of(4, 0), 65535), index_of(3, 65535));
  EXPECT_EQ(nearest_index(index_of(4, 7000), 40000), index_of(3, 40000));
}

TEST(PacketIndex, JumpOfExactlyHalfTheRangeKeepsTheCounterAsInRfc3711AppendixA) {
  EXPECT_EQ(nearest_index(index_of(3, 0), 0x8000), index_of(3, 0x8000));
  EXPECT_EQ(nearest_index(index_of(3, 0x7FFF), 0xFFFF), index_of(3, 0xFFFF));
  EXPECT_EQ(nearest_index(index_of(3, 0x8000), 0), index_of(3, 0));
  EXPECT_EQ(nearest_index(index_of(3, 0xFFFF), 0x7FFF), index_of(3, 0x7FFF));
  EXPECT_EQ(nearest_index(index_of(3, 0), 0x8001), index_of(2, 0x8001));
  EXPECT_EQ(nearest_index(index_of(3, 0x8001), 0), index_of(4, 0));
}

TEST(PacketIndex, CounterNeverGoesBelowZero) {
  EXPECT_EQ(nearest_index(index_of(0, 5), 65530), index_of(0, 65530));
  EXPECT_EQ(nearest_index(index_of(0, 0), 65535), index_of(0, 65535));
}

TEST(PacketIndex, LastWrapLeavesTheRangeOfTheKey) {
  EXPECT_EQ(nearest_index(index_of(0xFFFFFFFF, 65534), 65535), kMaxRtpIndex);
  EXPECT_GT(nearest_index(index_of(0xFFFFFFFF, 65535), 0), kMaxRtpIndex);
}

}  // namespace
}  // namespace sealroom::srtp
