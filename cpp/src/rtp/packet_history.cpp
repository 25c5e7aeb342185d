#include "sealroom/rtp/packet_history.h"

#include <algorithm>
#include <bit>

namespace sealroom::rtp {
namespace {

constexpr std::size_t kMaxCapacity = 8192;

}  // namespace

PacketHistory::PacketHistory(std::size_t capacity)
    : slots_(std::bit_ceil(std::clamp<std::size_t>(capacity, 1, kMaxCapacity))),
      storage_(new std::uint8_t[slots_.size() * kMaxPacket]) {}

MutableByteView PacketHistory::prepare(std::uint16_t sequence_number) {
  const std::size_t index = slot_index(sequence_number);
  Slot& slot = slots_[index];
  slot = Slot{};
  slot.position = unwrapper_.unwrap(sequence_number);
  return {storage_.get() + index * kMaxPacket, kMaxPacket};
}

void PacketHistory::commit(std::uint16_t sequence_number, std::size_t size, TimePoint now) {
  Slot& slot = slots_[slot_index(sequence_number)];
  slot.last_sent = now;
  slot.size = static_cast<std::uint16_t>(std::min(size, kMaxPacket));
}

void PacketHistory::prefetch(std::uint16_t sequence_number, std::size_t size) const {
  constexpr std::size_t kCacheLine = 64;
  const std::uint8_t* const slot = storage_.get() + slot_index(sequence_number) * kMaxPacket;
  for (std::size_t at = 0; at < std::min(size, kMaxPacket); at += kCacheLine) {
    __builtin_prefetch(slot + at, 1);
  }
}

void PacketHistory::store(std::uint16_t sequence_number, ByteView packet, TimePoint now) {
  const MutableByteView slot = prepare(sequence_number);
  if (packet.size() > slot.size()) return;
  std::copy(packet.begin(), packet.end(), slot.begin());
  commit(sequence_number, packet.size(), now);
}

ByteView PacketHistory::take_for_retransmission(std::uint16_t sequence_number,
                                                Duration min_interval, TimePoint now) {
  const std::size_t index = slot_index(sequence_number);
  Slot& slot = slots_[index];
  if (slot.size == 0 || slot.position != unwrapper_.peek(sequence_number)) return {};
  if (slot.retransmitted && now - slot.last_sent < min_interval) return {};
  slot.retransmitted = true;
  slot.last_sent = now;
  return {storage_.get() + index * kMaxPacket, slot.size};
}

std::size_t PacketHistory::slot_index(std::uint16_t sequence_number) const {
  return sequence_number & (slots_.size() - 1);
}

}  // namespace sealroom::rtp
