#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "sealroom/base/bytes.h"
#include "sealroom/base/types.h"
#include "sealroom/rtp/payload_format.h"

namespace sealroom::jitter {

/// One packet of a video stream after SRTP and the payload descriptor. `payload` is copied by
/// insert().
struct VideoPacket {
  std::uint16_t sequence_number = 0;
  RtpTimestamp timestamp{};
  bool marker = false;        ///< last packet of its frame
  bool starts_frame = false;  ///< first packet of its frame, not of a later slice or layer
  bool is_key_frame = false;  ///< meaningful where starts_frame
  ByteView payload;  ///< at most kMaxPayload bytes; may be empty (padding): it only fills its place
  /// Where starts_frame: it does not show whether other packets of the frame come before it. A
  /// stream begins with it only once the packet before it has been seen to be another frame's.
  bool may_be_preceded = false;
  /// Where starts_frame: a frame is a key frame also if those of all its packets make one.
  rtp::KeyFrameSigns signs{};
};

struct VideoFrame {
  Bytes data;  ///< the payloads of one frame in order
  RtpTimestamp timestamp{};
  std::uint16_t first_sequence_number = 0;
  std::uint16_t last_sequence_number = 0;
  bool is_key_frame = false;
  TimePoint first_packet_arrival{};
  TimePoint completed_at{};  ///< arrival of the packet that made it whole; frames before may have
                             ///< held it back
};

struct VideoJitterConfig {
  std::size_t max_packets = 2048;  ///< slots; memory is taken as the stream needs it and kept
  std::size_t max_bytes = 4u << 20;
  Duration max_gap_wait =
      std::chrono::milliseconds(500);  ///< then the gap is given up and a key frame asked for
  Duration key_frame_interval = std::chrono::milliseconds(500);  ///< between two key-frame requests
  Duration nack_retry =
      std::chrono::milliseconds(100);  ///< at most, until set_round_trip_time is called
  Duration
      nack_reorder_wait{};  ///< before the first request; zero asks as soon as a later packet is in
  int nack_max_tries = 10;
  std::size_t nack_max_packets = 256;
};

/// The counters of W3C webrtc-stats (RTCInboundRtpStreamStats) that a jitter buffer can know, under
/// their names, and a few of its own.
struct VideoJitterStatistics {
  std::uint64_t packets_received = 0;
  std::uint64_t packets_duplicated = 0;
  std::uint64_t packets_discarded = 0;  ///< too late, or over a bound
  std::uint64_t packets_lost = 0;       ///< given up
  std::uint64_t packets_recovered = 0;  ///< arrived after a NACK
  std::uint64_t frames_delivered = 0;
  std::uint64_t frames_dropped = 0;      ///< incomplete, or undecodable after a loss
  std::uint64_t nacks_sent = 0;          ///< packets asked for, retries counted
  std::uint64_t nack_count = 0;          ///< requests taken, for any number of packets
  std::uint64_t key_frame_requests = 0;  ///< pli_count

  std::uint64_t frames_received = 0;  ///< complete, in order and decodable
  std::uint64_t key_frames_received = 0;
  std::uint64_t frames_assembled_from_multiple_packets = 0;
  Duration total_assembly_time{};  ///< of these, from the first packet to the last
  Duration
      jitter_buffer_delay{};  ///< from a frame's first packet until pop() could have it, summed
  std::uint64_t jitter_buffer_emitted_count = 0;  ///< frames
  std::uint64_t freeze_count = 0;                 ///< as if shown in the moment they leave
  Duration total_freezes_duration{};
};

/// Puts a video stream's packets back into frames. Emits complete frames only, in order, the first
/// one a key frame; a frame leaves as soon as it is complete (marker bit, or the next frame's start
/// directly behind it) and all before it have left. A gap is NACKed at once on detection of
/// reordering's end (one later packet is enough) and again on a timer; when it cannot be filled
/// within max_gap_wait or max tries, everything up to the next complete key frame is dropped and a
/// key frame is requested. Sequence numbers wrap; a jump ahead of more than max_packets restarts
/// the stream behind a key frame, a jump back only when nothing else has come for a second. Over a
/// bound the oldest frames go, and the stream goes on with the next key frame. While none is to be
/// had, packets are kept for max_gap_wait only. A key frame that may have begun before its first
/// packet so far waits for the one before that, which is asked for; if it never comes, the frame is
/// dropped and another key frame requested. Where the stream begins, an H.264 delimiter or SEI in a
/// packet of its own before the parameter sets is not waited for: it is in the frame only if it
/// comes before the rest is complete. Times are of a clock that does not go back; if it does, gaps
/// are waited for that much longer. Amortised O(1) per packet, no allocation per packet after
/// warm-up (frames own their bytes). Sans-IO: call insert/handle_timeout, then drain pop,
/// take_nacks and take_key_frame_request: what is due for being taken is no timeout any more, so
/// after insert(now) and handle_timeout(now) next_timeout() > now. One thread.
class VideoJitterBuffer {
 public:
  /// What rtp::depacketize makes of a payload of 1500 bytes at most: of H.264 NAL units of one byte
  /// each, which lie there behind lengths and here behind start codes.
  static constexpr std::size_t kMaxPayload = 2504;

  explicit VideoJitterBuffer(VideoJitterConfig config = {});
  ~VideoJitterBuffer();
  VideoJitterBuffer(VideoJitterBuffer&&) noexcept;
  VideoJitterBuffer& operator=(VideoJitterBuffer&&) noexcept;

  void insert(const VideoPacket& packet, TimePoint now);
  /// A packet that came, but with a payload that nothing can be made of: it is not asked for again,
  /// and what needs it is lost at once. Counts nowhere.
  void insert_unusable(std::uint16_t sequence_number, TimePoint now);
  void handle_timeout(TimePoint now);
  [[nodiscard]] TimePoint next_timeout() const;  ///< kNever if nothing waits

  /// Moves the next frame out; false if none is ready.
  bool pop(VideoFrame& frame);
  /// Sequence numbers to ask for now, ascending; returns how many were written. When `out` is full
  /// there may be more.
  std::size_t take_nacks(TimePoint now, std::span<std::uint16_t> out);
  /// True at most once per key_frame_interval while a key frame is needed and none is coming in.
  bool take_key_frame_request(TimePoint now);
  /// The application (decryption, decoder) cannot go on: drop frames until a key frame and ask for
  /// one.
  void require_key_frame();

  void set_round_trip_time(Duration round_trip_time);
  [[nodiscard]] const VideoJitterStatistics& statistics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealroom::jitter
