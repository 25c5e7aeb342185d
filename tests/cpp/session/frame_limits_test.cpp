// How large a frame may be and still arrive, and what the frames that wait for the application
// hold.

#include <gtest/gtest.h>

#include "session/support.h"
#include "support/backends.h"

namespace sealroom::session {
namespace {

using test::Pair;
using test::pattern;
using test::vp8_frame;

class FrameLimitsTest : public ::testing::TestWithParam<crypto::Backend> {
 protected:
  /// Alice's frames leave as they are given, bob may want protected ones.
  void add_video_without_alices_protection(rtp::Codec codec, bool bob_wants_protection) {
    SenderConfig sender;
    sender.codec = codec;
    sender.payload_type = PayloadType{96};
    sender.ssrc = Ssrc{1111};
    sender.protection = false;
    pair.video_sender = pair.alice.add_sender(sender).value();
    ReceiverConfig receiver;
    receiver.codec = codec;
    receiver.payload_type = PayloadType{96};
    receiver.protection = bob_wants_protection;
    pair.video_receiver = pair.bob.add_receiver(receiver).value();
    if (!bob_wants_protection) return;
    (void)pair.bob.add_receiver_key(pair.video_receiver, test::kSuite, KeyId{1}, pattern(32, 5));
  }

  static Bytes protect(sframe::Sender& sender, ByteView frame) {
    constexpr auto kFormat = sframe::FrameFormat::vp8;
    Bytes out(sframe::max_protected_size(kFormat, frame.size()));
    out.resize(sframe::protect_frame(sender, kFormat, frame, out).value());
    return out;
  }

  void send(ByteView frame) {
    timestamp += 3000;
    ASSERT_TRUE(pair.send_video(frame, timestamp));
    pair.alice_to_bob();
    pair.now += std::chrono::milliseconds(33);
  }

  /// Sends `frame` of which the packet `lost` does not arrive, until it is repaired or given up.
  std::vector<FrameReceived> lose_one_packet_of(ByteView frame, std::size_t lost) {
    timestamp += 3000;
    EXPECT_TRUE(pair.send_video(frame, timestamp));
    std::size_t next = 0;
    pair.alice_to_bob([&](Bytes&) { return next++ != lost; });
    for (int i = 0; i < 40; ++i) {
      pair.now += std::chrono::milliseconds(10);
      pair.bob.handle_timeout(pair.now, test::kWallClock);
      pair.bob_to_alice();
      pair.alice_to_bob();
    }
    return pair.take<FrameReceived>(pair.bob);
  }

  Pair pair{GetParam()};
  std::uint32_t timestamp = 0;
};

INSTANTIATE_TEST_SUITE_P(Backends, FrameLimitsTest,
                         ::testing::ValuesIn(sealroom::test::available_backends()),
                         sealroom::test::BackendTestName());

TEST_P(FrameLimitsTest, SmallFramesInTheQueueDoNotHoldTheMemoryOfLargeOnesThatWereRefused) {
  add_video_without_alices_protection(rtp::Codec::vp8, true);
  auto good = sframe::Sender::create(GetParam(), test::kSuite, KeyId{1}, pattern(32, 5)).value();
  auto bad = sframe::Sender::create(GetParam(), test::kSuite, KeyId{1}, pattern(32, 9)).value();
  const Bytes refused = protect(bad, vp8_frame(200'000, true, 1));
  for (int i = 0; i < 50; ++i) {
    send(refused);
    send(protect(good, vp8_frame(500, true, 2)));
  }
  const auto frames = pair.take<FrameReceived>(pair.bob);
  EXPECT_EQ(frames.size(), 50U);
  for (const FrameReceived& frame : frames) {
    EXPECT_EQ(frame.data.size(), 500U);
    EXPECT_LE(frame.data.capacity(), 2 * frame.data.size() + 4096);
  }
}

TEST_P(FrameLimitsTest, SmallFramesBehindALargeOneDoNotHoldItsMemory) {
  pair.add_video();
  send(vp8_frame(400'000, true, 1));
  for (std::uint8_t i = 0; i < 20; ++i) send(vp8_frame(500 + 997U * i, false, i));
  const auto frames = pair.take<FrameReceived>(pair.bob);
  ASSERT_EQ(frames.size(), 21U);
  for (std::uint8_t i = 0; i < 20; ++i) {
    const Bytes& data = frames[i + 1U].data;
    EXPECT_EQ(data, vp8_frame(500 + 997U * i, false, i));
    EXPECT_LE(data.capacity(), 2 * data.size() + 4096);
  }
}

TEST_P(FrameLimitsTest, TheFirstPacketOfALongFrameIsRepaired) {
  pair.add_video();
  send(vp8_frame(500, true, 1));
  (void)pair.take<FrameReceived>(pair.bob);
  const Bytes frame = vp8_frame(1'450'000, false, 2);  // 1300 packets
  const auto frames = lose_one_packet_of(frame, 0);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].data, frame);
  EXPECT_EQ(pair.bob.statistics().datagrams_replayed, 0U);
}

TEST_P(FrameLimitsTest, TheLargestFrameArrivesAndIsRepaired) {
  pair.add_video();
  send(vp8_frame(500, true, 1));
  (void)pair.take<FrameReceived>(pair.bob);
  const Bytes frame = vp8_frame(kMaxFrameSize, false, 2);
  for (const std::size_t lost : {SIZE_MAX, std::size_t{0}, std::size_t{1000}}) {
    const auto frames = lose_one_packet_of(frame, lost);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0].data, frame);
  }
  EXPECT_EQ(pair.send_video(vp8_frame(kMaxFrameSize + 1, false, 2), 99'000).error(),
            Error::limit_exceeded);
}

// H.264: each NAL unit of this size is a packet of its own.
TEST_P(FrameLimitsTest, AFrameOfMorePacketsThanAreKeptIsRefusedAndTheStreamGoesOn) {
  add_video_without_alices_protection(rtp::Codec::h264, false);
  const auto slices = [](std::size_t count) {
    Bytes frame{0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80};
    for (std::size_t i = 0; i < count; ++i) {
      frame.insert(frame.end(), {0, 0, 0, 1, 0x65});
      frame.insert(frame.end(), 700, 0x88);
    }
    return frame;
  };
  EXPECT_EQ(pair.send_video(slices(2600), 3000).error(), Error::limit_exceeded);
  DatagramBatch::Run run;
  EXPECT_FALSE(pair.alice.poll_transmit(run));
  const Bytes frame = slices(1900);
  const auto frames = lose_one_packet_of(frame, 1);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].data, frame);
}

}  // namespace
}  // namespace sealroom::session
