#include "sealroom/rtp/packet_history.h"

#include <gtest/gtest.h>

#include "rtp/support.h"

namespace sealroom::rtp {
namespace {

using std::chrono::milliseconds;
using test::to_bytes;

constexpr TimePoint kStart{};
constexpr Duration kRoundTrip = milliseconds(100);

Bytes packet(std::uint16_t sequence_number, std::size_t size = 20) {
  Bytes bytes(size, static_cast<std::uint8_t>(sequence_number));
  return bytes;
}

bool has(PacketHistory& history, std::uint16_t sequence_number) {
  return !history.take_for_retransmission(sequence_number, Duration{0}, kStart).empty();
}

TEST(PacketHistory, GivesBackWhatItStored) {
  PacketHistory history(16);
  history.store(7, packet(7, PacketHistory::kMaxPacket), kStart);
  history.store(8, packet(8, 1), kStart);
  EXPECT_EQ(to_bytes(history.take_for_retransmission(7, kRoundTrip, kStart)), packet(7, 1500));
  EXPECT_EQ(to_bytes(history.take_for_retransmission(8, kRoundTrip, kStart)), packet(8, 1));
  EXPECT_TRUE(history.take_for_retransmission(9, kRoundTrip, kStart).empty());
}

TEST(PacketHistory, KeepsTheLastPacketsAcrossTheWrap) {
  PacketHistory history(8);
  for (std::uint16_t n = 65500; n != 4; ++n) history.store(n, packet(n), kStart);
  for (std::uint16_t n = 65532; n != 4; ++n) {
    EXPECT_EQ(to_bytes(history.take_for_retransmission(n, Duration{0}, kStart)), packet(n)) << n;
  }
  EXPECT_FALSE(has(history, 65531));
  EXPECT_FALSE(has(history, 4));
}

TEST(PacketHistory, CapacityIsRoundedUpAndBounded) {
  PacketHistory five(5);
  for (std::uint16_t n = 0; n < 100; ++n) five.store(n, packet(n), kStart);
  EXPECT_TRUE(has(five, 92));
  EXPECT_FALSE(has(five, 91));
  PacketHistory none(0);
  none.store(3, packet(3), kStart);
  EXPECT_TRUE(has(none, 3));
  PacketHistory huge(1000000);
  for (std::uint16_t n = 0; n < 10000; ++n) huge.store(n, packet(n), kStart);
  EXPECT_TRUE(has(huge, 10000 - 8192));
  EXPECT_FALSE(has(huge, 10000 - 8193));
}

TEST(PacketHistory, AnswersARepeatedNackOncePerInterval) {
  PacketHistory history(16);
  history.store(1, packet(1), kStart);
  const auto answered = [&](Duration at) {
    return !history.take_for_retransmission(1, kRoundTrip, kStart + at).empty();
  };
  EXPECT_TRUE(answered(milliseconds(1)));  // the first NACK may come at once
  EXPECT_FALSE(answered(milliseconds(100)));
  EXPECT_TRUE(answered(milliseconds(101)));
  EXPECT_FALSE(answered(milliseconds(200)));
  EXPECT_TRUE(answered(milliseconds(201)));
}

TEST(PacketHistory, StoringANumberAgainForgetsItsRetransmission) {
  PacketHistory history(16);
  history.store(1, packet(1), kStart);
  EXPECT_TRUE(has(history, 1));
  history.store(1, packet(9), kStart);
  EXPECT_EQ(to_bytes(history.take_for_retransmission(1, kRoundTrip, kStart)), packet(9));
}

TEST(PacketHistory, OversizedPacketIsNotKeptAndHidesNothingElse) {
  PacketHistory history(4);
  history.store(1, packet(1), kStart);
  history.store(2, packet(2, PacketHistory::kMaxPacket + 1), kStart);
  EXPECT_TRUE(has(history, 1));
  EXPECT_FALSE(has(history, 2));
}

TEST(PacketHistory, PacketOfThePreviousCycleIsNotGivenOut) {
  PacketHistory history(4);
  history.store(2, packet(2), kStart);
  // A whole cycle in which, by loss, nothing hit that slot again, and then 2 is lost again.
  for (std::uint32_t n = 3; n <= 65536 + 3; ++n) {
    if (n % 4 != 2) history.store(static_cast<std::uint16_t>(n), packet(1), kStart);
  }
  EXPECT_TRUE(has(history, 1));
  EXPECT_FALSE(has(history, 2));
  EXPECT_TRUE(has(history, 3));
}

TEST(PacketHistory, LateStoreKeepsTheNewerOnes) {
  PacketHistory history(8);
  for (const std::uint16_t n : std::array<std::uint16_t, 4>{10, 12, 13, 11})
    history.store(n, packet(n), kStart);
  for (const std::uint16_t n : std::array<std::uint16_t, 4>{10, 11, 12, 13})
    EXPECT_TRUE(has(history, n)) << n;
}

TEST(PacketHistory, FollowsAStreamThatStartsAgainElsewhere) {
  PacketHistory history(8);
  for (std::uint16_t n = 30000; n < 30010; ++n) history.store(n, packet(n), kStart);
  for (std::uint16_t n = 100; n < 104; ++n) history.store(n, packet(n), kStart);
  for (std::uint16_t n = 100; n < 104; ++n) EXPECT_TRUE(has(history, n)) << n;
  for (std::uint16_t n = 104; n < 108; ++n) history.store(n, packet(n), kStart);
  EXPECT_FALSE(has(history, 30009));
}

}  // namespace
}  // namespace sealroom::rtp
