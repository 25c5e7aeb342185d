#include "sealroom/jitter/audio_jitter_buffer.h"

#include <gtest/gtest.h>

#include <vector>

namespace sealroom::jitter {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kStep = 960;  // 20 ms at 48 kHz

TimePoint at(int ms) { return TimePoint(milliseconds(ms)); }

/// Packet `number` of an even stream; its payload tells its number.
void insert(AudioJitterBuffer& buffer, int number, int ms, std::uint16_t first_sequence = 0,
            std::uint32_t first_timestamp = 0) {
  const Bytes payload{static_cast<std::uint8_t>(number), static_cast<std::uint8_t>(number >> 8)};
  buffer.insert(
      {.sequence_number = static_cast<std::uint16_t>(first_sequence + number),
       .timestamp = RtpTimestamp{first_timestamp + static_cast<std::uint32_t>(number) * kStep},
       .payload = payload},
      at(ms));
}

struct Popped {
  int number;
  bool is_missing;
  friend bool operator==(const Popped&, const Popped&) = default;
};

/// By sequence number less `first_sequence`; the content must agree with it.
std::vector<Popped> pop_all(AudioJitterBuffer& buffer, std::uint16_t first_sequence = 0) {
  std::vector<Popped> popped;
  AudioFrame frame;
  while (buffer.pop(frame)) {
    const auto number = static_cast<std::uint16_t>(frame.sequence_number - first_sequence);
    popped.push_back({number, frame.is_missing});
    if (frame.is_missing) {
      EXPECT_TRUE(frame.data.empty());
    } else {
      EXPECT_EQ(frame.data,
                (Bytes{static_cast<std::uint8_t>(number), static_cast<std::uint8_t>(number >> 8)}));
    }
  }
  return popped;
}

using Frames = std::vector<Popped>;

/// After a second of even packets the target is at its minimum; returns the number of the next
/// packet.
int settle(AudioJitterBuffer& buffer) {
  for (int i = 0; i < 100; ++i) insert(buffer, i, 20 * i);
  pop_all(buffer);
  EXPECT_EQ(buffer.statistics().target_delay, milliseconds(20));
  return 100;
}

TEST(AudioJitterBuffer, PacketInOrderLeavesAtOnce) {
  AudioJitterBuffer buffer;
  for (int i = 0; i < 5; ++i) {
    insert(buffer, i, 20 * i);
    EXPECT_EQ(pop_all(buffer), (Frames{{i, false}}));
    EXPECT_EQ(buffer.next_timeout(), kNever);
  }
}

TEST(AudioJitterBuffer, FrameCarriesTimestampAndArrival) {
  AudioJitterBuffer buffer;
  insert(buffer, 3, 61, 65534, 0xfffffff0U);
  AudioFrame frame;
  ASSERT_TRUE(buffer.pop(frame));
  EXPECT_EQ(frame.sequence_number, 1);
  EXPECT_EQ(frame.timestamp.value, 3 * kStep - 16);
  EXPECT_EQ(frame.arrival, at(61));
}

TEST(AudioJitterBuffer, ReorderedPacketFillsTheGapAndBothLeave) {
  AudioJitterBuffer buffer;
  insert(buffer, 0, 0);
  insert(buffer, 2, 40);
  EXPECT_EQ(pop_all(buffer), (Frames{{0, false}}));
  insert(buffer, 1, 45);
  EXPECT_EQ(pop_all(buffer), (Frames{{1, false}, {2, false}}));
  EXPECT_EQ(buffer.statistics().packets_lost, 0U);
}

TEST(AudioJitterBuffer, GapLeavesAsMissingExactlyWhenTheTargetDelayIsOver) {
  AudioJitterBuffer buffer;
  const int n = settle(buffer);
  insert(buffer, n + 2, 2040);
  EXPECT_EQ(buffer.next_timeout(), at(2060));
  buffer.handle_timeout(at(2059));
  EXPECT_EQ(pop_all(buffer), Frames{});
  buffer.handle_timeout(at(2060));
  EXPECT_EQ(buffer.next_timeout(), kNever);
  EXPECT_EQ(pop_all(buffer), (Frames{{n, true}, {n + 1, true}, {n + 2, false}}));
  EXPECT_EQ(buffer.statistics().packets_lost, 2U);
}

TEST(AudioJitterBuffer, MissingFramesGetTimestampsBetweenTheirNeighbours) {
  AudioJitterBuffer buffer;
  const int n = settle(buffer);
  insert(buffer, n + 3, 2060);
  buffer.handle_timeout(at(2080));
  AudioFrame frame;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(buffer.pop(frame));
    EXPECT_EQ(frame.timestamp.value, static_cast<std::uint32_t>(n + i) * kStep);
  }
}

TEST(AudioJitterBuffer, EveryPacketWaitsFromItsOwnArrival) {
  AudioJitterBuffer buffer;
  const int n = settle(buffer);
  insert(buffer, n + 1, 2020);  // behind gap n
  insert(buffer, n + 3, 2035);  // behind gap n + 2
  EXPECT_EQ(buffer.next_timeout(), at(2040));
  buffer.handle_timeout(at(2040));
  EXPECT_EQ(pop_all(buffer), (Frames{{n, true}, {n + 1, false}}));
  EXPECT_EQ(buffer.next_timeout(), at(2055));
  buffer.handle_timeout(at(2055));
  EXPECT_EQ(pop_all(buffer), (Frames{{n + 2, true}, {n + 3, false}}));
}

TEST(AudioJitterBuffer, EarliestArrivalBehindTwoGapsReleasesBoth) {
  AudioJitterBuffer buffer;
  const int n = settle(buffer);
  insert(buffer, n + 3, 2020);
  insert(buffer, n + 1, 2030);
  buffer.handle_timeout(at(2040));
  EXPECT_EQ(pop_all(buffer), (Frames{{n, true}, {n + 1, false}, {n + 2, true}, {n + 3, false}}));
}

TEST(AudioJitterBuffer, HandsOutAtMostTenMissingFramesPerGap) {
  AudioJitterBuffer buffer;
  const int n = settle(buffer);
  insert(buffer, n + 50, 3000);
  buffer.handle_timeout(at(4000));
  const Frames popped = pop_all(buffer);
  ASSERT_EQ(popped.size(), 11U);
  EXPECT_EQ(popped[9], (Popped{n + 9, true}));
  EXPECT_EQ(popped[10], (Popped{n + 50, false}));
  EXPECT_EQ(buffer.statistics().packets_lost, 50U);
}

TEST(AudioJitterBuffer, LatePacketTakesItsPlaceUnlessReadPast) {
  AudioJitterBuffer buffer;
  const int n = settle(buffer);
  insert(buffer, n + 1, 2020);
  buffer.handle_timeout(at(2040));
  insert(buffer, n, 2045);
  EXPECT_EQ(pop_all(buffer), (Frames{{n, false}, {n + 1, false}}));

  insert(buffer, n + 3, 2060);
  buffer.handle_timeout(at(2200));
  EXPECT_EQ(pop_all(buffer), (Frames{{n + 2, true}, {n + 3, false}}));
  insert(buffer, n + 2, 2210);
  EXPECT_EQ(pop_all(buffer), Frames{});
  EXPECT_EQ(buffer.statistics().packets_discarded, 1U);
}

TEST(AudioJitterBuffer, DuplicatesAreCountedBeforeAndAfterTheyLeft) {
  AudioJitterBuffer buffer;
  insert(buffer, 0, 0);
  insert(buffer, 0, 0);
  pop_all(buffer);
  insert(buffer, 0, 1);
  EXPECT_EQ(pop_all(buffer), Frames{});
  EXPECT_EQ(buffer.statistics().packets_duplicated, 2U);
}

TEST(AudioJitterBuffer, SequenceAndTimestampWrapWithAGapAcrossTheWrap) {
  AudioJitterBuffer buffer;
  constexpr std::uint16_t kFirst = 65530;
  constexpr std::uint32_t kFirstTimestamp = 0xffffffffU - 5 * kStep;
  for (int i = 0; i < 5; ++i) insert(buffer, i, 20 * i, kFirst, kFirstTimestamp);
  pop_all(buffer, kFirst);
  insert(buffer, 8, 160, kFirst, kFirstTimestamp);
  buffer.handle_timeout(at(400));
  AudioFrame frame;
  for (int i = 5; i <= 8; ++i) {
    ASSERT_TRUE(buffer.pop(frame));
    EXPECT_EQ(frame.is_missing, i != 8);
    EXPECT_EQ(frame.sequence_number, static_cast<std::uint16_t>(kFirst + i));
    EXPECT_EQ(frame.timestamp.value, kFirstTimestamp + static_cast<std::uint32_t>(i) * kStep);
  }
}

TEST(AudioJitterBuffer, PaddingFillsItsPlaceWithoutBeingAFrame) {
  AudioJitterBuffer buffer;
  insert(buffer, 0, 0);
  buffer.insert({.sequence_number = 1, .timestamp = RtpTimestamp{0}, .payload = {}}, at(1));
  buffer.insert({.sequence_number = 2, .timestamp = RtpTimestamp{kStep}, .payload = Bytes{2, 0}},
                at(20));
  EXPECT_EQ(pop_all(buffer), (Frames{{0, false}, {2, false}}));
}

TEST(AudioJitterBuffer, PauseInTimestampsIsNoGap) {
  AudioJitterBuffer buffer;
  buffer.insert({.sequence_number = 1, .timestamp = RtpTimestamp{0}, .payload = Bytes{1, 0}},
                at(0));
  buffer.insert({.sequence_number = 2, .timestamp = RtpTimestamp{48000}, .payload = Bytes{2, 0}},
                at(1000));  // Opus DTX
  EXPECT_EQ(pop_all(buffer), (Frames{{1, false}, {2, false}}));
}

TEST(AudioJitterBuffer, LargeJumpRestartsTheStream) {
  AudioJitterBuffer buffer;
  settle(buffer);
  insert(buffer, 5000, 3000);
  insert(buffer, 5001, 3020);
  EXPECT_EQ(pop_all(buffer), (Frames{{5000, false}, {5001, false}}));
  EXPECT_EQ(buffer.statistics().packets_lost, 0U);
}

TEST(AudioJitterBuffer, OldPacketsDoNotRestartTheStreamUnlessTheyAloneComeForASecond) {
  AudioJitterBuffer buffer;
  insert(buffer, 20000, 0);
  for (int i = 0; i < 9; ++i) insert(buffer, i, 10);
  insert(buffer, 20001, 20);
  EXPECT_EQ(pop_all(buffer), (Frames{{20000, false}, {20001, false}}));
  for (int i = 5; i < 60; ++i) insert(buffer, i, 20 * i);
  const Frames popped = pop_all(buffer);
  ASSERT_FALSE(popped.empty());
  EXPECT_EQ(popped.front(), (Popped{51, false}));
  EXPECT_EQ(popped.back(), (Popped{59, false}));
}

TEST(AudioJitterBuffer, ReaderThatNeverReadsLosesTheOldest) {
  AudioJitterBuffer buffer;
  for (int i = 0; i < 2000; ++i) insert(buffer, i, 20 * i);
  const Frames popped = pop_all(buffer);
  ASSERT_EQ(popped.size(), 256U);
  EXPECT_EQ(popped.front(), (Popped{1744, false}));
  EXPECT_EQ(popped.back(), (Popped{1999, false}));
  EXPECT_EQ(buffer.statistics().packets_discarded, 1744U);
}

TEST(AudioJitterBuffer, HoldsNoMoreThanItsBytes) {
  AudioJitterBuffer buffer({.max_bytes = 10'000});
  const Bytes payload(1000, 1);
  for (int i = 0; i < 100; ++i) {
    buffer.insert({.sequence_number = static_cast<std::uint16_t>(i), .payload = payload}, at(i));
  }
  AudioFrame frame;
  int frames = 0;
  while (buffer.pop(frame)) ++frames;
  EXPECT_EQ(frames, 10);
}

TEST(AudioJitterBuffer, PayloadOverTheLimitIsRefused) {
  AudioJitterBuffer buffer;
  const Bytes payload(AudioJitterBuffer::kMaxPayload + 1, 1);
  buffer.insert({.sequence_number = 1, .payload = payload}, at(0));
  EXPECT_EQ(pop_all(buffer), Frames{});
  EXPECT_EQ(buffer.statistics().packets_discarded, 1U);
}

}  // namespace
}  // namespace sealroom::jitter
