// How a sender answers NACKs: on the stream itself, or on an RTX stream (RFC 4588).

#include <gtest/gtest.h>

#include <numeric>

#include "sealroom/rtp/rtx.h"
#include "session/support.h"
#include "support/backends.h"

namespace sealroom::session {
namespace {

using test::Pair;
using test::vp8_frame;

constexpr auto kProfile = srtp::Profile::aead_aes_256_gcm;

class RetransmissionTest : public ::testing::TestWithParam<crypto::Backend> {
 protected:
  /// An SRTCP datagram of bob's with one NACK, without bob's own bounds. Bob must not send then.
  Bytes nack(const std::vector<std::uint16_t>& numbers, Ssrc media = Ssrc{1111}) {
    Bytes datagram(4096);
    rtp::RtcpWriter writer(datagram);
    EXPECT_TRUE(writer.nack(Ssrc{5}, media, numbers));
    const auto size = bobs_srtp.protect_rtcp(datagram, writer.size());
    EXPECT_TRUE(size);
    datagram.resize(size.value());
    return datagram;
  }

  std::vector<Bytes> sent_by_alice() {
    std::vector<Bytes> datagrams;
    DatagramBatch::Run run;
    while (pair.alice.poll_transmit(run)) {
      for (std::size_t at = 0; at < run.data.size(); at += run.segment_size) {
        const auto view = run.data.subspan(at, std::min(run.segment_size, run.data.size() - at));
        datagrams.emplace_back(view.begin(), view.end());
      }
    }
    return datagrams;
  }

  Pair pair{GetParam(), kProfile};
  srtp::Sender bobs_srtp =
      srtp::Sender::create(GetParam(), kProfile, test::pattern(44, 99)).value();
};

INSTANTIATE_TEST_SUITE_P(Backends, RetransmissionTest,
                         ::testing::ValuesIn(sealroom::test::available_backends()),
                         sealroom::test::BackendTestName());

TEST_P(RetransmissionTest, WithoutRtxItIsByteIdenticalToTheFirstSending) {
  pair.add_video();
  ASSERT_TRUE(pair.send_video(vp8_frame(5000, true, 1), 0));
  const auto first = sent_by_alice();
  Bytes request = nack({65501});
  pair.alice.handle_datagram(request, pair.now, test::kWallClock);
  const auto again = sent_by_alice();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0], first[1]);
}

TEST_P(RetransmissionTest, AStormOfNacksIsAnsweredWithinAQuarterOfTheRate) {
  pair.add_video();
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_again = 0;
  std::uint32_t timestamp = 0;
  std::uint16_t next_number = 65500;
  const auto send = [&] {
    ASSERT_TRUE(pair.send_video(vp8_frame(4000, timestamp == 0, 1), timestamp));
    timestamp += 3000;
    for (const Bytes& datagram : sent_by_alice()) {
      bytes_sent += datagram.size();
      ++next_number;
    }
  };
  for (int i = 0; i < 300; ++i) {  // more than 1,000 packets in the history
    send();
    pair.now += std::chrono::milliseconds(30);
  }
  bytes_sent = 0;
  for (int step = 0; step < 1000; ++step) {  // 10 s, 100 NACKs a second
    if (step % 3 == 0) send();
    std::vector<std::uint16_t> numbers(1000);
    std::iota(numbers.begin(), numbers.end(), static_cast<std::uint16_t>(next_number - 1000));
    Bytes request = nack(numbers);
    pair.alice.handle_datagram(request, pair.now, test::kWallClock);
    for (const Bytes& datagram : sent_by_alice()) bytes_again += datagram.size();
    pair.now += std::chrono::milliseconds(10);
  }
  // Seconds are counted from the first packet, so eleven of them are touched.
  const std::uint64_t share = bytes_sent * 11 / 10 / rtp::RetransmissionLimiter::kShare +
                              11 * rtp::RetransmissionLimiter::kFloorBytes;
  EXPECT_LT(bytes_again, share + share / 50);  // limited are packets before SRTP
  EXPECT_GT(bytes_again, share / 2);
}

TEST_P(RetransmissionTest, WithRtxItIsANewPacketOfTheRtxStream) {
  pair.add_video(true, true);
  ASSERT_TRUE(pair.send_video(vp8_frame(5000, true, 1), 90'000));
  const auto first = sent_by_alice();
  auto bobs_receiver = srtp::Receiver::create(GetParam(), kProfile, test::pattern(44, 1)).value();
  const auto open = [&](Bytes datagram) {
    const auto size = bobs_receiver.unprotect_rtp(datagram, datagram);
    EXPECT_TRUE(size);
    datagram.resize(size.value());
    return datagram;
  };
  const Bytes original = open(first[1]);
  for (std::uint16_t round = 0; round < 3; ++round) {
    pair.now += std::chrono::milliseconds(100);
    Bytes request = nack({65501});
    pair.alice.handle_datagram(request, pair.now, test::kWallClock);
    const auto again = sent_by_alice();
    ASSERT_EQ(again.size(), 1U);
    EXPECT_LE(again[0].size(), rtp::kMaxDatagramSize);
    const Bytes opened = open(again[0]);
    const auto packet = rtp::RtpPacketView::parse(opened).value();
    EXPECT_EQ(packet.header().ssrc, Ssrc{2222});
    EXPECT_EQ(packet.header().payload_type.value, 97);
    EXPECT_EQ(packet.header().sequence_number, 65530 + round);
    EXPECT_EQ(packet.header().timestamp.value, 90'000U);
    Bytes unwrapped(opened.size());
    const auto size = rtp::unwrap_rtx(packet, {Ssrc{1111}, PayloadType{96}}, unwrapped);
    ASSERT_TRUE(size.ok());
    unwrapped.resize(size.value());
    EXPECT_EQ(unwrapped, original);
  }
  EXPECT_EQ(pair.alice.sender_statistics(pair.video_sender).value().packets_retransmitted, 3U);
}

TEST_P(RetransmissionTest, RtxIsRoutedByItsPayloadTypeAndFillsTheGap) {
  pair.add_video(true, true);
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
  const auto statistics = pair.bob.receiver_statistics(pair.video_receiver).value();
  EXPECT_EQ(statistics.retransmissions_received, 1U);
  EXPECT_EQ(statistics.packets_recovered, 1U);
  EXPECT_EQ(pair.bob.statistics().datagrams_unrouted, 0U);
  // The media route was not taken over by the other SSRC.
  ASSERT_TRUE(pair.send_video(vp8_frame(2000, false, 2), 4000));
  pair.alice_to_bob();
  EXPECT_EQ(pair.take<FrameReceived>(pair.bob).size(), 1U);
}

TEST_P(RetransmissionTest, StreamsThatWouldCollideAreRefused) {
  pair.add_video(true, true);
  const auto refused = [&](Ssrc ssrc, Ssrc rtx, std::uint8_t rtx_type) {
    SenderConfig config;
    config.codec = rtp::Codec::vp8;
    config.payload_type = PayloadType{96};
    config.ssrc = ssrc;
    config.rtx = RtxSenderConfig{rtx, PayloadType{rtx_type}, 0};
    const auto added = pair.alice.add_sender(config);
    return !added.ok() && added.error() == Error::invalid_argument;
  };
  EXPECT_TRUE(refused(Ssrc{2222}, Ssrc{1}, 97));  // the RTX stream of another
  EXPECT_TRUE(refused(Ssrc{1}, Ssrc{1111}, 97));
  EXPECT_TRUE(refused(Ssrc{1}, Ssrc{1}, 97));
  EXPECT_TRUE(refused(Ssrc{1}, Ssrc{2}, 96));
  EXPECT_TRUE(refused(Ssrc{1}, Ssrc{2}, 128));
  EXPECT_FALSE(refused(Ssrc{1}, Ssrc{2}, 97));
}

}  // namespace
}  // namespace sealroom::session
