#include "frame_cipher.h"

#include <bit>
#include <cstring>

#include "key_schedule.h"

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
  const Nonce nonce = make_nonce(counter);
  return aead_ ? aead_->seal(nonce, aad, plaintext, out)
               : ctr_hmac_->seal(nonce, aad, plaintext, out);
}

Result<void> FrameCipher::open(std::uint64_t counter, ByteView aad, ByteView ciphertext,
                               MutableByteView out) {
  const Nonce nonce = make_nonce(counter);
  return aead_ ? aead_->open(nonce, aad, ciphertext, out)
               : ctr_hmac_->open(nonce, aad, ciphertext, out);
}

FrameCipher::Nonce FrameCipher::make_nonce(std::uint64_t counter) const {
  // In one word: a byte loop shows in the cost of an audio frame.
  if constexpr (std::endian::native == std::endian::little) counter = __builtin_bswap64(counter);
  // Read from the salt and not from the nonce just written, which would wait for the stores.
  Nonce nonce;
  constexpr std::size_t kHigh = crypto::kAeadNonceSize - sizeof(counter);
  const std::uint8_t* const salt = salt_.view().data();
  std::uint64_t low = 0;
  std::memcpy(&low, salt + kHigh, sizeof(low));
  low ^= counter;
  std::memcpy(nonce.data(), salt, kHigh);
  std::memcpy(nonce.data() + kHigh, &low, sizeof(low));
  return nonce;
}

}  // namespace sealroom::sframe
