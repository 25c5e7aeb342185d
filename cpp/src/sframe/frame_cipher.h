#pragma once

#include <memory>

#include "ctr_hmac.h"
#include "sealroom/base/types.h"
#include "sealroom/crypto/aead.h"
#include "sealroom/sframe/cipher_suite.h"

namespace sealroom::sframe {

/// One KID's key and salt (RFC 9605 section 4.4.2) and the suite's AEAD over them.
class FrameCipher {
 public:
  static Result<FrameCipher> create(crypto::Backend backend, CipherSuite suite, KeyId key_id,
                                    ByteView base_key);

  /// As crypto::Aead, with the tag size of the suite; the nonce is made of the counter.
  Result<void> seal(std::uint64_t counter, ByteView aad, ByteView plaintext, MutableByteView out);
  Result<void> open(std::uint64_t counter, ByteView aad, ByteView ciphertext, MutableByteView out);

  [[nodiscard]] std::size_t tag_size() const { return tag_size_; }

 private:
  using Salt = SecretBytes<crypto::kAeadNonceSize>;

  FrameCipher(std::unique_ptr<crypto::Aead> aead, std::unique_ptr<CtrHmac> ctr_hmac, Salt salt,
              std::size_t tag_size)
      : aead_(std::move(aead)),
        ctr_hmac_(std::move(ctr_hmac)),
        salt_(std::move(salt)),
        tag_size_(tag_size) {}

  std::unique_ptr<crypto::Aead> aead_;  ///< suites 4 and 5, else null
  std::unique_ptr<CtrHmac> ctr_hmac_;   ///< suites 1 to 3, else null
  Salt salt_;
  std::size_t tag_size_;
};

}  // namespace sealroom::sframe
