#include "packet_store.h"

#include <cstring>

namespace sealroom::jitter {

StoredPacket& PacketStore::put_without_payload(std::int64_t sequence, std::size_t size) {
  while (entries_[index(sequence)].is_held) grow_entries();
  StoredPacket& entry = entries_[index(sequence)];
  entry.sequence = sequence;
  entry.size = static_cast<std::uint16_t>(size);
  entry.has_cell = false;
  entry.is_held = true;
  entry.was_used = true;
  ++packets_;
  bytes_ += size;
  return entry;
}

void PacketStore::fill(StoredPacket& packet, ByteView payload) {
  if (payload.empty()) return;
  if (free_cells_.empty()) grow_cells();
  packet.cell = free_cells_.back();
  packet.has_cell = true;
  free_cells_.pop_back();
  std::memcpy(cell(packet.cell), payload.data(), payload.size());
}

void PacketStore::empty(std::int64_t sequence) {
  if (StoredPacket* entry = find(sequence)) free_cell(*entry);
}

void PacketStore::release(std::int64_t sequence) {
  StoredPacket* entry = find(sequence);
  if (entry == nullptr) return;
  free_cell(*entry);
  entry->is_held = false;
  --packets_;
  bytes_ -= entry->size;
}

void PacketStore::clear() {
  for (StoredPacket& entry : entries_) {
    if (entry.is_held) free_cell(entry);
    entry = StoredPacket();
  }
  packets_ = 0;
  bytes_ = 0;
}

void PacketStore::free_cell(StoredPacket& entry) {
  if (entry.has_cell) free_cells_.push_back(entry.cell);
  entry.has_cell = false;
}

// Places that differ modulo the old size differ modulo twice that size, so nothing collides on the
// way.
void PacketStore::grow_entries() {
  std::vector<StoredPacket> old(2 * entries_.size());
  old.swap(entries_);
  for (const StoredPacket& entry : old) {
    if (entry.was_used) entries_[index(entry.sequence)] = entry;
  }
}

void PacketStore::grow_cells() {
  const std::size_t first = chunks_.size() * kCellsPerChunk;
  chunks_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(kCellsPerChunk * max_payload_));
  free_cells_.reserve(first +
                      kCellsPerChunk);  // every cell may be free at once: release never allocates
  for (std::size_t i = kCellsPerChunk; i > 0; --i) {
    free_cells_.push_back(static_cast<std::uint32_t>(first + i - 1));
  }
}

}  // namespace sealroom::jitter
