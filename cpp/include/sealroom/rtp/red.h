#pragma once

#include <array>
#include <vector>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"

namespace sealroom::rtp {

/// RFC 2198: a packet carries the payloads of those before it once more. A redundant block tells
/// its timestamp as an offset of 14 bits and its length in 10 bits.
inline constexpr std::uint16_t kMaxRedTimestampOffset = 0x3FFF;
inline constexpr std::size_t kMaxRedBlockSize = 0x3FF;
inline constexpr std::size_t kMaxRedBlocks = 32;  ///< of one packet, the primary counted

struct RedBlock {
  PayloadType payload_type{};
  std::uint16_t timestamp_offset = 0;  ///< before the packet's timestamp; 0 for the primary
  ByteView payload;
};

/// Oldest first, the primary last. Views point into the packet.
struct RedBlocks {
  std::array<RedBlock, kMaxRedBlocks> blocks{};
  std::size_t count = 0;  ///< at least 1

  [[nodiscard]] const RedBlock& primary() const { return blocks[count - 1]; }
};

/// Errors: truncated, limit_exceeded for more than kMaxRedBlocks.
Result<RedBlocks> parse_red(ByteView payload);

/// Makes RED payloads of one stream: each packet with up to `distance` payloads before it. Blocks
/// follow each other without a gap, so that the n-th before the primary is that of the n-th packet
/// before: the row ends at a payload above 1023 bytes, an offset above 16383 (341 ms at 48 kHz) or
/// where the room does, oldest first. No allocation after construction. One thread.
class RedEncoder {
 public:
  static constexpr std::size_t kMaxDistance = 8;

  /// `distance` is held to 1..kMaxDistance; `payload_type` is that of the blocks, not of RED.
  RedEncoder(PayloadType payload_type, std::size_t distance);

  /// Writes the payload of the next packet into at most all of `out`. buffer_too_small if not even
  /// the primary fits; then nothing is remembered of it.
  Result<std::size_t> encode(ByteView payload, RtpTimestamp timestamp, MutableByteView out);

 private:
  struct Entry {
    RtpTimestamp timestamp{};
    std::uint16_t size = 0;  ///< 0: nothing that could be repeated
    std::array<std::uint8_t, kMaxRedBlockSize> payload{};
  };
  /// The entry of the packet `age` before the next, from 1.
  [[nodiscard]] const Entry& before(std::size_t age) const {
    return entries_[(next_ + entries_.size() - age) % entries_.size()];
  }

  PayloadType payload_type_;
  std::vector<Entry> entries_;
  std::size_t next_ = 0;
};

}  // namespace sealroom::rtp
