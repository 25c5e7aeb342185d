#include "sealroom/rtp/retransmission_limiter.h"

#include <gtest/gtest.h>

namespace sealroom::rtp {
namespace {

constexpr TimePoint kStart{std::chrono::seconds(100)};
constexpr std::size_t kPacket = 1000;

std::uint64_t bytes_allowed(RetransmissionLimiter& limiter, std::uint64_t bytes_sent,
                            TimePoint now) {
  std::uint64_t allowed = 0;
  for (int i = 0; i < 10'000 && limiter.allow_bytes(kPacket, bytes_sent, now); ++i) {
    allowed += kPacket;
  }
  return allowed;
}

TEST(RetransmissionLimiter, AllowsTheFloorBeforeAnythingWasSent) {
  RetransmissionLimiter limiter;
  limiter.start(kStart);
  EXPECT_EQ(bytes_allowed(limiter, 0, kStart), RetransmissionLimiter::kFloorBytes / 1000 * 1000);
}

TEST(RetransmissionLimiter, AllowsAQuarterOfEachSecondAndTheFloor) {
  RetransmissionLimiter limiter;
  limiter.start(kStart);
  std::uint64_t sent = 0;
  std::uint64_t again = 0;
  for (int step = 0; step < 1000; ++step) {  // 10 s at 1 MB/s
    sent += 10'000;
    again += bytes_allowed(limiter, sent, kStart + step * std::chrono::milliseconds(10));
  }
  const std::uint64_t bound =
      sent / RetransmissionLimiter::kShare + 10 * RetransmissionLimiter::kFloorBytes + 250'000;
  EXPECT_LE(again, bound);
  EXPECT_GE(again, sent / RetransmissionLimiter::kShare);
}

TEST(RetransmissionLimiter, AStreamThatStoppedFallsBackToTheFloor) {
  RetransmissionLimiter limiter;
  limiter.start(kStart);
  (void)bytes_allowed(limiter, 1'000'000, kStart);
  (void)bytes_allowed(limiter, 1'000'000, kStart + std::chrono::seconds(1));
  EXPECT_LE(bytes_allowed(limiter, 1'000'000, kStart + std::chrono::seconds(2)),
            RetransmissionLimiter::kFloorBytes);
}

// A screen that stands still, then a key frame of 500 kB within 200 ms, of which a fifth is lost.
TEST(RetransmissionLimiter, ABurstIsRepairedHoweverLongItWasQuietBefore) {
  for (const int seconds : {1, 10, 60, 600, 3600}) {
    RetransmissionLimiter limiter;
    limiter.start(kStart);
    std::uint64_t sent = 0;
    TimePoint now = kStart;
    for (int i = 0; i < seconds; ++i) {
      now += std::chrono::seconds(1);
      limiter.note_sent(sent, now);
      sent += 4000;
    }
    for (int i = 0; i < 417; ++i) {
      now += std::chrono::microseconds(480);
      limiter.note_sent(sent, now);
      sent += 1200;
    }
    int allowed = 0;
    for (std::int64_t number = 0; number < 83; ++number) {
      if (limiter.allow(number, 1200, sent, now + std::chrono::milliseconds(20))) ++allowed;
    }
    EXPECT_EQ(allowed, 83) << seconds << " s";
  }
}

TEST(RetransmissionLimiter, TheSamePacketWaitsForTheRoundTrip) {
  RetransmissionLimiter limiter;
  limiter.start(kStart);
  limiter.set_round_trip_time(std::chrono::milliseconds(100));
  EXPECT_TRUE(limiter.allow(7, kPacket, 0, kStart));
  EXPECT_FALSE(limiter.allow(7, kPacket, 0, kStart + std::chrono::milliseconds(74)));
  EXPECT_TRUE(limiter.allow(8, kPacket, 0, kStart + std::chrono::milliseconds(74)));
  EXPECT_TRUE(limiter.allow(7, kPacket, 0, kStart + std::chrono::milliseconds(75)));
}

}  // namespace
}  // namespace sealroom::rtp
