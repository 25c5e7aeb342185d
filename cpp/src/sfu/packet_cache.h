#pragma once

#include <cstring>
#include <vector>

#include "sealroom/base/bytes.h"

namespace sealroom::sfu {

/// The last opened packets of a producer by unwrapped sequence number, for retransmission to any
/// consumer. What is kept under a number never changes: a second packet with it is refused, and so
/// is one that is older than the ring is long, or too large. O(1); memory in one piece, taken with
/// the first packet.
class PacketCache {
 public:
  static constexpr std::size_t kMaxPacket = 1500;

  /// `capacity` is a power of two.
  explicit PacketCache(std::size_t capacity) : capacity_(capacity) {}

  /// False for a duplicate, and for one that is too old or larger than kMaxPacket: none may be
  /// forwarded.
  bool insert(std::int64_t sequence, ByteView packet) {
    if (packet.size() > kMaxPacket) return false;
    if (slots_.empty()) {
      slots_.resize(capacity_);
      storage_.resize(capacity_ * kMaxPacket);
      newest_ = sequence;
    }
    if (sequence <= newest_ - static_cast<std::int64_t>(capacity_)) return false;
    Slot& slot = slots_[index(sequence)];
    if (slot.is_used && slot.sequence == sequence) return false;
    if (sequence > newest_) newest_ = sequence;
    slot = {sequence, packet.size(), true};
    std::memcpy(place(sequence), packet.data(), packet.size());
    return true;
  }

  /// Empty if it never came or is too old.
  [[nodiscard]] ByteView find(std::int64_t sequence) const {
    if (slots_.empty() || sequence <= newest_ - static_cast<std::int64_t>(capacity_)) return {};
    const Slot& slot = slots_[index(sequence)];
    if (!slot.is_used || slot.sequence != sequence) return {};
    return {storage_.data() + index(sequence) * kMaxPacket, slot.size};
  }

  /// Of all inserted; meaningful after the first.
  [[nodiscard]] std::int64_t newest() const { return newest_; }

 private:
  struct Slot {
    std::int64_t sequence = 0;
    std::size_t size = 0;
    bool is_used = false;
  };

  [[nodiscard]] std::size_t index(std::int64_t sequence) const {
    return static_cast<std::size_t>(sequence) & (capacity_ - 1);
  }
  [[nodiscard]] std::uint8_t* place(std::int64_t sequence) {
    return storage_.data() + index(sequence) * kMaxPacket;
  }

  std::size_t capacity_;
  std::vector<Slot> slots_;
  Bytes storage_;
  std::int64_t newest_ = 0;
};

}  // namespace sealroom::sfu
