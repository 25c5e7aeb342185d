#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "sealroom/base/types.h"
#include "sealroom/jitter/ring_queue.h"

namespace sealroom::jitter {

/// For NackConfig::reorder_wait on a network: packets of one frame leave together, so a path with
/// some jitter makes them overtake each other.
inline constexpr Duration kReorderWait = std::chrono::milliseconds(10);

struct NackConfig {
  /// Until set_round_trip_time is called; answers that come sooner shorten it (see retry()).
  Duration retry = std::chrono::milliseconds(100);
  /// From when the gap was seen to the first request, so that packets that only overtook each other
  /// are not asked for: the other end limits what it sends again.
  Duration reorder_wait{};
  Duration max_age =
      std::chrono::milliseconds(500);  ///< since the gap was seen; then it is given up
  int max_tries = 10;
  std::size_t max_packets = 256;  ///< missing packets kept; more of them push the oldest out
};

/// Which packets of one stream are missing, when to ask for each again, and when to give one up.
/// Sequence numbers are unwrapped (SequenceUnwrapper). A packet counts as missing as soon as a
/// later one is in. Every packet that is behind newest() and not there is either is_waiting_for()
/// or given up, so whoever waits for one can always tell. In order O(1); out of order O(log
/// max_packets); timers O(missing packets). No allocation after warm-up. One thread.
class NackGenerator {
 public:
  enum class Arrival : std::uint8_t {
    newest,      ///< the first packet, or one after all seen before
    reordered,   ///< was missing and came by itself
    recovered,   ///< was missing and had been asked for
    unexpected,  ///< nobody waits for it: a duplicate, or given up
  };

  explicit NackGenerator(NackConfig config = {});

  /// A packet from before the first one moves the start of the stream back, so that what lies
  /// between them is missing.
  Arrival packet_received(std::int64_t sequence, TimePoint now);
  /// Asks for the packet before the first one, should there be one, as for any that is missing.
  void expect(std::int64_t sequence, TimePoint now);
  /// Nothing before `sequence` is wanted any more; what was missing there counts as given up.
  void give_up_before(std::int64_t sequence);
  /// Forgets the stream; what was missing counts as given up. The next packet is a first one.
  void restart();

  /// Afterwards next_timeout() > now.
  void handle_timeout(TimePoint now);
  /// kNever if nothing is missing. May be early, never late, when a packet came that it was for.
  [[nodiscard]] TimePoint next_timeout() const;
  /// Writes the sequence numbers to ask for now, ascending, and starts their retry timers. When
  /// `out` is full there may be more: call again.
  std::size_t take(TimePoint now, std::span<std::uint16_t> out);

  [[nodiscard]] bool is_waiting_for(std::int64_t sequence) const;
  /// Each packet is asked for again after this long, at least 10 ms and at most half of max_age:
  /// the other end says how long it takes. Whatever the answers say.
  void set_round_trip_time(Duration round_trip_time);
  /// The time between two requests for a packet. Without set_round_trip_time it follows the
  /// answers: the median of the last 32 times from the first request for a packet to its arrival,
  /// and 10 ms, never more than was configured. From the first request, so that a packet asked for
  /// too early again does not hide how long an answer takes; the median, so that neither answers
  /// that were lost nor packets that came late by themselves mislead it while most do not.
  [[nodiscard]] Duration retry() const { return retry_; }

  [[nodiscard]] std::int64_t newest() const { return newest_; }
  [[nodiscard]] std::size_t missing() const { return missing_; }
  [[nodiscard]] std::uint64_t given_up() const { return given_up_; }  ///< packets, ever
  [[nodiscard]] std::uint64_t requested() const {
    return requested_;
  }  ///< packets, retries counted

 private:
  struct Entry {
    std::int64_t sequence = 0;
    TimePoint deadline{};
    TimePoint due{};  ///< of the next try, or after the last one the end
    TimePoint first_asked{};
    int tries = 0;
    bool is_missing = false;
    bool is_pending = false;  ///< to be taken; its due time is over
  };

  static constexpr std::size_t kAnswers = 32;

  void note_answer(Duration delay);
  [[nodiscard]] Entry* find(std::int64_t sequence);
  [[nodiscard]] Entry make_entry(std::int64_t sequence, TimePoint now);
  void add(std::int64_t sequence, TimePoint now);
  Arrival extend_back(std::int64_t sequence, TimePoint now);
  void settle(Entry& entry);
  void give_up(Entry& entry);
  void drop_settled_front();
  void compact();

  NackConfig config_;
  Duration retry_;
  bool follows_answers_ = true;
  std::array<Duration, kAnswers> answers_{};
  std::size_t answer_count_ = 0;
  RingQueue<Entry>
      entries_;  ///< ascending; settled ones stay until they reach the front or compact()
  std::int64_t oldest_ = 0;  ///< nothing before it is wanted
  std::int64_t newest_ = 0;
  bool started_ = false;
  std::size_t missing_ = 0;
  std::size_t pending_ = 0;
  std::uint64_t given_up_ = 0;
  std::uint64_t requested_ = 0;
  mutable TimePoint next_timeout_ = kNever;
  mutable bool timeout_is_stale_ = false;
};

}  // namespace sealroom::jitter
