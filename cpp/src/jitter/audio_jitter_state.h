#pragma once

#include "delay_tracker.h"
#include "packet_store.h"
#include "sealroom/base/sequence_line.h"
#include "sealroom/jitter/audio_jitter_buffer.h"
#include "sealroom/jitter/ring_queue.h"

namespace sealroom::jitter {

/// What may leave lies in [next_, ready_end_): places without a packet there leave as missing
/// frames. From ready_end_, which is empty, to newest_ packets wait for the hole to be filled.
/// Nothing is handed out before pop(), so a late packet still takes its place as long as nobody
/// read past it. With `pull` ready_end_ stays at next_.
struct AudioJitterBuffer::State {
  explicit State(AudioJitterConfig given);

  void insert(const AudioPacket& packet, TimePoint now);
  void handle_timeout(TimePoint now);
  [[nodiscard]] TimePoint next_timeout() const {
    return waiting_.empty() ? kNever : waiting_.front().arrival + delay_.target();
  }
  bool pop(AudioFrame& frame);
  Playout pull(AudioFrame& frame, TimePoint now);
  [[nodiscard]] PlayoutHint hint() const;

  AudioJitterConfig config;
  AudioJitterStatistics statistics;

 private:
  struct Waiting {
    std::int64_t sequence = 0;
    TimePoint arrival{};
  };

  void restart(std::int64_t sequence);
  bool make_room(std::int64_t sequence, std::size_t size, TimePoint now);
  void pass_oldest();
  void advance_ready(TimePoint now);
  void drop_passed_waiting();
  void deliver(const StoredPacket& packet, AudioFrame& frame);
  void conceal(AudioFrame& frame);
  void find_gap_end();
  void skip_gap();

  [[nodiscard]] bool is_filling(TimePoint now) const;
  Playout underrun();
  void note_level();

  void measure_step(std::int64_t sequence, RtpTimestamp timestamp);
  void count_emitted(const StoredPacket& packet, TimePoint now);
  void count_concealed();

  PacketStore store_{kMaxPayload};
  DelayTracker delay_;
  SequenceLine line_;
  std::int64_t next_ = 0;
  std::int64_t ready_end_ = 0;
  std::int64_t newest_ = -1;
  /// Behind the hole, in the order of arrival, so the front one is due first. Entries that the
  /// hole's end has passed go when they reach the front. At most two per place held.
  RingQueue<Waiting> waiting_;

  RtpTimestamp last_timestamp_{};  ///< handed out, or dropped instead
  std::int64_t gap_end_ = 0;       ///< the first packet behind next_, while one is concealed
  bool knows_gap_end_ = false;
  int missing_frames_ = 0;  ///< handed out of the present hole
  bool is_concealing_ = false;

  std::int64_t stepped_sequence_ = 0;  ///< and its timestamp, to learn how long a frame is
  RtpTimestamp stepped_timestamp_{};
  bool has_stepped_ = false;
  std::uint32_t step_ = 0;  ///< samples of a frame

  bool is_playing_ = false;
  TimePoint filling_since_ = kNever;  ///< first arrival since the player stopped
  int underruns_ = 0;                 ///< one after the other
  std::int64_t pauses_ = 0;  ///< frames of the player's time without a packet since the last one
};

}  // namespace sealroom::jitter
