#include "sealroom/rtp/retransmission_limiter.h"

#include <gtest/gtest.h>

namespace sealroom::rtp {
namespace {

constexpr TimePoint kStart{std::chrono::seconds(100)};
constexpr std::size_t kPacket = 1000;

constexpr std::size_t kCost = kPacket + RetransmissionLimiter::kPacketOverhead;

/// Packets of kPacket bytes.
std::uint64_t allowed(RetransmissionLimiter& limiter, TimePoint now) {
  std::uint64_t packets = 0;
  while (packets < 10'000 && limiter.allow_bytes(kPacket, now)) ++packets;
  return packets;
}

void send(RetransmissionLimiter& limiter, int packets, TimePoint now) {
  for (int i = 0; i < packets; ++i) limiter.note_sent(kPacket, now);
}

TEST(RetransmissionLimiter, AllowsTheFloorBeforeAnythingWasSent) {
  RetransmissionLimiter limiter;
  EXPECT_EQ(allowed(limiter, kStart), RetransmissionLimiter::kFloorBytes / kCost);
}

TEST(RetransmissionLimiter, AllowsAQuarterOfEachSecondAndTheFloor) {
  RetransmissionLimiter limiter;
  std::uint64_t sent = 0;
  std::uint64_t again = 0;
  for (int step = 0; step < 1000; ++step) {  // 10 s of 1000 packets a second
    const TimePoint now = kStart + step * std::chrono::milliseconds(10);
    send(limiter, 10, now);
    sent += 10;
    again += allowed(limiter, now);
  }
  const std::uint64_t floor = RetransmissionLimiter::kFloorBytes / kCost + 1;
  EXPECT_LE(again, sent / RetransmissionLimiter::kShare + 10 * floor + 250);
  EXPECT_GE(again, sent / RetransmissionLimiter::kShare);
}

TEST(RetransmissionLimiter, AStreamThatStoppedFallsBackToTheFloor) {
  RetransmissionLimiter limiter;
  send(limiter, 1000, kStart);
  (void)allowed(limiter, kStart);
  (void)allowed(limiter, kStart + std::chrono::seconds(1));
  EXPECT_LE(allowed(limiter, kStart + std::chrono::seconds(2)),
            RetransmissionLimiter::kFloorBytes / kCost);
}

// A packet costs what IP and UDP add even where it holds nothing.
TEST(RetransmissionLimiter, EmptyPacketsAreBoundedToo) {
  RetransmissionLimiter limiter;
  int packets = 0;
  while (packets < 10'000 && limiter.allow_bytes(0, kStart)) ++packets;
  EXPECT_EQ(static_cast<std::size_t>(packets),
            RetransmissionLimiter::kFloorBytes / RetransmissionLimiter::kPacketOverhead);
}

// A screen that stands still, then a key frame of 500 kB within 200 ms, of which a fifth is lost.
TEST(RetransmissionLimiter, ABurstIsRepairedHoweverLongItWasQuietBefore) {
  for (const int seconds : {1, 10, 60, 600, 3600}) {
    RetransmissionLimiter limiter(128);
    TimePoint now = kStart;
    for (int i = 0; i < seconds; ++i) {
      now += std::chrono::seconds(1);
      for (int packet = 0; packet < 4; ++packet) limiter.note_sent(kPacket, now);
    }
    for (int i = 0; i < 417; ++i) {
      now += std::chrono::microseconds(480);
      limiter.note_sent(1200, now);
    }
    int count = 0;
    for (std::int64_t number = 0; number < 83; ++number) {
      if (limiter.allow(number, 1200, now + std::chrono::milliseconds(20))) ++count;
    }
    EXPECT_EQ(count, 83) << seconds << " s";
  }
}

TEST(RetransmissionLimiter, TheSamePacketWaitsForTheRoundTrip) {
  RetransmissionLimiter limiter(16);
  limiter.set_round_trip_time(std::chrono::milliseconds(100));
  const auto after = [](int milliseconds) {
    return kStart + std::chrono::milliseconds(milliseconds);
  };
  EXPECT_TRUE(limiter.allow(7, kPacket, kStart));
  EXPECT_FALSE(limiter.allow(7, kPacket, after(74)));
  EXPECT_TRUE(limiter.allow(8, kPacket, after(74)));
  EXPECT_TRUE(limiter.allow(7, kPacket, after(75)));
}

// Of as many packets as it remembers none takes another's place.
TEST(RetransmissionLimiter, ThatHoldsForEachPacketOfTheCache) {
  RetransmissionLimiter limiter(2048);
  for (int i = 0; i < 10'000; ++i) limiter.note_sent(kPacket, kStart);
  for (std::int64_t number = -5; number < 2043; ++number) {
    ASSERT_TRUE(limiter.allow(number, 100, kStart));
  }
  for (std::int64_t number = -5; number < 2043; ++number) {
    ASSERT_FALSE(limiter.allow(number, 100, kStart));
  }
}

}  // namespace
}  // namespace sealroom::rtp
