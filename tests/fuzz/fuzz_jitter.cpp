// Sequences of packets and times into both jitter buffers: nothing crashes, bounds hold, what comes
// out is in order, and a video frame is exactly the packets between its two sequence numbers.

#include <array>
#include <cstdlib>
#include <optional>

#include "sealroom/base/byte_reader.h"
#include "sealroom/jitter/audio_jitter_buffer.h"
#include "sealroom/jitter/video_jitter_buffer.h"

using namespace sealroom;          // NOLINT(google-build-using-namespace)
using namespace sealroom::jitter;  // NOLINT(google-build-using-namespace)

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// The same number gives the same packet, so a frame can be held against its numbers.
std::size_t size_of(std::uint16_t sequence, bool padding) {
  return padding ? 0 : 1 + sequence % 37;
}

struct Drain {
  VideoJitterBuffer video{{.max_packets = 64, .max_bytes = 4000, .nack_max_packets = 16}};
  AudioJitterBuffer audio{{.max_packets = 32, .max_bytes = 2000}};
  AudioJitterBuffer pulled{{.max_packets = 32, .max_bytes = 2000, .pull = true}};
  VideoFrame video_frame;
  AudioFrame audio_frame;
  bool has_started = false;

  void all(TimePoint now) {
    while (video.pop(video_frame)) {
      require(!video_frame.data.empty());
      require(has_started || video_frame.is_key_frame);
      has_started = true;
      const auto span = static_cast<std::uint16_t>(video_frame.last_sequence_number -
                                                   video_frame.first_sequence_number);
      require(span < 64);
      std::size_t at = 0;
      for (std::uint16_t i = 0; i <= span; ++i) {
        const auto number = static_cast<std::uint16_t>(video_frame.first_sequence_number + i);
        // Each byte of a payload is the low byte of its number; padding has none.
        while (at < video_frame.data.size() &&
               video_frame.data[at] == static_cast<std::uint8_t>(number)) {
          ++at;
        }
      }
      require(at == video_frame.data.size());
    }
    while (audio.pop(audio_frame)) {
      require(audio_frame.is_missing == audio_frame.data.empty());
    }
    std::array<std::uint16_t, 8> nacks{};
    while (video.take_nacks(now, nacks) > 0) {
    }
    (void)video.take_key_frame_request(now);
    const VideoJitterStatistics& statistics = video.statistics();
    require(statistics.frames_delivered <= statistics.frames_received);
    require(statistics.packets_duplicated + statistics.packets_discarded <=
            statistics.packets_received + 64 * (1 + statistics.frames_dropped));
  }
};

}  // namespace

// Four bytes a step: what to do, how far the sequence number goes, the timestamp, the clock.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader(ByteView(data, size));
  Drain drain;
  TimePoint now{std::chrono::seconds(1)};
  std::uint16_t sequence = 65'500;
  std::uint32_t timestamp = 0xfffffff0U;
  std::array<std::uint8_t, 64> payload{};
  while (reader.remaining() >= 4) {
    const std::uint8_t what = reader.u8();
    const auto jump = static_cast<std::int8_t>(reader.u8());
    const std::uint8_t step = reader.u8();
    const std::uint8_t time = reader.u8();
    now += std::chrono::milliseconds(time < 250 ? time / 4 : (time - 249) * 700);
    // Small steps most of the time, and jumps that restart the stream.
    sequence = static_cast<std::uint16_t>(sequence + (jump == -128 ? 5000 : jump / 16 + 1));
    if (step >= 128) timestamp += (step - 127U) * 960;
    const bool padding = (what & 0x38) == 0;
    payload.fill(static_cast<std::uint8_t>(sequence));
    const ByteView bytes = ByteView(payload).first(size_of(sequence, padding));
    if ((what & 0xc0) == 0xc0) {
      if ((what & 1) != 0) drain.video.require_key_frame();
    } else {
      drain.video.insert({.sequence_number = sequence,
                          .timestamp = RtpTimestamp{timestamp},
                          .marker = (what & 1) != 0,
                          .starts_frame = (what & 2) != 0,
                          .is_key_frame = (what & 4) != 0,
                          .payload = bytes,
                          .may_be_preceded = (what & 0x20) != 0},
                         now);
      drain.audio.insert({sequence, RtpTimestamp{timestamp}, bytes}, now);
      drain.pulled.insert({sequence, RtpTimestamp{timestamp}, bytes}, now);
    }
    drain.video.handle_timeout(now);
    drain.audio.handle_timeout(now);
    require(drain.audio.next_timeout() > now);
    if ((what & 0x80) != 0) drain.all(now);
    require(drain.pulled.statistics().buffered_delay >= Duration::zero());
    (void)drain.pulled.next(drain.audio_frame, now);
    (void)drain.pulled.hint();
  }
  drain.all(now);
  require(drain.video.next_timeout() > now);
  return 0;
}
