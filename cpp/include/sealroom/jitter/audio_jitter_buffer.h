#pragma once

#include <cstdint>
#include <memory>
#include <optional>

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
  bool pull = false;  ///< frames leave by next() at the application's clock, not by pop()
};

/// The counters of W3C webrtc-stats (RTCInboundRtpStreamStats) that a jitter buffer can know, under
/// their names, and a few of its own. A frame leaves when pop() could hand it out, or by next().
struct AudioJitterStatistics {
  std::uint64_t packets_received = 0;
  std::uint64_t packets_duplicated = 0;
  std::uint64_t packets_discarded = 0;  ///< too late, or over a bound (oldest first)
  std::uint64_t packets_lost =
      0;  ///< never came before they were due, whether or not handed out as missing
  std::uint64_t frames_delivered = 0;
  Duration target_delay{};    ///< now
  Duration buffered_delay{};  ///< pull: what lies between the player and the newest packet,
                              ///< smoothed
  std::optional<double> clock_drift_ppm;  ///< positive: the sender's clock is faster than `now`;
                                          ///< nothing in the first minute

  double jitter_buffer_delay = 0;          ///< seconds from arrival to leaving, summed over samples
  double jitter_buffer_target_delay = 0;   ///< seconds, summed likewise
  double jitter_buffer_minimum_delay = 0;  ///< seconds, without the configured bounds, likewise
  std::uint64_t jitter_buffer_emitted_count = 0;  ///< samples, at the clock rate
  std::uint64_t concealed_samples = 0;            ///< missing frames and underruns handed out
  std::uint64_t concealment_events = 0;           ///< runs of them
};

/// What next() says of the frame that the player needs now.
enum class Playout : std::uint8_t {
  frame,     ///< here it is
  missing,   ///< its packet did not come in time: conceal one frame
  underrun,  ///< nothing is there: conceal one frame; the delay grows by it
  filling,   ///< at the start, after a restart or a long underrun: silence
};

/// How an application that plays at its own clock keeps its delay near the target.
enum class PlayoutHint : std::uint8_t { normal, accelerate, expand };

/// NetEq's limits: expand below 3/4 of the target (at most 85 ms below it), accelerate above the
/// target, but never within 20 ms of the lower limit.
[[nodiscard]] PlayoutHint playout_hint(Duration buffered, Duration target);

/// Orders an audio stream and decides how long to wait for what is late. In order without a gap a
/// packet leaves at once; behind a gap it waits until the missing one comes or until the target
/// delay since its own arrival has passed, then the gap leaves as frames with is_missing (at most
/// 10 per gap, the timestamp interpolated). The target follows the 0.95 quantile of the relative
/// delay with forgetting (NetEq's idea), within the configured bounds. Sequence numbers and
/// timestamps wrap; a jump ahead of more than max_packets restarts the stream, a jump back
/// only when nothing else has come for a second. Over a bound the oldest frames go. After
/// insert(now) and handle_timeout(now) next_timeout() > now.
///
/// With `pull` nothing leaves by itself: the player calls next(now) once per frame of its own
/// clock, and gets the frames one after the other, the first one a target delay after its arrival.
///
/// Amortised O(1) per packet and per place of a gap, no allocation per packet after warm-up apart
/// from the frame handed out. Sans-IO, one thread.
class AudioJitterBuffer {
 public:
  static constexpr std::size_t kMaxPayload = 1500;

  explicit AudioJitterBuffer(AudioJitterConfig config = {});
  ~AudioJitterBuffer();
  AudioJitterBuffer(AudioJitterBuffer&&) noexcept;
  AudioJitterBuffer& operator=(AudioJitterBuffer&&) noexcept;

  void insert(const AudioPacket& packet, TimePoint now);
  void handle_timeout(TimePoint now);
  [[nodiscard]] TimePoint next_timeout() const;  ///< kNever if nothing waits, and with `pull`
  bool pop(AudioFrame& frame);                   ///< false if none is ready, and with `pull`

  /// Only with `pull`, else `filling`. `frame` is set for `frame`, and for `missing` with the
  /// timestamp interpolated.
  Playout next(AudioFrame& frame, TimePoint now);
  /// Only with `pull`, else `normal`: what the player should do to its speed.
  [[nodiscard]] PlayoutHint hint() const;

  [[nodiscard]] const AudioJitterStatistics& statistics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealroom::jitter
