#include "sfu/key_frame_pacer.h"
#include "support.h"

namespace sealroom::sfu::test {
namespace {

class KeyFrameRequestTest : public RouterTest {
 protected:
  std::uint16_t next_sequence = 0;
};

TEST_P(KeyFrameRequestTest, ALateConsumerAsksForAKeyFrameAndWaitsForIt) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  send_frame(publisher, 0, 3, true, 0);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50}, 10);
  EXPECT_LE(network.router.next_timeout(), network.now);
  network.advance(milliseconds(0));
  EXPECT_EQ(publisher.key_frame_requests(), 1u);
  send_frame(publisher, 3, 3, false, 3000);
  EXPECT_TRUE(subscriber.media.empty());
  send_frame(publisher, 6, 3, true, 6000);
  ASSERT_EQ(subscriber.media.size(), 3u);
  EXPECT_EQ(subscriber.media[0].view().header().sequence_number, 10);
  send_frame(publisher, 9, 3, false, 9000);
  EXPECT_EQ(subscriber.media.size(), 6u);
}

TEST_P(KeyFrameRequestTest, AnAudioConsumerStartsAtOnce) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_audio(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50});
  PacketSpec spec;
  spec.type = kAudioType;
  spec.ssrc = kAudioSsrc;
  network.send(publisher, spec, pattern(40, 0));
  EXPECT_EQ(subscriber.media.size(), 1u);
  network.advance(milliseconds(500));
  EXPECT_EQ(publisher.key_frame_requests(), 0u);
  network.send_key_frame_request(subscriber, Ssrc{50});
  EXPECT_EQ(publisher.key_frame_requests(), 0u);
}

TEST_P(KeyFrameRequestTest, RequestsOfManySubscribersBecomeOneEvery300Milliseconds) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  std::vector<Peer*> subscribers;
  for (std::uint32_t i = 0; i < 10; ++i) {
    subscribers.push_back(&network.add_peer());
    network.add_consumer(*subscribers.back(), producer, Ssrc{50 + i});
  }
  network.advance(milliseconds(0));
  ASSERT_EQ(publisher.key_frame_requests(), 1u);
  for (int millisecond = 0; millisecond < 3000; millisecond += 10) {
    for (std::uint32_t i = 0; i < 10; ++i) {
      network.send_key_frame_request(*subscribers[i], Ssrc{50 + i});
    }
    network.advance(milliseconds(10));
  }
  EXPECT_EQ(publisher.key_frame_requests(), 11u);
}

TEST_P(KeyFrameRequestTest, TheBoundHoldsAlsoWhenEachRequestIsAnswered) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50});
  network.advance(milliseconds(0));
  std::uint16_t sequence = 0;
  for (int millisecond = 0; millisecond < 3000; millisecond += 10) {
    if (publisher.key_frame_requests() > sequence) send_frame(publisher, sequence++, 1, true, 0);
    network.send_key_frame_request(subscriber, Ssrc{50});
    network.advance(milliseconds(10));
  }
  EXPECT_EQ(publisher.key_frame_requests(), 11u);
}

TEST_P(KeyFrameRequestTest, WhoJoinsAfterAKeyFrameBeganAsksForAnotherAtOnce) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  for (std::uint32_t i = 0; i < KeyFramePacer::kBurst; ++i) {
    network.add_consumer(network.add_peer(), producer, Ssrc{50 + i});
    network.advance(milliseconds(0));
    EXPECT_EQ(publisher.key_frame_requests(), i + 1);
    send_frame(publisher, static_cast<std::uint16_t>(i), 1, true, 0);
    network.advance(milliseconds(10));
  }
}

TEST_P(KeyFrameRequestTest, WhoJoinsBeforeTheKeyFrameBeginsWaitsForThatOne) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  std::vector<Peer*> subscribers;
  for (std::uint32_t i = 0; i < 20; ++i) {
    subscribers.push_back(&network.add_peer());
    network.add_consumer(*subscribers.back(), producer, Ssrc{50 + i});
    network.advance(milliseconds(10));
  }
  EXPECT_EQ(publisher.key_frame_requests(), 1u);
  send_frame(publisher, 0, 1, true, 0);
  for (const Peer* subscriber : subscribers) EXPECT_EQ(subscriber->media.size(), 1u);
  network.advance(seconds(2));
  EXPECT_EQ(publisher.key_frame_requests(), 1u);
}

TEST_P(KeyFrameRequestTest, ARequestThatNothingCameOfIsRepeatedForTheNextWhoJoins) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  network.add_consumer(network.add_peer(), producer, Ssrc{50});
  network.advance(milliseconds(100));
  network.add_consumer(network.add_peer(), producer, Ssrc{51});
  network.advance(milliseconds(199));
  EXPECT_EQ(publisher.key_frame_requests(), 1u);
  network.advance(milliseconds(1));
  EXPECT_EQ(publisher.key_frame_requests(), 2u);
}

TEST_P(KeyFrameRequestTest, JoinsWithoutEndAreBoundedByTheStoreAndTheInterval) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  std::uint16_t sequence = 0;
  for (std::uint32_t i = 0; i < 300; ++i) {
    const ConsumerId joined = network.add_consumer(subscriber, producer, Ssrc{1000 + i});
    network.advance(milliseconds(0));
    if (publisher.key_frame_requests() > sequence) send_frame(publisher, sequence++, 1, true, 0);
    network.router.remove_consumer(joined);
    network.advance(milliseconds(10));
  }
  EXPECT_EQ(publisher.key_frame_requests(), KeyFramePacer::kBurst + 10u);
  network.advance(seconds(2));  // the store is full again, and no fuller
  const std::size_t before = publisher.key_frame_requests();
  for (std::uint32_t i = 0; i < 20; ++i) {
    network.add_consumer(subscriber, producer, Ssrc{2000 + i});
    network.advance(milliseconds(0));
    if (publisher.key_frame_requests() > sequence) send_frame(publisher, sequence++, 1, true, 0);
  }
  EXPECT_EQ(publisher.key_frame_requests(), before + KeyFramePacer::kBurst);
}

TEST_P(KeyFrameRequestTest, ASubscriberThatAsksWithoutEndDelaysNobodysFirstPicture) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& greedy = network.add_peer();
  network.add_consumer(greedy, producer, Ssrc{50});
  network.advance(milliseconds(0));
  std::uint16_t sequence = 0;
  for (int millisecond = 0; millisecond < 3050; millisecond += 10) {
    if (publisher.key_frame_requests() > sequence) send_frame(publisher, sequence++, 1, true, 0);
    network.send_key_frame_request(greedy, Ssrc{50});
    network.advance(milliseconds(10));
  }
  const std::size_t before = publisher.key_frame_requests();
  network.add_consumer(network.add_peer(), producer, Ssrc{51});
  network.advance(milliseconds(0));
  EXPECT_EQ(publisher.key_frame_requests(), before + 1);
}

TEST_P(KeyFrameRequestTest, ARequestWithinTheIntervalIsSentWhenItHasPassed) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50});
  network.advance(milliseconds(0));
  network.advance(milliseconds(100));
  network.send_key_frame_request(subscriber, Ssrc{50});
  EXPECT_EQ(publisher.key_frame_requests(), 1u);
  network.advance(milliseconds(199));
  EXPECT_EQ(publisher.key_frame_requests(), 1u);
  network.advance(milliseconds(1));
  EXPECT_EQ(publisher.key_frame_requests(), 2u);
  send_frame(publisher, 0, 1, true, 0);
  network.advance(seconds(2));
  EXPECT_EQ(publisher.key_frame_requests(), 2u);
}

TEST_P(KeyFrameRequestTest, ALostRequestIsRepeatedEverySecondWhileSomebodyWaits) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  const ConsumerId consumer = network.add_consumer(subscriber, producer, Ssrc{50});
  network.advance(milliseconds(999));
  EXPECT_EQ(publisher.key_frame_requests(), 1u);
  network.advance(milliseconds(1));
  EXPECT_EQ(publisher.key_frame_requests(), 2u);
  network.advance(seconds(3));
  EXPECT_EQ(publisher.key_frame_requests(), 5u);
  ASSERT_TRUE(network.router.set_consumer_paused(consumer, true).ok());
  network.advance(seconds(3));
  EXPECT_EQ(publisher.key_frame_requests(), 5u);
}

TEST_P(KeyFrameRequestTest, AKeyFrameThatComesMeanwhileAnswersIt) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50});
  network.advance(milliseconds(0));
  network.send_key_frame_request(subscriber, Ssrc{50});
  send_frame(publisher, 0, 2, true, 0);
  network.advance(seconds(1));
  EXPECT_EQ(publisher.key_frame_requests(), 1u);
}

TEST_P(KeyFrameRequestTest, FullIntraRequestsAreUnderstoodToo) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  const ConsumerId consumer = network.add_consumer(subscriber, producer, Ssrc{50});
  send_frame(publisher, 0, 2, true, 0);
  network.advance(seconds(1));
  publisher.control.clear();
  const auto request = [&](std::uint8_t media) {
    // RFC 5104 section 4.3.1: sender, unused, then the SSRC and a command number.
    network.send_rtcp(subscriber,
                      {0x84, 206, 0, 4, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, media, 1, 0, 0, 0});
  };
  request(51);  // nobody's
  EXPECT_EQ(publisher.key_frame_requests(), 0u);
  request(50);
  EXPECT_EQ(publisher.key_frame_requests(), 1u);
  EXPECT_EQ(network.router.statistics(consumer)->key_frame_requests_received, 1u);
}

TEST_P(KeyFrameRequestTest, ItWaitsUntilTheProducersSsrcIsKnown) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = must(
      network.router.add_producer(publisher.id, {rtp::Codec::vp8, kVideoType, std::nullopt, "v"}));
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50});
  EXPECT_EQ(network.router.next_timeout(), kNever);
  network.advance(seconds(1));
  EXPECT_EQ(publisher.key_frame_requests(), 0u);
  PacketSpec spec;
  spec.mid = "v";
  network.send(publisher, spec, vp8_payload(100, true, false, 0));
  EXPECT_EQ(publisher.key_frame_requests(), 1u);
}

TEST_P(KeyFrameRequestTest, ItWaitsUntilTheSubscriberHasKeys) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  const TransportId subscriber = must(network.router.add_transport());
  must(network.router.add_consumer(subscriber, producer, {kVideoType, Ssrc{50}, "", 0}));
  network.advance(seconds(1));
  EXPECT_EQ(publisher.key_frame_requests(), 0u);
  send_frame(publisher, 0, 2, true, 0);  // lost on it
  const auto parameters = srtp::profile_parameters(GetParam().profile).value();
  const Bytes key = pattern(parameters.key_size + parameters.salt_size, 5);
  ASSERT_TRUE(network.router.set_keys(subscriber, GetParam().profile, key, key).ok());
  network.advance(milliseconds(0));
  EXPECT_EQ(publisher.key_frame_requests(), 1u);
}

// The consumer was waiting while the later packets came; it gets them behind the first one.
TEST_P(KeyFrameRequestTest, AKeyFrameWhoseStartComesLateIsForwardedWhole) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50}, 10);
  std::vector<Bytes> packets;
  for (std::uint16_t i = 0; i < 6; ++i) {
    PacketSpec spec;
    spec.sequence = static_cast<std::uint16_t>(65533 + i);
    packets.push_back(publisher.seal(spec, vp8_payload(300, i == 1, i == 1, i)));
  }
  for (const std::size_t i : {0, 2, 3, 5, 1, 4}) network.deliver(publisher, packets[i]);
  std::vector<std::uint16_t> numbers;
  for (const auto& arrival : subscriber.media) {
    numbers.push_back(arrival.view().header().sequence_number);
  }
  EXPECT_EQ(numbers, (std::vector<std::uint16_t>{10, 11, 12, 14, 13}));
}

// What came meanwhile would leave in one piece: the longer it is, the sooner another key frame is
// there.
TEST_P(KeyFrameRequestTest, AKeyFrameWhoseStartComesFarBehindIsNotBegunWithButAskedForAgain) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, producer, Ssrc{50}, 10);
  network.advance(milliseconds(0));
  for (const std::size_t behind : {257U, 256U}) {
    subscriber.media.clear();
    publisher.control.clear();
    const auto first = static_cast<std::uint16_t>(behind > 256 ? 0 : 1000);
    send_frame(publisher, first, behind + 1, true, 0, {first});
    EXPECT_EQ(subscriber.media.size(), 0u);
    PacketSpec start;
    start.sequence = first;
    network.send(publisher, start, vp8_payload(500, true, true, first));
    EXPECT_EQ(subscriber.media.size(), behind > 256 ? 0u : behind + 1);
    network.advance(milliseconds(300));
    EXPECT_EQ(publisher.key_frame_requests(), behind > 256 ? 1u : 0u) << behind;
  }
}

// Datagrams that came together are handled in one go, whose work one bound holds for.
TEST_P(KeyFrameRequestTest, LateStartsOfSeveralTracksTogetherLetNoMoreOutThanOne) {
  Peer& publisher = network.add_peer();
  Peer& subscriber = network.add_peer();
  std::vector<Bytes> starts;
  for (std::uint32_t track = 0; track < 4; ++track) {
    const Ssrc ssrc{1000 + track};
    const ProducerId producer =
        must(network.router.add_producer(publisher.id, {rtp::Codec::vp8, kVideoType, ssrc, "v"}));
    network.add_consumer(subscriber, producer, Ssrc{50 + track}, 10);
    for (std::uint16_t i = 0; i <= 100; ++i) {
      PacketSpec spec;
      spec.ssrc = ssrc;
      spec.sequence = i;
      const Bytes packet = publisher.seal(spec, vp8_payload(100, i == 0, i == 0, i));
      if (i == 0) {
        starts.push_back(packet);
      } else {
        network.deliver(publisher, packet);
      }
    }
  }
  const std::vector<MutableByteView> together(starts.begin(), starts.end());
  network.router.handle_datagrams(publisher.id, together, network.now);
  network.drain();
  EXPECT_EQ(subscriber.media.size(), 2 * 101u);
}

// RFC 5104 section 4.3.1.1: a command that is repeated, lest it be lost, is one.
TEST_P(KeyFrameRequestTest, ARepeatedFullIntraRequestIsOneCommand) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  const ConsumerId consumer = network.add_consumer(subscriber, producer, Ssrc{50});
  network.advance(milliseconds(0));
  const auto requested_by = [&](Ssrc sender, std::uint8_t command) {
    send_frame(publisher, next_sequence, 2, true, 0);
    next_sequence = static_cast<std::uint16_t>(next_sequence + 2);
    publisher.control.clear();
    const rtp::FirEntry entry{Ssrc{50}, command};
    network.send_rtcp(subscriber, rtcp([&](rtp::RtcpWriter& writer) {
                        (void)writer.full_intra_request(sender, {&entry, 1});
                      }));
    network.advance(milliseconds(400));
    return publisher.key_frame_requests();
  };
  EXPECT_EQ(requested_by(Ssrc{9}, 7), 1u);
  EXPECT_EQ(requested_by(Ssrc{9}, 7), 0u);
  EXPECT_EQ(requested_by(Ssrc{8}, 7), 1u);  // somebody else's
  EXPECT_EQ(requested_by(Ssrc{9}, 7), 0u);
  EXPECT_EQ(requested_by(Ssrc{9}, 8), 1u);
  EXPECT_EQ(requested_by(Ssrc{9}, 7), 1u);
  EXPECT_EQ(network.router.statistics(consumer)->key_frame_requests_received, 4u);
  network.advance(seconds(2));
  EXPECT_EQ(requested_by(Ssrc{9}, 7), 1u);  // begun anew, with the numbers too
}

SEALROOM_INSTANTIATE_ROUTER_TEST(KeyFrameRequestTest);

}  // namespace
}  // namespace sealroom::sfu::test
