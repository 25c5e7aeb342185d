// Gaps: asking for packets, giving up, key frames, restarts, and the timers of all that.

#include "video_packets.h"

namespace sealroom::jitter {
namespace {

/// Frame 1 is out, packet 101 is lost for good, frames 2 and 3 wait behind it.
VideoJitterBuffer with_a_gap(VideoJitterConfig config = {}) {
  VideoJitterBuffer buffer(config);
  insert(buffer, make_frame(1, 100, 1, true), at(0));
  EXPECT_EQ(pop_numbers(buffer), Numbers{1});
  insert(buffer, make_frame(2, 102, 2, false), at(33));
  insert(buffer, make_frame(3, 104, 2, false), at(66));
  return buffer;
}

TEST(VideoJitterLoss, GapIsAskedForAtOnceAndAgainEveryRoundTrip) {
  VideoJitterBuffer buffer;
  buffer.set_round_trip_time(std::chrono::milliseconds(50));
  insert(buffer, make_frame(1, 100, 1, true), at(0));
  insert(buffer, make_frame(2, 103, 1, false), at(33));
  EXPECT_EQ(take_nacks(buffer, at(33)), (std::vector<int>{101, 102}));
  EXPECT_EQ(buffer.next_timeout(), at(83));
  buffer.handle_timeout(at(83));
  EXPECT_EQ(take_nacks(buffer, at(83)), (std::vector<int>{101, 102}));
  EXPECT_EQ(buffer.statistics().nacks_sent, 4U);
}

TEST(VideoJitterLoss, RecoveredPacketIsCountedAndReleasesTheFramesBehind) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 1, true), at(0));
  const auto lost = make_frame(2, 101, 1, false);
  insert(buffer, make_frame(3, 102, 1, false), at(33));
  EXPECT_EQ(take_nacks(buffer, at(33)), std::vector<int>{101});
  insert(buffer, lost, at(80));
  EXPECT_EQ(pop_numbers(buffer), (Numbers{1, 2, 3}));
  EXPECT_EQ(buffer.statistics().packets_recovered, 1U);
  EXPECT_EQ(buffer.statistics().packets_lost, 0U);
  EXPECT_EQ(buffer.next_timeout(), kNever);
}

TEST(VideoJitterLoss, ReorderedPacketIsNotCountedAsRecovered) {
  VideoJitterBuffer buffer;
  const auto packets = make_frame(1, 100, 3, true);
  buffer.insert(packets[0].view(), at(0));
  buffer.insert(packets[2].view(), at(0));
  buffer.insert(packets[1].view(), at(0));
  EXPECT_EQ(take_nacks(buffer, at(0)), std::vector<int>{});
  EXPECT_EQ(buffer.statistics().packets_recovered, 0U);
}

TEST(VideoJitterLoss, GapIsGivenUpAfterTheWaitAndAKeyFrameAskedForInTheSameMoment) {
  VideoJitterBuffer buffer = with_a_gap();
  buffer.handle_timeout(at(532));
  EXPECT_FALSE(buffer.take_key_frame_request(at(532)));
  buffer.handle_timeout(at(533));  // 500 ms after the gap was seen
  EXPECT_TRUE(buffer.take_key_frame_request(at(533)));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  EXPECT_EQ(buffer.statistics().packets_lost, 1U);
}

TEST(VideoJitterLoss, GapIsGivenUpOneRoundTripAfterTheLastTry) {
  VideoJitterBuffer buffer = with_a_gap({.nack_max_tries = 3});
  buffer.set_round_trip_time(std::chrono::milliseconds(20));
  for (const int time : {66, 86, 106}) {
    buffer.handle_timeout(at(time));
    EXPECT_EQ(take_nacks(buffer, at(time)), std::vector<int>{101});
  }
  EXPECT_EQ(buffer.next_timeout(), at(126));
  EXPECT_FALSE(buffer.take_key_frame_request(at(125)));
  buffer.handle_timeout(at(126));
  EXPECT_TRUE(buffer.take_key_frame_request(at(126)));
}

TEST(VideoJitterLoss, CompleteKeyFrameBehindTheGapIsWhereVideoGoesOn) {
  VideoJitterBuffer buffer = with_a_gap();
  insert(buffer, make_frame(4, 106, 3, true), at(99));
  insert(buffer, make_frame(5, 109, 1, false), at(132));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  buffer.handle_timeout(at(533));
  EXPECT_EQ(pop_numbers(buffer), (Numbers{4, 5}));
  EXPECT_FALSE(buffer.take_key_frame_request(at(533)));
  EXPECT_EQ(buffer.statistics().frames_dropped, 2U);
}

TEST(VideoJitterLoss, ResumesTheMomentTheRequestedKeyFrameIsComplete) {
  VideoJitterBuffer buffer = with_a_gap();
  buffer.handle_timeout(at(533));
  EXPECT_TRUE(buffer.take_key_frame_request(at(533)));
  insert(buffer, make_frame(4, 106, 1, false), at(540));
  const auto key_frame = make_frame(5, 107, 4, true);
  for (std::size_t i = 0; i < 3; ++i) buffer.insert(key_frame[i].view(), at(560));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  buffer.insert(key_frame[3].view(), at(561));
  EXPECT_EQ(pop_numbers(buffer), Numbers{5});
  EXPECT_EQ(buffer.next_timeout(), kNever);
}

TEST(VideoJitterLoss, WholeLaterKeyFrameWinsOverAnEarlierOneWithAHole) {
  VideoJitterBuffer buffer;
  auto torn = make_frame(1, 100, 5, true);
  torn.erase(torn.begin() + 2);
  insert(buffer, torn, at(0));
  insert(buffer, make_frame(2, 105, 1, false), at(33));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  insert(buffer, make_frame(3, 106, 5, true), at(66));
  EXPECT_EQ(pop_numbers(buffer), Numbers{3});
  buffer.insert(make_frame(1, 100, 5, true)[2].view(), at(70));  // its frame is gone
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  EXPECT_EQ(buffer.statistics().packets_discarded, 1U);
}

TEST(VideoJitterLoss, SliceMarkedAsAStartDoesNotMakeATornKeyFrameWhole) {
  VideoJitterBuffer buffer;
  auto torn = make_frame(1, 100, 5, true);
  torn[3].starts_frame = true;
  torn.erase(torn.begin() + 1);
  insert(buffer, torn, at(0));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
}

TEST(VideoJitterLoss, NothingIsAskedForThatLiesBeforeTheKeyFrameVideoWentOnWith) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 1, false), at(0));
  insert(buffer, make_frame(2, 105, 1, false), at(33));
  EXPECT_EQ(take_nacks(buffer, at(33)).size(), 4U);
  insert(buffer, make_frame(3, 108, 2, true), at(66));
  EXPECT_EQ(pop_numbers(buffer), Numbers{3});
  EXPECT_EQ(take_nacks(buffer, at(66)), std::vector<int>{});
  EXPECT_EQ(buffer.next_timeout(), kNever);
  EXPECT_EQ(buffer.statistics().packets_lost, 6U);
}

TEST(VideoJitterLoss, FirstPacketOfTheKeyFrameMayComeLast) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 99, 1, false), at(0));
  auto packets = make_frame(2, 100, 5, true);
  const TestPacket first = packets[0];
  packets.erase(packets.begin());
  insert(buffer, packets, at(10));
  EXPECT_EQ(take_nacks(buffer, at(10)), std::vector<int>{100});
  buffer.insert(first.view(), at(110));
  EXPECT_EQ(pop_numbers(buffer), Numbers{2});
}

TEST(VideoJitterLoss, OvertakenStartOfTheStreamIsStillItsStart) {
  for (const bool lose_one : {false, true}) {
    VideoJitterBuffer buffer;
    auto packets = make_frame(1, 65534, 5, true);
    buffer.insert(packets[4].view(), at(0));
    buffer.insert(packets[0].view(), at(1));
    const std::vector<int> missing{65535, 0, 1};
    EXPECT_EQ(take_nacks(buffer, at(1)), missing);
    buffer.insert(packets[2].view(), at(2));
    if (!lose_one) buffer.insert(packets[3].view(), at(3));
    buffer.insert(packets[1].view(), at(4));
    EXPECT_EQ(pop_numbers(buffer), lose_one ? Numbers{} : Numbers{1});
    buffer.handle_timeout(at(501));
    EXPECT_EQ(buffer.take_key_frame_request(at(501)), lose_one);
  }
}

TEST(VideoJitterLoss, StartOfTheStreamDoesNotMoveBackOnceFramesHaveLeft) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(2, 101, 1, true), at(0));
  EXPECT_EQ(pop_numbers(buffer), Numbers{2});
  insert(buffer, make_frame(1, 100, 1, true), at(1));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  EXPECT_EQ(buffer.statistics().packets_discarded, 1U);
}

TEST(VideoJitterLoss, GapInsideAKeyFrameUnderwayIsGivenUpLikeAnyOther) {
  VideoJitterBuffer buffer;
  auto torn = make_frame(1, 100, 5, true);
  torn.erase(torn.begin() + 2);
  insert(buffer, torn, at(0));
  EXPECT_FALSE(buffer.take_key_frame_request(at(400)));
  buffer.handle_timeout(at(500));
  EXPECT_TRUE(buffer.take_key_frame_request(at(500)));
}

TEST(VideoJitterLoss, KeyFrameRequestsComeAtMostOncePerInterval) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 1, false), at(0));
  EXPECT_TRUE(buffer.take_key_frame_request(at(0)));
  int requests = 0;
  for (int ms = 1; ms <= 2000; ++ms) {
    buffer.handle_timeout(at(ms));
    EXPECT_GT(buffer.next_timeout(), at(ms));
    if (buffer.take_key_frame_request(at(ms))) {
      ++requests;
      EXPECT_EQ(ms % 500, 0);
    }
  }
  EXPECT_EQ(requests, 4);
  EXPECT_EQ(buffer.statistics().key_frame_requests, 5U);
}

TEST(VideoJitterLoss, NoKeyFrameIsAskedForWhileOneIsComingIn) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 99, 1, false), at(0));
  EXPECT_TRUE(buffer.take_key_frame_request(at(0)));
  const auto key_frame = make_frame(2, 100, 100, true);  // paced over one second
  for (int i = 0; i < 100; ++i) {
    const TimePoint now = at(100 + 10 * i);
    buffer.insert(key_frame[static_cast<std::size_t>(i)].view(), now);
    buffer.handle_timeout(now);
    EXPECT_FALSE(buffer.take_key_frame_request(now)) << i;
  }
  EXPECT_EQ(pop_numbers(buffer), Numbers{2});
}

TEST(VideoJitterLoss, KeyFrameThatStopsComingIsAskedForAgain) {
  VideoJitterBuffer buffer;
  auto cut = make_frame(1, 100, 5, true);
  cut.resize(3);
  insert(buffer, cut, at(0));
  EXPECT_EQ(buffer.next_timeout(), at(500));
  buffer.handle_timeout(at(500));
  EXPECT_TRUE(buffer.take_key_frame_request(at(500)));
}

TEST(VideoJitterLoss, RequireKeyFrameDropsDeltaFramesAlreadyWaiting) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 1, true), at(0));
  insert(buffer, make_frame(2, 101, 1, false), at(33));
  insert(buffer, make_frame(3, 102, 1, false), at(66));
  VideoFrame frame;
  ASSERT_TRUE(buffer.pop(frame));
  buffer.require_key_frame();
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  EXPECT_EQ(buffer.statistics().frames_dropped, 2U);
  EXPECT_TRUE(buffer.take_key_frame_request(at(66)));
  EXPECT_FALSE(buffer.take_key_frame_request(at(67)));
  insert(buffer, make_frame(4, 103, 1, false), at(99));
  insert(buffer, make_frame(5, 104, 1, true), at(132));
  insert(buffer, make_frame(6, 105, 1, false), at(165));
  EXPECT_EQ(pop_numbers(buffer), (Numbers{5, 6}));
  EXPECT_EQ(buffer.statistics().frames_dropped, 3U);
}

TEST(VideoJitterLoss, RequireKeyFrameIsMetByOneThatIsAlreadyThere) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 1, true), at(0));
  insert(buffer, make_frame(2, 101, 1, false), at(33));
  insert(buffer, make_frame(3, 102, 1, true), at(66));
  VideoFrame frame;
  ASSERT_TRUE(buffer.pop(frame));
  buffer.require_key_frame();
  EXPECT_EQ(pop_numbers(buffer), Numbers{3});
  EXPECT_FALSE(buffer.take_key_frame_request(at(66)));

  const auto underway = make_frame(4, 103, 2, true);
  buffer.insert(underway[0].view(), at(99));
  buffer.require_key_frame();
  buffer.insert(underway[1].view(), at(100));
  EXPECT_EQ(pop_numbers(buffer), Numbers{4});
}

TEST(VideoJitterLoss, RequireKeyFrameDropsTheFrameUnderwayAtOnce) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 1, true), at(0));
  EXPECT_EQ(pop_numbers(buffer), Numbers{1});
  const auto underway = make_frame(2, 101, 3, false);
  buffer.insert(underway[0].view(), at(33));
  buffer.require_key_frame();
  EXPECT_EQ(buffer.statistics().frames_dropped, 1U);
  buffer.insert(underway[1].view(), at(34));
  buffer.insert(underway[2].view(), at(35));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
}

TEST(VideoJitterLoss, LatePacketsOfDroppedFramesAreDiscarded) {
  VideoJitterBuffer buffer = with_a_gap();
  insert(buffer, make_frame(4, 106, 1, true), at(99));
  buffer.handle_timeout(at(533));
  EXPECT_EQ(pop_numbers(buffer), Numbers{4});
  insert(buffer, make_frame(2, 101, 1, false), at(540));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  EXPECT_EQ(buffer.statistics().packets_discarded, 1U);
}

TEST(VideoJitterLoss, GapLongerThanTheNackListIsGivenUpAtOnce) {
  VideoJitterBuffer buffer({.nack_max_packets = 16});
  insert(buffer, make_frame(1, 100, 1, true), at(0));
  insert(buffer, make_frame(2, 200, 1, false), at(33));
  EXPECT_TRUE(buffer.take_key_frame_request(at(33)));
  EXPECT_LE(take_nacks(buffer, at(33)).size(), 16U);
}

TEST(VideoJitterLoss, JumpForwardRestartsBehindAKeyFrame) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 2, true), at(0));
  EXPECT_EQ(pop_numbers(buffer), Numbers{1});
  insert(buffer, make_frame(2, 10000, 2, false), at(33));
  EXPECT_EQ(take_nacks(buffer, at(33)), std::vector<int>{});
  EXPECT_TRUE(buffer.take_key_frame_request(at(33)));
  insert(buffer, make_frame(3, 10002, 2, true), at(66));
  EXPECT_EQ(pop_numbers(buffer), Numbers{3});
}

TEST(VideoJitterLoss, OldPacketsAreDiscardedAsLongAsTheStreamGoesOn) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 40000, 2, true), at(0));
  insert(buffer, make_frame(2, 20000, 20, true), at(10));
  insert(buffer, make_frame(3, 40002, 1, false), at(33));
  insert(buffer, make_frame(4, 20020, 20, true), at(1000));
  EXPECT_EQ(pop_numbers(buffer), (Numbers{1, 3}));
  EXPECT_EQ(buffer.statistics().packets_discarded, 40U);
}

TEST(VideoJitterLoss, SenderThatStartsAnewAtALowerNumberIsFollowedAfterASecond) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 40000, 2, true), at(0));
  EXPECT_EQ(pop_numbers(buffer), Numbers{1});
  insert(buffer, make_frame(2, 20000, 2, true), at(990));
  EXPECT_EQ(pop_numbers(buffer), Numbers{});
  insert(buffer, make_frame(3, 20002, 1, false), at(1020));
  EXPECT_TRUE(buffer.take_key_frame_request(at(1020)));
  insert(buffer, make_frame(4, 20003, 2, true), at(1050));
  EXPECT_EQ(pop_numbers(buffer), Numbers{4});
}

TEST(VideoJitterLoss, PacketThatComesInTheMomentOfGivingUpStillCounts) {
  VideoJitterBuffer buffer = with_a_gap();
  insert(buffer, make_frame(9, 101, 1, false), at(533));
  EXPECT_EQ(pop_numbers(buffer), (Numbers{9, 2, 3}));
}

TEST(VideoJitterLoss, InsertAloneGivesUpGapsWhenNobodyCallsTheTimer) {
  VideoJitterBuffer buffer = with_a_gap();
  insert(buffer, make_frame(4, 106, 1, false), at(600));
  EXPECT_TRUE(buffer.take_key_frame_request(at(600)));
}

}  // namespace
}  // namespace sealroom::jitter
