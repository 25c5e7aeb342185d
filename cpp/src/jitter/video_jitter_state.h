#pragma once

#include <array>
#include <limits>

#include "frame_cursor.h"
#include "packet_store.h"
#include "sealroom/base/sequence_line.h"
#include "sealroom/jitter/nack_generator.h"
#include "sealroom/jitter/ring_queue.h"
#include "sealroom/jitter/video_jitter_buffer.h"

namespace sealroom::jitter {

/// Two states. In the chain, `main_` assembles the frame behind the last complete one and a hole in
/// it is waited for. Without it (at the start, and once a hole is given up) the key frames seen so
/// far are assembled side by side, the first one whole begins a new chain, and everything before it
/// goes. What is complete stays until pop():
///
///   begin() ... ready frames ... | floor_ ... packets not in a complete frame ... newest
///
/// The span from begin() to newest never exceeds max_packets. In the chain a payload is copied
/// once, straight into the frame that `main_` assembles; only what came ahead of its turn lies in
/// the store meanwhile. The store's entries stay until the frame leaves: they count packets and
/// bytes.
struct VideoJitterBuffer::State {
  explicit State(VideoJitterConfig given);

  void insert(const VideoPacket& packet, TimePoint now);
  void insert_unusable(std::uint16_t sequence_number, TimePoint now);
  void handle_timeout(TimePoint now);
  [[nodiscard]] TimePoint next_timeout() const;
  bool pop(VideoFrame& frame);
  bool take_key_frame_request(TimePoint now);
  void require_key_frame();
  void update_statistics();
  void note_time(TimePoint now);
  void check() const;

  VideoJitterConfig config;
  VideoJitterStatistics statistics;
  NackGenerator nacks;

 private:
  static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();
  // A stream whose first packets were overtaken begins this much before the first that came.
  static constexpr std::int64_t kStartReordering = 32;
  // More key frames than this are not underway at once; the oldest is forgotten, not what can still
  // be shown.
  static constexpr std::size_t kMaxCandidates = 8;
  static constexpr std::size_t kFreezeWindow = 30;

  struct ReadyFrame {
    FrameCursor cursor;
    Bytes data;
  };

  [[nodiscard]] std::int64_t begin() const {
    return ready_.empty() ? floor_ : ready_.front().cursor.begin;
  }
  [[nodiscard]] bool is_hopeless(std::int64_t sequence) const;
  [[nodiscard]] TimePoint key_frame_request_due() const;

  void restart(std::int64_t sequence);
  [[nodiscard]] bool may_begin_at(std::int64_t sequence, const VideoPacket& packet) const;
  bool make_room(std::int64_t sequence, std::size_t size);
  bool drop_oldest();

  void advance_main(TimePoint now);
  FrameCursor::Progress assemble();
  /// False if one of the packets is not there: `assembly_` is of no use then.
  [[nodiscard]] bool append(std::int64_t first, std::int64_t end);
  void push_ready(const FrameCursor& frame, TimePoint now);
  void count_ready(const FrameCursor& frame, TimePoint now);
  void count_freeze(TimePoint now);
  void drop_ready_front();
  void lose_chain(TimePoint now);

  /// A frame that may be a key frame and begin a chain.
  struct Candidate {
    FrameCursor frame;
    RtpTimestamp timestamp{};
    std::int64_t lowest = 0;  ///< the packets from here on are there and of no earlier frame
    bool start_is_sure = false;
    bool is_headless = false;  ///< `lowest` cannot start a frame: `frame` begins behind it
    bool is_whole = false;     ///< from its begin on
  };
  enum class Outcome : std::uint8_t { waits, removed, started_chain };

  void add_candidate(std::int64_t sequence, const VideoPacket& packet);
  void remove_candidates(std::size_t first, std::size_t count);
  void advance_candidates_at(std::int64_t sequence, TimePoint now);
  void advance_all_candidates(TimePoint now);
  Outcome try_candidate(std::size_t index, TimePoint now);
  void settle_start(Candidate& candidate);
  /// `before` is the last packet before the lowest of the frame: true if it is of it too.
  static bool continues(const StoredPacket& before, const Candidate& candidate);
  void take_in(Candidate& candidate, const StoredPacket& packet);
  [[nodiscard]] bool start_is_lost(const Candidate& candidate, TimePoint now);
  [[nodiscard]] std::int64_t first_needed() const;
  void forget_outdated(TimePoint now);

  void release(std::int64_t first, std::int64_t end);
  void drop_until(std::int64_t sequence);

  /// What the pointers into the store rest on. Checked after each call in debug builds and under
  /// SEALROOM_CHECK_INVARIANTS (tests and fuzzers), where it ends the process.
  [[nodiscard]] bool is_consistent() const;
  [[nodiscard]] bool holds(std::int64_t first, std::int64_t end) const;

  PacketStore store_{kMaxPayload};
  SequenceLine line_;
  RingQueue<ReadyFrame> ready_;
  std::int64_t floor_ = 0;
  FrameCursor main_;                        ///< of the chain
  Bytes assembly_;                          ///< what main_ has passed of its frame
  Bytes spare_;                             ///< a frame's memory that came back with pop()
  std::size_t usual_size_ = 0;              ///< of the last frame
  std::int64_t incoming_sequence_ = kNone;  ///< the packet whose payload is not in the store
  ByteView incoming_;
  bool in_chain_ = false;
  bool started_ = false;
  bool is_fresh_ = false;  ///< nothing left since the (re)start

  std::array<Candidate, kMaxCandidates> candidates_;  ///< from floor_ on, ascending
  std::size_t candidate_count_ = 0;
  TimePoint candidate_progress_ = TimePoint::min();

  TimePoint last_request_ = TimePoint::min();
  bool request_is_pending_ = false;

  TimePoint latest_{};  ///< time that was told
  TimePoint last_ready_ = TimePoint::min();
  std::array<Duration, kFreezeWindow> intervals_{};  ///< the last ones between frames, a ring
  Duration interval_sum_{};
  std::size_t interval_count_ = 0;

  RtpTimestamp last_dropped_timestamp_{};
  bool has_dropped_ = false;
};

}  // namespace sealroom::jitter
