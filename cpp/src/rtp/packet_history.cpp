#include "sealroom/rtp/packet_history.h"

#include <algorithm>
#include <bit>

#include "sealroom/base/sequence.h"

namespace sealroom::rtp {
namespace {

// Below half the sequence space by far, so that "how long ago" is never ambiguous.
constexpr std::size_t kMaxCapacity = 8192;

}  // namespace

PacketHistory::PacketHistory(std::size_t capacity)
    : slots_(std::bit_ceil(std::clamp<std::size_t>(capacity, 1, kMaxCapacity))),
      storage_(slots_.size() * kMaxPacket) {}

void PacketHistory::store(std::uint16_t sequence_number, ByteView packet, TimePoint now) {
  // A straggler does not move the end; a number further back than the ring reaches is a new stream.
  if (is_newer(sequence_number, newest_) || age(sequence_number) >= slots_.size()) {
    newest_ = sequence_number;
  }
  const std::size_t index = sequence_number & (slots_.size() - 1);
  Slot& slot = slots_[index];
  slot = Slot{};
  if (packet.size() > kMaxPacket) return;
  std::copy(packet.begin(), packet.end(), storage_at(index));
  slot.last_sent = now;
  slot.sequence_number = sequence_number;
  slot.size = static_cast<std::uint16_t>(packet.size());
}

ByteView PacketHistory::take_for_retransmission(std::uint16_t sequence_number,
                                                Duration min_interval, TimePoint now) {
  const std::size_t index = sequence_number & (slots_.size() - 1);
  Slot& slot = slots_[index];
  if (slot.size == 0 || slot.sequence_number != sequence_number) return {};
  // After losses a slot may still hold its packet of a whole sequence cycle ago.
  if (age(sequence_number) >= slots_.size()) return {};
  if (slot.retransmitted && now - slot.last_sent < min_interval) return {};
  slot.retransmitted = true;
  slot.last_sent = now;
  return {storage_at(index), slot.size};
}

std::size_t PacketHistory::age(std::uint16_t sequence_number) const {
  return static_cast<std::uint16_t>(newest_ - sequence_number);
}

std::uint8_t* PacketHistory::storage_at(std::size_t index) {
  return storage_.data() + index * kMaxPacket;
}

}  // namespace sealroom::rtp
