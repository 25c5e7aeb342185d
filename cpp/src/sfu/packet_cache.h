#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "sealroom/base/bytes.h"

namespace sealroom::sfu {

/// The last opened packets of a producer by unwrapped sequence number, for retransmission to any
/// consumer. What is kept under a number never changes: a second packet with it is refused, and so
/// is one that is older than the cache reaches, or too large. O(1). Memory grows with the bytes
/// that are kept, a block or a page of slots at a time, and stays.
class PacketCache {
 public:
  static constexpr std::size_t kMaxPacket = 1500;

  /// `capacity` is a power of two, of kSlotsPerPage at least.
  explicit PacketCache(std::size_t capacity) : capacity_(capacity) {}

  /// False for a duplicate, and for one that is too old or larger than kMaxPacket: none may be
  /// forwarded.
  bool insert(std::int64_t sequence, ByteView packet) {
    if (packet.size() > kMaxPacket) return false;
    if (pages_.empty()) {
      pages_.resize(capacity_ / kSlotsPerPage);
      newest_ = sequence;
    }
    if (is_too_old(sequence)) return false;
    auto& page = pages_[page_of(sequence)];
    if (page == nullptr) page = std::make_unique<Page>();
    Slot& slot = (*page)[static_cast<std::size_t>(sequence) % kSlotsPerPage];
    if (slot.sequence == sequence) return false;
    newest_ = std::max(newest_, sequence);
    Block& block = block_with_room(packet.size());
    slot = {sequence, block_, static_cast<std::uint16_t>(block.used),
            static_cast<std::uint16_t>(packet.size()), block.generation};
    std::copy(packet.begin(), packet.end(), block.bytes.get() + block.used);
    block.used += packet.size();
    block.newest = std::max(block.newest, sequence);
    return true;
  }

  /// Empty if it never came or is too old.
  [[nodiscard]] ByteView find(std::int64_t sequence) const {
    if (pages_.empty() || is_too_old(sequence)) return {};
    const auto& page = pages_[page_of(sequence)];
    if (page == nullptr) return {};
    const Slot& slot = (*page)[static_cast<std::size_t>(sequence) % kSlotsPerPage];
    if (slot.sequence != sequence) return {};
    const Block& block = blocks_[slot.block];
    if (block.generation != slot.generation) return {};
    return {block.bytes.get() + slot.offset, slot.size};
  }

  /// Of all inserted; meaningful after the first.
  [[nodiscard]] std::int64_t newest() const { return newest_; }

 private:
  static constexpr std::size_t kSlotsPerPage = 64;
  static constexpr std::size_t kBlockSize = 16'384;
  static constexpr std::int64_t kNoSequence = std::numeric_limits<std::int64_t>::min();

  struct Slot {
    std::int64_t sequence = kNoSequence;
    std::uint16_t block = 0;
    std::uint16_t offset = 0;
    std::uint16_t size = 0;
    std::uint16_t generation = 0;
  };
  using Page = std::array<Slot, kSlotsPerPage>;
  /// Packets in order of arrival.
  struct Block {
    std::unique_ptr<std::uint8_t[]> bytes;  // NOLINT(*-avoid-c-arrays)
    std::size_t used = 0;
    std::int64_t newest = kNoSequence;
    std::uint16_t next = 0;  ///< of the ring, the one filled the longest ago comes next
    std::uint16_t generation = 0;
  };

  [[nodiscard]] bool is_too_old(std::int64_t sequence) const {
    return sequence <= newest_ - static_cast<std::int64_t>(capacity_);
  }
  [[nodiscard]] std::size_t page_of(std::int64_t sequence) const {
    return (static_cast<std::size_t>(sequence) & (capacity_ - 1)) / kSlotsPerPage;
  }
  /// So many hold the packets that are not too old if all are of kMaxPacket and came in order. In
  /// another order, of old and new mixed, some may be lost before their time.
  [[nodiscard]] std::size_t max_blocks() const { return capacity_ / (kBlockSize / kMaxPacket) + 2; }

  Block& block_with_room(std::size_t size) {
    if (!blocks_.empty() && kBlockSize - blocks_[block_].used >= size) return blocks_[block_];
    const bool is_oldest_needed =
        blocks_.empty() || !is_too_old(blocks_[blocks_[block_].next].newest);
    if (is_oldest_needed && blocks_.size() < max_blocks()) {
      add_block();
    } else {
      block_ = blocks_[block_].next;
    }
    Block& block = blocks_[block_];
    block.used = 0;
    block.newest = kNoSequence;
    ++block.generation;
    return block;
  }

  void add_block() {
    Block block;
    block.bytes = std::make_unique_for_overwrite<std::uint8_t[]>(kBlockSize);  // NOLINT
    const auto index = static_cast<std::uint16_t>(blocks_.size());
    blocks_.push_back(std::move(block));
    if (index > 0) blocks_[index].next = std::exchange(blocks_[block_].next, index);
    block_ = index;
  }

  std::size_t capacity_;
  std::vector<std::unique_ptr<Page>> pages_;  ///< of a ring of slots by sequence number
  std::vector<Block> blocks_;
  std::uint16_t block_ = 0;  ///< being filled
  std::int64_t newest_ = 0;
};

}  // namespace sealroom::sfu
