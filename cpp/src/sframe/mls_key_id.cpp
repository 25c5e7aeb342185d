#include "sealroom/sframe/mls_key_id.h"

namespace sealroom::sframe {
namespace {

constexpr unsigned kKeyIdBits = 64;

bool is_valid(const MlsKeyIdLayout& layout) {
  return layout.epoch_bits >= 1 && layout.epoch_bits < kKeyIdBits &&
         layout.sender_bits <= kKeyIdBits - layout.epoch_bits;
}

/// As `value >> bits`, which C++ leaves undefined for all 64.
std::uint64_t above(std::uint64_t value, unsigned bits) {
  return bits >= kKeyIdBits ? 0 : value >> bits;
}
std::uint64_t low(std::uint64_t value, unsigned bits) {
  return bits >= kKeyIdBits ? value : value & ((std::uint64_t{1} << bits) - 1);
}

}  // namespace

Result<KeyId> MlsKeyIdLayout::encode(const MlsKeyId& id) const {
  if (!is_valid(*this)) return Error::invalid_argument;
  const unsigned context_shift = sender_bits + epoch_bits;
  if (above(id.sender, sender_bits) != 0) return Error::invalid_argument;
  if (above(id.context, kKeyIdBits - context_shift) != 0) return Error::invalid_argument;
  const std::uint64_t context = context_shift == kKeyIdBits ? 0 : id.context << context_shift;
  return KeyId{context | (id.sender << epoch_bits) | low(id.epoch, epoch_bits)};
}

Result<MlsKeyId> MlsKeyIdLayout::decode(KeyId key_id) const {
  if (!is_valid(*this)) return Error::invalid_argument;
  return MlsKeyId{above(key_id.value, sender_bits + epoch_bits),
                  low(above(key_id.value, epoch_bits), sender_bits), low(key_id.value, epoch_bits)};
}

}  // namespace sealroom::sframe
