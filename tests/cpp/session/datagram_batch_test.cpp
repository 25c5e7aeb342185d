// Datagrams that arrive together get what they would get one by one: a session whose peer's packets
// come in batches beside one that gets them singly.

#include <gtest/gtest.h>

#include <random>

#include "session/support.h"
#include "support/backends.h"

namespace sealroom::session {
namespace {

using test::Pair;

struct Case {
  crypto::Backend backend;
  srtp::Profile profile;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const crypto::Backend backend : sealroom::test::available_backends()) {
    cases.push_back({backend, srtp::Profile::aes128_cm_sha1_80});
    cases.push_back({backend, srtp::Profile::aead_aes_128_gcm});
  }
  return cases;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return std::string(crypto::backend_name(info.param.backend)) +
         (info.param.profile == srtp::Profile::aes128_cm_sha1_80 ? "_cm_sha1" : "_gcm");
}

class DatagramBatchTest : public testing::TestWithParam<Case> {
 protected:
  /// What alice has to send, each datagram by itself.
  static std::vector<Bytes> take_sent(MediaSession& session) {
    std::vector<Bytes> datagrams;
    DatagramBatch::Run run;
    while (session.poll_transmit(run)) {
      for (std::size_t at = 0; at < run.data.size(); at += run.segment_size) {
        const ByteView one = run.data.subspan(at, std::min(run.segment_size, run.data.size() - at));
        datagrams.emplace_back(one.begin(), one.end());
      }
    }
    return datagrams;
  }

  static std::size_t give(Pair& to, std::vector<Bytes> datagrams, std::size_t at_once) {
    std::vector<MutableByteView> views(datagrams.begin(), datagrams.end());
    for (std::size_t at = 0; at < views.size(); at += at_once) {
      const std::size_t count = std::min(at_once, views.size() - at);
      to.bob.handle_datagrams(std::span(views).subspan(at, count), to.now, test::kWallClock);
    }
    to.bob.flush_feedback(to.now);
    return views.size();
  }

  static void expect_same(Pair& single, Pair& batch) {
    const auto& a = single.bob.statistics();
    const auto& b = batch.bob.statistics();
    EXPECT_EQ(a.datagrams_received, b.datagrams_received);
    EXPECT_EQ(a.datagrams_rejected, b.datagrams_rejected);
    EXPECT_EQ(a.datagrams_replayed, b.datagrams_replayed);
    EXPECT_EQ(a.datagrams_unrouted, b.datagrams_unrouted);
    const auto expected = single.take<FrameReceived>(single.bob);
    const auto frames = batch.take<FrameReceived>(batch.bob);
    ASSERT_EQ(expected.size(), frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) EXPECT_EQ(expected[i].data, frames[i].data);
    received += frames.size();
    EXPECT_EQ(take_sent(single.bob), take_sent(batch.bob));  // the same feedback
  }

  static inline std::size_t received = 0;

  Pair single{GetParam().backend, GetParam().profile};
  Pair batch{GetParam().backend, GetParam().profile};
};

INSTANTIATE_TEST_SUITE_P(All, DatagramBatchTest, testing::ValuesIn(all_cases()), case_name);

TEST_P(DatagramBatchTest, LostForgedReplayedAndReorderedDatagramsGetWhatTheyGetOneByOne) {
  single.add_video();
  batch.add_video();
  std::minstd_rand random(7);
  const auto one_in = [&](unsigned n) { return random() % n == 0; };
  std::vector<Bytes> earlier;
  received = 0;
  for (std::uint32_t n = 0; n < 150; ++n) {
    ASSERT_TRUE(single.send_video(test::vp8_frame(12'000, n % 10 == 0, 1), n * 3000));
    single.alice.handle_timeout(single.now, test::kWallClock);  // RTCP in between
    std::vector<Bytes> datagrams;
    for (Bytes& sent : take_sent(single.alice)) {
      if (one_in(250)) continue;
      if (one_in(20)) {
        Bytes forged = sent;
        forged[random() % forged.size()] ^= 0x04;
        datagrams.push_back(forged);
      }
      datagrams.push_back(sent);
      if (one_in(20)) datagrams.push_back(sent);
      if (one_in(30) && !earlier.empty()) datagrams.push_back(earlier[random() % earlier.size()]);
      if (one_in(25)) datagrams.emplace_back(random() % 30, std::uint8_t{0x80});
      earlier.push_back(sent);
      if (datagrams.size() > 2 && one_in(15)) {
        std::swap(datagrams.back(), datagrams[datagrams.size() - 2]);
      }
    }
    give(single, datagrams, 1);
    give(batch, datagrams, 1 + random() % 80);
    single.now += std::chrono::milliseconds(33);
    batch.now = single.now;
    single.bob.handle_timeout(single.now, test::kWallClock);
    batch.bob.handle_timeout(batch.now, test::kWallClock);
    expect_same(single, batch);
  }
  EXPECT_GT(received, 50U);
  EXPECT_GT(batch.bob.statistics().datagrams_replayed, 50U);
  EXPECT_GT(batch.bob.statistics().datagrams_rejected,
            batch.bob.statistics().datagrams_replayed + 50U);
}

TEST_P(DatagramBatchTest, TheSamePacketTwiceInOneBatchCountsOnce) {
  batch.add_video();
  ASSERT_TRUE(batch.send_video(test::vp8_frame(5000, true, 1), 0));
  std::vector<Bytes> datagrams;
  for (const Bytes& sent : take_sent(batch.alice)) datagrams.insert(datagrams.end(), 3, sent);
  give(batch, datagrams, datagrams.size());
  EXPECT_EQ(batch.bob.statistics().datagrams_replayed, datagrams.size() / 3 * 2);
  EXPECT_EQ(batch.take<FrameReceived>(batch.bob).size(), 1U);
}

TEST_P(DatagramBatchTest, ForgedPacketsOfUnseenStreamsLeaveNoTrace) {
  batch.add_video();
  ASSERT_TRUE(batch.send_video(test::vp8_frame(20'000, true, 1), 0));
  std::vector<Bytes> datagrams = take_sent(batch.alice);
  const std::vector<Bytes> genuine = datagrams;
  for (std::size_t i = 0; i < datagrams.size(); ++i) {
    datagrams[i][11] = static_cast<std::uint8_t>(i);  // another SSRC, the same payload type and mid
    datagrams[i][3] ^= 0x80;
  }
  give(batch, datagrams, datagrams.size());
  EXPECT_EQ(batch.bob.statistics().datagrams_rejected, datagrams.size());
  EXPECT_EQ(batch.bob.statistics().datagrams_unrouted, 0U);
  give(batch, genuine, genuine.size());
  EXPECT_EQ(batch.take<FrameReceived>(batch.bob).size(), 1U);
  const auto statistics = batch.bob.receiver_statistics(batch.video_receiver).value();
  EXPECT_EQ(statistics.packets_received, genuine.size());
  EXPECT_EQ(statistics.packets_lost, 0);
}

TEST_P(DatagramBatchTest, BeforeTheKeysAllAreRefused) {
  MediaSession session(test::session_config(GetParam().backend));
  Bytes one(40, 0x80);
  Bytes other(40, 0x80);
  const std::array<MutableByteView, 2> views{one, other};
  session.handle_datagrams(views, test::kStart, test::kWallClock);
  EXPECT_EQ(session.statistics().datagrams_rejected, 2U);
}

}  // namespace
}  // namespace sealroom::session
