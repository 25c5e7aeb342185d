#include "sealroom/sframe/pending_queue.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace sealroom::sframe {
namespace {

constexpr TimePoint kStart{std::chrono::seconds(100)};

class PendingQueueTest : public testing::Test {
 protected:
  using Queue = PendingQueue<int>;

  bool hold(std::uint64_t key_id, int frame, std::size_t bytes = 10) {
    return queue.hold(KeyId{key_id}, bytes, now, frame, drop);
  }
  std::vector<int> take_all(std::uint64_t key_id) {
    std::vector<int> frames;
    int frame = 0;
    while (queue.take(KeyId{key_id}, frame)) frames.push_back(frame);
    return frames;
  }

  std::vector<int> dropped;
  std::function<void(KeyId, int&&)> drop = [this](KeyId, int&& frame) { dropped.push_back(frame); };
  TimePoint now = kStart;
  Queue queue{{.max_key_ids = 3,
               .max_frames_per_key = 4,
               .max_bytes_per_key = 100,
               .max_age = std::chrono::seconds(2)}};
};

TEST_F(PendingQueueTest, GivesTheFramesOfAKeyBackInOrderAndLeavesTheOthers) {
  for (int frame = 0; frame < 6; ++frame) EXPECT_TRUE(hold(1 + frame % 2, frame));
  EXPECT_EQ(queue.count(KeyId{1}), 3U);
  EXPECT_EQ(take_all(1), (std::vector{0, 2, 4}));
  EXPECT_EQ(queue.count(KeyId{1}), 0U);
  EXPECT_EQ(take_all(7), std::vector<int>{});
  EXPECT_EQ(take_all(2), (std::vector{1, 3, 5}));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0U);
  EXPECT_TRUE(dropped.empty());
}

TEST_F(PendingQueueTest, TheOldestOfAllComesFirstAcrossKeys) {
  for (int frame = 0; frame < 6; ++frame) EXPECT_TRUE(hold(1 + frame % 3, frame));
  KeyId key_id;
  int frame = 0;
  for (int expected = 0; expected < 6; ++expected) {
    ASSERT_TRUE(queue.take_oldest(key_id, frame));
    EXPECT_EQ(frame, expected);
    EXPECT_EQ(key_id, KeyId{1U + static_cast<unsigned>(expected) % 3});
  }
  EXPECT_FALSE(queue.take_oldest(key_id, frame));
}

TEST_F(PendingQueueTest, AFullShareDropsItsOldestFrameAndCountsIt) {
  for (int frame = 0; frame < 7; ++frame) EXPECT_TRUE(hold(1, frame));
  EXPECT_EQ(dropped, (std::vector{0, 1, 2}));
  EXPECT_EQ(queue.dropped(), 3U);
  EXPECT_EQ(take_all(1), (std::vector{3, 4, 5, 6}));
}

TEST_F(PendingQueueTest, BytesAreBoundedToo) {
  EXPECT_TRUE(hold(1, 0, 60));
  EXPECT_TRUE(hold(1, 1, 40));
  EXPECT_TRUE(hold(1, 2, 30));
  EXPECT_EQ(dropped, std::vector{0});
  EXPECT_EQ(queue.bytes(), 70U);
  EXPECT_FALSE(hold(1, 3, 101)) << "never fits";
  EXPECT_EQ(dropped, (std::vector{0, 3}));
  EXPECT_EQ(take_all(1), (std::vector{1, 2}));
}

TEST_F(PendingQueueTest, FramesExpireWithTheirAge) {
  EXPECT_EQ(queue.next_expiry(), kNever);
  EXPECT_TRUE(hold(1, 0));
  now += std::chrono::seconds(1);
  EXPECT_TRUE(hold(2, 1));
  EXPECT_EQ(queue.next_expiry(), kStart + std::chrono::seconds(2));
  queue.expire(kStart + std::chrono::microseconds(1'999'999), drop);
  EXPECT_TRUE(dropped.empty());
  queue.expire(kStart + std::chrono::seconds(2), drop);
  EXPECT_EQ(dropped, std::vector{0});
  now = kStart + std::chrono::seconds(10);
  EXPECT_TRUE(hold(3, 2)) << "which makes room by itself";
  EXPECT_EQ(dropped, (std::vector{0, 1}));
  EXPECT_EQ(queue.frames(), 1U);
}

TEST_F(PendingQueueTest, ForgedKeyIdsAtFullRateDisplaceNothingOfTheNextKeyNorGrow) {
  queue.set_newest_key_id(KeyId{7});
  std::uint64_t forged = 0x9E3779B97F4A7C15ULL;
  std::vector<int> held;
  for (int frame = 0; frame < 4; ++frame) {  // each among 100,000 forgeries
    for (int i = 0; i < 100'000; ++i) {
      forged ^= forged << 13;
      forged ^= forged >> 7;
      forged ^= forged << 17;
      // Far ones, near ones, and used-up ones; not the one key id that is next.
      const std::uint64_t key_id = i % 3 == 0 ? forged : i % 3 == 1 ? 9 + forged % 8 : forged % 8;
      (void)hold(key_id, -1, 25);
      ASSERT_LE(queue.frames(), 12U);
      ASSERT_LE(queue.bytes(), 300U);
    }
    EXPECT_TRUE(hold(8, frame));
    held.push_back(frame);
    now += std::chrono::milliseconds(20);
  }
  EXPECT_EQ(take_all(8), held);
}

TEST_F(PendingQueueTest, ForgeriesUnderTheNextKeyItselfDisplaceOnlyWhileTheyGoOn) {
  for (int i = 0; i < 1000; ++i) (void)hold(1, -1);
  for (int frame = 0; frame < 4; ++frame) EXPECT_TRUE(hold(1, frame));
  EXPECT_EQ(take_all(1), (std::vector{0, 1, 2, 3}));
}

TEST_F(PendingQueueTest, ANearerKeyTakesTheShareOfTheFarthest) {
  queue.set_newest_key_id(KeyId{10});
  EXPECT_TRUE(hold(12, 0));
  EXPECT_TRUE(hold(40, 1));
  EXPECT_TRUE(hold(40, 2));
  EXPECT_TRUE(hold(13, 3));
  EXPECT_FALSE(hold(41, 4));
  EXPECT_FALSE(hold(9, 5)) << "behind the newest is farther than anything ahead";
  EXPECT_TRUE(hold(11, 6));
  EXPECT_EQ(dropped, (std::vector{4, 5, 1, 2}));
}

}  // namespace
}  // namespace sealroom::sframe
