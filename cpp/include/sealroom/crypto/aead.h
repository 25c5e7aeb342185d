#pragma once

#include <memory>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/crypto/backend.h"

namespace sealroom::crypto {

enum class AeadAlgorithm : std::uint8_t { aes_128_gcm, aes_256_gcm };

inline constexpr std::size_t kAeadNonceSize = 12;
inline constexpr std::size_t kAeadTagSize = 16;

[[nodiscard]] constexpr std::size_t key_size(AeadAlgorithm algorithm) {
  return algorithm == AeadAlgorithm::aes_128_gcm ? 16 : 32;
}

/// AES-GCM (NIST SP 800-38D) with a 12-byte nonce and a 16-byte tag under one key.
/// The key schedule is computed once; a message sets only the nonce and allocates nothing.
/// Not safe for concurrent use. The owner guarantees that a nonce is never sealed twice.
class Aead {
 public:
  static Result<std::unique_ptr<Aead>> create(Backend backend, AeadAlgorithm algorithm,
                                              ByteView key);
  virtual ~Aead() = default;
  Aead(const Aead&) = delete;
  Aead& operator=(const Aead&) = delete;

  /// Writes ciphertext and tag: `out.size()` must be `plaintext.size() + kAeadTagSize`.
  /// `out` may begin where `plaintext` begins; other overlaps are undefined.
  virtual Result<void> seal(ByteView nonce, ByteView aad, ByteView plaintext,
                            MutableByteView out) = 0;

  /// Opens ciphertext followed by its tag: `out.size()` must be `ciphertext.size() - kAeadTagSize`.
  /// `out` may begin where `ciphertext` begins. On authentication_failed `out` is wiped. After
  /// crypto_failure it may hold part of the plaintext, which nothing vouches for: the caller wipes
  /// it.
  virtual Result<void> open(ByteView nonce, ByteView aad, ByteView ciphertext,
                            MutableByteView out) = 0;

 protected:
  Aead() = default;
};

}  // namespace sealroom::crypto
