#pragma once

#include <limits>

#include "sealroom/crypto/aead.h"

namespace sealroom::crypto {

/// OpenSSL counts in int; the other back end keeps the same bound so that both refuse the same
/// calls.
inline constexpr std::size_t kMaxMessageSize = std::numeric_limits<int>::max() - kAeadTagSize;
inline constexpr std::size_t kAesBlockSize = 16;

[[nodiscard]] inline bool may_seal(ByteView nonce, ByteView aad, ByteView plaintext,
                                   MutableByteView out) {
  return nonce.size() == kAeadNonceSize && aad.size() <= kMaxMessageSize &&
         plaintext.size() <= kMaxMessageSize && out.size() == plaintext.size() + kAeadTagSize;
}

[[nodiscard]] inline bool may_open(ByteView nonce, ByteView aad, ByteView ciphertext,
                                   MutableByteView out) {
  return nonce.size() == kAeadNonceSize && aad.size() <= kMaxMessageSize &&
         ciphertext.size() >= kAeadTagSize && ciphertext.size() <= kMaxMessageSize &&
         out.size() == ciphertext.size() - kAeadTagSize;
}

[[nodiscard]] inline bool may_crypt(ByteView initial_counter, ByteView in, MutableByteView out) {
  return initial_counter.size() == kAesBlockSize && in.size() <= kMaxMessageSize &&
         out.size() == in.size();
}

[[nodiscard]] inline bool is_aes_ctr_key(ByteView key) {
  return key.size() == 16 || key.size() == 32;
}

}  // namespace sealroom::crypto
