#include "support.h"

namespace sealroom::sfu::test {
namespace {

using ProducerTest = RouterTest;

ProducerConfig by_mid(std::string mid) {
  return {rtp::Codec::opus, kAudioType, std::nullopt, std::move(mid)};
}

PacketSpec audio(std::uint16_t sequence, Ssrc ssrc, std::string mid) {
  PacketSpec spec;
  spec.sequence = sequence;
  spec.type = kAudioType;
  spec.ssrc = ssrc;
  spec.mid = std::move(mid);
  return spec;
}

TEST_P(ProducerTest, TheSsrcIsLatchedFromTheFirstAuthenticPacketWithItsMid) {
  Peer& publisher = network.add_peer();
  const ProducerId one = must(network.router.add_producer(publisher.id, by_mid("one")));
  const ProducerId two = must(network.router.add_producer(publisher.id, by_mid("two")));

  Bytes forged = publisher.seal(audio(0, Ssrc{66}, "one"), pattern(50, 0));
  forged.back() ^= 1;
  network.deliver(publisher, forged);
  network.send(publisher, audio(0, Ssrc{70}, "none"), pattern(50, 0));
  network.send(publisher, audio(0, Ssrc{71}, ""), pattern(50, 0));
  PacketSpec other_type = audio(0, Ssrc{72}, "one");
  other_type.type = kVideoType;
  network.send(publisher, other_type, pattern(50, 0));
  EXPECT_EQ(network.router.statistics().packets_rejected, 4u);

  network.send(publisher, audio(5, Ssrc{100}, "one"), pattern(50, 0));
  network.send(publisher, audio(6, Ssrc{100}, ""), pattern(50, 0));  // known by now
  network.send(publisher, audio(9, Ssrc{200}, "two"), pattern(50, 0));
  network.send(publisher, audio(0, Ssrc{300}, "one"), pattern(50, 0));  // taken
  EXPECT_EQ(network.router.statistics(one)->packets_received, 2u);
  EXPECT_EQ(network.router.statistics(two)->packets_received, 1u);
}

TEST_P(ProducerTest, APacketOfAnotherPayloadTypeIsRejected) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_audio(publisher);
  PacketSpec spec = audio(0, kAudioSsrc, "");
  spec.type = PayloadType{55};
  network.send(publisher, spec, pattern(50, 0));
  EXPECT_EQ(network.router.statistics(producer)->packets_received, 0u);
}

TEST_P(ProducerTest, LossOnTheUplinkIsAskedForAndItsRepairForwarded) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50}, 200);
  network.advance(milliseconds(1));
  publisher.control.clear();

  PacketSpec spec;
  std::map<std::uint16_t, Bytes> sent;
  for (std::uint16_t i = 0; i < 10; ++i) {
    spec.sequence = static_cast<std::uint16_t>(65530 + i);
    spec.marker = i == 9;
    sent[i] = publisher.seal(spec, vp8_payload(300, i == 0, true, i));
    if (i != 3 && i != 7) network.deliver(publisher, sent[i]);
  }
  EXPECT_TRUE(publisher.find(rtp::RtcpType::transport_feedback).empty());  // may only be late
  network.advance(milliseconds(10));
  auto nacks = publisher.find(rtp::RtcpType::transport_feedback, rtp::kNackFormat);
  std::vector<std::uint16_t> asked;
  for (const auto& packet : nacks) {
    const auto feedback = must(rtp::Feedback::parse(packet));
    EXPECT_EQ(feedback.media, kVideoSsrc);
    const auto list = must(rtp::parse_nack(feedback));
    asked.insert(asked.end(), list.sequence_numbers.begin(),
                 list.sequence_numbers.begin() + static_cast<std::ptrdiff_t>(list.count));
  }
  EXPECT_EQ(asked, (std::vector<std::uint16_t>{65533, 1}));
  EXPECT_EQ(subscriber.media.size(), 8u);

  network.advance(milliseconds(150));  // asked again
  EXPECT_GT(publisher.find(rtp::RtcpType::transport_feedback, rtp::kNackFormat).size(),
            nacks.size());
  network.deliver(publisher, sent[3]);
  network.deliver(publisher, sent[7]);
  EXPECT_EQ(subscriber.media.size(), 10u);
  const std::size_t before = publisher.control.size();
  publisher.control.clear();
  network.advance(milliseconds(700));
  EXPECT_TRUE(publisher.find(rtp::RtcpType::transport_feedback).empty()) << before;
  EXPECT_EQ(network.router.statistics(producer)->packets_lost, 0u);
}

// In a burst of a large key frame a round trip is more than a thousand packets.
TEST_P(ProducerTest, ARepairTwoThousandPacketsLateIsForwardedAndKept) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50}, 200);
  PacketSpec spec;
  std::vector<Bytes> sent;
  for (std::uint16_t i = 0; i < 2048; ++i) {
    spec.sequence = i;
    sent.push_back(publisher.seal(spec, vp8_payload(100, i == 0, i == 0, i)));
    if (i != 1) network.deliver(publisher, sent[i]);
  }
  network.deliver(publisher, sent[1]);
  ASSERT_EQ(subscriber.media.size(), 2048u);
  EXPECT_EQ(subscriber.media[2047].view().header().sequence_number, 201);
  network.advance(milliseconds(50));
  network.send_nack(subscriber, Ssrc{50}, {201});
  EXPECT_EQ(subscriber.media.size(), 2049u);
}

TEST_P(ProducerTest, ADeadUplinkIsNotAskedForEver) {
  Peer& publisher = network.add_peer();
  network.add_video(publisher);
  send_frame(publisher, 0, 10, true, 0, {3, 4, 5});
  network.advance(seconds(5));
  publisher.control.clear();
  network.advance(seconds(5));
  EXPECT_TRUE(publisher.find(rtp::RtcpType::transport_feedback).empty());
}

TEST_P(ProducerTest, ConfigurationsThatCannotBeToldApartAreRefused) {
  Peer& publisher = network.add_peer();
  Router& router = network.router;
  network.add_audio(publisher);
  const auto refused = [&](ProducerConfig config) {
    const auto result = router.add_producer(publisher.id, std::move(config));
    return !result && result.error() == Error::invalid_argument;
  };
  EXPECT_TRUE(refused({rtp::Codec::opus, kAudioType, kAudioSsrc, "b"}));
  EXPECT_TRUE(refused({rtp::Codec::opus, kAudioType, std::nullopt, ""}));
  EXPECT_TRUE(refused({rtp::Codec::opus, kAudioType, std::nullopt, "longer than sixteen"}));
  EXPECT_TRUE(refused({rtp::Codec::opus, PayloadType{128}, std::nullopt, "b"}));
  EXPECT_TRUE(router.add_producer(publisher.id, by_mid("b")).ok());
  EXPECT_TRUE(refused(by_mid("b")));
}

TEST_P(ProducerTest, ARemovedProducerReceivesNothingMore) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_audio(publisher);
  network.send(publisher, audio(0, kAudioSsrc, ""), pattern(50, 0));
  network.router.remove_producer(producer);
  network.send(publisher, audio(1, kAudioSsrc, ""), pattern(50, 0));
  EXPECT_FALSE(network.router.statistics(producer));
  EXPECT_EQ(network.router.statistics().packets_received, 1u);
  EXPECT_EQ(network.router.next_timeout(), kNever);
  // Its SSRC may come back: the SRTP stream goes on where it was.
  const ProducerId again = network.add_audio(publisher);
  network.send(publisher, audio(2, kAudioSsrc, ""), pattern(50, 0));
  EXPECT_EQ(network.router.statistics(again)->packets_received, 1u);
}

SEALROOM_INSTANTIATE_ROUTER_TEST(ProducerTest);

}  // namespace
}  // namespace sealroom::sfu::test
