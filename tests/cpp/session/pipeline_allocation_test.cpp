// The whole way of a packet in memory: frame, SFrame, RTP, SRTP, datagram, SRTP, jitter buffer,
// SFrame, event. Counts calls of operator new after warm-up.

#include <gtest/gtest.h>

#include "session/support.h"
#include "support/allocation_counter.h"
#include "support/backends.h"

namespace sealroom::session {
namespace {

using sealroom::test::allocation_count;
using test::Pair;

class PipelineAllocationTest : public ::testing::TestWithParam<crypto::Backend> {
 protected:
  struct Count {
    std::size_t sending = 0;
    std::size_t receiving = 0;
    std::size_t packets = 0;
    std::size_t frames = 0;
  };

  /// Sends `frames` frames of `size` bytes and counts what both ends allocate after the first half.
  static Count run(srtp::Profile profile, std::size_t size, std::size_t frames) {
    Pair pair(GetParam(), profile);
    pair.add_video();
    const Bytes key_frame = test::vp8_frame(size, true, 1);
    const Bytes delta_frame = test::vp8_frame(size, false, 2);
    Bytes run;  // the link's memory, not the sessions', as is the next
    std::vector<MutableByteView> datagrams;
    run.reserve(2 * size + 4000);
    datagrams.reserve(200);
    std::uint32_t timestamp = 0;
    Count count;
    for (std::size_t n = 0; n < 2 * frames; ++n) {
      if (n == frames) count = {};
      std::size_t before = allocation_count();
      EXPECT_TRUE(pair.send_video(n == 0 ? key_frame : delta_frame, timestamp));
      timestamp += 3000;
      pair.now += std::chrono::milliseconds(33);
      DatagramBatch::Run sent;
      while (pair.alice.poll_transmit(sent)) {
        count.sending += allocation_count() - before;
        before = allocation_count();
        run.assign(sent.data.begin(), sent.data.end());
        datagrams.clear();
        for (std::size_t at = 0; at < run.size(); at += sent.segment_size) {
          const std::size_t length = std::min(sent.segment_size, run.size() - at);
          datagrams.push_back(MutableByteView(run).subspan(at, length));
        }
        pair.bob.handle_datagrams(datagrams, pair.now, test::kWallClock);
        count.packets += datagrams.size();
        pair.bob.flush_feedback(pair.now);
        Event event;
        while (pair.bob.poll_event(event, pair.now)) {
          const auto* frame = std::get_if<FrameReceived>(&event);
          if (frame != nullptr && frame->data.size() == size) ++count.frames;
        }
        count.receiving += allocation_count() - before;
        before = allocation_count();
      }
      pair.alice.handle_timeout(pair.now, test::kWallClock);
      pair.bob.handle_timeout(pair.now, test::kWallClock);
      while (pair.bob.poll_transmit(sent)) {
      }
      before = allocation_count();
    }
    return count;
  }
};

INSTANTIATE_TEST_SUITE_P(Backends, PipelineAllocationTest,
                         ::testing::ValuesIn(sealroom::test::available_backends()),
                         sealroom::test::BackendTestName());

TEST_P(PipelineAllocationTest, SendingAllocatesNothingAndReceivingOnlyTheFrameHandedOut) {
  for (const srtp::Profile profile :
       {srtp::Profile::aead_aes_128_gcm, srtp::Profile::aead_aes_256_gcm,
        srtp::Profile::aes128_cm_sha1_80}) {
    for (const std::size_t size : {200U, 5'000U, 50'000U}) {
      const Count count = run(profile, size, 300);
      EXPECT_EQ(count.sending, 0U) << size;
      EXPECT_LE(count.receiving, count.frames) << size;
      EXPECT_GE(count.frames, 300U) << size;
      EXPECT_GE(count.packets, 300U * (size / 1200)) << size;
    }
  }
}

}  // namespace
}  // namespace sealroom::session
