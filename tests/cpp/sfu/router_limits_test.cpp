#include "support.h"

namespace sealroom::sfu::test {
namespace {

using RouterLimitsTest = RouterTest;

TEST_P(RouterLimitsTest, EachTableIsBoundedAndARemovalMakesRoom) {
  Network small(GetParam(), {.max_transports = 2, .max_producers = 2, .max_consumers = 2});
  Peer& publisher = small.add_peer();
  Peer& subscriber = small.add_peer();
  EXPECT_EQ(small.router.add_transport().error(), Error::limit_exceeded);

  const ProducerId video = small.add_video(publisher);
  const ProducerId audio = small.add_audio(publisher);
  const ProducerConfig third{rtp::Codec::opus, kAudioType, Ssrc{3}, ""};
  EXPECT_EQ(small.router.add_producer(publisher.id, third).error(), Error::limit_exceeded);

  small.add_consumer(subscriber, video, Ssrc{50});
  const ConsumerId removed = small.add_consumer(subscriber, audio, Ssrc{51});
  const ConsumerConfig config{kAudioType, Ssrc{52}, "", 0};
  EXPECT_EQ(small.router.add_consumer(subscriber.id, audio, config).error(), Error::limit_exceeded);
  small.router.remove_consumer(removed);
  EXPECT_TRUE(small.router.add_consumer(subscriber.id, audio, config).ok());

  small.router.remove_producer(video);
  EXPECT_TRUE(small.router.add_producer(publisher.id, third).ok());
  small.router.remove_transport(publisher.id);
  EXPECT_TRUE(small.router.add_transport().ok());
}

TEST_P(RouterLimitsTest, UnknownIdsAndBadConfigurationsAreErrors) {
  Peer& peer = network.add_peer();
  const ProducerId producer = network.add_audio(peer);
  Router& router = network.router;
  const Bytes key(46);
  const auto refused = [](const auto& result) {
    return !result && result.error() == Error::invalid_argument;
  };
  EXPECT_TRUE(refused(router.set_keys(TransportId{99}, GetParam().profile, key, key)));
  EXPECT_TRUE(refused(router.set_extensions(TransportId{99}, {})));
  EXPECT_TRUE(
      refused(router.add_producer(TransportId{99}, {rtp::Codec::opus, kAudioType, Ssrc{1}, ""})));
  EXPECT_TRUE(
      refused(router.add_consumer(TransportId{99}, producer, {kAudioType, Ssrc{1}, "", 0})));
  EXPECT_TRUE(refused(router.add_consumer(peer.id, ProducerId{99}, {kAudioType, Ssrc{5}, "", 0})));
  EXPECT_TRUE(refused(router.add_consumer(peer.id, producer, {PayloadType{128}, Ssrc{5}, "", 0})));
  EXPECT_TRUE(refused(
      router.add_consumer(peer.id, producer, {kAudioType, Ssrc{5}, "longer than sixteen", 0})));
  EXPECT_TRUE(refused(router.set_consumer_paused(ConsumerId{99}, true)));
  router.remove_transport(TransportId{99});
  router.remove_producer(ProducerId{99});
  router.remove_consumer(ConsumerId{99});
  EXPECT_FALSE(router.statistics(ProducerId{99}));
  EXPECT_FALSE(router.statistics(ConsumerId{99}));
}

TEST_P(RouterLimitsTest, KeysAreInstalledOnceAndOfTheRightSize) {
  const TransportId id = must(network.router.add_transport());
  const auto parameters = srtp::profile_parameters(GetParam().profile).value();
  const Bytes key(parameters.key_size + parameters.salt_size);
  const ByteView shorter = ByteView(key).first(key.size() - 1);
  EXPECT_FALSE(network.router.set_keys(id, GetParam().profile, key, shorter).ok());
  EXPECT_FALSE(network.router.set_keys(id, GetParam().profile, shorter, key).ok());
  EXPECT_TRUE(network.router.set_keys(id, GetParam().profile, key, key).ok());
  // A second time the SRTP indices would begin again under keys that may be the same.
  EXPECT_EQ(network.router.set_keys(id, GetParam().profile, key, key).error(),
            Error::invalid_argument);
}

SEALROOM_INSTANTIATE_ROUTER_TEST(RouterLimitsTest);

}  // namespace
}  // namespace sealroom::sfu::test
