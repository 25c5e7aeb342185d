#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "sealroom/base/bytes.h"
#include "sealroom/base/types.h"

namespace sealroom::sframe {

struct PendingLimits {
  std::size_t max_key_ids = 4;
  std::size_t max_frames_per_key = 64;
  std::size_t max_bytes_per_key = 1u << 20;
  Duration max_age = std::chrono::seconds(2);
};

/// Frames whose key has not come yet, held in order of arrival until it does. Nothing about them
/// is authenticated, so the bounds are hard: max_key_ids * max_frames_per_key frames, max_key_ids *
/// max_bytes_per_key bytes, max_age. Each key id has a share of its own, in which its oldest frame
/// makes room for a new one; frames of one key id never cost another's. Where there are more key
/// ids than shares, those nearest above newest_key_id() stay. So with max_key_ids of 2 or more (the
/// newest key's own id is nearer) whoever forges frames under other key ids, at any rate, displaces
/// no frame of the key id that follows the newest key; who forges under that very key id displaces
/// for as long as he goes on, and no longer.
///
/// `Frame` is movable and default constructible. What is dropped is handed to `drop`, a callable
/// that takes its key id and a Frame&&. Not safe for concurrent use; no allocation once the shares
/// have grown.
template <class Frame>
class PendingQueue {
 public:
  explicit PendingQueue(PendingLimits limits = {}) : limits_(limits) {
    limits_.max_key_ids = std::max<std::size_t>(limits_.max_key_ids, 1);
    limits_.max_frames_per_key = std::max<std::size_t>(limits_.max_frames_per_key, 1);
    shares_.reserve(limits_.max_key_ids);
  }

  /// The key id that others are measured against; 0 at first.
  void set_newest_key_id(KeyId key_id) { newest_ = key_id; }
  [[nodiscard]] KeyId newest_key_id() const { return newest_; }

  /// Takes `frame`, which counts as `bytes`; false if it was itself dropped.
  template <class Drop>
  bool hold(KeyId key_id, std::size_t bytes, TimePoint now, Frame frame, Drop&& drop) {
    expire(now, drop);
    Share* const share = bytes > limits_.max_bytes_per_key ? nullptr : share_of(key_id, drop);
    if (share == nullptr) {
      dropped_ += 1;
      drop(key_id, std::move(frame));
      return false;
    }
    while (share->size == limits_.max_frames_per_key ||
           share->bytes + bytes > limits_.max_bytes_per_key) {
      drop_front(*share, drop);
    }
    push_back(*share, Entry{next_sequence_++, now, bytes, std::move(frame)});
    return true;
  }

  /// The oldest frame of a key id; false if there is none.
  bool take(KeyId key_id, Frame& frame) {
    Share* const share = find(key_id);
    if (share == nullptr) return false;
    frame = pop_front(*share);
    return true;
  }

  /// The oldest frame of all, and the key id that it is held under.
  bool take_oldest(KeyId& key_id, Frame& frame) {
    Share* const share = oldest();
    if (share == nullptr) return false;
    key_id = share->key_id;
    frame = pop_front(*share);
    return true;
  }

  /// Drops what is older than max_age.
  template <class Drop>
  void expire(TimePoint now, Drop&& drop) {
    while (Share* const share = oldest()) {
      if (now < front(*share).held_at + limits_.max_age) return;
      drop_front(*share, drop);
    }
  }
  /// When expire() has something to do.
  [[nodiscard]] TimePoint next_expiry() const {
    const Share* const share = oldest();
    return share == nullptr ? kNever : front(*share).held_at + limits_.max_age;
  }

  /// The oldest frame of a key id, still held; null if there is none.
  [[nodiscard]] Frame* front(KeyId key_id) {
    Share* const share = find(key_id);
    return share == nullptr ? nullptr : &share->ring[share->head].frame;
  }
  /// Frames held under `key_id`.
  [[nodiscard]] std::size_t count(KeyId key_id) const {
    const Share* const share = find(key_id);
    return share == nullptr ? 0 : share->size;
  }
  [[nodiscard]] bool empty() const { return oldest() == nullptr; }
  [[nodiscard]] std::size_t frames() const { return sum(&Share::size); }
  [[nodiscard]] std::size_t bytes() const { return sum(&Share::bytes); }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  [[nodiscard]] const PendingLimits& limits() const { return limits_; }

 private:
  struct Entry {
    std::uint64_t sequence = 0;
    TimePoint held_at{};
    std::size_t bytes = 0;
    Frame frame{};
  };
  /// A ring that doubles up to max_frames_per_key. Without frames it belongs to no key id.
  struct Share {
    KeyId key_id{};
    std::vector<Entry> ring;
    std::size_t head = 0;
    std::size_t size = 0;
    std::size_t bytes = 0;
  };

  [[nodiscard]] static const Entry& front(const Share& share) { return share.ring[share.head]; }

  [[nodiscard]] const Share* find(KeyId key_id) const {
    for (const Share& share : shares_) {
      if (share.size > 0 && share.key_id == key_id) return &share;
    }
    return nullptr;
  }
  [[nodiscard]] Share* find(KeyId key_id) {
    return const_cast<Share*>(std::as_const(*this).find(key_id));
  }

  [[nodiscard]] const Share* oldest() const {
    const Share* oldest = nullptr;
    for (const Share& share : shares_) {
      if (share.size == 0) continue;
      if (oldest == nullptr || front(share).sequence < front(*oldest).sequence) oldest = &share;
    }
    return oldest;
  }
  [[nodiscard]] Share* oldest() { return const_cast<Share*>(std::as_const(*this).oldest()); }

  [[nodiscard]] std::uint64_t distance(KeyId key_id) const { return key_id.value - newest_.value; }

  template <class Drop>
  Share* share_of(KeyId key_id, Drop&& drop) {
    if (Share* const share = find(key_id)) return share;
    Share* free = nullptr;
    for (Share& share : shares_) {
      if (share.size == 0) free = &share;
    }
    if (free == nullptr && shares_.size() < limits_.max_key_ids) free = &shares_.emplace_back();
    if (free == nullptr) {
      free = &*std::max_element(shares_.begin(), shares_.end(), [&](const auto& a, const auto& b) {
        return distance(a.key_id) < distance(b.key_id);
      });
      if (distance(free->key_id) < distance(key_id)) return nullptr;
      while (free->size > 0) drop_front(*free, drop);
    }
    free->key_id = key_id;
    return free;
  }

  void push_back(Share& share, Entry entry) {
    if (share.size == share.ring.size()) {
      std::vector<Entry> larger(
          std::min(std::max<std::size_t>(2 * share.size, 8), limits_.max_frames_per_key));
      for (std::size_t i = 0; i < share.size; ++i) {
        larger[i] = std::move(share.ring[(share.head + i) % share.ring.size()]);
      }
      share.ring = std::move(larger);
      share.head = 0;
    }
    share.bytes += entry.bytes;
    share.ring[(share.head + share.size) % share.ring.size()] = std::move(entry);
    share.size += 1;
  }

  Frame pop_front(Share& share) {
    Entry& entry = share.ring[share.head];
    share.head = (share.head + 1) % share.ring.size();
    share.size -= 1;
    share.bytes -= entry.bytes;
    return std::exchange(entry.frame, Frame{});
  }

  template <class Drop>
  void drop_front(Share& share, Drop&& drop) {
    dropped_ += 1;
    drop(share.key_id, pop_front(share));
  }

  [[nodiscard]] std::size_t sum(std::size_t Share::* member) const {
    std::size_t total = 0;
    for (const Share& share : shares_) total += share.*member;
    return total;
  }

  PendingLimits limits_;
  std::vector<Share> shares_;
  KeyId newest_{};
  std::uint64_t next_sequence_ = 0;
  std::uint64_t dropped_ = 0;
};

/// A frame as it came, with the metadata that goes with it.
struct HeldFrame {
  Bytes frame;
  Bytes metadata;
};
using PendingFrames = PendingQueue<HeldFrame>;

}  // namespace sealroom::sframe
