// Frames that overtake their key.

#include <gtest/gtest.h>

#include <map>

#include "session/support.h"
#include "support/backends.h"

namespace sealroom::session {
namespace {

using test::vp8_frame;

class HeldFramesTest : public testing::TestWithParam<crypto::Backend> {
 protected:
  static Bytes key(std::uint64_t key_id) {
    return test::pattern(32, static_cast<std::uint8_t>(10 * key_id + 1));
  }
  static constexpr std::size_t index(RejectReason reason) {
    return static_cast<std::size_t>(reason);
  }

  /// A receiver that wants protected frames, and a sender that sends what the test protects.
  void add_video(sframe::CipherSuite suite = test::kSuite) {
    suite_ = suite;
    pair.add_video(false);
    ReceiverConfig config;
    config.codec = rtp::Codec::vp8;
    config.payload_type = PayloadType{96};
    config.ssrc = Ssrc{1111};
    ASSERT_TRUE(pair.bob.remove_receiver(pair.video_receiver));
    pair.video_receiver = pair.bob.add_receiver(config).value();
  }
  Result<void> give_key(std::uint64_t key_id) {
    return pair.bob.add_receiver_key(receiver(), suite_, KeyId{key_id}, key(key_id));
  }
  /// A frame under `key_id` with `number` behind the prefix that stays readable.
  void send(std::uint64_t key_id, int number, bool is_key_frame = true) {
    if (!senders_.contains(key_id)) {
      senders_.emplace(
          key_id, sframe::Sender::create(GetParam(), suite_, KeyId{key_id}, key(key_id)).value());
    }
    Bytes frame = vp8_frame(300, is_key_frame, 1);
    frame[10] = static_cast<std::uint8_t>(number);
    Bytes sealed(frame.size() + sframe::kMaxOverhead);
    const auto size =
        sframe::protect_frame(senders_.at(key_id), sframe::FrameFormat::vp8, frame, sealed);
    ASSERT_TRUE(size);
    sealed.resize(size.value());
    ASSERT_TRUE(pair.send_video(sealed, 3000 * ++sent_));
    pair.alice_to_bob();
  }
  std::vector<int> received() {
    std::vector<int> numbers;
    for (const auto& frame : pair.take<FrameReceived>(pair.bob)) {
      numbers.push_back(frame.data[10]);
    }
    return numbers;
  }
  std::uint64_t rejected(RejectReason reason = RejectReason::unknown_key_id) const {
    return pair.bob.receiver_statistics(receiver()).value().rejected[index(reason)];
  }
  void wait(Duration duration) {
    pair.now += duration;
    pair.bob.handle_timeout(pair.now, test::kWallClock);
  }
  std::size_t key_frames_asked_for() {
    wait(std::chrono::seconds(1));  // past the interval between two requests
    pair.bob.flush_feedback(pair.now);
    pair.bob_to_alice();
    return pair.take<KeyFrameRequested>(pair.alice).size();
  }

  [[nodiscard]] ReceiverId receiver() const { return pair.video_receiver; }

  test::Pair pair{GetParam()};

 private:
  sframe::CipherSuite suite_ = test::kSuite;
  std::map<std::uint64_t, sframe::Sender> senders_;
  std::uint32_t sent_ = 0;
};

TEST_P(HeldFramesTest, FramesOfANewEpochOpenInOrderWhenItsKeyComesAndNoKeyFrameIsAskedFor) {
  add_video();
  ASSERT_TRUE(give_key(1));
  send(1, 1);
  for (int number = 2; number < 12; ++number) send(2, number, false);
  EXPECT_EQ(received(), std::vector{1});
  EXPECT_EQ(key_frames_asked_for(), 0U);
  ASSERT_TRUE(give_key(2));
  send(2, 12, false);
  EXPECT_EQ(received(), (std::vector{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  EXPECT_EQ(rejected(), 0U);
  EXPECT_EQ(key_frames_asked_for(), 0U);
}

TEST_P(HeldFramesTest, FramesThatComeBeforeTheFirstKeyWaitForItWhateverItsSuite) {
  add_video(sframe::CipherSuite::aes_128_ctr_hmac_sha256_80);
  send(40, 1);
  send(40, 2, false);
  EXPECT_TRUE(received().empty());
  ASSERT_TRUE(give_key(40));
  EXPECT_EQ(received(), (std::vector{1, 2}));
}

TEST_P(HeldFramesTest, FramesThatAreTooOldAreRejectedAndAKeyFrameIsAskedFor) {
  add_video();
  ASSERT_TRUE(give_key(1));
  send(1, 1);
  send(2, 2);
  EXPECT_LE(pair.bob.next_timeout(), pair.now + sframe::PendingLimits{}.max_age);
  wait(sframe::PendingLimits{}.max_age - std::chrono::microseconds(1));
  EXPECT_EQ(rejected(), 0U);
  wait(std::chrono::microseconds(1));
  EXPECT_EQ(rejected(), 1U);
  EXPECT_GE(key_frames_asked_for(), 1U);
  ASSERT_TRUE(give_key(2));
  EXPECT_EQ(received(), std::vector{1});
}

TEST_P(HeldFramesTest, WhatExceedsTheBoundIsRejectedOldestFirstAndAKeyFrameIsAskedFor) {
  add_video();
  ASSERT_TRUE(give_key(1));
  const int most = static_cast<int>(sframe::PendingLimits{}.max_frames_per_key);
  for (int number = 1; number <= most + 3; ++number) send(2, number);
  EXPECT_EQ(rejected(), 3U);
  EXPECT_GE(key_frames_asked_for(), 1U);
  ASSERT_TRUE(give_key(2));
  std::vector<int> expected;
  for (int number = 4; number <= most + 3; ++number) expected.push_back(number);
  EXPECT_EQ(received(), expected);
}

TEST_P(HeldFramesTest, WhatFollowsADroppedFrameWaitsForAKeyFrameToo) {
  add_video();
  ASSERT_TRUE(give_key(1));
  const int most = static_cast<int>(sframe::PendingLimits{}.max_frames_per_key);
  send(2, 0);
  for (int number = 1; number <= most; ++number) send(2, number, number == 20);
  EXPECT_EQ(rejected(), 1U);
  ASSERT_TRUE(give_key(2));
  const std::vector<int> numbers = received();
  ASSERT_EQ(numbers.size(), static_cast<std::size_t>(most) - 19);
  EXPECT_EQ(numbers.front(), 20);
  EXPECT_EQ(rejected(), 20U);
}

TEST_P(HeldFramesTest, AFrameThatOpensFirstEndsTheWaitOfThoseBeforeIt) {
  add_video();
  ASSERT_TRUE(give_key(1));
  send(1, 1);
  send(2, 2);
  send(3, 3);
  send(2, 4);
  ASSERT_TRUE(give_key(3));
  EXPECT_EQ(received(), (std::vector{1, 3}));
  EXPECT_EQ(rejected(), 1U) << "the first frame under key 2 would come out of order";
  ASSERT_TRUE(give_key(2));
  EXPECT_EQ(received(), std::vector{4});
  send(9, 5);
  send(3, 6);
  EXPECT_EQ(received(), std::vector{6});
  EXPECT_EQ(rejected(), 2U);
}

TEST_P(HeldFramesTest, AFrameOfAnOldKeyIdIsRejectedAtOnce) {
  add_video();
  ASSERT_TRUE(give_key(5));
  send(3, 1);
  EXPECT_EQ(rejected(), 1U);
  EXPECT_GE(key_frames_asked_for(), 1U);
}

TEST_P(HeldFramesTest, ForgedKeyIdsAtFullRateAreBoundedAndTheNextKeyIsNotLost) {
  add_video();
  ASSERT_TRUE(give_key(1));
  send(1, 1);
  std::vector<int> expected{1};
  for (int round = 0; round < 20; ++round) {
    for (std::uint64_t i = 0; i < 50; ++i) send(3 + 37 * i, 77);
    send(2, 2 + round);
    expected.push_back(2 + round);
  }
  EXPECT_GT(rejected(), 500U);
  ASSERT_TRUE(give_key(2));
  EXPECT_EQ(received(), expected);
}

TEST_P(HeldFramesTest, AHeldFrameUnderTheWrongKeyIsRejectedWhenTheKeyComes) {
  add_video();
  ASSERT_TRUE(give_key(1));
  send(1, 1);
  send(2, 2);
  ASSERT_TRUE(pair.bob.add_receiver_key(receiver(), test::kSuite, KeyId{2}, key(9)));
  EXPECT_EQ(received(), std::vector{1});
  EXPECT_EQ(rejected(RejectReason::authentication_failed), 1U);
  EXPECT_GE(key_frames_asked_for(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Backends, HeldFramesTest,
                         testing::ValuesIn(sealroom::test::available_backends()),
                         sealroom::test::BackendTestName());

}  // namespace
}  // namespace sealroom::session
