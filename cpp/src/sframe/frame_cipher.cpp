#include "frame_cipher.h"

#include <array>
#include <bit>
#include <cstring>

#include "sealroom/base/byte_writer.h"
#include "sealroom/crypto/hkdf.h"

namespace sealroom::sframe {
namespace {

constexpr std::size_t kMaxHashSize = 64;
constexpr std::size_t kMaxKeySize = 48;

/// HKDF-Expand under "SFrame 1.0 Secret key " or "... salt ", KID and suite. The last space is part
/// of it.
Result<void> derive(const SuiteParameters& parameters, CipherSuite suite, KeyId key_id,
                    ByteView secret, std::string_view label, MutableByteView out) {
  std::array<std::uint8_t, 40> info;
  ByteWriter writer(info);
  writer.bytes(as_bytes(label));
  writer.u64(key_id.value);
  writer.u16(static_cast<std::uint16_t>(suite));
  return crypto::hkdf_expand(parameters.hash, secret, writer.written(), out);
}

}  // namespace

Result<FrameCipher> FrameCipher::create(crypto::Backend backend, CipherSuite suite, KeyId key_id,
                                        ByteView base_key) {
  const auto found = suite_parameters(suite);
  if (!found) return found.error();
  const SuiteParameters& parameters = found.value();
  if (base_key.empty()) return Error::invalid_argument;

  SecretBytes<kMaxHashSize> secret(parameters.hash_size);
  SecretBytes<kMaxKeySize> key(parameters.key_size);
  Salt salt(parameters.nonce_size);
  auto derived = crypto::hkdf_extract(parameters.hash, {}, base_key, secret.mutable_view());
  if (derived) {
    derived = derive(parameters, suite, key_id, secret.view(), "SFrame 1.0 Secret key ",
                     key.mutable_view());
  }
  if (derived) {
    derived = derive(parameters, suite, key_id, secret.view(), "SFrame 1.0 Secret salt ",
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
  Nonce nonce;
  std::memcpy(nonce.data(), salt_.view().data(), nonce.size());
  std::uint8_t* const low_bytes = nonce.data() + nonce.size() - sizeof(counter);
  std::uint64_t word = 0;
  std::memcpy(&word, low_bytes, sizeof(word));
  word ^= counter;
  std::memcpy(low_bytes, &word, sizeof(word));
  return nonce;
}

}  // namespace sealroom::sframe
