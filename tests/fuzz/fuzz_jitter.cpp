// Sequences of packets and times into both jitter buffers: nothing crashes, bounds hold, what comes
// out is in order, and a video frame is exactly the packets between its two sequence numbers.

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdlib>
#include <limits>

#include "sealroom/base/byte_reader.h"
#include "sealroom/base/sequence_line.h"
#include "sealroom/jitter/audio_jitter_buffer.h"
#include "sealroom/jitter/video_jitter_buffer.h"

using namespace sealroom;          // NOLINT(google-build-using-namespace)
using namespace sealroom::jitter;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::size_t kAudioPackets = 32;

void require(bool condition) {
  if (!condition) std::abort();
}

/// The same number gives the same packet, so a frame can be held against its numbers.
std::size_t size_of(std::uint16_t sequence, bool padding) {
  return padding ? 0 : 1 + sequence % 37;
}

/// How many bytes from `at` on are those of this number: each byte of a payload is the low byte of
/// its number.
std::size_t run_of(std::uint16_t number, const Bytes& data, std::size_t at) {
  std::size_t end = at;
  while (end < data.size() && data[end] == static_cast<std::uint8_t>(number)) ++end;
  return end - at;
}

/// The numbers that one buffer hands out, on the line that it places them on: they rise, behind a
/// restart too, which begins past everything before it.
class Order {
 public:
  explicit Order(std::size_t max_packets) : line_(static_cast<std::int64_t>(max_packets)) {}

  void inserted(std::uint16_t number, TimePoint now) {
    std::int64_t position = 0;
    if (line_.place(number, now, position) == SequenceLine::Verdict::stray) return;
    newest_ = std::max(newest_, position);
  }
  void handed_out(std::uint16_t first, std::uint16_t last) {
    require(position_of(first) > last_);
    last_ = position_of(last);
    require(last_ <= newest_);
  }

 private:
  [[nodiscard]] std::int64_t position_of(std::uint16_t number) const {
    return newest_ + static_cast<std::int16_t>(number - static_cast<std::uint16_t>(newest_));
  }

  SequenceLine line_;
  std::int64_t newest_ = 0;
  std::int64_t last_ = std::numeric_limits<std::int64_t>::min();
};

struct Drain {
  explicit Drain(VideoJitterConfig config)
      : max_packets(config.max_packets), video(config), video_order(config.max_packets) {}

  std::size_t max_packets;
  VideoJitterBuffer video;
  AudioJitterBuffer audio{{.max_packets = kAudioPackets, .max_bytes = 2000}};
  AudioJitterBuffer pulled{{.max_packets = kAudioPackets, .max_bytes = 2000, .pull = true}};
  Order video_order;
  Order audio_order{kAudioPackets};
  Order pulled_order{kAudioPackets};
  std::bitset<65536> as_padding;  ///< numbers that were inserted so
  std::bitset<65536> with_payload;
  VideoFrame video_frame;
  AudioFrame audio_frame;
  bool has_started = false;

  void insert(const VideoPacket& packet, TimePoint now) {
    (packet.payload.empty() ? as_padding : with_payload).set(packet.sequence_number);
    video_order.inserted(packet.sequence_number, now);
    video.insert(packet, now);
  }

  void insert_unusable(std::uint16_t number, TimePoint now) {
    video_order.inserted(number, now);
    video.insert_unusable(number, now);
  }

  void insert(const AudioPacket& packet, TimePoint now) {
    audio_order.inserted(packet.sequence_number, now);
    audio.insert(packet, now);
    pulled_order.inserted(packet.sequence_number, now);
    pulled.insert(packet, now);
  }

  void all(TimePoint now) {
    while (video.pop(video_frame)) {
      require(has_started || video_frame.is_key_frame);
      has_started = true;
      check_frame();
    }
    while (audio.pop(audio_frame)) check_audio(audio_order);
    std::array<std::uint16_t, 8> nacks{};
    while (video.take_nacks(now, nacks) > 0) {
    }
    (void)video.take_key_frame_request(now);
    const VideoJitterStatistics& statistics = video.statistics();
    require(statistics.frames_delivered <= statistics.frames_received);
    require(statistics.packets_duplicated + statistics.packets_discarded <=
            statistics.packets_received + max_packets * (1 + statistics.frames_dropped));
  }

  void pull(TimePoint now) {
    require(pulled.statistics().buffered_delay >= Duration::zero());
    const Playout playout = pulled.next(audio_frame, now);
    if (playout == Playout::frame || playout == Playout::missing) {
      require(audio_frame.is_missing == (playout == Playout::missing));
      check_audio(pulled_order);
    }
    (void)pulled.hint();
  }

  // Of each number all bytes or, where it came as padding, none; a frame begins with some.
  void check_frame() {
    const std::uint16_t first = video_frame.first_sequence_number;
    const std::uint16_t last = video_frame.last_sequence_number;
    video_order.handed_out(first, last);
    const auto span = static_cast<std::uint16_t>(last - first);
    require(span < max_packets);
    std::size_t at = 0;
    for (std::uint16_t i = 0; i <= span; ++i) {
      const auto number = static_cast<std::uint16_t>(first + i);
      const std::size_t run = run_of(number, video_frame.data, at);
      if (run == 0) {
        require(i > 0 && as_padding[number]);
      } else {
        require(run == size_of(number, false) && with_payload[number]);
      }
      at += run;
    }
    require(at == video_frame.data.size());
  }

  void check_audio(Order& order) {
    const std::uint16_t number = audio_frame.sequence_number;
    order.handed_out(number, number);
    const std::size_t size = audio_frame.is_missing ? 0 : size_of(number, false);
    require(audio_frame.data.size() == size && run_of(number, audio_frame.data, 0) == size);
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
      if ((what & 2) != 0) drain.insert_unusable(sequence, now);
    } else {
      drain.insert(VideoPacket{.sequence_number = sequence,
                               .timestamp = RtpTimestamp{timestamp},
                               .marker = (what & 1) != 0,
                               .starts_frame = (what & 2) != 0,
                               .is_key_frame = (what & 4) != 0,
                               .payload = bytes,
                               .may_be_preceded = (what & 0x20) != 0},
                   now);
      drain.insert(AudioPacket{sequence, RtpTimestamp{timestamp}, bytes}, now);
    }
    drain.video.handle_timeout(now);
    drain.audio.handle_timeout(now);
    require(drain.audio.next_timeout() > now);
    if ((what & 0x80) != 0) drain.all(now);
    drain.pull(now);
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
      if ((what & 0x10) != 0) {
        drain.insert_unusable(static_cast<std::uint16_t>(window + (place & 0x3f)), now);
      }
      continue;
    }
    const auto sequence = static_cast<std::uint16_t>(window + (place & 0x3f));
    // A frame for each eight places in the main, so that some become whole.
    const int number = (what & 0x10) != 0 ? place >> 6 : (place & 0x3f) / 8 % 4;
    const bool padding = (what & 0xe0) == 0;
    const bool starts = (what & 2) != 0 && !padding;
    const bool has_signs = starts && (what & 0x10) == 0;
    payload.fill(static_cast<std::uint8_t>(sequence));
    drain.insert(VideoPacket{.sequence_number = sequence,
                             .timestamp = RtpTimestamp{static_cast<std::uint32_t>(number) * 3000},
                             .marker = (what & 1) != 0,
                             .starts_frame = starts,
                             .is_key_frame = starts && (what & 4) != 0,
                             .payload = ByteView(payload).first(size_of(sequence, padding)),
                             .may_be_preceded = starts && (what & 8) != 0,
                             .signs = {.has_parameters = has_signs && (place & 0x40) != 0,
                                       .can_begin = has_signs && (place & 0x80) != 0,
                                       .has_slice = has_signs && (place & 0x80) != 0}},
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
