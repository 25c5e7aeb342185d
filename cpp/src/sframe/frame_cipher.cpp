#include "frame_cipher.h"

#include "key_schedule.h"
#include "sealroom/crypto/aead_nonce.h"

namespace sealroom::sframe {
namespace {

constexpr std::size_t kMaxKeySize = 48;

}  // namespace

Result<FrameCipher> FrameCipher::create(crypto::Backend backend, CipherSuite suite, KeyId key_id,
                                        ByteView base_key) {
  const auto found = suite_parameters(suite);
  if (!found) return found.error();
  const SuiteParameters& parameters = found.value();
  const auto secret = extract_secret(parameters, base_key);
  if (!secret) return secret.error();

  SecretBytes<kMaxKeySize> key(parameters.key_size);
  Salt salt(parameters.nonce_size);
  auto derived = expand_secret(parameters, suite, key_id, secret.value(), "SFrame 1.0 Secret key ",
                               key.mutable_view());
  if (derived) {
    derived = expand_secret(parameters, suite, key_id, secret.value(), "SFrame 1.0 Secret salt ",
                            salt.mutable_view());
  }
  if (!derived) return derived.error();

  if (parameters.tag_size < crypto::kAeadTagSize) {
    auto ctr_hmac = CtrHmac::create(backend, key.view(), parameters.tag_size);
    if (!ctr_hmac) return ctr_hmac.error();
    return FrameCipher(nullptr, std::make_unique<CtrHmac>(std::move(ctr_hmac).value()),
                       std::move(salt), parameters.tag_size);
  }
  const auto algorithm = parameters.key_size == 16 ? crypto::AeadAlgorithm::aes_128_gcm
                                                   : crypto::AeadAlgorithm::aes_256_gcm;
  auto aead = crypto::Aead::create(backend, algorithm, key.view());
  if (!aead) return aead.error();
  return FrameCipher(std::move(aead).value(), nullptr, std::move(salt), parameters.tag_size);
}

Result<void> FrameCipher::seal(std::uint64_t counter, ByteView aad, ByteView plaintext,
                               MutableByteView out) {
  const crypto::AeadNonce nonce(salt_.view(), 0, counter);
  return aead_ ? aead_->seal(nonce.view(), aad, plaintext, out)
               : ctr_hmac_->seal(nonce.view(), aad, plaintext, out);
}

Result<void> FrameCipher::open(std::uint64_t counter, ByteView aad, ByteView ciphertext,
                               MutableByteView out) {
  const crypto::AeadNonce nonce(salt_.view(), 0, counter);
  return aead_ ? aead_->open(nonce.view(), aad, ciphertext, out)
               : ctr_hmac_->open(nonce.view(), aad, ciphertext, out);
}

}  // namespace sealroom::sframe
