#include "emulation_prevention.h"

#include <algorithm>
#include <cstring>

namespace sealroom::sframe {
namespace {

constexpr std::uint8_t kEscape = 3;
constexpr std::uint8_t kLastEscaped = 3;

// Sixteen bytes as eight pairs; GCC and clang make vector instructions of it on every machine.
using Pairs = std::uint16_t __attribute__((vector_size(16)));
constexpr std::size_t kBlockSize = 4 * sizeof(Pairs);

/// Whether the block may hold the second and third or the first and second byte of an emulation.
/// Of three bytes in a row two always form an aligned pair: the pair is either 0, 0 or 0 and at
/// most 3. Random data gives a false alarm in one of 512 blocks.
bool may_hold_emulation(const std::uint8_t* block) {
  constexpr std::uint8_t kMaskBytes[] = {0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc,
                                         0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc};
  Pairs mask;
  std::memcpy(&mask, kMaskBytes, sizeof(mask));
  Pairs pairs[kBlockSize / sizeof(Pairs)];
  std::memcpy(pairs, block, kBlockSize);
  const auto found = ((pairs[0] & mask) == 0) | ((pairs[1] & mask) == 0) |
                     ((pairs[2] & mask) == 0) | ((pairs[3] & mask) == 0);
  std::uint64_t halves[2];
  static_assert(sizeof(halves) == sizeof(found));
  std::memcpy(halves, &found, sizeof(halves));
  return (halves[0] | halves[1]) != 0;
}

}  // namespace

std::size_t find_emulation(ByteView data, std::size_t from) {
  std::size_t at = from + 2;  // the third byte of three
  const auto search_until = [&](std::size_t end) {
    for (; at < end; ++at) {
      if (data[at] <= kLastEscaped && data[at - 1] == 0 && data[at - 2] == 0) return true;
    }
    return false;
  };
  for (std::size_t block = from; block + kBlockSize <= data.size(); block += kBlockSize) {
    if (!may_hold_emulation(data.data() + block)) continue;
    at = std::max(at, block);
    // The first two bytes may end the block.
    if (search_until(std::min(block + kBlockSize + 2, data.size()))) return at;
  }
  const std::size_t blocks_size = (data.size() - std::min(from, data.size())) / kBlockSize;
  at = std::max(at, from + blocks_size * kBlockSize);
  return search_until(data.size()) ? at : data.size();
}

std::size_t escape_in_place(MutableByteView buffer, std::size_t size) {
  const ByteView data = buffer.first(size);
  const std::size_t first = find_emulation(data, 0);
  if (first == size) return size;  // all but about one of 80 frames of 50 kB
  std::size_t count = 0;
  for (std::size_t at = first; at < size; at = find_emulation(data, at)) ++count;

  // Everything from the first escape on makes room for all of them; then it moves back, piece by
  // piece, and never reaches what was not read yet.
  const MutableByteView grown = buffer.first(size + count);
  std::memmove(grown.data() + first + count, grown.data() + first, size - first);
  std::size_t read = first + count;
  std::size_t write = first;
  while (write < read) {
    grown[write++] = kEscape;
    // The zeros before the escape do not count any more.
    const std::size_t next = find_emulation(grown, read);
    std::memmove(grown.data() + write, grown.data() + read, next - read);
    write += next - read;
    read = next;
  }
  return grown.size();
}

Result<std::size_t> unescape(ByteView data, MutableByteView out) {
  if (out.size() < data.size()) return Error::buffer_too_small;
  std::size_t read = 0;
  std::size_t write = 0;
  while (true) {
    const std::size_t escape = find_emulation(data, read);
    if (escape != data.size()) {
      const bool is_needed =
          data[escape] == kEscape && escape + 1 < data.size() && data[escape + 1] <= kLastEscaped;
      if (!is_needed) return Error::malformed;
    }
    std::memcpy(out.data() + write, data.data() + read, escape - read);
    write += escape - read;
    if (escape == data.size()) return write;
    read = escape + 1;
  }
}

}  // namespace sealroom::sframe
