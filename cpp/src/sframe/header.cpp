#include "sealroom/sframe/header.h"

#include <bit>
#include <cstring>

#include "sealroom/base/byte_reader.h"
#include "sealroom/base/byte_writer.h"

namespace sealroom::sframe {
namespace {

/// One of the two halves of the config byte: the value itself if it is below 8, else this flag and
/// the number of value bytes less one.
constexpr std::uint8_t kExtended = 0x08;

std::size_t extended_size(std::uint64_t value) {
  return value < kExtended ? 0 : (static_cast<std::size_t>(std::bit_width(value)) + 7) / 8;
}

std::uint8_t config_half(std::uint64_t value) {
  const std::size_t size = extended_size(value);
  return static_cast<std::uint8_t>(size == 0 ? value : kExtended | (size - 1));
}

/// The low `size` bytes of `value`, big-endian, at the front of the eight bytes at `out`.
void write_front(std::uint64_t value, std::size_t size, std::uint8_t* out) {
  if (size == 0) return;
  std::uint64_t word = value << (64 - 8 * size);
  if constexpr (std::endian::native == std::endian::little) word = __builtin_bswap64(word);
  std::memcpy(out, &word, sizeof(word));
}

struct Field {
  std::uint64_t value;
  bool minimal;
};

Field read_field(std::uint8_t half, ByteReader& reader) {
  if ((half & kExtended) == 0) return {half, true};
  const std::size_t size = (half & 0x07U) + 1U;
  const std::uint64_t value = reader.number(size);
  return {value, extended_size(value) == size};
}

}  // namespace

std::size_t Header::encoded_size() const {
  return 1 + extended_size(key_id.value) + extended_size(counter);
}

Result<std::size_t> Header::encode(MutableByteView out) const {
  const std::size_t key_id_size = extended_size(key_id.value);
  const std::size_t counter_size = extended_size(counter);
  const std::size_t size = 1 + key_id_size + counter_size;
  if (out.size() < size) return Error::buffer_too_small;
  const auto config =
      static_cast<std::uint8_t>(config_half(key_id.value) << 4 | config_half(counter));
  if (out.size() >= kMaxHeaderSize) {
    // In whole words, each over the unused end of the one before: byte by byte it shows in the cost
    // of an audio frame.
    out[0] = config;
    write_front(key_id.value, key_id_size, &out[1]);
    write_front(counter, counter_size, &out[1 + key_id_size]);
    return size;
  }
  ByteWriter writer(out);
  writer.u8(config);
  writer.number(key_id.value, key_id_size);
  writer.number(counter, counter_size);
  return size;
}

Result<Header::Parsed> Header::parse(ByteView data) {
  ByteReader reader(data);
  const std::uint8_t config = reader.u8();
  const Field key_id = read_field(config >> 4, reader);
  const Field counter = read_field(config & 0x0f, reader);
  if (!reader.ok()) return Error::truncated;
  // Section 4.3 demands the shortest form, so that a header has one encoding.
  if (!key_id.minimal || !counter.minimal) return Error::malformed;
  return Parsed{Header{KeyId{key_id.value}, counter.value}, reader.position()};
}

}  // namespace sealroom::sframe
