#include "contract.h"
#include "openssl_backend.h"

namespace sealroom::crypto::openssl {
namespace {

const EVP_CIPHER* ctr_cipher(std::size_t key_size) {
  static const EVP_CIPHER* const aes_128 = EVP_CIPHER_fetch(nullptr, "AES-128-CTR", nullptr);
  static const EVP_CIPHER* const aes_256 = EVP_CIPHER_fetch(nullptr, "AES-256-CTR", nullptr);
  return key_size == 16 ? aes_128 : aes_256;
}

class OpensslAesCtr final : public AesCtr {
 public:
  explicit OpensslAesCtr(CipherContext context) : context_(std::move(context)) {}

  Result<void> crypt(ByteView initial_counter, ByteView in, MutableByteView out) override {
    if (!may_crypt(initial_counter, in, out)) return Error::invalid_argument;
    if (in.empty()) return {};
    EVP_CIPHER_CTX* const context = context_.get();
    int written = 0;
    if (EVP_EncryptInit_ex2(context, nullptr, nullptr, initial_counter.data(), nullptr) == 1 &&
        EVP_EncryptUpdate(context, out.data(), &written, in.data(), static_cast<int>(in.size())) ==
            1) {
      return {};
    }
    secure_wipe(out);
    return failed(Error::crypto_failure);
  }

  Result<void> crypt_many(std::span<const CtrMessage> messages) override {
    for (const CtrMessage& message : messages) {
      auto done = crypt(message.initial_counter, message.in, message.out);
      if (!done) return done;
    }
    return {};
  }

 private:
  CipherContext context_;
};

}  // namespace

Result<std::unique_ptr<AesCtr>> create_aes_ctr(ByteView key) {
  CipherContext context = make_context(ctr_cipher(key.size()), key, true);
  if (context == nullptr) return failed(Error::crypto_failure);
  return std::unique_ptr<AesCtr>(std::make_unique<OpensslAesCtr>(std::move(context)));
}

}  // namespace sealroom::crypto::openssl
