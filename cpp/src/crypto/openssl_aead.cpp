#include "contract.h"
#include "openssl_backend.h"

namespace sealroom::crypto::openssl {
namespace {

/// Fetched once per process and kept for good: keys may outlive static destructors.
const EVP_CIPHER* gcm_cipher(AeadAlgorithm algorithm) {
  static const EVP_CIPHER* const aes_128 = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  static const EVP_CIPHER* const aes_256 = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return algorithm == AeadAlgorithm::aes_128_gcm ? aes_128 : aes_256;
}

class OpensslAead final : public Aead {
 public:
  OpensslAead(CipherContext encrypt, CipherContext decrypt)
      : encrypt_(std::move(encrypt)), decrypt_(std::move(decrypt)) {}

  Result<void> seal(ByteView nonce, ByteView aad, ByteView plaintext,
                    MutableByteView out) override {
    if (!may_seal(nonce, aad, plaintext, out)) return Error::invalid_argument;
    EVP_CIPHER_CTX* const context = encrypt_.get();
    const MutableByteView tag = out.last(kAeadTagSize);
    int written = 0;
    const bool sealed =
        EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
        (aad.empty() || EVP_EncryptUpdate(context, nullptr, &written, aad.data(),
                                          static_cast<int>(aad.size())) == 1) &&
        (plaintext.empty() || EVP_EncryptUpdate(context, out.data(), &written, plaintext.data(),
                                                static_cast<int>(plaintext.size())) == 1) &&
        EVP_EncryptFinal_ex(context, tag.data(), &written) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kAeadTagSize, tag.data()) == 1;
    if (sealed) return {};
    secure_wipe(out);
    return failed(Error::crypto_failure);
  }

  Result<void> open(ByteView nonce, ByteView aad, ByteView ciphertext,
                    MutableByteView out) override {
    if (!may_open(nonce, aad, ciphertext, out)) return Error::invalid_argument;
    EVP_CIPHER_CTX* const context = decrypt_.get();
    // OpenSSL copies the tag; its parameter is not const for want of a const control call.
    auto* const tag = const_cast<std::uint8_t*>(ciphertext.last(kAeadTagSize).data());
    int written = 0;
    const bool decrypted =
        EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kAeadTagSize, tag) == 1 &&
        (aad.empty() || EVP_DecryptUpdate(context, nullptr, &written, aad.data(),
                                          static_cast<int>(aad.size())) == 1) &&
        (out.empty() || EVP_DecryptUpdate(context, out.data(), &written, ciphertext.data(),
                                          static_cast<int>(out.size())) == 1);
    std::uint8_t nothing[kAesBlockSize];
    if (decrypted && EVP_DecryptFinal_ex(context, nothing, &written) == 1) return {};
    secure_wipe(out);
    return failed(decrypted ? Error::authentication_failed : Error::crypto_failure);
  }

 private:
  CipherContext encrypt_;
  CipherContext decrypt_;
};

}  // namespace

CipherContext make_context(const EVP_CIPHER* cipher, ByteView key, bool encrypt) {
  if (cipher == nullptr) return nullptr;
  CipherContext context(EVP_CIPHER_CTX_new());
  if (context == nullptr || EVP_CipherInit_ex2(context.get(), cipher, key.data(), nullptr,
                                               encrypt ? 1 : 0, nullptr) != 1) {
    return nullptr;
  }
  return context;
}

Result<std::unique_ptr<Aead>> create_aead(AeadAlgorithm algorithm, ByteView key) {
  const EVP_CIPHER* const cipher = gcm_cipher(algorithm);
  CipherContext encrypt = make_context(cipher, key, true);
  CipherContext decrypt = make_context(cipher, key, false);
  if (encrypt == nullptr || decrypt == nullptr) return failed(Error::crypto_failure);
  return std::unique_ptr<Aead>(
      std::make_unique<OpensslAead>(std::move(encrypt), std::move(decrypt)));
}

}  // namespace sealroom::crypto::openssl
