#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sealroom/base/bytes.h"
#include "sealroom/base/datagram_batch.h"
#include "sealroom/base/types.h"

namespace sealroom::net {

struct PacerConfig {
  std::uint64_t rate = 0;  ///< bit/s of UDP payload, at least Pacer::kMinRate
  /// What may leave at once after a pause. 0: 5 ms of `rate`, at least two datagrams of 1200 bytes.
  std::size_t burst_bytes = 0;
  /// Nothing waits longer: what is this old leaves beside the rate.
  Duration max_delay = std::chrono::milliseconds(250);
  /// Bound of each of the two queues. What does not fit makes the oldest leave at once: late media
  /// is worth more than lost media, and nothing is dropped here.
  std::size_t max_queued_bytes = std::size_t{1} << 20;
};

struct PacerStatistics {
  std::uint64_t datagrams_delayed = 0;   ///< left later than they came
  std::uint64_t datagrams_overdue = 0;   ///< of these: beside the rate, because of max_delay
  std::uint64_t datagrams_overflow = 0;  ///< beside the rate, because a queue was full
  std::size_t queued_bytes = 0;          ///< now
};

/// A leaky bucket between packets and socket: it spreads a large frame over time, so that the
/// queues of the path need not take it in one piece. In every interval of length t at most `rate *
/// t + burst` leaves (one datagram more where that is larger than the burst), besides what
/// max_delay and max_queued_bytes force out, which the bucket counts too. Audio and RTCP go before
/// video, each in its order. Sans-IO: `now` is an argument and never goes back. One thread; keeps
/// its memory, at most twice what is queued at most.
class Pacer {
 public:
  static constexpr std::uint64_t kMinRate = 10'000;

  explicit Pacer(PacerConfig config);

  /// Lower rates than kMinRate are raised to it. A burst that was not chosen follows the rate.
  void set_rate(std::uint64_t rate);

  /// Copies datagrams of `run` to their queue and returns how many bytes it took: all, or less when
  /// the queue is full; then poll() gives the oldest out, and the rest is to be offered again.
  std::size_t push(const DatagramBatch::Run& run, TimePoint now);

  /// The next datagrams of equal size that may leave, as many as the budget allows, for one
  /// UDP_SEGMENT call. False when none may leave yet. The view lives until the next push.
  bool poll(DatagramBatch::Run& run, TimePoint now);

  /// What is queued, whatever the rate, in the order in which it would have left: for the owner
  /// that stops pacing. False when nothing is left.
  bool take(DatagramBatch::Run& run);

  /// When to poll again; kNever while nothing is queued. A quarter of a burst is gathered before
  /// the socket is called again, for a wake-up costs more than a datagram.
  [[nodiscard]] TimePoint next_timeout() const;

  [[nodiscard]] PacerStatistics statistics() const;

 private:
  using Nanoseconds = std::int64_t;

  /// Datagrams pushed together, those that have left taken off its front.
  struct Entry {
    std::size_t size = 0;
    std::size_t segment_size = 0;
    TimePoint pushed_at{};
  };
  struct Queue {
    [[nodiscard]] std::size_t size() const { return tail - head; }
    [[nodiscard]] bool empty() const { return head == tail; }
    [[nodiscard]] const Entry& front() const { return entries[first]; }
    void make_room(std::size_t size);
    void pop(std::size_t size, DatagramBatch::Run& run);

    Bytes storage;  ///< [head, tail) is queued
    std::size_t head = 0;
    std::size_t tail = 0;
    std::vector<Entry> entries;  ///< from `first` on
    std::size_t first = 0;
    bool has_refused = false;  ///< since it last gave something out
  };

  [[nodiscard]] Nanoseconds duration_of(std::size_t bytes) const;
  [[nodiscard]] std::size_t allowed(const Entry& entry, TimePoint now) const;
  void count(std::size_t bytes, TimePoint now);

  PacerConfig config_;
  std::size_t burst_bytes_ = 0;
  Nanoseconds dry_at_ = 0;       ///< when the bucket will have run dry
  std::array<Queue, 2> queues_;  ///< by Urgency
  PacerStatistics statistics_;
};

}  // namespace sealroom::net
