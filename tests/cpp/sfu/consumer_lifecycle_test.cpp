#include <random>

#include "sealroom/base/sequence.h"
#include "support.h"

namespace sealroom::sfu::test {
namespace {

using ConsumerLifecycleTest = RouterTest;

std::vector<Ssrc> byes(const Peer& peer) {
  std::vector<Ssrc> result;
  for (const auto& packet : peer.find(rtp::RtcpType::bye)) {
    const auto bye = must(rtp::Bye::parse(packet));
    result.insert(result.end(), bye.sources.begin(),
                  bye.sources.begin() + static_cast<std::ptrdiff_t>(bye.count));
  }
  return result;
}

TEST_P(ConsumerLifecycleTest, RemovalSendsAByeAndEndsForwarding) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  const ConsumerId consumer = network.add_consumer(subscriber, producer, Ssrc{50});
  send_frame(publisher, 0, 2, true, 0);
  network.router.remove_consumer(consumer);
  network.drain();
  EXPECT_EQ(byes(subscriber), std::vector<Ssrc>{Ssrc{50}});
  send_frame(publisher, 2, 2, true, 3000);
  network.send_nack(subscriber, Ssrc{50}, {1000});
  EXPECT_EQ(subscriber.media.size(), 2u);
  EXPECT_FALSE(network.router.statistics(consumer));
  network.router.remove_consumer(consumer);
  network.drain();
  EXPECT_EQ(byes(subscriber).size(), 1u);
}

TEST_P(ConsumerLifecycleTest, RemovingAProducerOrItsTransportEndsItsConsumersWithAByeEach) {
  Peer& publisher = network.add_peer();
  const ProducerId video = network.add_video(publisher);
  const ProducerId audio = network.add_audio(publisher);
  Peer& a = network.add_peer();
  Peer& b = network.add_peer();
  network.add_consumer(a, video, Ssrc{50});
  network.add_consumer(b, video, Ssrc{51});
  network.add_consumer(b, audio, Ssrc{52});
  network.router.remove_producer(video);
  network.drain();
  EXPECT_EQ(byes(a), std::vector<Ssrc>{Ssrc{50}});
  EXPECT_EQ(byes(b), std::vector<Ssrc>{Ssrc{51}});
  network.router.remove_transport(publisher.id);
  network.drain();
  EXPECT_EQ(byes(b), (std::vector<Ssrc>{Ssrc{51}, Ssrc{52}}));
  EXPECT_FALSE(network.router.statistics(audio));
  EXPECT_EQ(network.router.next_timeout(), kNever);
}

TEST_P(ConsumerLifecycleTest, RemovingASubscribersTransportLeavesTheOthers) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& a = network.add_peer();
  Peer& b = network.add_peer();
  const ConsumerId gone = network.add_consumer(a, producer, Ssrc{50});
  network.add_consumer(b, producer, Ssrc{51});
  send_frame(publisher, 0, 2, true, 0);
  PacketSpec spec;
  spec.sequence = 2;
  Bytes datagram = publisher.seal(spec, vp8_payload(100, false, false, 2));
  network.router.handle_datagram(publisher.id, datagram, network.now);
  network.router.remove_transport(a.id);  // while it has something to send
  network.drain();
  EXPECT_FALSE(network.router.statistics(gone));
  EXPECT_EQ(a.media.size(), 2u);
  EXPECT_EQ(b.media.size(), 3u);
}

TEST_P(ConsumerLifecycleTest, ASpentSsrcIsRefusedInItsTransport) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_audio(publisher);
  Peer& subscriber = network.add_peer();
  const ConsumerConfig config{kAudioType, Ssrc{50}, "", 0};
  const ConsumerId consumer = must(network.router.add_consumer(subscriber.id, producer, config));
  EXPECT_EQ(network.router.add_consumer(subscriber.id, producer, config).error(),
            Error::invalid_argument);
  network.router.remove_consumer(consumer);
  EXPECT_EQ(network.router.add_consumer(subscriber.id, producer, config).error(),
            Error::invalid_argument);
  EXPECT_TRUE(network.router.add_consumer(network.add_peer().id, producer, config).ok());
}

TEST_P(ConsumerLifecycleTest, AResumedVideoConsumerWaitsForAKeyFrameItAsksFor) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  const ConsumerId consumer = network.add_consumer(subscriber, producer, Ssrc{50}, 10);
  send_frame(publisher, 0, 3, true, 0);  // 10, 11, 12
  network.advance(seconds(1));
  publisher.control.clear();
  ASSERT_TRUE(network.router.set_consumer_paused(consumer, true).ok());
  send_frame(publisher, 3, 3, true, 3000);
  EXPECT_EQ(subscriber.media.size(), 3u);
  ASSERT_TRUE(network.router.set_consumer_paused(consumer, false).ok());
  network.advance(milliseconds(0));
  EXPECT_EQ(publisher.key_frame_requests(), 1u);
  send_frame(publisher, 6, 3, false, 6000);
  EXPECT_EQ(subscriber.media.size(), 3u);
  send_frame(publisher, 9, 3, true, 9000);
  ASSERT_EQ(subscriber.media.size(), 6u);
  EXPECT_EQ(subscriber.media[3].view().header().sequence_number, 13);
}

// The nonce rule: under one key and SSRC, one SRTP index is one packet, byte for byte.
TEST_P(ConsumerLifecycleTest, NoSequenceNumberStandsForTwoPackets) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  const ConsumerId consumer = network.add_consumer(subscriber, producer, Ssrc{50}, 65000);
  std::mt19937 random(3);
  std::map<std::uint16_t, Bytes> sealed_of;
  std::size_t distinct = 0;
  std::size_t repeated = 0;
  std::uint16_t newest = 65000;
  std::uint16_t sequence = 0;
  bool paused = false;
  std::vector<Bytes> held;  // on their way, to be reordered
  for (int i = 0; i < 6000; ++i) {
    PacketSpec spec;
    spec.sequence = sequence;
    spec.timestamp = static_cast<std::uint32_t>(i);
    held.push_back(publisher.seal(
        spec, vp8_payload(60, random() % 4 == 0, random() % 2 == 0, static_cast<std::size_t>(i))));
    sequence = static_cast<std::uint16_t>(sequence + 1 + (random() % 50 == 0 ? random() % 40 : 0) +
                                          (random() % 1000 == 0 ? 5000 : 0));
    if (held.size() > random() % 6) {
      const std::size_t which = random() % held.size();
      if (random() % 20 != 0) network.deliver(publisher, held[which]);
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
    }
    if (random() % 60 == 0) {
      paused = !paused;
      ASSERT_TRUE(network.router.set_consumer_paused(consumer, paused).ok());
    }
    if (random() % 10 == 0) {
      std::vector<std::uint16_t> wanted;
      for (int back = 100; back > -5; --back) {
        wanted.push_back(static_cast<std::uint16_t>(newest - back));
      }
      network.send_nack(subscriber, Ssrc{50}, wanted);
    }
    network.advance(milliseconds(1));
    for (const Arrival& arrival : subscriber.media) {
      const auto number = static_cast<std::uint16_t>(arrival.sealed[2] << 8 | arrival.sealed[3]);
      const auto [place, is_new] = sealed_of.emplace(number, arrival.sealed);
      ASSERT_EQ(place->second, arrival.sealed) << number;
      ASSERT_TRUE(!arrival.error || *arrival.error == Error::replayed);
      distinct += is_new ? 1 : 0;
      repeated += is_new ? 0 : 1;
      if (is_newer(number, newest)) newest = number;
    }
    subscriber.media.clear();
  }
  EXPECT_GT(distinct, 1000u);
  EXPECT_GT(repeated, 100u);
}

SEALROOM_INSTANTIATE_ROUTER_TEST(ConsumerLifecycleTest);

}  // namespace
}  // namespace sealroom::sfu::test
