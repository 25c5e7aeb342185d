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
  explicit Drain(VideoJitterConfig config) : max_packets(config.max_packets), video(config) {}

  std::size_t max_packets;
  VideoJitterBuffer video;
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
      require(span < max_packets);
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
            statistics.packets_received + max_packets * (1 + statistics.frames_dropped));
  }
};

// A stream with mishaps. Four bytes a step: what to do, how far the sequence number goes, the
// timestamp, the clock.
void follow(ByteReader reader) {
  Drain drain({.max_packets = 64, .max_bytes = 4000, .nack_max_packets = 16});
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
}

// What no sender would send: packets in any order from a narrow window of numbers, in which the
// starts and ends of a few frames lie interleaved. A byte of configuration, then three a step: what
// the packet is, its place in the window and timestamp, the clock.
void scatter(ByteReader reader) {
  if (reader.remaining() == 0) return;
  const std::uint8_t setting = reader.u8();
  Drain drain({.max_packets = std::size_t{16} << (setting & 3),
               .max_bytes = (setting & 4) != 0 ? std::size_t{1500} : std::size_t{1} << 20,
               .nack_reorder_wait = std::chrono::milliseconds((setting & 8) != 0 ? 10 : 0),
               .nack_max_packets = (setting & 0x10) != 0 ? std::size_t{4} : std::size_t{64}});
  TimePoint now{std::chrono::seconds(1)};
  std::uint16_t window = 65'500;
  std::array<std::uint8_t, 64> payload{};
  while (reader.remaining() >= 3) {
    const std::uint8_t what = reader.u8();
    const std::uint8_t place = reader.u8();
    const std::uint8_t time = reader.u8();
    now += std::chrono::milliseconds(time < 240 ? time / 16 : (time - 239) * 50);
    if ((what & 0xe0) == 0xe0) {
      if ((what & 1) != 0) drain.video.require_key_frame();
      if ((what & 2) != 0) drain.all(now);
      if ((what & 4) != 0) drain.video.handle_timeout(now);
      if ((what & 8) != 0) window = static_cast<std::uint16_t>(window + place);
      continue;
    }
    const auto sequence = static_cast<std::uint16_t>(window + (place & 0x3f));
    // A frame for each eight places in the main, so that some become whole.
    const int number = (what & 0x10) != 0 ? place >> 6 : (place & 0x3f) / 8 % 4;
    const bool padding = (what & 0xe0) == 0;
    const bool starts = (what & 2) != 0 && !padding;
    payload.fill(static_cast<std::uint8_t>(sequence));
    drain.video.insert({.sequence_number = sequence,
                        .timestamp = RtpTimestamp{static_cast<std::uint32_t>(number) * 3000},
                        .marker = (what & 1) != 0,
                        .starts_frame = starts,
                        .is_key_frame = starts && (what & 4) != 0,
                        .payload = ByteView(payload).first(size_of(sequence, padding)),
                        .may_be_preceded = starts && (what & 8) != 0},
                       now);
    require(drain.video.next_timeout() > now);
  }
  drain.all(now);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  follow(ByteReader(ByteView(data, size)));
  scatter(ByteReader(ByteView(data, size)));
  return 0;
}
