// The crypto library fails over datagrams that came together: they count as refused, were not seen
// by the replay window, and the stream recovers by what comes again.

#include <gtest/gtest.h>

#include "session/support.h"
#include "support/backends.h"
#include "support/failing_crypto.h"

namespace sealroom::session {
namespace {

using sealroom::test::CryptoCall;
using sealroom::test::fail_crypto;
using sealroom::test::mend_crypto;
using test::Pair;

class SessionFailure : public testing::TestWithParam<crypto::Backend> {
 protected:
  SessionFailure() { mend_crypto(); }
  ~SessionFailure() override { mend_crypto(); }

  std::vector<Bytes> take_sent() {
    std::vector<Bytes> datagrams;
    DatagramBatch::Run run;
    while (pair.alice.poll_transmit(run)) {
      for (std::size_t at = 0; at < run.data.size(); at += run.segment_size) {
        const ByteView one = run.data.subspan(at, std::min(run.segment_size, run.data.size() - at));
        datagrams.emplace_back(one.begin(), one.end());
      }
    }
    return datagrams;
  }
  void give(std::vector<Bytes> datagrams) {
    std::vector<MutableByteView> views(datagrams.begin(), datagrams.end());
    pair.bob.handle_datagrams(views, pair.now, test::kWallClock);
  }

  Pair pair{GetParam(), srtp::Profile::aes128_cm_sha1_80};
};

INSTANTIATE_TEST_SUITE_P(Backends, SessionFailure,
                         testing::ValuesIn(sealroom::test::available_backends()),
                         sealroom::test::BackendTestName());

TEST_P(SessionFailure, DatagramsThatCouldNotBeOpenedTogetherMayComeAgain) {
  pair.add_video();
  const Bytes frame = test::vp8_frame(20'000, true, 1);
  ASSERT_TRUE(pair.send_video(frame, 0));
  const std::vector<Bytes> datagrams = take_sent();
  ASSERT_GT(datagrams.size(), 10U);
  fail_crypto(CryptoCall::crypt_many);
  give(datagrams);
  EXPECT_EQ(pair.bob.statistics().datagrams_rejected, datagrams.size());
  EXPECT_TRUE(pair.take<FrameReceived>(pair.bob).empty());
  give(datagrams);
  EXPECT_EQ(pair.bob.statistics().datagrams_replayed, 0U);
  const auto frames = pair.take<FrameReceived>(pair.bob);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].data, frame);
}

TEST_P(SessionFailure, AFrameThatCouldNotBeSealedIsAnErrorAndTheNextOneArrives) {
  pair.add_video();
  fail_crypto(CryptoCall::crypt_many);
  EXPECT_EQ(pair.send_video(test::vp8_frame(20'000, true, 1), 0).error(), Error::crypto_failure);
  EXPECT_TRUE(take_sent().empty());
  const Bytes frame = test::vp8_frame(20'000, true, 2);
  ASSERT_TRUE(pair.send_video(frame, 3000));
  give(take_sent());
  const auto frames = pair.take<FrameReceived>(pair.bob);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].data, frame);
}

}  // namespace
}  // namespace sealroom::session
