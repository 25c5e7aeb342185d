#pragma once

#include <memory>

#include "sealroom/crypto/aes_ctr.h"
#include "sealroom/crypto/hmac.h"

namespace sealroom::sframe {

/// AES-128-CTR with HMAC-SHA256 and a short tag (RFC 9605 section 4.5.1), the AEAD of suites 1
/// to 3.
class CtrHmac {
 public:
  static constexpr std::size_t kKeySize =
      48;  ///< encryption key of 16 bytes, then authentication key

  /// `tag_size` is 10, 8 or 4.
  static Result<CtrHmac> create(crypto::Backend backend, ByteView key, std::size_t tag_size);

  /// `out.size()` is `plaintext.size()` plus the tag.
  Result<void> seal(ByteView nonce, ByteView aad, ByteView plaintext, MutableByteView out);

  /// `out.size()` is `ciphertext.size()` less the tag. Nothing is decrypted before the tag
  /// verified.
  Result<void> open(ByteView nonce, ByteView aad, ByteView ciphertext, MutableByteView out);

 private:
  CtrHmac(std::unique_ptr<crypto::AesCtr> cipher, std::unique_ptr<crypto::Hmac> hmac,
          std::size_t tag_size)
      : cipher_(std::move(cipher)), hmac_(std::move(hmac)), tag_size_(tag_size) {}

  Result<void> compute_tag(ByteView nonce, ByteView aad, ByteView ciphertext, MutableByteView tag);
  Result<void> crypt(ByteView nonce, ByteView in, MutableByteView out);

  std::unique_ptr<crypto::AesCtr> cipher_;
  std::unique_ptr<crypto::Hmac> hmac_;
  std::size_t tag_size_;
};

}  // namespace sealroom::sframe
