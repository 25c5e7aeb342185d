#include "emulation_prevention.h"

#include <algorithm>
#include <cstring>

namespace sealroom::sframe {
namespace {

constexpr std::uint8_t kEscape = 3;
constexpr std::uint8_t kLastEscaped = 3;

// Of three bytes in a row two always form a pair of a chain of pairs, wherever the chain begins. So
// an emulation shows as a pair of 0 and 0 (its first two bytes) or of 0 and at most 3 (its last
// two): of the bits in kMask none is set. In random data one pair in 16384 is such a pair. GCC and
// clang make vector instructions of these types on every machine.
using Pairs16 = std::uint16_t __attribute__((vector_size(16)));
using Pairs32 = std::uint16_t __attribute__((vector_size(32)));
alignas(32) constexpr std::uint8_t kMask[] = {
    0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc,
    0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc, 0xff, 0xfc};

template <class Pairs, std::size_t kCount>
[[gnu::always_inline]] inline bool has_suspect_pair(const std::uint8_t* block) {
  Pairs mask;
  std::memcpy(&mask, kMask, sizeof(mask));
  Pairs pairs;
  std::memcpy(&pairs, block, sizeof(pairs));
  auto found = (pairs & mask) == 0;
  for (std::size_t i = 1; i < kCount; ++i) {
    std::memcpy(&pairs, block + i * sizeof(pairs), sizeof(pairs));
    found |= (pairs & mask) == 0;
  }
  std::uint64_t words[sizeof(Pairs) / sizeof(std::uint64_t)];
  std::memcpy(words, &found, sizeof(words));
  std::uint64_t any = 0;
  for (const std::uint64_t word : words) any |= word;
  return any != 0;
}

/// The first of the blocks of kBlockSize bytes from `from` on with such a pair, else the end of the
/// last whole block.
constexpr std::size_t kBlockSize = 128;

template <class Pairs>
[[gnu::always_inline]] inline std::size_t find_suspect_block(ByteView data, std::size_t from) {
  constexpr std::size_t kCount = kBlockSize / sizeof(Pairs);
  for (; from + kBlockSize <= data.size(); from += kBlockSize) {
    if (has_suspect_pair<Pairs, kCount>(data.data() + from)) break;
  }
  return from;
}

std::size_t find_suspect_block_anywhere(ByteView data, std::size_t from) {
  return find_suspect_block<Pairs16>(data, from);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] std::size_t find_suspect_block_avx2(ByteView data, std::size_t from) {
  return find_suspect_block<Pairs32>(data, from);
}
#endif

using FindBlock = std::size_t (*)(ByteView data, std::size_t from);

FindBlock choose_find_block() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") != 0) return find_suspect_block_avx2;
#endif
  return find_suspect_block_anywhere;
}

}  // namespace

std::size_t find_emulation(ByteView data, std::size_t from) {
  static const FindBlock find_block = choose_find_block();
  std::size_t at = from + 2;  // the third byte of three
  const auto search = [&](std::size_t begin, std::size_t end) {
    for (at = std::max(at, begin); at < end; ++at) {
      if (data[at] <= kLastEscaped && data[at - 1] == 0 && data[at - 2] == 0) return true;
    }
    return false;
  };

  // A pair may end its block, and then the third byte is the next block's.
  std::size_t block = from;
  while (block + kBlockSize <= data.size()) {
    block = find_block(data, block);
    if (block + kBlockSize > data.size()) break;
    if (search(block, std::min(block + kBlockSize + 2, data.size()))) return at;
    block += kBlockSize;
  }
  constexpr std::size_t kSmallBlockSize = sizeof(Pairs16);
  for (; block + kSmallBlockSize <= data.size(); block += kSmallBlockSize) {
    if (!has_suspect_pair<Pairs16, 1>(data.data() + block)) continue;
    if (search(block, std::min(block + kSmallBlockSize + 2, data.size()))) return at;
  }
  return search(block, data.size()) ? at : data.size();
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
    const ByteView piece = data.subspan(read, escape - read);
    std::copy(piece.begin(), piece.end(), out.begin() + static_cast<std::ptrdiff_t>(write));
    write += piece.size();
    if (escape == data.size()) return write;
    read = escape + 1;
  }
}

}  // namespace sealroom::sframe
