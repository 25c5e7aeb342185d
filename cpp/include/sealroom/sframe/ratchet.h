#pragma once

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/sframe/cipher_suite.h"

namespace sealroom::sframe {

/// The sender-key ratchet of RFC 9605 section 5.1: KID = (generation << R) + (step mod 2^R). A
/// generation is a base key that was handed out; each step derives the next base key from it, so
/// that who learns a later key cannot open earlier frames.
inline constexpr unsigned kMaxRatchetBits = 32;      ///< R
inline constexpr std::size_t kMaxRatchetSteps = 64;  ///< ahead, and kept

/// How a receiver follows a ratchet. `max_steps_ahead + kept_steps` must be below 2^bits, so that a
/// KID means one step.
struct RatchetOptions {
  unsigned bits = 8;  ///< R, 1 to kMaxRatchetBits
  /// The furthest step that is tried for a frame, and the most keys that frames nobody
  /// authenticated can have derived between two authentic steps; 1 to kMaxRatchetSteps.
  std::size_t max_steps_ahead = 8;
  /// Passed steps whose frames are still taken, for reordering; 0 to kMaxRatchetSteps.
  std::size_t kept_steps = 1;
};

[[nodiscard]] constexpr bool is_valid(const RatchetOptions& options) {
  return options.bits >= 1 && options.bits <= kMaxRatchetBits && options.max_steps_ahead >= 1 &&
         options.max_steps_ahead <= kMaxRatchetSteps && options.kept_steps <= kMaxRatchetSteps &&
         options.max_steps_ahead + options.kept_steps < (std::size_t{1} << options.bits);
}

/// The bits of a KID that are the step.
[[nodiscard]] constexpr std::uint64_t ratchet_step_mask(unsigned bits) {
  return (std::uint64_t{1} << bits) - 1;
}
[[nodiscard]] constexpr KeyId ratchet_key_id(std::uint64_t generation, std::uint64_t step,
                                             unsigned bits) {
  return KeyId{(generation << bits) | (step & ratchet_step_mask(bits))};
}
/// The KID one step on: the step wraps, the generation stays.
[[nodiscard]] constexpr KeyId next_ratchet_key_id(KeyId key_id, unsigned bits) {
  return ratchet_key_id(key_id.value >> bits, key_id.value + 1, bits);
}

/// HKDF-Expand(HKDF-Extract("", base_key), "SFrame 1.0 Ratchet", Nh) into `out`; returns Nh. For
/// those who carry keys themselves: Sender and Receiver do it where they ratchet.
Result<std::size_t> ratchet_base_key(CipherSuite suite, ByteView base_key, MutableByteView out);

}  // namespace sealroom::sframe
