#include "sealroom/session/media_session.h"

#include <gtest/gtest.h>

#include "session/support.h"
#include "support/backends.h"

namespace sealroom::session {
namespace {

using test::Pair;
using test::vp8_frame;

class MediaSessionTest : public ::testing::TestWithParam<crypto::Backend> {
 protected:
  Pair pair{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Backends, MediaSessionTest,
                         ::testing::ValuesIn(sealroom::test::available_backends()),
                         sealroom::test::BackendTestName());

TEST_P(MediaSessionTest, FrameArrivesWholeAndUnchanged) {
  pair.add_video();
  const Bytes key_frame = vp8_frame(50'000, true, 1);
  const Bytes delta_frame = vp8_frame(700, false, 2);
  ASSERT_TRUE(pair.send_video(key_frame, 1000));
  ASSERT_TRUE(pair.send_video(delta_frame, 4000));
  pair.alice_to_bob();
  const auto frames = pair.take<FrameReceived>(pair.bob);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].data, key_frame);
  EXPECT_TRUE(frames[0].is_key_frame);
  EXPECT_EQ(frames[0].timestamp.value, 1000U);
  EXPECT_EQ(frames[1].data, delta_frame);
  EXPECT_FALSE(frames[1].is_key_frame);
  EXPECT_EQ(frames[1].receiver, pair.video_receiver);
}

TEST_P(MediaSessionTest, PacketsOfAFrameAreEqualInSizeSoThatOneOffloadedCallSendsThem) {
  pair.add_video();
  ASSERT_TRUE(pair.send_video(vp8_frame(50'000, true, 1), 1000));
  DatagramBatch::Run run;
  ASSERT_TRUE(pair.alice.poll_transmit(run));
  EXPECT_LE(run.segment_size, rtp::kMaxDatagramSize);
  EXPECT_GT(run.data.size(), 50'000U);
  EXPECT_FALSE(pair.alice.poll_transmit(run));
}

TEST_P(MediaSessionTest, FrameIsRefusedBeforeItsKeyIsInstalled) {
  SenderConfig config;
  config.ssrc = Ssrc{7};
  const SenderId sender = pair.alice.add_sender(config).value();
  const Bytes frame = test::pattern(100, 1);
  EXPECT_EQ(pair.alice.send_frame(sender, {frame, {}, {}, {}}, pair.now, test::kWallClock).error(),
            Error::not_ready);
  DatagramBatch::Run run;
  EXPECT_FALSE(pair.alice.poll_transmit(run));
}

TEST_P(MediaSessionTest, WireCarriesNoRunOfThePlaintext) {
  pair.add_video();
  const Bytes frame(3000, 0x41);
  Bytes key_frame = frame;
  key_frame[0] = 0x40;
  ASSERT_TRUE(pair.send_video(key_frame, 1));
  pair.alice_to_bob([](Bytes& datagram) {
    const Bytes run(8, 0x41);
    EXPECT_EQ(std::search(datagram.begin(), datagram.end(), run.begin(), run.end()),
              datagram.end());
    return true;
  });
}

TEST_P(MediaSessionTest, FrameUnderAWrongKeyIsNeverDeliveredAndCountedAndAsksForAKeyFrame) {
  pair.add_video();
  (void)pair.alice.set_sender_key(pair.video_sender, test::kSuite, KeyId{2}, test::pattern(32, 66));
  (void)pair.bob.add_receiver_key(pair.video_receiver, test::kSuite, KeyId{2},
                                  test::pattern(32, 67));
  ASSERT_TRUE(pair.send_video(vp8_frame(2000, true, 1), 1000));
  pair.alice_to_bob();
  EXPECT_TRUE(pair.take<FrameReceived>(pair.bob).empty());
  const auto statistics = pair.bob.receiver_statistics(pair.video_receiver).value();
  EXPECT_EQ(statistics.rejected[static_cast<int>(RejectReason::authentication_failed)], 1U);
  pair.bob_to_alice();
  EXPECT_EQ(pair.take<KeyFrameRequested>(pair.alice).size(), 1U);
}

TEST_P(MediaSessionTest, FrameOfAnUnknownKeyIdIsCountedApart) {
  pair.add_video();
  (void)pair.alice.set_sender_key(pair.video_sender, test::kSuite, KeyId{9}, test::pattern(32, 5));
  ASSERT_TRUE(pair.send_video(vp8_frame(2000, true, 1), 1000));
  pair.alice_to_bob();
  pair.now += sframe::PendingLimits{}.max_age;  // so long it waits for its key
  pair.bob.handle_timeout(pair.now, test::kWallClock);
  EXPECT_TRUE(pair.take<FrameReceived>(pair.bob).empty());
  const auto statistics = pair.bob.receiver_statistics(pair.video_receiver).value();
  EXPECT_EQ(statistics.rejected[static_cast<int>(RejectReason::unknown_key_id)], 1U);
}

TEST_P(MediaSessionTest, PlaintextFrameIsNeverDeliveredWhereProtectionIsRequired) {
  pair.add_video();
  const SenderId plain = [&] {
    SenderConfig config;
    config.codec = rtp::Codec::vp8;
    config.payload_type = PayloadType{96};
    config.ssrc = Ssrc{2222};
    config.mid = "v";
    config.protection = false;
    return pair.alice.add_sender(config).value();
  }();
  for (std::uint8_t seed = 0; seed < 50; ++seed) {
    const Bytes frame = vp8_frame(20 + seed, true, seed);
    ASSERT_TRUE(pair.alice.send_frame(plain, {frame, RtpTimestamp{seed * 3000U}, {}, {}}, pair.now,
                                      test::kWallClock));
  }
  pair.alice_to_bob();
  pair.now += sframe::PendingLimits{}.max_age;  // clear text may look like a frame of a key to come
  pair.bob.handle_timeout(pair.now, test::kWallClock);
  EXPECT_TRUE(pair.take<FrameReceived>(pair.bob).empty());
  const auto statistics = pair.bob.receiver_statistics(pair.video_receiver).value();
  std::uint64_t rejected = 0;
  for (const std::uint64_t count : statistics.rejected) rejected += count;
  EXPECT_EQ(rejected, 50U);
}

TEST_P(MediaSessionTest, RejectionEventsComeAtMostOnceASecondPerReasonAndCarryTheCount) {
  pair.add_video();
  (void)pair.alice.set_sender_key(pair.video_sender, test::kSuite, KeyId{9}, test::pattern(32, 5));
  std::uint64_t reported = 0;
  std::size_t events = 0;
  for (int i = 0; i < 300; ++i) {  // 10 s at 30 fps
    (void)pair.send_video(vp8_frame(500, true, 1), static_cast<std::uint32_t>(i * 3000));
    pair.alice_to_bob();
    for (const auto& event : pair.take<FrameRejected>(pair.bob)) {
      reported += event.count;
      ++events;
    }
    pair.now += std::chrono::microseconds(33'333);
    pair.bob.handle_timeout(pair.now, test::kWallClock);
  }
  pair.now += sframe::PendingLimits{}.max_age;  // so long the last ones wait for their key
  pair.bob.handle_timeout(pair.now, test::kWallClock);
  for (const auto& event : pair.take<FrameRejected>(pair.bob)) reported += event.count;
  EXPECT_GE(events, 7U);
  EXPECT_LE(events, 11U);
  EXPECT_EQ(reported, 300U);
}

TEST_P(MediaSessionTest, BrokenFrameReachesTheApplicationOnlyWhenAskedForAndMarked) {
  pair.add_video();
  ASSERT_TRUE(pair.bob.set_drop_broken_frames(pair.video_receiver, false));
  (void)pair.alice.set_sender_key(pair.video_sender, test::kSuite, KeyId{9}, test::pattern(32, 5));
  ASSERT_TRUE(pair.send_video(vp8_frame(500, true, 1), 1));
  pair.alice_to_bob();
  EXPECT_TRUE(pair.take<FrameReceived>(pair.bob).empty());
  pair.now += sframe::PendingLimits{}.max_age;
  pair.bob.handle_timeout(pair.now, test::kWallClock);
  const auto frames = pair.take<FrameReceived>(pair.bob);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].rejected, RejectReason::unknown_key_id);
}

TEST_P(MediaSessionTest, TamperedAndReplayedDatagramsChangeNothing) {
  pair.add_video();
  std::vector<Bytes> sent;
  ASSERT_TRUE(pair.send_video(vp8_frame(3000, true, 1), 1000));
  pair.alice_to_bob([&](Bytes& datagram) {
    sent.push_back(datagram);
    return true;
  });
  EXPECT_EQ(pair.take<FrameReceived>(pair.bob).size(), 1U);
  for (Bytes datagram : sent) {
    pair.bob.handle_datagram(datagram, pair.now, test::kWallClock);
  }
  EXPECT_EQ(pair.bob.statistics().datagrams_replayed, sent.size());
  ASSERT_TRUE(pair.send_video(vp8_frame(900, false, 1), 4000));
  pair.alice_to_bob([&](Bytes& datagram) {
    for (std::size_t at = 0; at < datagram.size(); ++at) {
      Bytes forged = datagram;
      forged[at] ^= 0x10;
      pair.bob.handle_datagram(forged, pair.now, test::kWallClock);
    }
    return true;
  });
  EXPECT_EQ(pair.take<FrameReceived>(pair.bob).size(), 1U);
}

TEST_P(MediaSessionTest, LostPacketIsAskedForAndComesAgain) {
  pair.add_video();
  ASSERT_TRUE(pair.send_video(vp8_frame(20'000, true, 1), 1000));
  int index = 0;
  pair.alice_to_bob([&](Bytes&) { return ++index != 5; });
  EXPECT_TRUE(pair.take<FrameReceived>(pair.bob).empty());
  for (int i = 0; i < 5; ++i) {
    pair.now += std::chrono::milliseconds(20);
    pair.bob.handle_timeout(pair.now, test::kWallClock);
    pair.bob_to_alice();
    pair.alice_to_bob();
  }
  EXPECT_EQ(pair.take<FrameReceived>(pair.bob).size(), 1U);
  EXPECT_GE(pair.alice.sender_statistics(pair.video_sender).value().packets_retransmitted, 1U);
  EXPECT_EQ(pair.bob.receiver_statistics(pair.video_receiver).value().packets_recovered, 1U);
}

TEST_P(MediaSessionTest, UnfetchedFramesAreBoundedAndVideoGoesOnWithAKeyFrame) {
  pair.add_video();
  std::uint32_t timestamp = 0;
  ASSERT_TRUE(pair.send_video(vp8_frame(1000, true, 1), timestamp));
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(pair.send_video(vp8_frame(1000, false, 2), timestamp += 3000));
    pair.alice_to_bob();
    pair.now += std::chrono::milliseconds(33);
  }
  EXPECT_LE(pair.take<FrameReceived>(pair.bob).size(), 256U);
  ASSERT_TRUE(pair.send_video(vp8_frame(1000, false, 2), timestamp += 3000));
  ASSERT_TRUE(pair.send_video(vp8_frame(1000, true, 3), timestamp += 3000));
  pair.alice_to_bob();
  const auto frames = pair.take<FrameReceived>(pair.bob);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_TRUE(frames[0].is_key_frame);
  const auto statistics = pair.bob.receiver_statistics(pair.video_receiver).value();
  EXPECT_GT(statistics.rejected[static_cast<int>(RejectReason::queue_overflow)], 0U);
}

TEST_P(MediaSessionTest, ReportsMeasureTheRoundTrip) {
  pair.add_video();
  ASSERT_TRUE(pair.send_video(vp8_frame(1000, true, 1), 1));
  pair.alice_to_bob();
  NtpTime wall_clock = test::kWallClock;
  const auto pass = [&](Duration step) {
    pair.now += step;
    wall_clock.value += static_cast<std::uint64_t>(step.count()) * (1ULL << 32) / 1'000'000;
  };
  pass(std::chrono::milliseconds(1100));
  pair.alice.handle_timeout(pair.now, wall_clock);
  pair.alice_to_bob();  // SR
  pass(std::chrono::milliseconds(400));
  pair.bob.handle_timeout(pair.now, wall_clock);
  DatagramBatch::Run run;
  ASSERT_TRUE(pair.bob.poll_transmit(run));  // RR
  Bytes report(run.data.begin(), run.data.end());
  pass(std::chrono::milliseconds(80));
  pair.alice.handle_datagram(report, pair.now, wall_clock);
  const auto round_trip = pair.alice.sender_statistics(pair.video_sender).value().round_trip_time;
  EXPECT_NEAR(static_cast<double>(round_trip.count()), 80'000.0, 100.0);
}

TEST_P(MediaSessionTest, RemovedSenderSaysBye) {
  pair.add_video();
  ASSERT_TRUE(pair.send_video(vp8_frame(1000, true, 1), 1));
  pair.alice_to_bob();
  (void)pair.events_of(pair.bob);
  ASSERT_TRUE(pair.alice.remove_sender(pair.video_sender));
  pair.alice_to_bob();
  const auto byes = pair.take<RemoteBye>(pair.bob);
  ASSERT_EQ(byes.size(), 1U);
  EXPECT_EQ(byes[0].receiver, pair.video_receiver);
}

TEST_P(MediaSessionTest, NewSsrcOfTheSameMidRestartsTheStream) {
  pair.add_video();
  ASSERT_TRUE(pair.send_video(vp8_frame(1000, true, 1), 1));
  pair.alice_to_bob();
  EXPECT_EQ(pair.take<FrameReceived>(pair.bob).size(), 1U);
  SenderConfig config;
  config.codec = rtp::Codec::vp8;
  config.payload_type = PayloadType{96};
  config.ssrc = Ssrc{3333};
  config.mid = "v";
  config.first_sequence_number = 4;
  const SenderId again = pair.alice.add_sender(config).value();
  (void)pair.alice.set_sender_key(again, test::kSuite, KeyId{2}, test::pattern(32, 8));
  (void)pair.bob.add_receiver_key(pair.video_receiver, test::kSuite, KeyId{2},
                                  test::pattern(32, 8));
  const Bytes frame = vp8_frame(1500, true, 4);
  ASSERT_TRUE(
      pair.alice.send_frame(again, {frame, RtpTimestamp{77}, {}, {}}, pair.now, test::kWallClock));
  pair.alice_to_bob();
  const auto frames = pair.take<FrameReceived>(pair.bob);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].data, frame);
}

TEST_P(MediaSessionTest, KeyIdOfASenderNeverComesBack) {
  pair.add_video();
  EXPECT_EQ(
      pair.alice.set_sender_key(pair.video_sender, test::kSuite, KeyId{1}, test::pattern(32, 5))
          .error(),
      Error::invalid_argument);
  EXPECT_TRUE(
      pair.alice.set_sender_key(pair.video_sender, test::kSuite, KeyId{2}, test::pattern(32, 5)));
}

}  // namespace
}  // namespace sealroom::session
