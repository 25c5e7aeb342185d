// Opus over a lossy network with redundant payloads (RFC 2198), in simulated time.

#include <gtest/gtest.h>

#include "session/support.h"
#include "support/backends.h"
#include "support/netem.h"

namespace sealroom::session {
namespace {

using sealroom::test::Link;
using sealroom::test::LinkConfig;
using test::Pair;

constexpr Duration kFrame = std::chrono::milliseconds(20);
constexpr std::uint32_t kFrames = 3000;  // a minute

class AudioCall {
 public:
  AudioCall(crypto::Backend backend, std::size_t distance) : pair_(backend) {
    SenderConfig sender;
    sender.codec = rtp::Codec::opus;
    sender.payload_type = PayloadType{111};
    sender.ssrc = Ssrc{3333};
    sender.mid = "a";
    sender.first_sequence_number = 65000;
    if (distance > 0) sender.red = RedSenderConfig{PayloadType{63}, distance};
    sender_ = pair_.alice.add_sender(sender).value();
    ReceiverConfig receiver;
    receiver.codec = rtp::Codec::opus;
    receiver.payload_type = PayloadType{111};
    receiver.mid = "a";
    receiver.red = PayloadType{63};
    receiver_ = pair_.bob.add_receiver(receiver).value();
    (void)pair_.alice.set_sender_key(sender_, test::kSuite, KeyId{1}, test::pattern(32, 5));
    (void)pair_.bob.add_receiver_key(receiver_, test::kSuite, KeyId{1}, test::pattern(32, 5));
  }

  void run(LinkConfig config) {
    Link<Bytes> link(config, 11);
    const TimePoint end = pair_.now + (kFrames + 50) * kFrame;
    for (std::uint32_t number = 0; pair_.now < end; pair_.now += std::chrono::milliseconds(1)) {
      if ((pair_.now - test::kStart) % kFrame == Duration::zero() && number < kFrames) {
        const Bytes frame = content(number);
        ASSERT_TRUE(pair_.alice.send_frame(sender_, {frame, RtpTimestamp{960 * number}, {}, {}},
                                           pair_.now, test::kWallClock));
        ++number;
        pair_.alice_to_bob([&](Bytes& datagram) {
          link.send(datagram, pair_.now);
          return false;
        });
      }
      for (Bytes datagram; link.receive(pair_.now, datagram);) {
        pair_.bob.handle_datagram(datagram, pair_.now, test::kWallClock);
      }
      if (pair_.bob.next_timeout() <= pair_.now) {
        pair_.bob.handle_timeout(pair_.now, test::kWallClock);
      }
      for (const auto& frame : pair_.take<FrameReceived>(pair_.bob)) {
        if (frame.is_missing) {
          ++missing;
          continue;
        }
        ++received;
        const std::uint32_t number_of_frame = frame.timestamp.value / 960;
        EXPECT_EQ(frame.data, content(number_of_frame));
        EXPECT_GE(number_of_frame, next);
        next = number_of_frame + 1;
      }
    }
  }

  [[nodiscard]] ReceiverStatistics statistics() const {
    return pair_.bob.receiver_statistics(receiver_).value();
  }

  std::uint32_t received = 0;
  std::uint32_t missing = 0;
  std::uint32_t next = 0;

 private:
  static Bytes content(std::uint32_t number) {
    return test::pattern(60 + number % 100, static_cast<std::uint8_t>(number));
  }

  Pair pair_;
  SenderId sender_{};
  ReceiverId receiver_{};
};

LinkConfig loss(double share) {
  LinkConfig config;
  config.loss = share;
  config.delay = std::chrono::milliseconds(30);
  config.jitter = std::chrono::milliseconds(5);
  return config;
}

class RedCallTest : public ::testing::TestWithParam<crypto::Backend> {};
INSTANTIATE_TEST_SUITE_P(Backends, RedCallTest,
                         ::testing::ValuesIn(sealroom::test::available_backends()),
                         sealroom::test::BackendTestName());

TEST_P(RedCallTest, TenPercentLossLeavesATenthOfItWithEachFurtherCopy) {
  const auto missing = [&](std::size_t distance) {
    AudioCall call(GetParam(), distance);
    call.run(loss(0.1));
    const ReceiverStatistics statistics = call.statistics();
    for (const std::uint64_t count : statistics.rejected) EXPECT_EQ(count, 0U);
    EXPECT_EQ(statistics.packets_duplicated, 0U);
    EXPECT_EQ(statistics.packets_from_redundancy > 0, distance > 0);
    EXPECT_EQ(call.received + call.missing, kFrames) << "each frame came or was told as missing";
    return call.missing;
  };
  const std::uint32_t without = missing(0);
  EXPECT_GT(without, kFrames * 8 / 100);
  EXPECT_LT(without, kFrames * 12 / 100);
  const std::uint32_t once = missing(1);
  EXPECT_GT(once, 0U);
  EXPECT_LT(once, kFrames * 2 / 100);
  const std::uint32_t twice = missing(2);
  EXPECT_LT(twice, kFrames * 4 / 1000);
  RecordProperty("missing_without", static_cast<int>(without));
  RecordProperty("missing_with_distance_1", static_cast<int>(once));
  RecordProperty("missing_with_distance_2", static_cast<int>(twice));
}

TEST_P(RedCallTest, ReorderingAndDuplicatesDeliverNoFrameTwice) {
  AudioCall call(GetParam(), 2);
  LinkConfig config = loss(0.05);
  config.reorder = 0.1;
  config.reorder_delay = std::chrono::milliseconds(25);
  config.duplicate = 0.05;
  call.run(config);
  for (const std::uint64_t count : call.statistics().rejected) EXPECT_EQ(count, 0U);
  EXPECT_GT(call.received, kFrames * 99 / 100);
}

TEST_P(RedCallTest, RedIsForOpusOnlyAndWithinItsDistance) {
  Pair pair(GetParam());
  const auto refused = [&](rtp::Codec codec, std::size_t distance) {
    SenderConfig config;
    config.codec = codec;
    config.payload_type = PayloadType{111};
    config.red = RedSenderConfig{PayloadType{63}, distance};
    const auto added = pair.alice.add_sender(config);
    return !added.ok() && added.error() == Error::invalid_argument;
  };
  EXPECT_TRUE(refused(rtp::Codec::vp8, 1));
  EXPECT_TRUE(refused(rtp::Codec::opus, 0));
  EXPECT_TRUE(refused(rtp::Codec::opus, 9));
  EXPECT_FALSE(refused(rtp::Codec::opus, 8));
}

}  // namespace
}  // namespace sealroom::session
