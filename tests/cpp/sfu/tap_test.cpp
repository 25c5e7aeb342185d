#include "support.h"

namespace sealroom::sfu::test {
namespace {

using TapTest = RouterTest;

TEST_P(TapTest, ShowsWholeVideoFramesFromAKeyFrameOn) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  ASSERT_TRUE(network.router.set_tap(producer, true).ok());
  network.advance(milliseconds(0));
  EXPECT_EQ(publisher.key_frame_requests(), 1u);
  send_frame(publisher, 65530, 3, true, 1000);
  send_frame(publisher, 65533, 5, false, 4000);
  const std::vector<TappedFrame> frames = network.router.take_tapped_frames(producer);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_TRUE(frames[0].is_key_frame);
  EXPECT_EQ(frames[0].timestamp, RtpTimestamp{1000});
  EXPECT_EQ(frames[0].data.size(), 3u * 499);  // without the payload descriptors
  EXPECT_FALSE(frames[1].is_key_frame);
  Bytes expected;
  for (std::uint16_t i = 0; i < 5; ++i) {
    const Bytes part = vp8_payload(500, i == 0, false, static_cast<std::uint16_t>(65533 + i));
    expected.insert(expected.end(), part.begin() + 1, part.end());
  }
  EXPECT_EQ(frames[1].data, expected);
  EXPECT_TRUE(network.router.take_tapped_frames(producer).empty());
}

TEST_P(TapTest, AMalformedPacketHasAKeyFrameAskedForAtOnce) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  ASSERT_TRUE(network.router.set_tap(producer, true).ok());
  send_frame(publisher, 10, 3, true, 1000);
  network.advance(milliseconds(3000));
  const std::size_t before = publisher.key_frame_requests();
  PacketSpec spec;
  spec.sequence = 13;
  spec.timestamp = 4000;
  network.send(publisher, spec, Bytes{0x90});  // its descriptor ends before the byte it promises
  send_frame(publisher, 14, 1, false, 7000);
  network.advance(milliseconds(20));
  EXPECT_EQ(publisher.key_frame_requests(), before + 1);
}

TEST_P(TapTest, KeepsTheNewestFramesOfABoundedNumber) {
  Network small(GetParam(), {.max_tapped_frames = 3});
  Peer& publisher = small.add_peer();
  const ProducerId producer = small.add_audio(publisher);
  ASSERT_TRUE(small.router.set_tap(producer, true).ok());
  PacketSpec spec;
  spec.type = kAudioType;
  spec.ssrc = kAudioSsrc;
  for (std::uint16_t i = 0; i < 10; ++i) {
    spec.sequence = i;
    spec.timestamp = i;
    small.send(publisher, spec, pattern(30, i));
  }
  const auto frames = small.router.take_tapped_frames(producer);
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].timestamp, RtpTimestamp{7});
  EXPECT_EQ(frames[2].data, pattern(30, 9));
}

TEST_P(TapTest, ShowsNothingWhenItIsOff) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  send_frame(publisher, 0, 3, true, 1000);
  EXPECT_TRUE(network.router.take_tapped_frames(producer).empty());
  ASSERT_TRUE(network.router.set_tap(producer, true).ok());
  ASSERT_TRUE(network.router.set_tap(producer, false).ok());
  send_frame(publisher, 3, 3, true, 2000);
  EXPECT_TRUE(network.router.take_tapped_frames(producer).empty());
  EXPECT_TRUE(network.router.take_tapped_frames(ProducerId{99}).empty());
  EXPECT_EQ(network.router.set_tap(ProducerId{99}, true).error(), Error::invalid_argument);
}

SEALROOM_INSTANTIATE_ROUTER_TEST(TapTest);

}  // namespace
}  // namespace sealroom::sfu::test
