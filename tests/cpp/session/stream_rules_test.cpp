// What goes out on which stream, and what is made of packets and feedback that other
// implementations send.

#include <gtest/gtest.h>

#include <map>

#include "session/support.h"
#include "support/backends.h"

namespace sealroom::session {
namespace {

using test::Pair;
using test::pattern;
using test::vp8_frame;

class StreamRulesTest : public ::testing::TestWithParam<crypto::Backend> {
 protected:
  static constexpr auto kProfile = srtp::Profile::aead_aes_256_gcm;

  /// Gives `to` a packet of `from`'s stream 1111, type 96 and mid "v".
  void give(MediaSession& to, srtp::Sender& from, std::uint16_t number, ByteView payload,
            bool marker = true) {
    rtp::RtpHeader header;
    header.marker = marker;
    header.payload_type = PayloadType{96};
    header.sequence_number = number;
    header.timestamp = RtpTimestamp{3000U * number};
    header.ssrc = Ssrc{1111};
    rtp::HeaderExtensions values;
    values.mid = "v";
    Bytes datagram(2000);
    const std::size_t header_size =
        rtp::write_header(header, values, config.extensions, datagram).value();
    datagram.resize(from.protect_rtp(datagram, header_size, payload).value());
    to.handle_datagram(datagram, pair.now, test::kWallClock);
    to.flush_feedback(pair.now);
  }

  void request_key_frame_of_alice(Ssrc from, std::uint8_t number, Ssrc media = Ssrc{1111}) {
    Bytes datagram(500);
    rtp::RtcpWriter writer(datagram);
    const rtp::FirEntry entry{media, number};
    ASSERT_TRUE(writer.full_intra_request(from, {&entry, 1}));
    datagram.resize(bobs_srtp.protect_rtcp(datagram, writer.size()).value());
    pair.alice.handle_datagram(datagram, pair.now, test::kWallClock);
  }

  std::size_t requests_at_alice() { return pair.take<KeyFrameRequested>(pair.alice).size(); }

  SessionConfig config = test::session_config(GetParam());
  Pair pair{GetParam(), kProfile};
  srtp::Sender alices_srtp = srtp::Sender::create(GetParam(), kProfile, pattern(44, 1)).value();
  srtp::Sender bobs_srtp = srtp::Sender::create(GetParam(), kProfile, pattern(44, 99)).value();
};

INSTANTIATE_TEST_SUITE_P(Backends, StreamRulesTest,
                         ::testing::ValuesIn(sealroom::test::available_backends()),
                         sealroom::test::BackendTestName());

TEST_P(StreamRulesTest, AMalformedPacketThatCameIsNotAskedForButAKeyFrameIsAtOnce) {
  pair.add_video(false);
  const Bytes key_frame{0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x10, 0x00, 0x10, 0x00};
  const Bytes delta_frame{0x10, 0x11, 0x02, 0x00, 0x01};
  const Bytes malformed{0x90};  // its descriptor ends before the byte it promises
  give(pair.bob, alices_srtp, 1, key_frame);
  give(pair.bob, alices_srtp, 2, delta_frame);
  give(pair.bob, alices_srtp, 3, malformed);
  EXPECT_EQ(pair.take<FrameReceived>(pair.bob).size(), 2U);
  pair.bob_to_alice();
  const auto received = [&] { return pair.bob.receiver_statistics(pair.video_receiver).value(); };
  EXPECT_EQ(received().key_frame_requests_sent, 1U);
  for (std::uint16_t number = 4; number < 20; ++number) {
    pair.now += std::chrono::milliseconds(20);
    give(pair.bob, alices_srtp, number, delta_frame);
    pair.bob.handle_timeout(pair.now, test::kWallClock);
  }
  give(pair.bob, alices_srtp, 20, key_frame);
  EXPECT_EQ(received().nacks_sent, 0U);
  EXPECT_EQ(received().key_frame_requests_sent, 1U);
  EXPECT_EQ(received().packets_malformed, 1U);
  EXPECT_EQ(received().packets_lost, 0);
  EXPECT_EQ(pair.take<FrameReceived>(pair.bob).size(), 1U);
}

TEST_P(StreamRulesTest, AMalformedPacketBehindAGapDoesNotCostTheFramesBeforeIt) {
  pair.add_video(false);
  const Bytes key_frame{0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x10, 0x00, 0x10, 0x00};
  const Bytes delta_frame{0x10, 0x11, 0x02, 0x00, 0x01};
  give(pair.bob, alices_srtp, 1, key_frame);
  give(pair.bob, alices_srtp, 3, delta_frame);
  give(pair.bob, alices_srtp, 4, Bytes{0x90});
  EXPECT_EQ(pair.take<FrameReceived>(pair.bob).size(), 1U);
  give(pair.bob, alices_srtp, 2, delta_frame);
  EXPECT_EQ(pair.take<FrameReceived>(pair.bob).size(), 2U);
  const auto received = pair.bob.receiver_statistics(pair.video_receiver).value();
  EXPECT_EQ(received.key_frame_requests_sent, 1U);
  EXPECT_EQ(received.nacks_sent, 0U);
}

TEST_P(StreamRulesTest, RepetitionsOfAFullIntraRequestAreOneRequest) {
  pair.add_video();
  for (int i = 0; i < 5; ++i) request_key_frame_of_alice(Ssrc{5}, 7);
  EXPECT_EQ(requests_at_alice(), 1U);
  EXPECT_EQ(pair.alice.sender_statistics(pair.video_sender).value().key_frame_requests_received,
            1U);
  request_key_frame_of_alice(Ssrc{5}, 8);
  EXPECT_EQ(requests_at_alice(), 1U);
  request_key_frame_of_alice(Ssrc{6}, 8);  // the numbers are each requester's own
  EXPECT_EQ(requests_at_alice(), 1U);
  request_key_frame_of_alice(Ssrc{5}, 8, Ssrc{4444});  // nobody sends that
  request_key_frame_of_alice(Ssrc{5}, 8);
  EXPECT_EQ(requests_at_alice(), 0U);
  pair.now += std::chrono::seconds(3);  // one that never counts on is heard nevertheless
  request_key_frame_of_alice(Ssrc{5}, 8);
  EXPECT_EQ(requests_at_alice(), 1U);
}

TEST_P(StreamRulesTest, SendTimesAreInPacketsOfVideoOnly) {
  pair.add_video(true, true);
  SenderConfig audio;
  audio.codec = rtp::Codec::opus;
  audio.payload_type = PayloadType{111};
  audio.ssrc = Ssrc{3333};
  audio.mid = "a";
  audio.protection = false;
  audio.rtx = RtxSenderConfig{Ssrc{4444}, PayloadType{112}, 0};
  const SenderId sender = pair.alice.add_sender(audio).value();
  ASSERT_TRUE(pair.send_video(vp8_frame(500, true, 1), 0));
  ASSERT_TRUE(
      pair.alice.send_frame(sender, {pattern(60, 1), {}, {}, {}}, pair.now, test::kWallClock));
  for (const Ssrc media : {Ssrc{1111}, Ssrc{3333}}) {
    Bytes nack(500);
    rtp::RtcpWriter writer(nack);
    const std::uint16_t number = media == Ssrc{1111} ? 65500 : 0;
    ASSERT_TRUE(writer.nack(Ssrc{5}, media, {&number, 1}));
    nack.resize(bobs_srtp.protect_rtcp(nack, writer.size()).value());
    pair.alice.handle_datagram(nack, pair.now, test::kWallClock);
  }
  auto open = srtp::Receiver::create(GetParam(), kProfile, pattern(44, 1)).value();
  std::map<std::uint32_t, bool> has_send_time;
  pair.alice_to_bob([&](Bytes& datagram) {
    const std::size_t size = open.unprotect_rtp(datagram, datagram).value();
    const auto packet = rtp::RtpPacketView::parse(ByteView(datagram).first(size)).value();
    const auto values = rtp::read_extensions(packet, config.extensions);
    has_send_time[packet.header().ssrc.value] = values.abs_send_time.has_value();
    return false;
  });
  EXPECT_EQ(has_send_time, (std::map<std::uint32_t, bool>{
                               {1111, true}, {2222, true}, {3333, false}, {4444, false}}));
}

// RFC 5761 section 4: with a marker they are taken for RTCP.
TEST_P(StreamRulesTest, PayloadTypesThatReadAsRtcpAreRefused) {
  for (const int number : {64, 72, 95}) {
    const PayloadType type{static_cast<std::uint8_t>(number)};
    SenderConfig sender;
    sender.codec = rtp::Codec::opus;
    sender.payload_type = PayloadType{111};
    sender.ssrc = Ssrc{1};
    SenderConfig of_type = sender;
    of_type.payload_type = type;
    EXPECT_EQ(pair.alice.add_sender(of_type).error(), Error::invalid_argument);
    of_type = sender;
    of_type.rtx = RtxSenderConfig{Ssrc{2}, type, 0};
    EXPECT_EQ(pair.alice.add_sender(of_type).error(), Error::invalid_argument);
    of_type = sender;
    of_type.red = RedSenderConfig{type, 1};
    EXPECT_EQ(pair.alice.add_sender(of_type).error(), Error::invalid_argument);
    ReceiverConfig receiver;
    receiver.codec = rtp::Codec::opus;
    receiver.payload_type = PayloadType{111};
    ReceiverConfig with_type = receiver;
    with_type.payload_type = type;
    EXPECT_EQ(pair.bob.add_receiver(with_type).error(), Error::invalid_argument);
    with_type = receiver;
    with_type.rtx = RtxReceiverConfig{type, std::nullopt, {}};
    EXPECT_EQ(pair.bob.add_receiver(with_type).error(), Error::invalid_argument);
    with_type = receiver;
    with_type.red = type;
    EXPECT_EQ(pair.bob.add_receiver(with_type).error(), Error::invalid_argument);
  }
}

}  // namespace
}  // namespace sealroom::session
