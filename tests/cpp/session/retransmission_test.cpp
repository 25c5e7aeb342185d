// How a sender answers NACKs: on the stream itself, or on an RTX stream (RFC 4588).

#include <gtest/gtest.h>

#include <numeric>

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
  for (int i = 0; i < 300; ++i) send();  // more than 1,000 packets in the history
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
  // The first second still counts what was sent before it.
  const std::uint64_t share = bytes_sent / rtp::RetransmissionLimiter::kShare +
                              10 * rtp::RetransmissionLimiter::kFloorBytes;
  EXPECT_LT(bytes_again, share + 1'300'000 / rtp::RetransmissionLimiter::kShare);
  EXPECT_GT(bytes_again, share / 2);
}

}  // namespace
}  // namespace sealroom::session
