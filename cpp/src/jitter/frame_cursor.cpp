#include "frame_cursor.h"

#include <algorithm>

namespace sealroom::jitter {

FrameCursor::Progress FrameCursor::advance(const PacketStore& store) {
  while (const StoredPacket* packet = store.find(next)) {
    const bool is_padding = packet->size == 0;
    if (!is_open && is_padding) {
      ++next;
      continue;
    }
    if (!is_open) {
      if (!packet->starts_frame) return Progress::broken;
      is_open = true;
      note_start(*packet);
      timestamp = packet->timestamp;
      first = next;
      earliest_arrival = latest_arrival = packet->arrival;
    } else if (packet->timestamp != timestamp) {
      if (is_padding) {  // of a later frame: it does not prove that this one is whole
        ++next;
        continue;
      }
      if (!packet->starts_frame) return Progress::broken;
      latest_arrival = std::max(latest_arrival, packet->arrival);
      return Progress::complete;
    } else if (packet->starts_frame) {
      note_start(*packet);
    }
    ++next;
    if (is_padding && !packet->marker) continue;
    last = packet->sequence;
    earliest_arrival = std::min(earliest_arrival, packet->arrival);
    latest_arrival = std::max(latest_arrival, packet->arrival);
    if (packet->marker) return Progress::complete;
  }
  return Progress::incomplete;
}

void FrameCursor::note_start(const StoredPacket& packet) {
  signs.add(packet.signs);
  is_key_frame |= packet.is_key_frame || signs.make_key_frame();
}

}  // namespace sealroom::jitter
