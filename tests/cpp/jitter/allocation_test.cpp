// Nothing is allocated per packet once a stream has been seen at its worst; a frame costs its own
// bytes.

#include "sealroom/jitter/audio_jitter_buffer.h"
#include "support/allocation_counter.h"
#include "support/netem.h"
#include "video_packets.h"

namespace sealroom::jitter {
namespace {

/// Frames of 40 packets, 5 % lost and recovered 20 ms later, one packet a millisecond. Returns the
/// frames popped.
std::size_t run_video(VideoJitterBuffer& buffer, int first_frame, int frames, std::uint64_t seed) {
  static const Bytes payload(1200, 1);
  test::Random random(seed);
  VideoPacket late[16];
  std::size_t popped = 0;
  for (int i = 0; i < frames * 40; ++i) {
    const int number = first_frame * 40 + i;
    VideoPacket packet;
    packet.sequence_number = static_cast<std::uint16_t>(number);
    packet.timestamp.value = static_cast<std::uint32_t>(number / 40 * 3000);
    packet.marker = number % 40 == 39;
    packet.starts_frame = number % 40 == 0;
    packet.is_key_frame = packet.starts_frame;
    packet.payload = payload;
    VideoPacket& slot = late[i % 16];
    if (!slot.payload.empty()) buffer.insert(slot, at(number));
    slot = VideoPacket();
    if (random.chance(0.05)) {
      slot = packet;
    } else {
      buffer.insert(packet, at(number));
    }
    std::array<std::uint16_t, 32> out{};
    buffer.take_nacks(at(number), out);
    VideoFrame frame;
    while (buffer.pop(frame)) ++popped;
  }
  for (const VideoPacket& packet : late) {
    if (!packet.payload.empty()) buffer.insert(packet, at((first_frame + frames) * 40));
  }
  return popped;
}

TEST(Allocation, VideoCostsOneAllocationPerFrameAfterWarmUp) {
  VideoJitterBuffer buffer;
  run_video(buffer, 0, 200, 1);
  const std::size_t before = test::allocation_count();
  const std::size_t frames = run_video(buffer, 200, 500, 1);
  EXPECT_GE(frames, 400U);
  EXPECT_EQ(test::allocation_count() - before, frames);
}

TEST(Allocation, VideoIntoAFrameThatKeepsItsMemoryCostsNone) {
  VideoJitterBuffer buffer;
  VideoFrame frame;
  std::size_t before = 0;
  const auto key_frame = make_frame(1, 0, 40, true, 1200);
  for (int n = 0; n < 300; ++n) {
    for (const TestPacket& template_packet : key_frame) {
      VideoPacket packet = template_packet.view();
      packet.sequence_number = static_cast<std::uint16_t>(packet.sequence_number + 40 * n);
      packet.timestamp.value = static_cast<std::uint32_t>(3000 * n);
      buffer.insert(packet, at(n));
    }
    ASSERT_TRUE(buffer.pop(frame));
    if (n == 2) before = test::allocation_count();
  }
  EXPECT_EQ(test::allocation_count(), before);
}

TEST(Allocation, AudioCostsOneAllocationPerFrameAfterWarmUp) {
  AudioJitterBuffer buffer;
  static const Bytes payload(120, 1);
  test::Random random(3);
  std::size_t before = 0;
  std::size_t real_frames = 0;
  for (int i = 0; i < 3000; ++i) {
    if (i == 1000) {
      before = test::allocation_count();
      real_frames = 0;
    }
    if (random.chance(0.05)) continue;
    buffer.insert({.sequence_number = static_cast<std::uint16_t>(i),
                   .timestamp = RtpTimestamp{static_cast<std::uint32_t>(i) * 960},
                   .payload = payload},
                  at(20 * i));
    AudioFrame frame;
    while (buffer.pop(frame)) {
      if (!frame.is_missing) {
        ++real_frames;
        frame.data = Bytes();  // the caller keeps each frame
      }
    }
  }
  EXPECT_GT(real_frames, 1800U);
  EXPECT_LE(test::allocation_count() - before, real_frames);
}

}  // namespace
}  // namespace sealroom::jitter
