// What a peer or a reader that misbehaves can make the buffer hold.

#include "support/allocation_counter.h"
#include "support/netem.h"
#include "video_packets.h"

namespace sealroom::jitter {
namespace {

constexpr std::size_t kPayload = 1000;

struct Popped {
  std::vector<std::uint32_t> numbers;
  std::size_t bytes = 0;
};

Popped pop_all(VideoJitterBuffer& buffer) {
  Popped popped;
  VideoFrame frame;
  while (buffer.pop(frame)) {
    popped.numbers.push_back(frame.timestamp.value / 3000);
    popped.bytes += frame.data.size();
  }
  return popped;
}

TEST(VideoJitterBounds, ReaderThatNeverReadsCostsNoMoreThanThePacketLimit) {
  VideoJitterBuffer buffer({.max_packets = 256});
  for (std::uint32_t n = 0; n < 1000; ++n) {  // a key frame every 16 frames
    insert(buffer, make_frame(n, static_cast<std::uint16_t>(4 * n), 4, n % 16 == 0, kPayload),
           at(static_cast<int>(33 * n)));
  }
  const Popped popped = pop_all(buffer);
  EXPECT_LE(popped.bytes, 256 * kPayload);
  EXPECT_GE(popped.numbers.size(), 32U);
  EXPECT_EQ(popped.numbers.front() % 16, 0U);  // goes on with a key frame
  EXPECT_EQ(popped.numbers.back(), 999U);      // drops the oldest
  EXPECT_EQ(popped.numbers.back() - popped.numbers.front() + 1, popped.numbers.size());
  const VideoJitterStatistics& statistics = buffer.statistics();
  EXPECT_EQ(statistics.frames_delivered + statistics.frames_dropped, 1000U);
}

TEST(VideoJitterBounds, ReaderThatNeverReadsCostsNoMoreThanTheByteLimit) {
  VideoJitterBuffer buffer({.max_bytes = 50'000});
  for (std::uint32_t n = 0; n < 500; ++n) {
    insert(buffer, make_frame(n, static_cast<std::uint16_t>(4 * n), 4, n % 4 == 0, kPayload),
           at(static_cast<int>(33 * n)));
  }
  const Popped popped = pop_all(buffer);
  EXPECT_LE(popped.bytes, 50'000U);
  EXPECT_GE(popped.bytes, 30'000U);
}

// What is counted is the size of the frames.
TEST(VideoJitterBounds, SmallFramesDoNotHoldTheMemoryOfALargeOne) {
  for (const bool gives_memory_back : {false, true}) {
    VideoJitterBuffer buffer;
    std::vector<VideoFrame> frames(1);
    std::uint16_t sequence = 0;
    for (std::uint32_t n = 0; n < 60; ++n) {
      const int count = n % 20 == 0 ? 500 : 1 + static_cast<int>(n % 3);
      insert(buffer, make_frame(n, sequence, count, n == 0, kPayload), at(static_cast<int>(n)));
      sequence = static_cast<std::uint16_t>(sequence + count);
      if (!gives_memory_back) frames.emplace_back();
      ASSERT_TRUE(buffer.pop(frames.back()));
      ASSERT_EQ(frames.back().data.size(), static_cast<std::size_t>(count) * kPayload);
      ASSERT_LE(frames.back().data.capacity(), 2 * frames.back().data.size() + 4096);
    }
  }
}

TEST(VideoJitterBounds, OverflowWithoutAKeyFrameToGoOnFromAsksForOne) {
  VideoJitterBuffer buffer({.max_packets = 64});
  for (std::uint32_t n = 0; n < 100; ++n) {
    insert(buffer, make_frame(n, static_cast<std::uint16_t>(n), 1, n == 0), at(0));
  }
  EXPECT_TRUE(buffer.take_key_frame_request(at(0)));
  EXPECT_EQ(pop_all(buffer).numbers, Numbers{});
  insert(buffer, make_frame(100, 100, 1, true), at(1));
  EXPECT_EQ(pop_all(buffer).numbers, Numbers{100});
}

TEST(VideoJitterBounds, FrameLargerThanTheBufferIsDroppedAndTheStreamGoesOn) {
  for (const VideoJitterConfig& config :
       {VideoJitterConfig{.max_packets = 64}, VideoJitterConfig{.max_bytes = 60'000}}) {
    VideoJitterBuffer buffer(config);
    insert(buffer, make_frame(1, 100, 1, true, kPayload), at(0));
    EXPECT_EQ(pop_all(buffer).numbers, Numbers{1});
    insert(buffer, make_frame(2, 101, 500, false, kPayload), at(33));
    EXPECT_EQ(pop_all(buffer).numbers, Numbers{});
    EXPECT_TRUE(buffer.take_key_frame_request(at(33)));
    insert(buffer, make_frame(3, 601, 20, true, kPayload), at(66));
    insert(buffer, make_frame(4, 621, 1, false, kPayload), at(99));
    EXPECT_EQ(pop_all(buffer).numbers, (Numbers{3, 4}));
  }
}

TEST(VideoJitterBounds, KeyFrameThatNeverEndsDoesNotGrowTheBuffer) {
  VideoJitterBuffer buffer;
  TestPacket packet = make_frame(1, 0, 1, true, kPayload)[0];
  packet.marker = false;
  std::size_t allocations = 0;
  for (int i = 0; i < 20'000; ++i) {
    packet.sequence_number = static_cast<std::uint16_t>(i);
    packet.starts_frame = i == 0;
    buffer.insert(packet.view(), at(i));
    if (i == 5000) allocations = test::allocation_count();
  }
  EXPECT_EQ(test::allocation_count(), allocations);
  insert(buffer, make_frame(2, 20'000, 2, true), at(20'000));
  EXPECT_EQ(pop_all(buffer).numbers, Numbers{2});
}

TEST(VideoJitterBounds, KeyFrameThatNeverComesHoldsOnlyTheLastHalfSecond) {
  VideoJitterBuffer buffer;
  TestPacket packet = make_frame(1, 0, 1, false, kPayload)[0];
  const std::size_t before = test::allocation_count();
  for (int i = 0; i < 20'000; ++i) {  // 100 packets/s
    packet.sequence_number = static_cast<std::uint16_t>(i);
    packet.timestamp.value = static_cast<std::uint32_t>(i) * 900;
    buffer.insert(packet.view(), at(10 * i));
    std::array<std::uint16_t, 8> out{};
    buffer.take_nacks(at(10 * i), out);
    buffer.take_key_frame_request(at(10 * i));
  }
  // 50 packets of 1500 bytes lie in four chunks of 16; with the tables that is a handful of pieces.
  EXPECT_LE(test::allocation_count() - before, 16U);
  EXPECT_GE(buffer.statistics().frames_dropped, 19'900U);
  EXPECT_EQ(buffer.statistics().key_frame_requests, 400U);
}

TEST(VideoJitterBounds, PaddingAloneIsNotKept) {
  VideoJitterBuffer buffer({.max_packets = 64});
  insert(buffer, make_frame(1, 0, 1, true), at(0));
  pop_all(buffer);
  for (std::uint16_t i = 1; i <= 1000; ++i) buffer.insert(make_padding(i, 1).view(), at(i));
  EXPECT_FALSE(buffer.take_key_frame_request(at(1000)));
  insert(buffer, make_frame(2, 1001, 1, false), at(1001));
  EXPECT_EQ(pop_all(buffer).numbers, Numbers{2});
}

TEST(VideoJitterBounds, EveryPacketAKeyFrameStartIsStillBounded) {
  VideoJitterBuffer buffer({.max_packets = 512});
  TestPacket packet = make_frame(1, 0, 1, true, kPayload)[0];
  packet.marker = false;
  for (int i = 0; i < 30'000; ++i) {  // every other packet missing: none of them ever completes
    packet.sequence_number = static_cast<std::uint16_t>(2 * i);
    packet.timestamp.value = static_cast<std::uint32_t>(i) * 90;
    buffer.insert(packet.view(), at(i));
    EXPECT_GT(buffer.next_timeout(), at(i));
  }
  EXPECT_EQ(pop_all(buffer).numbers, Numbers{});
}

// No state of the buffer may trap, emit something torn or stop its clock, whatever a peer sends.
TEST(VideoJitterBounds, ArbitraryPacketsNeverBreakTheBuffer) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    test::Random random(seed);
    VideoJitterConfig config{.max_packets = 64, .max_bytes = 40'000, .nack_max_packets = 16};
    if (seed % 3 == 0) config = {.max_packets = 0, .max_bytes = 0, .nack_max_packets = 0};
    if (seed % 3 == 1) config.nack_max_tries = static_cast<int>(seed % 4);
    VideoJitterBuffer buffer(config);
    TimePoint now = at(0);
    std::uint16_t sequence = static_cast<std::uint16_t>(random.next());
    std::uint32_t timestamp = static_cast<std::uint32_t>(random.next());
    const Bytes payload(1600, 7);
    VideoFrame frame;
    for (int i = 0; i < 5000; ++i) {
      now += Duration(static_cast<Duration::rep>(random.below(20'000)));
      sequence = static_cast<std::uint16_t>(sequence + random.below(3));
      if (random.chance(0.2)) timestamp += 3000;
      VideoPacket packet;
      packet.sequence_number = sequence;
      if (random.chance(0.1))
        packet.sequence_number -= static_cast<std::uint16_t>(random.below(99));
      if (random.chance(0.002)) packet.sequence_number = static_cast<std::uint16_t>(random.next());
      packet.timestamp.value = timestamp;
      packet.marker = random.chance(0.3);
      packet.starts_frame = random.chance(0.4);
      packet.is_key_frame = random.chance(0.5);
      packet.payload = ByteView(payload).first(random.chance(0.1) ? 0 : random.below(1600));
      buffer.insert(packet, now);
      ASSERT_GT(buffer.next_timeout(), now);
      if (random.chance(0.05)) {
        buffer.insert_unusable(static_cast<std::uint16_t>(sequence + random.below(4) - 2), now);
        ASSERT_GT(buffer.next_timeout(), now);
      }
      std::array<std::uint16_t, 4> out{};
      if (random.chance(0.5)) buffer.take_nacks(now, out);
      if (random.chance(0.5)) buffer.take_key_frame_request(now);
      if (random.chance(0.01)) buffer.require_key_frame();
      if (random.chance(0.3)) {
        buffer.handle_timeout(now);
        ASSERT_GT(buffer.next_timeout(), now);
      }
      while (random.chance(0.5) && buffer.pop(frame)) {
        ASSERT_FALSE(frame.data.empty());
      }
    }
    const VideoJitterStatistics& statistics = buffer.statistics();
    ASSERT_EQ(statistics.packets_received, 5000U);
    ASSERT_LE(pop_all(buffer).bytes, 40'000U);
  }
}

}  // namespace
}  // namespace sealroom::jitter
