#include "support.h"

namespace sealroom::sfu::test {
namespace {

class RetransmissionTest : public RouterTest {
 protected:
  void SetUp() override {
    publisher = &network.add_peer(extension_ids(4, 5, 6));
    producer = network.add_video(*publisher);
    subscriber = &network.add_peer();
    consumer = network.add_consumer(*subscriber, producer, Ssrc{50}, 65530);
  }

  void send_packets(std::uint16_t first, std::size_t count, std::size_t size = 500) {
    for (std::size_t i = 0; i < count; ++i) {
      PacketSpec spec;
      spec.sequence = static_cast<std::uint16_t>(first + i);
      spec.timestamp = static_cast<std::uint32_t>(first + i) * 3000;
      spec.abs_send_time = spec.sequence;
      network.send(*publisher, spec, vp8_payload(size, i == 0, i == 0, spec.sequence));
    }
  }

  Peer* publisher = nullptr;
  Peer* subscriber = nullptr;
  ProducerId producer{};
  ConsumerId consumer{};
};

TEST_P(RetransmissionTest, IsByteIdenticalToTheFirstSending) {
  send_packets(100, 20);
  ASSERT_EQ(subscriber->media.size(), 20u);
  network.advance(milliseconds(50));
  network.send_nack(*subscriber, Ssrc{50}, {65530, 65533, 0, 5, 13});
  ASSERT_EQ(subscriber->media.size(), 25u);
  const std::size_t originals[] = {0, 3, 6, 11, 19};
  for (std::size_t i = 0; i < 5; ++i) {
    const Arrival& again = subscriber->media[20 + i];
    EXPECT_EQ(again.sealed, subscriber->media[originals[i]].sealed);
    EXPECT_EQ(again.error, Error::replayed);
  }
  const auto statistics = network.router.statistics(consumer);
  EXPECT_EQ(statistics->packets_sent, 20u);
  EXPECT_EQ(statistics->packets_retransmitted, 5u);
  EXPECT_EQ(statistics->nacks_received, 1u);
}

TEST_P(RetransmissionTest, ChangedExtensionIdsDoNotChangeIt) {
  send_packets(100, 5);
  ASSERT_TRUE(network.router.set_extensions(subscriber->id, extension_ids(7, 8, 9)).ok());
  ASSERT_TRUE(network.router.set_extensions(publisher->id, extension_ids(7, 8, 9)).ok());
  network.advance(milliseconds(50));
  network.send_nack(*subscriber, Ssrc{50}, {65532});
  ASSERT_EQ(subscriber->media.size(), 6u);
  EXPECT_EQ(subscriber->media[5].sealed, subscriber->media[2].sealed);
}

TEST_P(RetransmissionTest, WhatWasNotSentOrIsTooOldIsNotAnswered) {
  send_packets(100, 3000);
  const std::size_t sent = subscriber->media.size();
  network.advance(milliseconds(50));
  const auto newest = static_cast<std::uint16_t>(65530 + 2999);
  network.send_nack(*subscriber, Ssrc{50},
                    {65529, 65530, static_cast<std::uint16_t>(newest - 2048),
                     static_cast<std::uint16_t>(newest + 1)});
  EXPECT_EQ(subscriber->media.size(), sent);
  network.send_nack(*subscriber, Ssrc{50}, {static_cast<std::uint16_t>(newest - 2047)});
  EXPECT_EQ(subscriber->media.size(), sent + 1);
  network.send_nack(*subscriber, Ssrc{51}, {newest});  // nobody's
  EXPECT_EQ(subscriber->media.size(), sent + 1);
}

TEST_P(RetransmissionTest, WhatTheUplinkLostIsNotAnsweredUntilItCame) {
  PacketSpec spec;
  network.send(*publisher, spec, vp8_payload(100, true, true, 0));
  spec.sequence = 1;
  const Bytes lost = publisher->seal(spec, vp8_payload(100, false, false, 1));
  spec.sequence = 2;
  network.send(*publisher, spec, vp8_payload(100, false, false, 2));
  network.send_nack(*subscriber, Ssrc{50}, {65531});
  EXPECT_EQ(subscriber->media.size(), 2u);
  network.deliver(*publisher, lost);
  ASSERT_EQ(subscriber->media.size(), 3u);
  EXPECT_EQ(subscriber->media[2].view().header().sequence_number, 65531);
}

TEST_P(RetransmissionTest, ARepeatedNackWithinARoundTripIsAnsweredOnce) {
  send_packets(100, 20);
  network.advance(milliseconds(50));
  for (int i = 0; i < 10; ++i) network.send_nack(*subscriber, Ssrc{50}, {65535});
  EXPECT_EQ(subscriber->media.size(), 21u);
  network.advance(milliseconds(50));
  network.send_nack(*subscriber, Ssrc{50}, {65535});
  EXPECT_EQ(subscriber->media.size(), 22u);
}

// Asking for others in between changes nothing about it, however many the cache holds.
TEST_P(RetransmissionTest, WithinARoundTripNoPacketOfTheCacheGoesOutAgainTwice) {
  send_packets(100, 2048, 20);
  network.advance(milliseconds(50));
  const auto first = static_cast<std::uint16_t>(65530);
  for (int round = 0; round < 3; ++round) {
    for (const int behind : {0, 256, 512, 768, 1024, 1280, 1536, 1792}) {
      network.send_nack(*subscriber, Ssrc{50}, {static_cast<std::uint16_t>(first + behind)});
    }
  }
  EXPECT_EQ(subscriber->media.size(), 2048u + 8u);
}

// A packet without payload costs its header, its tag and what IP and UDP add.
TEST_P(RetransmissionTest, PacketsThatAreHeadersOnlyCountAsWhatTheyCost) {
  constexpr std::size_t kIpAndUdp = 28;
  const auto cost = [&](std::size_t from) {
    std::size_t bytes = 0;
    for (; from < subscriber->media.size(); ++from) {
      bytes += subscriber->media[from].sealed.size() + kIpAndUdp;
    }
    return bytes;
  };
  for (const std::size_t payload : {0, 1}) {
    SCOPED_TRACE(payload);
    const auto start = static_cast<std::uint16_t>(payload * 1000);
    const std::size_t before = subscriber->media.size();
    send_packets(start, 1);
    for (std::uint16_t i = 1; i < 1000; ++i) {
      PacketSpec spec;
      spec.sequence = static_cast<std::uint16_t>(start + i);
      network.send(*publisher, spec, Bytes(payload));
    }
    ASSERT_EQ(subscriber->media.size(), before + 1000u);
    const std::size_t sent = cost(before);
    const std::size_t sealed = before + 1000;
    network.advance(milliseconds(50));
    for (int round = 0; round < 50; ++round) {
      for (std::uint16_t block = 0; block < 4; ++block) {
        std::vector<std::uint16_t> wanted(250);
        for (std::uint16_t i = 0; i < 250; ++i) {
          wanted[i] = static_cast<std::uint16_t>(65530 + before + block * 250 + i);
        }
        network.send_nack(*subscriber, Ssrc{50}, wanted);
      }
      network.advance(milliseconds(10));
    }
    EXPECT_GT(cost(sealed), 0u);
    EXPECT_LE(cost(sealed), sent / 4 + 16384);
    network.advance(seconds(2));
    subscriber->media.resize(sealed);
  }
}

TEST_P(RetransmissionTest, OneSubscribersNackDoesNotSilenceAnothers) {
  Peer& other = network.add_peer();
  network.add_consumer(other, producer, Ssrc{60}, 1);
  send_packets(100, 5);
  network.advance(milliseconds(50));
  network.send_nack(*subscriber, Ssrc{50}, {65531});
  network.send_nack(other, Ssrc{60}, {2});
  EXPECT_EQ(subscriber->media.size(), 6u);
  ASSERT_EQ(other.media.size(), 6u);
  EXPECT_EQ(other.media[5].sealed, other.media[1].sealed);
}

TEST_P(RetransmissionTest, IsAtMostAQuarterOfWhatWasSentPlusAFloor) {
  std::uint16_t next = 100;
  std::size_t sent = 0;
  for (int second = 0; second < 10; ++second) {
    // 200 packets of 1000 bytes a second, and every one of them asked for again and again.
    for (int slice = 0; slice < 20; ++slice) {
      send_packets(next, 10, 1000);
      next = static_cast<std::uint16_t>(next + 10);
      sent += 10;
      network.advance(milliseconds(50));
      const auto newest = static_cast<std::uint16_t>(65530 + sent - 1);
      std::vector<std::uint16_t> wanted;
      for (std::uint16_t back = 300; back-- > 0;) {
        wanted.push_back(static_cast<std::uint16_t>(newest - back));
      }
      network.send_nack(*subscriber, Ssrc{50}, wanted);
      network.send_nack(*subscriber, Ssrc{50}, wanted);
    }
  }
  const auto statistics = network.router.statistics(consumer);
  EXPECT_EQ(statistics->packets_sent, 2000u);
  EXPECT_GT(statistics->packets_retransmitted, 500u);
  // Ten windows of a second and the one that begins with the last NACK.
  EXPECT_LE(statistics->packets_retransmitted, 11 * (200 / 4 + 16384 / 1000 + 1));
}

// Many NACK messages in one datagram ask for no more than one may.
TEST_P(RetransmissionTest, ADatagramOfNacksIsBounded) {
  send_packets(100, 2000, 20);
  network.advance(milliseconds(500));
  Bytes compound;
  for (std::uint16_t block = 0; block < 4; ++block) {
    std::vector<std::uint16_t> wanted;
    for (std::uint16_t i = 0; i < 250; ++i) {
      wanted.push_back(static_cast<std::uint16_t>(65530 + block * 250 + i));
    }
    const Bytes part = nack(Ssrc{50}, wanted);
    compound.insert(compound.end(), part.begin(), part.end());
  }
  network.send_rtcp(*subscriber, compound);
  EXPECT_EQ(subscriber->media.size(), 2000u + rtp::kMaxNackedPackets);
}

TEST_P(RetransmissionTest, GoesThroughAPauseToTheRunThePacketWasIn) {
  send_packets(100, 10);  // 65530 .. 3
  ASSERT_TRUE(network.router.set_consumer_paused(consumer, true).ok());
  send_packets(110, 10);
  ASSERT_TRUE(network.router.set_consumer_paused(consumer, false).ok());
  send_packets(120, 10);  // 4 .. 13
  ASSERT_EQ(subscriber->media.size(), 20u);
  network.advance(milliseconds(50));
  network.send_nack(*subscriber, Ssrc{50}, {3, 4});
  ASSERT_EQ(subscriber->media.size(), 22u);
  EXPECT_EQ(subscriber->media[20].sealed, subscriber->media[9].sealed);
  EXPECT_EQ(subscriber->media[21].sealed, subscriber->media[10].sealed);
}

SEALROOM_INSTANTIATE_ROUTER_TEST(RetransmissionTest);

}  // namespace
}  // namespace sealroom::sfu::test
