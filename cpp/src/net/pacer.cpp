#include "sealroom/net/pacer.h"

#include <algorithm>
#include <cstring>

namespace sealroom::net {
namespace {

constexpr std::uint64_t kBurstsPerSecond = 200;  // 5 ms
constexpr std::size_t kMinBurst = 2400;
constexpr std::int64_t kNanosecondsPerMicrosecond = 1000;

std::int64_t to_nanoseconds(TimePoint time) {
  return time.time_since_epoch().count() * kNanosecondsPerMicrosecond;
}

TimePoint to_time_point(std::int64_t nanoseconds) {  // rounded up, so never early
  return TimePoint(
      Duration((nanoseconds + kNanosecondsPerMicrosecond - 1) / kNanosecondsPerMicrosecond));
}

std::size_t count_datagrams(std::size_t size, std::size_t segment_size) {
  return (size + segment_size - 1) / segment_size;
}

}  // namespace

Pacer::Pacer(PacerConfig config) : config_(config) { set_rate(config.rate); }

void Pacer::set_rate(std::uint64_t rate) {
  config_.rate = std::max(rate, kMinRate);
  burst_bytes_ = config_.burst_bytes != 0
                     ? config_.burst_bytes
                     : std::max<std::size_t>(config_.rate / 8 / kBurstsPerSecond, kMinBurst);
}

Pacer::Nanoseconds Pacer::duration_of(std::size_t bytes) const {
  // In two steps, as bytes * 8e9 would overflow from 1 GiB on.
  const std::uint64_t bits = std::uint64_t{bytes} * 8;
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const std::uint64_t rest = bits % config_.rate * kSecond;
  return static_cast<Nanoseconds>(bits / config_.rate * kSecond +
                                  (rest + config_.rate - 1) / config_.rate);
}

void Pacer::Queue::make_room(std::size_t needed) {
  if (empty()) {
    head = tail = 0;
    entries.clear();
    first = 0;
  }
  if (first > 64 && first > entries.size() / 2) {
    entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(first));
    first = 0;
  }
  if (storage.size() - tail >= needed) return;
  // Moved to the front while that half of the memory is free, so that a byte moves at most once in
  // its time here.
  const std::size_t queued = size();
  if (head > 0) std::memmove(storage.data(), storage.data() + head, queued);
  head = 0;
  tail = queued;
  if (2 * (queued + needed) > storage.size()) storage.resize(2 * (queued + needed));
}

void Pacer::Queue::pop(std::size_t size, DatagramBatch::Run& run) {
  Entry& entry = entries[first];
  run.data = {storage.data() + head, size};
  run.segment_size = std::min(entry.segment_size, size);
  head += size;
  entry.size -= size;
  if (entry.size == 0) ++first;
  has_refused = false;
}

std::size_t Pacer::push(const DatagramBatch::Run& run, TimePoint now) {
  if (run.data.empty() || run.segment_size == 0) return run.data.size();
  Queue& queue = queues_[static_cast<std::size_t>(run.urgency)];
  const std::size_t room =
      config_.max_queued_bytes - std::min(queue.size(), config_.max_queued_bytes);
  std::size_t size = run.data.size();
  if (size > room) {
    // A datagram larger than the bound passes through an empty queue.
    const std::size_t datagrams = std::max<std::size_t>(room / run.segment_size, queue.empty());
    size = std::min(size, datagrams * run.segment_size);
    queue.has_refused = size < run.data.size();
    if (size == 0) return 0;
  }
  queue.make_room(size);
  std::copy_n(run.data.begin(), size,
              queue.storage.begin() + static_cast<std::ptrdiff_t>(queue.tail));
  queue.tail += size;
  queue.entries.push_back({size, run.segment_size, now});
  return size;
}

std::size_t Pacer::allowed(const Entry& entry, TimePoint now) const {
  const Nanoseconds level = std::max<Nanoseconds>(dry_at_ - to_nanoseconds(now), 0);
  const Nanoseconds free = duration_of(burst_bytes_) - level;
  if (free < 0) return 0;
  std::size_t datagrams = static_cast<std::size_t>(free / duration_of(entry.segment_size));
  if (level == 0) datagrams = std::max<std::size_t>(datagrams, 1);
  if (datagrams == 0 && entry.size < entry.segment_size && duration_of(entry.size) <= free) {
    return entry.size;
  }
  return std::min(entry.size, datagrams * entry.segment_size);
}

void Pacer::count(std::size_t bytes, TimePoint now) {
  const Nanoseconds start = to_nanoseconds(now);
  // What is forced out must not be owed for longer than it would have waited.
  const Nanoseconds bound =
      start + duration_of(burst_bytes_) + config_.max_delay.count() * kNanosecondsPerMicrosecond;
  dry_at_ = std::min(std::max(dry_at_, start) + duration_of(bytes), bound);
}

bool Pacer::poll(DatagramBatch::Run& run, TimePoint now) {
  bool is_blocked = false;
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    Queue& queue = queues_[i];
    if (queue.empty()) continue;
    const Entry entry = queue.front();
    std::size_t size = is_blocked ? 0 : allowed(entry, now);
    const bool overdue = now - entry.pushed_at >= config_.max_delay;
    if (size < entry.size && (overdue || queue.has_refused)) {
      const std::size_t most = std::max(burst_bytes_ / entry.segment_size, std::size_t{1});
      const std::size_t forced = std::min(entry.size, most * entry.segment_size);
      if (forced > size) {
        size = forced;
        auto& counter = overdue ? statistics_.datagrams_overdue : statistics_.datagrams_overflow;
        counter += count_datagrams(size, entry.segment_size);
      }
    }
    if (size == 0) {
      is_blocked = true;
      continue;
    }
    queue.pop(size, run);
    run.urgency = static_cast<Urgency>(i);
    count(size, now);
    if (now > entry.pushed_at) {
      statistics_.datagrams_delayed += count_datagrams(size, entry.segment_size);
    }
    return true;
  }
  return false;
}

bool Pacer::take(DatagramBatch::Run& run) {
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    if (queues_[i].empty()) continue;
    queues_[i].pop(queues_[i].front().size, run);
    run.urgency = static_cast<Urgency>(i);
    return true;
  }
  return false;
}

TimePoint Pacer::next_timeout() const {
  TimePoint next = kNever;
  bool is_blocked = false;
  for (const Queue& queue : queues_) {
    if (queue.empty()) continue;
    const Entry& entry = queue.front();
    next = std::min(next, entry.pushed_at + config_.max_delay);
    if (is_blocked) continue;
    const std::size_t quantum =
        std::min(entry.size, std::max(entry.segment_size, burst_bytes_ / 4));
    const Nanoseconds ahead =
        std::max<Nanoseconds>(duration_of(burst_bytes_) - duration_of(quantum), 0);
    next = std::min(next, to_time_point(dry_at_ - ahead));
    is_blocked = true;
  }
  return next;
}

PacerStatistics Pacer::statistics() const {
  PacerStatistics result = statistics_;
  for (const Queue& queue : queues_) result.queued_bytes += queue.size();
  return result;
}

}  // namespace sealroom::net
