#include "sealroom/jitter/nack_generator.h"

#include <algorithm>

namespace sealroom::jitter {
namespace {

// Below this a retry overtakes the answer: the other end batches and paces, whatever the path
// takes.
constexpr Duration kMinRetry = std::chrono::milliseconds(10);
constexpr Duration kRetryMargin = std::chrono::milliseconds(10);
constexpr Duration kReorderTime = std::chrono::milliseconds(20);
constexpr std::size_t kMinAnswers = 8;

}  // namespace

NackGenerator::NackGenerator(NackConfig config) : config_(config) {
  config_.max_packets = std::max<std::size_t>(config_.max_packets, 1);
  config_.retry = std::max(config_.retry, kMinRetry);
  retry_ = config_.retry;
}

NackGenerator::Arrival NackGenerator::packet_received(std::int64_t sequence, TimePoint now) {
  if (sequence == newest_ + 1 && started_) {
    newest_ = sequence;
    return Arrival::newest;
  }
  if (!started_) {
    started_ = true;
    oldest_ = newest_ = sequence;
    return Arrival::newest;
  }
  if (sequence > newest_) {
    std::int64_t first = newest_ + 1;
    const auto limit = static_cast<std::int64_t>(config_.max_packets);
    if (sequence - first > limit) {  // a long gap: no loop over what the list cannot hold
      given_up_ += static_cast<std::uint64_t>(sequence - first - limit);
      first = sequence - limit;
    }
    for (; first < sequence; ++first) add(first, now);
    newest_ = sequence;
    return Arrival::newest;
  }
  if (sequence < oldest_) return extend_back(sequence, now);
  Entry* entry = find(sequence);
  if (entry == nullptr) return Arrival::unexpected;
  const bool was_asked_for = entry->tries > 0;
  if (was_asked_for) note_answer(now - entry->first_asked);
  settle(*entry);
  drop_settled_front();
  return was_asked_for ? Arrival::recovered : Arrival::reordered;
}

void NackGenerator::expect(std::int64_t sequence, TimePoint now) {
  if (!started_ || sequence != oldest_ - 1 || missing_ >= config_.max_packets) return;
  entries_.push_front(make_entry(sequence, now));
  oldest_ = sequence;
}

void NackGenerator::give_up_before(std::int64_t sequence) {
  oldest_ = std::max(oldest_, sequence);
  while (!entries_.empty() && entries_.front().sequence < sequence) {
    if (entries_.front().is_missing) give_up(entries_.front());
    entries_.pop_front();
  }
  drop_settled_front();
}

void NackGenerator::restart() {
  given_up_ += missing_;
  entries_.clear();
  missing_ = 0;
  pending_ = 0;
  started_ = false;
  next_timeout_ = kNever;
  timeout_is_stale_ = false;
}

void NackGenerator::handle_timeout(TimePoint now) {
  if (now < next_timeout()) return;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    if (!entry.is_missing) continue;
    const bool is_due = !entry.is_pending && now >= entry.due;
    if (now >= entry.deadline || (is_due && entry.tries >= config_.max_tries)) {
      give_up(entry);
    } else if (is_due) {
      entry.is_pending = true;
      ++pending_;
    }
  }
  timeout_is_stale_ = true;
  drop_settled_front();
}

TimePoint NackGenerator::next_timeout() const {
  if (!timeout_is_stale_) return next_timeout_;
  next_timeout_ = kNever;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    if (!entry.is_missing) continue;
    next_timeout_ = std::min(next_timeout_, entry.deadline);
    if (!entry.is_pending) next_timeout_ = std::min(next_timeout_, entry.due);
  }
  timeout_is_stale_ = false;
  return next_timeout_;
}

std::size_t NackGenerator::take(TimePoint now, std::span<std::uint16_t> out) {
  if (pending_ == 0 && now < next_timeout()) return 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < entries_.size() && count < out.size(); ++i) {
    Entry& entry = entries_[i];
    if (!entry.is_missing || entry.tries >= config_.max_tries) continue;
    if (!entry.is_pending && now < entry.due) continue;
    out[count++] = static_cast<std::uint16_t>(entry.sequence);
    if (entry.is_pending) --pending_;
    entry.is_pending = false;
    if (entry.tries == 0) entry.first_asked = now;
    entry.due = now + retry_;
    ++entry.tries;
  }
  requested_ += count;
  if (count > 0) timeout_is_stale_ = true;
  return count;
}

bool NackGenerator::is_waiting_for(std::int64_t sequence) const {
  return const_cast<NackGenerator*>(this)->find(sequence) != nullptr;
}

void NackGenerator::set_round_trip_time(Duration round_trip_time) {
  follows_answers_ = false;
  retry_ = std::clamp(round_trip_time, kMinRetry, std::max(config_.max_age / 2, kMinRetry));
}

// What comes within the time that reordering takes says nothing.
void NackGenerator::note_answer(Duration delay) {
  if (!follows_answers_ || delay <= std::max(config_.reorder_wait, kReorderTime)) return;
  answers_[answer_count_++ % kAnswers] = delay;
  if (answer_count_ < kMinAnswers) return;
  std::array<Duration, kAnswers> sorted = answers_;
  const auto count = static_cast<std::ptrdiff_t>(std::min(answer_count_, kAnswers));
  const auto middle = sorted.begin() + count / 2;
  std::nth_element(sorted.begin(), middle, sorted.begin() + count);
  retry_ = std::min(*middle + kRetryMargin, config_.retry);
}

NackGenerator::Entry* NackGenerator::find(std::int64_t sequence) {
  std::size_t low = 0;
  std::size_t high = entries_.size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (entries_[middle].sequence < sequence) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == entries_.size()) return nullptr;
  Entry& entry = entries_[low];
  return entry.sequence == sequence && entry.is_missing ? &entry : nullptr;
}

void NackGenerator::add(std::int64_t sequence, TimePoint now) {
  if (missing_ >= config_.max_packets) {
    give_up(entries_.front());  // the front is never a settled one
    drop_settled_front();
  }
  if (entries_.size() >= 2 * config_.max_packets) compact();
  entries_.push_back(make_entry(sequence, now));
}

NackGenerator::Entry NackGenerator::make_entry(std::int64_t sequence, TimePoint now) {
  Entry entry;
  entry.sequence = sequence;
  entry.deadline = now + config_.max_age;
  entry.is_missing = true;
  const bool is_wanted = config_.max_tries > 0;
  entry.is_pending = is_wanted && config_.reorder_wait <= Duration::zero();
  entry.due = is_wanted ? std::min(now + config_.reorder_wait, entry.deadline) : entry.deadline;
  ++missing_;
  if (entry.is_pending) ++pending_;
  if (!timeout_is_stale_) {
    next_timeout_ = std::min(next_timeout_, entry.is_pending ? entry.deadline : entry.due);
  }
  return entry;
}

NackGenerator::Arrival NackGenerator::extend_back(std::int64_t sequence, TimePoint now) {
  const std::int64_t between = oldest_ - sequence - 1;
  if (between + static_cast<std::int64_t>(missing_) >
      static_cast<std::int64_t>(config_.max_packets)) {
    return Arrival::unexpected;
  }
  for (std::int64_t gap = oldest_ - 1; gap > sequence; --gap) {
    entries_.push_front(make_entry(gap, now));
  }
  oldest_ = sequence;
  return Arrival::reordered;
}

void NackGenerator::settle(Entry& entry) {
  if (entry.is_pending) --pending_;
  entry.is_pending = false;
  entry.is_missing = false;
  // Otherwise the timeout may now be early, never late: the next handle_timeout() sets it right,
  // and a frame that came in reverse does not cost a search through the list per packet.
  if (--missing_ == 0) {
    next_timeout_ = kNever;
    timeout_is_stale_ = false;
  }
}

void NackGenerator::give_up(Entry& entry) {
  settle(entry);
  ++given_up_;
}

void NackGenerator::drop_settled_front() {
  while (!entries_.empty() && !entries_.front().is_missing) entries_.pop_front();
}

// At most max_packets are missing and it runs when there are twice as many entries: amortised O(1)
// per entry.
void NackGenerator::compact() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].is_missing) entries_[kept++] = entries_[i];
  }
  entries_.truncate(kept);
}

}  // namespace sealroom::jitter
