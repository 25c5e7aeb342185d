#include "support.h"
#include "support/allocation_counter.h"

namespace sealroom::sfu::test {
namespace {

using AllocationTest = RouterTest;

TEST_P(AllocationTest, ForwardingAndRetransmittingAllocateNothingAfterWarmUp) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  std::vector<Peer*> subscribers;
  for (std::uint32_t i = 0; i < 50; ++i) {
    subscribers.push_back(&network.add_peer());
    network.add_consumer(*subscribers.back(), producer, Ssrc{100 + i}, 0);
  }
  // Sealed beforehand: the far ends allocate.
  constexpr std::uint16_t kBursts = 400;
  constexpr std::uint16_t kWarmUp = 250;  // until the cache is full
  constexpr std::uint16_t kBurst = 10;
  std::vector<Bytes> packets;
  std::vector<Bytes> requests;
  for (std::uint16_t i = 0; i < kBursts * kBurst; ++i) {
    PacketSpec spec;
    spec.sequence = i;
    spec.abs_send_time = i;
    packets.push_back(publisher.seal(spec, vp8_payload(1100, i % kBurst == 0, i == 0, i)));
  }
  for (std::uint16_t burst = 0; burst < kBursts; ++burst) {
    requests.push_back(subscribers[7]->seal_rtcp(
        nack(Ssrc{107}, {static_cast<std::uint16_t>(burst * kBurst + 2)})));
  }

  std::size_t before = 0;
  std::size_t sent = 0;
  for (std::size_t burst = 0; burst < kBursts; ++burst) {
    if (burst == kWarmUp) before = sealroom::test::allocation_count();
    for (std::size_t i = 0; i < kBurst; ++i) {
      if (i == 5) continue;  // lost, so that the producer is asked for it
      network.router.handle_datagram(publisher.id, packets[burst * kBurst + i], network.now);
    }
    network.now += milliseconds(33);
    network.router.handle_datagram(subscribers[7]->id, requests[burst], network.now);
    if (network.router.next_timeout() <= network.now) network.router.handle_timeout(network.now);
    Transmit transmit;
    while (network.router.poll_transmit(transmit)) ++sent;
  }
  EXPECT_EQ(sealroom::test::allocation_count() - before, 0u);
  EXPECT_GT(sent, kBursts * 50u);
  EXPECT_EQ(network.router.statistics().packets_forwarded, kBursts * (kBurst - 1) * 50u);
}

TEST_P(AllocationTest, APacketOnEachOfManyTracksTakesLittleMemory) {
  Peer& publisher = network.add_peer();
  constexpr std::uint16_t kTracks = 256;
  std::vector<Bytes> packets;
  for (std::uint16_t i = 0; i < kTracks; ++i) {
    PacketSpec spec;
    spec.ssrc = Ssrc{1000U + i};
    packets.push_back(publisher.seal(spec, {}));
    ASSERT_TRUE(
        network.router
            .add_producer(publisher.id, {rtp::Codec::vp8, kVideoType, spec.ssrc, std::to_string(i)})
            .ok());
  }
  const std::size_t before = sealroom::test::allocated_bytes();
  for (const Bytes& packet : packets) network.deliver(publisher, packet);
  EXPECT_EQ(network.router.statistics().packets_received, kTracks);
  EXPECT_LT(sealroom::test::allocated_bytes() - before, kTracks * std::size_t{32} << 10);
}

SEALROOM_INSTANTIATE_ROUTER_TEST(AllocationTest);

}  // namespace
}  // namespace sealroom::sfu::test
