#pragma once

#include <cstdint>
#include <memory>

#include "sealroom/base/bytes.h"
#include "sealroom/base/types.h"

namespace sealroom::jitter {

struct AudioPacket {
  std::uint16_t sequence_number = 0;
  RtpTimestamp timestamp{};
  ByteView payload;  ///< copied by insert(), at most kMaxPayload bytes; empty (padding) only fills
                     ///< its place
};

struct AudioFrame {
  Bytes data;  ///< empty for a frame that is missing: conceal it
  RtpTimestamp timestamp{};
  std::uint16_t sequence_number = 0;
  bool is_missing = false;
  TimePoint arrival{};  ///< of a missing frame: of the packet behind the gap
};

struct AudioJitterConfig {
  std::uint32_t clock_rate = 48000;
  std::size_t max_packets = 256;
  std::size_t max_bytes = 256u << 10;
  Duration min_target_delay = std::chrono::milliseconds(20);
  Duration max_target_delay = std::chrono::milliseconds(400);
};

struct AudioJitterStatistics {
  std::uint64_t packets_received = 0;
  std::uint64_t packets_duplicated = 0;
  std::uint64_t packets_discarded = 0;  ///< too late, or over a bound (oldest first)
  std::uint64_t packets_lost =
      0;  ///< never came before they were due, whether or not handed out as missing
  std::uint64_t frames_delivered = 0;
  Duration target_delay{};
};

/// Orders an audio stream and decides how long to wait for what is late. In order without a gap a
/// packet leaves at once; behind a gap it waits until the missing one comes or until the target
/// delay since its own arrival has passed, then the gap leaves as frames with is_missing (at most
/// 10 per gap, the timestamp interpolated). The target follows the 0.95 quantile of the relative
/// delay with forgetting (NetEq's idea), within the configured bounds. Sequence numbers and
/// timestamps wrap; a jump ahead of more than max_packets restarts the stream, a jump back
/// only when nothing else has come for a second. Over a bound the oldest frames go. After
/// insert(now) and handle_timeout(now) next_timeout() > now. O(1) per packet, no allocation per
/// packet after warm-up apart from the frame handed out. Sans-IO, one thread.
class AudioJitterBuffer {
 public:
  static constexpr std::size_t kMaxPayload = 1500;

  explicit AudioJitterBuffer(AudioJitterConfig config = {});
  ~AudioJitterBuffer();
  AudioJitterBuffer(AudioJitterBuffer&&) noexcept;
  AudioJitterBuffer& operator=(AudioJitterBuffer&&) noexcept;

  void insert(const AudioPacket& packet, TimePoint now);
  void handle_timeout(TimePoint now);
  [[nodiscard]] TimePoint next_timeout() const;
  bool pop(AudioFrame& frame);
  [[nodiscard]] const AudioJitterStatistics& statistics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealroom::jitter
