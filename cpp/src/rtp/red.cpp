#include "sealroom/rtp/red.h"

#include <algorithm>

#include "sealroom/base/byte_reader.h"
#include "sealroom/base/byte_writer.h"

namespace sealroom::rtp {
namespace {

constexpr std::uint8_t kFollowsBit = 0x80;
constexpr std::size_t kBlockHeaderSize = 4;
constexpr std::size_t kPrimaryHeaderSize = 1;

}  // namespace

Result<RedBlocks> parse_red(ByteView payload) {
  ByteReader reader(payload);
  RedBlocks red;
  std::array<std::size_t, kMaxRedBlocks> sizes;
  while (true) {
    const std::uint8_t first = reader.u8();
    if (!reader.ok()) return Error::truncated;
    RedBlock& block = red.blocks[red.count];
    block.payload_type = PayloadType{static_cast<std::uint8_t>(first & ~kFollowsBit)};
    if ((first & kFollowsBit) == 0) break;
    const std::uint32_t fields = reader.u24();
    block.timestamp_offset = static_cast<std::uint16_t>(fields >> 10);
    sizes[red.count] = fields & kMaxRedBlockSize;
    if (++red.count == kMaxRedBlocks) return Error::limit_exceeded;
  }
  for (std::size_t i = 0; i < red.count; ++i) red.blocks[i].payload = reader.bytes(sizes[i]);
  if (!reader.ok()) return Error::truncated;
  red.blocks[red.count++].payload = reader.rest();
  return red;
}

RedEncoder::RedEncoder(PayloadType payload_type, std::size_t distance)
    : payload_type_(payload_type), entries_(std::clamp<std::size_t>(distance, 1, kMaxDistance)) {}

Result<std::size_t> RedEncoder::encode(ByteView payload, RtpTimestamp timestamp,
                                       MutableByteView out) {
  if (out.size() < kPrimaryHeaderSize + payload.size()) return Error::buffer_too_small;
  std::size_t room = out.size() - kPrimaryHeaderSize - payload.size();
  std::size_t count = 0;
  while (count < entries_.size()) {
    const Entry& entry = before(count + 1);
    const std::uint32_t offset = timestamp.value - entry.timestamp.value;
    if (entry.size == 0 || offset > kMaxRedTimestampOffset) break;
    if (room < kBlockHeaderSize + entry.size) break;
    room -= kBlockHeaderSize + entry.size;
    ++count;
  }

  ByteWriter writer(out);
  for (std::size_t age = count; age > 0; --age) {
    const Entry& entry = before(age);
    writer.u8(static_cast<std::uint8_t>(kFollowsBit | payload_type_.value));
    writer.u24((timestamp.value - entry.timestamp.value) << 10 | entry.size);
  }
  writer.u8(payload_type_.value);
  for (std::size_t age = count; age > 0; --age) {
    const Entry& entry = before(age);
    writer.bytes(ByteView(entry.payload).first(entry.size));
  }
  writer.bytes(payload);

  Entry& entry = entries_[next_];
  next_ = (next_ + 1) % entries_.size();
  entry.timestamp = timestamp;
  entry.size = 0;
  if (payload.size() <= kMaxRedBlockSize) {
    entry.size = static_cast<std::uint16_t>(payload.size());
    std::copy(payload.begin(), payload.end(), entry.payload.begin());
  }
  return writer.position();
}

}  // namespace sealroom::rtp
