// How packets become frames when nothing is lost for good.

#include "sealroom/jitter/video_jitter_buffer.h"

#include <numeric>
#include <span>

#include "support/netem.h"
#include "video_packets.h"

namespace sealroom::jitter {
namespace {

TEST(VideoJitterBuffer, FrameLeavesWithItsMarkerPacketWithoutWaitingForTheNext) {
  VideoJitterBuffer buffer;
  const auto packets = make_frame(1, 100, 3, true);
  buffer.insert(packets[0].view(), at(0));
  buffer.insert(packets[1].view(), at(1));
  VideoFrame frame;
  EXPECT_FALSE(buffer.pop(frame));
  buffer.insert(packets[2].view(), at(2));
  ASSERT_TRUE(buffer.pop(frame));
  EXPECT_EQ(frame.data, bytes_of(packets));
  EXPECT_EQ(frame.timestamp.value, 3000U);
  EXPECT_EQ(frame.first_sequence_number, 100);
  EXPECT_EQ(frame.last_sequence_number, 102);
  EXPECT_TRUE(frame.is_key_frame);
  EXPECT_EQ(frame.first_packet_arrival, at(0));
  EXPECT_EQ(frame.completed_at, at(2));
  EXPECT_FALSE(buffer.pop(frame));
  EXPECT_EQ(buffer.next_timeout(), kNever);
}

TEST(VideoJitterBuffer, FrameWithoutMarkerLeavesWithTheStartOfTheNext) {
  VideoJitterBuffer buffer;
  auto packets = make_frame(1, 100, 2, true);
  packets[1].marker = false;
  insert(buffer, packets, at(0));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  insert(buffer, make_frame(2, 102, 1, false), at(33));
  EXPECT_EQ(pop_numbers(buffer), (Numbers{1, 2}));
}

TEST(VideoJitterBuffer, FrameWithoutMarkerDoesNotLeaveWhenTheNextStartsBehindAGap) {
  VideoJitterBuffer buffer;
  auto packets = make_frame(1, 100, 3, true);
  packets[2].marker = false;
  buffer.insert(packets[0].view(), at(0));
  buffer.insert(packets[1].view(), at(0));
  insert(buffer, make_frame(2, 103, 1, false), at(33));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  buffer.insert(packets[2].view(), at(40));
  EXPECT_EQ(pop_numbers(buffer), (Numbers{1, 2}));
}

TEST(VideoJitterBuffer, FrameCutOffByTheMiddleOfAnotherIsNeverEmitted) {
  VideoJitterBuffer buffer;
  auto packets = make_frame(1, 100, 2, true);
  packets[1].marker = false;
  insert(buffer, packets, at(0));
  auto headless = make_frame(2, 102, 2, false);
  headless[0].starts_frame = false;
  insert(buffer, headless, at(33));
  insert(buffer, make_frame(3, 104, 1, false), at(66));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  EXPECT_TRUE(buffer.take_key_frame_request(at(66)));
  insert(buffer, make_frame(4, 105, 2, true), at(99));
  EXPECT_EQ(pop_numbers(buffer), Numbers{4});
}

TEST(VideoJitterBuffer, FrameWithoutItsStartIsNeverEmittedEvenWithoutAGap) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 2, true), at(0));
  auto headless = make_frame(2, 102, 2, false);
  headless[0].starts_frame = false;
  insert(buffer, headless, at(33));
  EXPECT_EQ(pop_numbers(buffer), Numbers{1});
  EXPECT_TRUE(buffer.take_key_frame_request(at(33)));
}

TEST(VideoJitterBuffer, EmitsNothingBeforeTheFirstKeyFrameAndAsksForItAtOnce) {
  VideoJitterBuffer buffer;
  EXPECT_FALSE(buffer.take_key_frame_request(at(0)));
  insert(buffer, make_frame(1, 100, 2, false), at(0));
  EXPECT_TRUE(buffer.take_key_frame_request(at(0)));
  insert(buffer, make_frame(2, 102, 2, false), at(33));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  insert(buffer, make_frame(3, 104, 2, true), at(66));
  insert(buffer, make_frame(4, 106, 2, false), at(99));
  EXPECT_EQ(pop_numbers(buffer), (Numbers{3, 4}));
  EXPECT_EQ(buffer.statistics().frames_dropped, 2U);
}

TEST(VideoJitterBuffer, JoiningInTheMiddleOfAKeyFrameEmitsNoPartOfIt) {
  VideoJitterBuffer buffer;
  auto packets = make_frame(1, 100, 4, true);
  packets.erase(packets.begin());
  insert(buffer, packets, at(0));
  insert(buffer, make_frame(2, 104, 1, false), at(33));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  EXPECT_TRUE(buffer.take_key_frame_request(at(33)));
}

TEST(VideoJitterBuffer, PacketsInAnyOrderGiveTheSameFrame) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 99, 1, true), at(0));
  auto packets = make_frame(2, 100, 170, false, 1200);
  for (std::size_t i = packets.size(); i > 0; --i) buffer.insert(packets[i - 1].view(), at(1));
  VideoFrame frame;
  ASSERT_TRUE(buffer.pop(frame));
  ASSERT_TRUE(buffer.pop(frame));
  EXPECT_EQ(frame.data, bytes_of(packets));
}

TEST(VideoJitterBuffer, FramesBehindAGapWaitAndLeaveInOrderOnceItIsFilled) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 1, true), at(0));
  const auto late = make_frame(2, 101, 3, false);
  buffer.insert(late[0].view(), at(33));
  buffer.insert(late[2].view(), at(33));
  insert(buffer, make_frame(3, 104, 2, false), at(66));
  insert(buffer, make_frame(4, 106, 2, true), at(99));
  EXPECT_EQ(pop_numbers(buffer), Numbers{1});
  buffer.insert(late[1].view(), at(120));
  EXPECT_EQ(pop_numbers(buffer), (Numbers{2, 3, 4}));
  EXPECT_EQ(buffer.statistics().frames_dropped, 0U);
}

TEST(VideoJitterBuffer, PaddingFillsItsPlaceBetweenAndInsideFrames) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 1, true), at(0));
  buffer.insert(make_padding(101, 1).view(), at(1));
  buffer.insert(make_padding(102, 1).view(), at(1));
  auto split = make_frame(2, 103, 2, false);
  split[1].sequence_number = 105;
  buffer.insert(split[0].view(), at(33));
  buffer.insert(make_padding(104, 2).view(), at(33));
  buffer.insert(split[1].view(), at(33));
  VideoFrame frame;
  ASSERT_TRUE(buffer.pop(frame));
  ASSERT_TRUE(buffer.pop(frame));
  EXPECT_EQ(frame.data, bytes_of(split));
  EXPECT_EQ(frame.first_sequence_number, 103);
  EXPECT_EQ(frame.last_sequence_number, 105);
  EXPECT_EQ(take_nacks(buffer, at(33)), std::vector<int>{});
}

TEST(VideoJitterBuffer, MissingPaddingHoldsBackWhatFollows) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 1, true), at(0));
  insert(buffer, make_frame(2, 102, 1, false), at(33));
  EXPECT_EQ(pop_numbers(buffer), Numbers{1});
  buffer.insert(make_padding(101, 1).view(), at(40));
  EXPECT_EQ(pop_numbers(buffer), Numbers{2});
}

TEST(VideoJitterBuffer, EmptyPacketWithMarkerEndsItsFrame) {
  VideoJitterBuffer buffer;
  auto packets = make_frame(1, 100, 2, true);
  packets[1].payload.clear();
  insert(buffer, packets, at(0));
  VideoFrame frame;
  ASSERT_TRUE(buffer.pop(frame));
  EXPECT_EQ(frame.data, packets[0].payload);
  EXPECT_EQ(frame.last_sequence_number, 101);
}

TEST(VideoJitterBuffer, PaddingWithALaterTimestampDoesNotEndAFrame) {
  VideoJitterBuffer buffer;
  auto packets = make_frame(1, 100, 2, true);
  packets[1].marker = false;
  insert(buffer, packets, at(0));
  buffer.insert(make_padding(102, 2).view(), at(1));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  insert(buffer, make_frame(2, 103, 1, false), at(33));
  EXPECT_EQ(pop_numbers(buffer), (Numbers{1, 2}));
}

TEST(VideoJitterBuffer, SequenceNumberAndTimestampWrapInsideAFrame) {
  VideoJitterBuffer buffer;
  auto first = make_frame(0, 65533, 5, true);
  auto second = make_frame(0, 2, 2, false);
  for (TestPacket& packet : first) packet.timestamp = RtpTimestamp{0xffffff00U};
  for (TestPacket& packet : second) packet.timestamp = RtpTimestamp{0xffffff00U + 3000U};
  std::swap(first[1], first[3]);
  insert(buffer, first, at(0));
  insert(buffer, second, at(33));
  VideoFrame frame;
  ASSERT_TRUE(buffer.pop(frame));
  EXPECT_EQ(frame.first_sequence_number, 65533);
  EXPECT_EQ(frame.last_sequence_number, 1);
  std::swap(first[1], first[3]);
  EXPECT_EQ(frame.data, bytes_of(first));
  ASSERT_TRUE(buffer.pop(frame));
  EXPECT_EQ(frame.timestamp.value, 2744U);
}

TEST(VideoJitterBuffer, DuplicatesAreCountedAndChangeNothing) {
  VideoJitterBuffer buffer;
  const auto packets = make_frame(1, 100, 3, true);
  for (const TestPacket& packet : packets) {
    buffer.insert(packet.view(), at(0));
    buffer.insert(packet.view(), at(0));  // while held, and for the last one after completion
  }
  EXPECT_EQ(pop_numbers(buffer), Numbers{1});
  insert(buffer, packets, at(5));  // after pop
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  EXPECT_EQ(buffer.statistics().packets_duplicated, 6U);
  EXPECT_EQ(buffer.statistics().packets_discarded, 0U);
}

TEST(VideoJitterBuffer, WhatAPayloadOf1500BytesBecomesFits) {
  for (const auto codec : {rtp::Codec::vp8, rtp::Codec::vp9, rtp::Codec::h264, rtp::Codec::av1}) {
    EXPECT_LE(std::max<std::size_t>(1500, rtp::depacketize_scratch_size(codec, 1500)),
              VideoJitterBuffer::kMaxPayload);
  }
}

TEST(VideoJitterBuffer, PayloadOverTheLimitIsRefused) {
  VideoJitterBuffer buffer;
  const auto packets = make_frame(1, 100, 1, true, VideoJitterBuffer::kMaxPayload + 1);
  insert(buffer, packets, at(0));
  EXPECT_EQ(buffer.statistics().packets_discarded, 1U);
  insert(buffer, make_frame(2, 101, 1, true, VideoJitterBuffer::kMaxPayload), at(0));
  EXPECT_EQ(pop_numbers(buffer), Numbers{2});
}

TEST(VideoJitterBuffer, StartsOfSlicesWithinOneFrameDoNotSplitIt) {
  VideoJitterBuffer buffer;
  auto packets = make_frame(1, 100, 4, true);
  for (TestPacket& packet : packets) packet.starts_frame = true;
  insert(buffer, packets, at(0));
  VideoFrame frame;
  ASSERT_TRUE(buffer.pop(frame));
  EXPECT_EQ(frame.data, bytes_of(packets));
}

TEST(VideoJitterBuffer, KeyFrameBehindADelimiterInAPacketOfItsOwnIsOne) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 1, true), at(0));
  VideoFrame frame;
  ASSERT_TRUE(buffer.pop(frame));
  auto packets = make_frame(2, 101, 3, true);
  packets[0].is_key_frame = false;
  packets[1].starts_frame = true;
  insert(buffer, packets, at(33));
  ASSERT_TRUE(buffer.pop(frame));
  EXPECT_EQ(frame.data, bytes_of(packets));
  EXPECT_TRUE(frame.is_key_frame);
}

TEST(VideoJitterBuffer, MemoryTheCallerGivesBackBecomesALaterFrame) {
  VideoJitterBuffer buffer;
  VideoFrame frame;
  frame.data.reserve(4096);
  const std::uint8_t* const memory = frame.data.data();
  bool has_come_back = false;
  for (std::uint32_t n = 1; n <= 4; ++n) {
    insert(buffer, make_frame(n, static_cast<std::uint16_t>(100 + 3 * n), 3, true), at(0));
    ASSERT_TRUE(buffer.pop(frame));
    has_come_back = has_come_back || frame.data.data() == memory;
  }
  EXPECT_TRUE(has_come_back);
}

TEST(VideoJitterBuffer, CountsWhatWebrtcStatsCalls) {
  VideoJitterBuffer buffer;
  const auto key_frame = make_frame(1, 100, 3, true);
  buffer.insert(key_frame[0].view(), at(0));
  buffer.insert(key_frame[1].view(), at(4));
  buffer.insert(key_frame[2].view(), at(10));
  insert(buffer, make_frame(2, 103, 1, false), at(40));
  insert(buffer, make_frame(4, 106, 1, false), at(73));  // 104 and 105 are missing
  EXPECT_EQ(take_nacks(buffer, at(73)), (std::vector<int>{104, 105}));
  insert(buffer, make_frame(3, 104, 2, false), at(133));
  const VideoJitterStatistics& statistics = buffer.statistics();
  EXPECT_EQ(statistics.frames_received, 4U);
  EXPECT_EQ(statistics.key_frames_received, 1U);
  EXPECT_EQ(statistics.frames_assembled_from_multiple_packets, 2U);
  EXPECT_EQ(statistics.total_assembly_time, std::chrono::milliseconds(10));
  EXPECT_EQ(statistics.jitter_buffer_emitted_count, 4U);
  EXPECT_EQ(statistics.jitter_buffer_delay, std::chrono::milliseconds(10 + 60));
  EXPECT_EQ(statistics.nack_count, 1U);
  EXPECT_EQ(statistics.nacks_sent, 2U);
  EXPECT_EQ(statistics.freeze_count, 0U);
}

TEST(VideoJitterBuffer, LongPauseBetweenFramesIsAFreeze) {
  VideoJitterBuffer buffer;
  for (std::uint32_t n = 0; n < 60; ++n) {
    const int ms = static_cast<int>(33 * n) + (n >= 40 ? 400 : 0);
    insert(buffer, make_frame(n, static_cast<std::uint16_t>(100 + n), 1, n == 0), at(ms));
  }
  EXPECT_EQ(buffer.statistics().freeze_count, 1U);
  EXPECT_EQ(buffer.statistics().total_freezes_duration, std::chrono::milliseconds(433));
}

/// Has frames shown `intervals` ms apart.
VideoJitterStatistics show_frames(const std::vector<int>& intervals) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(0, 100, 1, true), at(0));
  int now = 0;
  std::uint32_t number = 0;
  for (const int interval : intervals) {
    now += interval;
    ++number;
    insert(buffer, make_frame(number, static_cast<std::uint16_t>(100 + number), 1, false), at(now));
    pop_numbers(buffer);
  }
  return buffer.statistics();
}

TEST(VideoJitterBuffer, AFreezeIsMeasuredByTheMeanOfTheLast30Intervals) {
  test::Random random(5);
  std::vector<int> intervals;
  std::vector<int> counted;
  std::uint64_t freezes = 0;
  Duration frozen{};
  for (int i = 0; i < 3000; ++i) {
    int interval = static_cast<int>(random.below(i < 1500 ? 60 : 300));
    if (random.chance(0.03)) interval += static_cast<int>(random.below(3000));
    intervals.push_back(interval);
    if (interval == 0) continue;  // shown together
    if (!counted.empty()) {
      const auto last = std::span(counted).last(std::min<std::size_t>(counted.size(), 30));
      const int mean_us =
          std::accumulate(last.begin(), last.end(), 0) * 1000 / static_cast<int>(last.size());
      if (interval * 1000 >= std::max(3 * mean_us, mean_us + 150'000)) {
        ++freezes;
        frozen += std::chrono::milliseconds(interval);
      }
    }
    counted.push_back(interval);
  }
  const VideoJitterStatistics statistics = show_frames(intervals);
  EXPECT_GT(freezes, 30U);
  EXPECT_EQ(statistics.freeze_count, freezes);
  EXPECT_EQ(statistics.total_freezes_duration, frozen);
}

TEST(VideoJitterBuffer, FreezesSoonAfterALongPauseAreFreezes) {
  std::vector<int> intervals(300, 33);
  intervals.push_back(600'000);
  for (int i = 0; i < 3; ++i) {
    intervals.insert(intervals.end(), 60, 33);
    intervals.push_back(1000);
  }
  EXPECT_EQ(show_frames(intervals).freeze_count, 4U);
}

TEST(VideoJitterBuffer, AStreamWhoseFirstFramesCameTogetherIsNotFrozen) {
  std::vector<int> intervals(100, 200);
  intervals.front() = 0;
  EXPECT_EQ(show_frames(intervals).freeze_count, 0U);
}

TEST(VideoJitterBuffer, PacketInTurnThatStartsNothingDoesNotHarmTheKeyFrameBehindIt) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 2, true), at(0));
  insert(buffer, make_frame(3, 103, 3, true), at(1));
  auto stray = make_frame(2, 101, 2, false);
  buffer.insert(stray[1].view(), at(2));  // 102 continues a frame that never began
  EXPECT_EQ(pop_numbers(buffer), (Numbers{1, 3}));
}

}  // namespace
}  // namespace sealroom::jitter
