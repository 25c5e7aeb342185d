#include "support.h"

namespace sealroom::sfu::test {
namespace {

using ForwardingTest = RouterTest;

TEST_P(ForwardingTest, EverySubscriberDecryptsTheSamePayloadWithItsOwnKeys) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  std::vector<Peer*> subscribers;
  for (std::uint32_t i = 0; i < 20; ++i) {
    subscribers.push_back(&network.add_peer());
    network.add_consumer(*subscribers.back(), producer, Ssrc{5000 + i},
                         static_cast<std::uint16_t>(i * 3000));
  }
  const Bytes payload = vp8_payload(1100, true, true, 1);
  PacketSpec spec;
  spec.sequence = 77;
  spec.timestamp = 123456;
  spec.marker = true;
  network.send(publisher, spec, payload);

  for (std::uint32_t i = 0; i < 20; ++i) {
    ASSERT_EQ(subscribers[i]->media.size(), 1u);
    const auto view = subscribers[i]->media[0].view();
    EXPECT_EQ(view.header().ssrc, Ssrc{5000 + i});
    EXPECT_EQ(view.header().sequence_number, i * 3000);
    EXPECT_EQ(view.header().payload_type, PayloadType{120});
    EXPECT_EQ(view.header().timestamp, RtpTimestamp{123456});
    EXPECT_TRUE(view.header().marker);
    EXPECT_TRUE(
        std::equal(view.payload().begin(), view.payload().end(), payload.begin(), payload.end()));
    EXPECT_EQ(subscribers[i]->media[0].sealed.size(), subscribers[0]->media[0].sealed.size());
    if (i > 0) {
      EXPECT_NE(subscribers[i]->media[0].sealed, subscribers[0]->media[0].sealed);
    }
  }
  EXPECT_EQ(network.router.statistics().packets_forwarded, 20u);
  EXPECT_EQ(network.router.statistics().bytes_forwarded, 20u * 1100);
}

TEST_P(ForwardingTest, ExtensionsGetTheSubscribersIdsAndMid) {
  Peer& publisher = network.add_peer(extension_ids(4, 5, 6));
  const ProducerId producer = network.add_audio(publisher);
  Peer& subscriber = network.add_peer(extension_ids(9, 8, 7));
  network.add_consumer(subscriber, producer, Ssrc{1234}, 1, PayloadType{100}, "audio-of-alice");
  PacketSpec spec;
  spec.type = kAudioType;
  spec.ssrc = kAudioSsrc;
  spec.mid = "a";
  spec.abs_send_time = 0xABCDEF;
  spec.audio_level = rtp::AudioLevel{true, 33};
  network.send(publisher, spec, pattern(80, 1));
  ASSERT_EQ(subscriber.media.size(), 1u);
  const auto view = subscriber.media[0].view();
  const auto extensions = rtp::read_extensions(view, subscriber.extensions);
  EXPECT_EQ(extensions.mid, "audio-of-alice");
  EXPECT_EQ(extensions.abs_send_time, 0xABCDEFu);
  ASSERT_TRUE(extensions.audio_level);
  EXPECT_TRUE(extensions.audio_level->voice_activity);
  EXPECT_EQ(extensions.audio_level->level, 33);
}

TEST_P(ForwardingTest, EqualPacketsAreReadyForOneOffloadedSend) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_audio(publisher);
  Peer& a = network.add_peer();
  Peer& b = network.add_peer();
  network.add_consumer(a, producer, Ssrc{50});
  network.add_consumer(b, producer, Ssrc{51});
  std::vector<Bytes> burst;
  for (std::uint16_t i = 0; i < 10; ++i) {
    PacketSpec spec;
    spec.sequence = i;
    spec.type = kAudioType;
    spec.ssrc = kAudioSsrc;
    burst.push_back(publisher.seal(spec, pattern(i == 9 ? 400 : 1000, i)));
    burst.push_back(burst.back());  // a replay beside it, and a forgery
    burst.push_back(burst.back());
    burst.back()[3] = static_cast<std::uint8_t>(200 + i);
  }
  const std::vector<MutableByteView> datagrams(burst.begin(), burst.end());
  network.router.handle_datagrams(publisher.id, datagrams, network.now);
  EXPECT_EQ(network.router.statistics().packets_received, 10u);
  EXPECT_EQ(network.router.statistics().packets_rejected, 20u);
  std::map<std::uint64_t, std::size_t> runs;
  Transmit transmit;
  while (network.router.poll_transmit(transmit)) {
    ++runs[transmit.transport.value];
    EXPECT_EQ((transmit.data.size() + transmit.segment_size - 1) / transmit.segment_size, 10u);
  }
  EXPECT_EQ(runs, (std::map<std::uint64_t, std::size_t>{{a.id.value, 1}, {b.id.value, 1}}));
}

TEST_P(ForwardingTest, SequenceNumbersWrapOnBothSides) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_audio(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50}, 65000);
  PacketSpec spec;
  spec.type = kAudioType;
  spec.ssrc = kAudioSsrc;
  for (int i = 0; i < 140'000; ++i) {
    spec.sequence = static_cast<std::uint16_t>(60000 + i);
    network.send(publisher, spec, pattern(20, static_cast<std::size_t>(i)));
    ASSERT_EQ(subscriber.media.size(), 1u);
    ASSERT_EQ(subscriber.media[0].view().header().sequence_number,
              static_cast<std::uint16_t>(65000 + i));
    subscriber.media.clear();
  }
}

TEST_P(ForwardingTest, ReorderingAndGapsPassThrough) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_audio(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50}, 100);
  PacketSpec spec;
  spec.type = kAudioType;
  spec.ssrc = kAudioSsrc;
  for (const std::uint16_t sequence : std::vector<std::uint16_t>{10, 12, 11, 15}) {
    spec.sequence = sequence;
    network.send(publisher, spec, pattern(20, sequence));
  }
  std::vector<std::uint16_t> numbers;
  for (const auto& arrival : subscriber.media) {
    numbers.push_back(arrival.view().header().sequence_number);
  }
  EXPECT_EQ(numbers, (std::vector<std::uint16_t>{100, 102, 101, 105}));
}

// A step of 2^15 or more in outgoing numbers would reuse an SRTP index.
TEST_P(ForwardingTest, AJumpOfTheProducerDoesNotReachTheSubscribersNumbers) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_audio(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50}, 100);
  PacketSpec spec;
  spec.type = kAudioType;
  spec.ssrc = kAudioSsrc;
  std::uint16_t sequence = 0;
  for (std::uint16_t i = 0; i < 40; ++i) {
    spec.sequence = sequence;
    network.send(publisher, spec, pattern(20, i));
    sequence = static_cast<std::uint16_t>(sequence + 30'000);
    ASSERT_EQ(subscriber.media.size(), i + 1u);
    EXPECT_EQ(subscriber.media.back().view().header().sequence_number, 100 + i);
  }
}

TEST_P(ForwardingTest, PaddingIsTakenOffAndItsPacketKeepsItsPlace) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_audio(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50}, 100);
  PacketSpec spec;
  spec.type = kAudioType;
  spec.ssrc = kAudioSsrc;
  network.send(publisher, spec, {});
  spec.sequence = 1;
  network.send(publisher, spec, pattern(20, 1));
  ASSERT_EQ(subscriber.media.size(), 2u);
  EXPECT_TRUE(subscriber.media[0].view().payload().empty());
  EXPECT_EQ(subscriber.media[1].view().header().sequence_number, 101);
}

TEST_P(ForwardingTest, ForgedPacketsChangeNothing) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_audio(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50});
  PacketSpec spec;
  spec.type = kAudioType;
  spec.ssrc = kAudioSsrc;
  network.send(publisher, spec, pattern(100, 0));

  const auto before = network.router.statistics(producer);
  for (std::uint16_t i = 1; i < 200; ++i) {
    spec.sequence = i;
    Bytes forged = publisher.seal(spec, pattern(100, i));
    forged[forged.size() - 1 - i % 50] ^= 1;
    network.deliver(publisher, forged);
    network.deliver(publisher, pattern(i, i));  // noise of every length
    network.deliver(subscriber,
                    publisher.seal(spec, pattern(100, i)));  // the right keys, the wrong transport
  }
  Bytes forged = subscriber.seal_rtcp(nack(Ssrc{50}, {1000}));
  forged.back() ^= 1;
  network.deliver(subscriber, forged);
  network.router.handle_datagram(TransportId{999}, forged, network.now);

  EXPECT_EQ(subscriber.media.size(), 1u);
  EXPECT_TRUE(subscriber.control.empty());
  EXPECT_TRUE(publisher.control.empty());
  const auto after = network.router.statistics(producer);
  EXPECT_EQ(after->packets_received, before->packets_received);
  EXPECT_EQ(after->packets_lost, before->packets_lost);
  EXPECT_EQ(network.router.statistics().packets_received, 1u);
  EXPECT_EQ(network.router.statistics().packets_rejected, 3u * 199 + 2);
  spec.sequence = 1;
  network.send(publisher, spec, pattern(100, 1));
  EXPECT_EQ(subscriber.media.size(), 2u) << "a forgery must not spend a sequence number";
}

TEST_P(ForwardingTest, AReplayedPacketIsForwardedOnce) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_audio(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50});
  PacketSpec spec;
  spec.type = kAudioType;
  spec.ssrc = kAudioSsrc;
  const Bytes sealed = publisher.seal(spec, pattern(100, 0));
  for (int i = 0; i < 5; ++i) network.deliver(publisher, sealed);
  EXPECT_EQ(subscriber.media.size(), 1u);
}

TEST_P(ForwardingTest, PacketsBeforeTheKeysAreDropped) {
  const TransportId id = must(network.router.add_transport());
  Bytes datagram = pattern(100, 1);
  datagram[0] = 0x80;
  network.router.handle_datagram(id, datagram, network.now);
  EXPECT_EQ(network.router.statistics().packets_rejected, 1u);
}

SEALROOM_INSTANTIATE_ROUTER_TEST(ForwardingTest);

}  // namespace
}  // namespace sealroom::sfu::test
