#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sealroom/base/bytes.h"
#include "sealroom/base/types.h"
#include "sealroom/rtp/payload_format.h"

namespace sealroom::jitter {

struct StoredPacket {
  std::int64_t sequence = 0;  ///< unwrapped
  TimePoint arrival{};
  RtpTimestamp timestamp{};
  std::uint32_t cell = 0;
  std::uint16_t size = 0;
  bool has_cell = false;
  bool is_held = false;  ///< false: released, kept only to know a duplicate
  bool was_used = false;
  bool marker = false;
  bool starts_frame = false;
  bool is_key_frame = false;
  bool may_be_preceded = false;
  rtp::KeyFrameSigns signs{};
};

/// Packets of one stream by unwrapped sequence number. The ring of entries doubles when two held
/// packets would share a place, the payloads lie in cells of `max_payload` bytes taken in chunks;
/// both are kept and reused, so memory follows the most packets ever held at once. The caller
/// bounds the span of held sequence numbers. All operations O(1).
class PacketStore {
 public:
  explicit PacketStore(std::size_t max_payload) : max_payload_(max_payload) {}

  [[nodiscard]] StoredPacket* find(std::int64_t sequence) {
    StoredPacket& entry = entries_[index(sequence)];
    return entry.is_held && entry.sequence == sequence ? &entry : nullptr;
  }
  /// The held packet, or null.
  [[nodiscard]] const StoredPacket* find(std::int64_t sequence) const {
    const StoredPacket& entry = entries_[index(sequence)];
    return entry.is_held && entry.sequence == sequence ? &entry : nullptr;
  }
  /// True for a held packet and, as long as its place was not taken, for a released one.
  [[nodiscard]] bool has_seen(std::int64_t sequence) const { return seen(sequence) != nullptr; }
  [[nodiscard]] const StoredPacket* seen(std::int64_t sequence) const {
    const StoredPacket& entry = entries_[index(sequence)];
    return entry.was_used && entry.sequence == sequence ? &entry : nullptr;
  }
  [[nodiscard]] ByteView payload(const StoredPacket& packet) const {
    return packet.has_cell ? ByteView(cell(packet.cell), packet.size) : ByteView();
  }

  /// Takes the place of a packet that is not held. `payload` is copied, at most max_payload bytes.
  StoredPacket& put(std::int64_t sequence, ByteView payload) {
    StoredPacket& entry = put_without_payload(sequence, payload.size());
    fill(entry, payload);
    return entry;
  }
  /// The same for a payload that goes elsewhere; it counts in bytes() nevertheless.
  StoredPacket& put_without_payload(std::int64_t sequence, std::size_t size);
  /// Gives a packet that was put without it its payload, of the size told then.
  void fill(StoredPacket& packet, ByteView payload);
  /// Takes the payload away from a packet that stays.
  void empty(std::int64_t sequence);
  void release(std::int64_t sequence);
  void clear();

  [[nodiscard]] std::size_t packets() const { return packets_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kFirstEntries = 64;
  static constexpr std::size_t kCellsPerChunk = 16;

  [[nodiscard]] std::size_t index(std::int64_t sequence) const {
    return static_cast<std::size_t>(sequence) & (entries_.size() - 1);
  }
  [[nodiscard]] std::uint8_t* cell(std::uint32_t number) const {
    return chunks_[number / kCellsPerChunk].get() + (number % kCellsPerChunk) * max_payload_;
  }
  void free_cell(StoredPacket& entry);
  void grow_entries();
  void grow_cells();

  std::size_t max_payload_;
  std::vector<StoredPacket> entries_ = std::vector<StoredPacket>(kFirstEntries);
  std::vector<std::unique_ptr<std::uint8_t[]>> chunks_;
  std::vector<std::uint32_t> free_cells_;
  std::size_t packets_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace sealroom::jitter
