// Packets that came, but with a payload of which nothing can be made.

#include "video_packets.h"

namespace sealroom::jitter {
namespace {

TEST(VideoJitterUnusable, IsNotAskedForAndTheKeyFrameIsAtOnce) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 2, true), at(0));
  buffer.insert_unusable(102, at(33));
  EXPECT_TRUE(buffer.take_key_frame_request(at(33)));
  insert(buffer, make_frame(3, 103, 1, false), at(66));
  EXPECT_EQ(take_nacks(buffer, at(66)), std::vector<int>{});
  insert(buffer, make_frame(4, 104, 1, true), at(99));
  EXPECT_EQ(pop_numbers(buffer), (Numbers{1, 4}));
}

TEST(VideoJitterUnusable, EndsTheWaitForAPacketThatWasAskedFor) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 2, true), at(0));
  insert(buffer, make_frame(3, 103, 1, false), at(33));
  EXPECT_EQ(take_nacks(buffer, at(33)), std::vector<int>{102});
  EXPECT_FALSE(buffer.take_key_frame_request(at(33)));
  buffer.insert_unusable(102, at(66));
  EXPECT_TRUE(buffer.take_key_frame_request(at(66)));
  buffer.handle_timeout(at(400));
  EXPECT_EQ(take_nacks(buffer, at(400)), std::vector<int>{});
}

TEST(VideoJitterUnusable, InAKeyFrameItEndsThatFrameAndNotTheOneBehind) {
  VideoJitterBuffer buffer;
  const auto first = make_frame(1, 100, 4, true);
  insert(buffer, {first[0], first[1]}, at(0));
  insert(buffer, make_frame(2, 104, 2, true), at(1));
  buffer.insert_unusable(102, at(2));
  insert(buffer, {first[3]}, at(3));
  insert(buffer, make_frame(3, 106, 1, false), at(4));
  EXPECT_EQ(pop_numbers(buffer), (Numbers{2, 3}));
  EXPECT_FALSE(buffer.take_key_frame_request(at(4)));
}

TEST(VideoJitterUnusable, ACopyOfWhatIsThereChangesNothing) {
  VideoJitterBuffer buffer;
  const auto packets = make_frame(1, 100, 3, true);
  insert(buffer, {packets[0], packets[1]}, at(0));
  buffer.insert_unusable(101, at(1));
  insert(buffer, {packets[2]}, at(2));
  EXPECT_EQ(pop_numbers(buffer), Numbers{1});
  buffer.insert_unusable(101, at(3));
  insert(buffer, make_frame(2, 103, 1, false), at(4));
  EXPECT_EQ(pop_numbers(buffer), Numbers{2});
}

TEST(VideoJitterUnusable, AStreamMayBeginWithIt) {
  VideoJitterBuffer buffer;
  buffer.insert_unusable(100, at(0));
  EXPECT_TRUE(buffer.take_key_frame_request(at(0)));
  insert(buffer, make_frame(1, 101, 2, true), at(1));
  EXPECT_EQ(pop_numbers(buffer), Numbers{1});
  EXPECT_EQ(take_nacks(buffer, at(1)), std::vector<int>{});
}

TEST(VideoJitterUnusable, APayloadLargerThanAnyIsUnusableToo) {
  VideoJitterBuffer buffer;
  insert(buffer, make_frame(1, 100, 2, true), at(0));
  insert(buffer, make_frame(2, 102, 1, false, VideoJitterBuffer::kMaxPayload + 1), at(33));
  EXPECT_TRUE(buffer.take_key_frame_request(at(33)));
  insert(buffer, make_frame(3, 103, 1, false), at(66));
  EXPECT_EQ(take_nacks(buffer, at(66)), std::vector<int>{});
  EXPECT_EQ(buffer.statistics().packets_discarded, 1U);
}

}  // namespace
}  // namespace sealroom::jitter
