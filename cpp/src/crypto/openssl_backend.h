#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>

#include "sealroom/crypto/aead.h"
#include "sealroom/crypto/aes_ctr.h"
#include "sealroom/crypto/hmac.h"

namespace sealroom::crypto::openssl {

Result<std::unique_ptr<Aead>> create_aead(AeadAlgorithm algorithm, ByteView key);
Result<std::unique_ptr<AesCtr>> create_aes_ctr(ByteView key);
Result<std::unique_ptr<Hmac>> create_hmac(HashAlgorithm algorithm, ByteView key);

struct CipherContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }  // wipes the key
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, CipherContextDeleter>;

/// A keyed context that waits for its nonce, or null.
CipherContext make_context(const EVP_CIPHER* cipher, ByteView key, bool encrypt);

/// Leaves nothing in this thread's error queue, which other users of OpenSSL in the process read.
inline Error failed(Error error) {
  ERR_clear_error();
  return error;
}

}  // namespace sealroom::crypto::openssl
