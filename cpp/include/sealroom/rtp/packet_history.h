#pragma once

#include <memory>
#include <vector>

#include "sealroom/base/bytes.h"
#include "sealroom/base/sequence.h"
#include "sealroom/base/types.h"

namespace sealroom::rtp {

/// The last packets of one stream, whole, for retransmission. A ring indexed by sequence number:
/// O(1), at most `capacity` packets of at most `kMaxPacket` bytes; its memory is taken in one piece
/// at construction.
class PacketHistory {
 public:
  static constexpr std::size_t kMaxPacket = 1500;
  /// `capacity` in packets is rounded up to a power of two and held to 8192.
  explicit PacketHistory(std::size_t capacity);

  /// Where to write the packet of this number in place, `kMaxPacket` bytes; what was kept there is
  /// gone. It counts as stored once `commit` has said how long it became.
  MutableByteView prepare(std::uint16_t sequence_number);
  void commit(std::uint16_t sequence_number, std::size_t size, TimePoint now);
  /// Has the memory for this number fetched while something else is done. The ring is larger than a
  /// core's cache, and waiting for its lines took a quarter of the whole way of a packet.
  void prefetch(std::uint16_t sequence_number, std::size_t size) const;
  /// The same by copy. Larger packets are not kept.
  void store(std::uint16_t sequence_number, ByteView packet, TimePoint now);

  /// The packet, or an empty view if it is not there any more or was handed out for retransmission
  /// less than `min_interval` ago (a NACK repeated within one round trip). Marks it as handed out
  /// at `now`.
  ByteView take_for_retransmission(std::uint16_t sequence_number, Duration min_interval,
                                   TimePoint now);

 private:
  struct Slot {
    TimePoint last_sent{};
    std::int64_t position = 0;  ///< unwrapped, so that a packet of the previous cycle is not meant
    std::uint16_t size = 0;     ///< 0: empty
    bool retransmitted = false;
  };
  [[nodiscard]] std::size_t slot_index(std::uint16_t sequence_number) const;

  SequenceUnwrapper unwrapper_;
  std::vector<Slot> slots_;
  std::unique_ptr<std::uint8_t[]> storage_;  ///< untouched pages cost an idle stream nothing
};

}  // namespace sealroom::rtp
