// Every video codec through two whole sessions over a network that loses and reorders packets, in
// simulated time.

#include <gtest/gtest.h>

#include <map>

#include "session/support.h"
#include "support/backends.h"
#include "support/netem.h"

namespace sealroom::session {
namespace {

using sealroom::test::Link;
using sealroom::test::LinkConfig;
using test::pattern;

constexpr Duration kFrameInterval(33'333);
constexpr std::uint32_t kTicks = 3000;

void append(Bytes& frame, ByteView bytes) { frame.insert(frame.end(), bytes.begin(), bytes.end()); }

/// Without zeros, so that it holds no start code.
Bytes body(std::size_t size, std::uint8_t seed) {
  Bytes bytes = pattern(size, seed);
  for (std::uint8_t& byte : bytes) byte |= 2;
  return bytes;
}

Bytes h264_frame(std::size_t size, bool key, std::uint8_t seed) {
  Bytes frame;
  if (key) {
    append(frame, Bytes{0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80});
  }
  const std::uint8_t header = key ? 0x65 : 0x41;
  append(frame, Bytes{0, 0, 1, header, 0x88, 0x84});  // two slices behind short start codes
  append(frame, body(size / 2, seed));
  append(frame, Bytes{0, 0, 1, header, 0x48, 0x84});
  append(frame, body(size / 2, static_cast<std::uint8_t>(seed + 1)));
  return frame;
}

Bytes av1_frame(std::size_t size, bool key, std::uint8_t seed) {
  Bytes frame{0x12, 0};  // temporal delimiter
  if (key) append(frame, Bytes{0x0a, 4, 1, 2, 3, 4});
  frame.push_back(0x32);
  std::size_t left = size;
  for (; left >= 0x80; left >>= 7) frame.push_back(static_cast<std::uint8_t>(left | 0x80));
  frame.push_back(static_cast<std::uint8_t>(left));
  frame.push_back(key ? 0x10 : 0x30);  // show_existing_frame 0, frame_type
  append(frame, pattern(size - 1, seed));
  return frame;
}

Bytes vp9_frame(std::size_t size, bool key, std::uint8_t seed) {
  Bytes frame = key ? Bytes{0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0b, 0x30} : Bytes{0x86};
  append(frame, pattern(size, seed));
  return frame;
}

Bytes make_frame(rtp::Codec codec, std::size_t size, bool key, std::uint8_t seed) {
  switch (codec) {
    case rtp::Codec::vp9:
      return vp9_frame(size, key, seed);
    case rtp::Codec::h264:
      return h264_frame(size, key, seed);
    case rtp::Codec::av1:
      return av1_frame(size, key, seed);
    case rtp::Codec::vp8:
    case rtp::Codec::opus:
      break;
  }
  return test::vp8_frame(size, key, seed);
}

/// What a frame is once it went through packets in clear.
Bytes canonical(rtp::Codec codec, const Bytes& frame) {
  if (codec == rtp::Codec::av1) return Bytes(frame.begin() + 2, frame.end());
  if (codec != rtp::Codec::h264) return frame;
  Bytes result;
  for (std::size_t i = 0; i < frame.size(); ++i) {
    const bool short_code = i + 2 < frame.size() && frame[i] == 0 && frame[i + 1] == 0 &&
                            frame[i + 2] == 1 && (i == 0 || frame[i - 1] != 0);
    if (short_code) result.push_back(0);
    result.push_back(frame[i]);
  }
  return result;
}

class CodecCall {
 public:
  CodecCall(crypto::Backend backend, rtp::Codec codec, bool protection, LinkConfig config)
      : pair_(backend), codec_(codec), forth_(config, 1), back_(config, 2) {
    SenderConfig sender;
    sender.codec = codec;
    sender.payload_type = PayloadType{96};
    sender.ssrc = Ssrc{1111};
    sender.mid = "v";
    sender.first_sequence_number = 65500;
    sender.protection = protection;
    sender_ = pair_.alice.add_sender(sender).value();
    ReceiverConfig receiver;
    receiver.codec = codec;
    receiver.payload_type = PayloadType{96};
    receiver.mid = "v";
    receiver.protection = protection;
    receiver_ = pair_.bob.add_receiver(receiver).value();
    if (!protection) return;
    (void)pair_.alice.set_sender_key(sender_, test::kSuite, KeyId{1}, pattern(32, 5));
    (void)pair_.bob.add_receiver_key(receiver_, test::kSuite, KeyId{1}, pattern(32, 5));
  }

  void run(int frames) {
    for (int number = 0; number < frames; ++number) {
      const bool key = number % 60 == 0;
      OutgoingFrame outgoing;
      Bytes frame =
          make_frame(codec_, key ? 20'000 : 2'500, key, static_cast<std::uint8_t>(number));
      outgoing.data = frame;
      outgoing.timestamp = RtpTimestamp{static_cast<std::uint32_t>(number) * kTicks};
      ASSERT_TRUE(pair_.alice.send_frame(sender_, outgoing, pair_.now, test::kWallClock).ok());
      sent.push_back(std::move(frame));
      pass(kFrameInterval);
    }
    pass(std::chrono::seconds(1));
  }

  std::vector<Bytes> sent;
  std::map<std::uint32_t, FrameReceived> received;
  [[nodiscard]] ReceiverStatistics statistics() const {
    return pair_.bob.receiver_statistics(receiver_).value();
  }

 private:
  void pass(Duration duration) {
    for (const TimePoint end = pair_.now + duration; pair_.now < end;
         pair_.now += Duration(1'000)) {
      carry(pair_.alice, forth_);
      carry(pair_.bob, back_);
      deliver(forth_, pair_.bob);
      deliver(back_, pair_.alice);
      for (MediaSession* session : {&pair_.alice, &pair_.bob}) {
        if (session->next_timeout() <= pair_.now) {
          session->handle_timeout(pair_.now, test::kWallClock);
        }
      }
      for (FrameReceived& frame : pair_.take<FrameReceived>(pair_.bob)) {
        const std::uint32_t number = frame.timestamp.value / kTicks;
        received.emplace(number, std::move(frame));
      }
    }
  }

  void carry(MediaSession& from, Link<Bytes>& link) {
    DatagramBatch::Run run;
    while (from.poll_transmit(run)) {
      for (std::size_t at = 0; at < run.data.size(); at += run.segment_size) {
        const ByteView view =
            run.data.subspan(at, std::min(run.segment_size, run.data.size() - at));
        link.send(Bytes(view.begin(), view.end()), pair_.now);
      }
    }
  }

  void deliver(Link<Bytes>& link, MediaSession& to) {
    Bytes datagram;
    while (link.receive(pair_.now, datagram)) {
      to.handle_datagram(datagram, pair_.now, test::kWallClock);
    }
    to.flush_feedback(pair_.now);
  }

  test::Pair pair_;
  rtp::Codec codec_;
  SenderId sender_{};
  ReceiverId receiver_{};
  Link<Bytes> forth_;
  Link<Bytes> back_;
};

class CodecCallTest : public ::testing::TestWithParam<rtp::Codec> {
 protected:
  static LinkConfig lossy() {
    LinkConfig config;
    config.loss = 0.03;
    config.reorder = 0.1;
    config.duplicate = 0.02;
    config.delay = std::chrono::milliseconds(20);
    config.jitter = std::chrono::milliseconds(5);
    return config;
  }
};

INSTANTIATE_TEST_SUITE_P(Codecs, CodecCallTest,
                         ::testing::Values(rtp::Codec::vp8, rtp::Codec::vp9, rtp::Codec::h264,
                                           rtp::Codec::av1));

TEST_P(CodecCallTest, ProtectedFramesArriveByteForByteOverALossyNetwork) {
  for (const crypto::Backend backend : sealroom::test::available_backends()) {
    CodecCall call(backend, GetParam(), true, lossy());
    call.run(300);
    EXPECT_GT(call.statistics().packets_recovered, 5U);
    ASSERT_EQ(call.received.size(), call.sent.size());
    for (std::uint32_t i = 0; i < call.sent.size(); ++i) {
      ASSERT_EQ(call.received.at(i).data, call.sent[i]) << i;
      ASSERT_EQ(call.received.at(i).is_key_frame, i % 60 == 0) << i;
    }
    for (const std::uint64_t count : call.statistics().rejected) EXPECT_EQ(count, 0U);
  }
}

TEST_P(CodecCallTest, FramesInClearArriveInTheFormOfTheirCodec) {
  CodecCall call(sealroom::test::available_backends().front(), GetParam(), false, lossy());
  call.run(120);
  ASSERT_EQ(call.received.size(), call.sent.size());
  for (std::uint32_t i = 0; i < call.sent.size(); ++i) {
    ASSERT_EQ(call.received.at(i).data, canonical(GetParam(), call.sent[i])) << i;
    ASSERT_EQ(call.received.at(i).is_key_frame, i % 60 == 0) << i;
  }
}

}  // namespace
}  // namespace sealroom::session
