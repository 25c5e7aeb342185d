// Stands in for the core's create.cpp, which the linker then leaves in its archive.

#include "support/failing_crypto.h"

#include <array>
#include <utility>

#include "crypto/ipsec_mb_backend.h"
#include "crypto/openssl_backend.h"

namespace sealroom::test {
namespace {

struct Plan {
  std::size_t to_pass = 0;
  std::size_t to_fail = 0;
};

std::array<Plan, 6> plans;
std::size_t failures = 0;

bool fails(CryptoCall call) {
  Plan& plan = plans[static_cast<std::size_t>(call)];
  if (plan.to_fail == 0) return false;
  if (plan.to_pass > 0) {
    --plan.to_pass;
    return false;
  }
  --plan.to_fail;
  ++failures;
  return true;
}

class FailingAead final : public crypto::Aead {
 public:
  explicit FailingAead(std::unique_ptr<Aead> true_one) : true_one_(std::move(true_one)) {}

  Result<void> seal(ByteView nonce, ByteView aad, ByteView plaintext,
                    MutableByteView out) override {
    const bool to_fail = fails(CryptoCall::aead_seal);
    auto done = true_one_->seal(nonce, aad, plaintext, out);
    return to_fail ? Error::crypto_failure : done;
  }
  Result<void> open(ByteView nonce, ByteView aad, ByteView ciphertext,
                    MutableByteView out) override {
    const bool to_fail = fails(CryptoCall::aead_open);
    auto done = true_one_->open(nonce, aad, ciphertext, out);
    return to_fail ? Error::crypto_failure : done;
  }

 private:
  std::unique_ptr<Aead> true_one_;
};

class FailingAesCtr final : public crypto::AesCtr {
 public:
  explicit FailingAesCtr(std::unique_ptr<AesCtr> true_one) : true_one_(std::move(true_one)) {}

  Result<void> crypt(ByteView counter, ByteView in, MutableByteView out) override {
    const bool to_fail = fails(CryptoCall::crypt);
    auto done = true_one_->crypt(counter, in, out);
    return to_fail ? Error::crypto_failure : done;
  }
  Result<void> crypt_many(std::span<const crypto::CtrMessage> messages) override {
    if (!fails(CryptoCall::crypt_many)) return true_one_->crypt_many(messages);
    (void)true_one_->crypt_many(messages.first(messages.size() / 2));
    return Error::crypto_failure;
  }

 private:
  std::unique_ptr<AesCtr> true_one_;
};

class FailingHmac final : public crypto::Hmac {
 public:
  explicit FailingHmac(std::unique_ptr<Hmac> true_one) : true_one_(std::move(true_one)) {}

  Result<void> compute(std::initializer_list<ByteView> parts, MutableByteView out) override {
    const bool to_fail = fails(CryptoCall::hmac);
    auto done = true_one_->compute(parts, out);
    return to_fail ? Error::crypto_failure : done;
  }
  Result<void> compute_many(std::span<const crypto::MacMessage> messages) override {
    if (!fails(CryptoCall::hmac_many)) return true_one_->compute_many(messages);
    (void)true_one_->compute_many(messages.first(messages.size() / 2));
    return Error::crypto_failure;
  }

 private:
  std::unique_ptr<Hmac> true_one_;
};

template <class Failing, class Interface>
Result<std::unique_ptr<Interface>> wrap(Result<std::unique_ptr<Interface>> made) {
  if (!made) return made;
  return std::unique_ptr<Interface>(std::make_unique<Failing>(std::move(made).value()));
}

}  // namespace

void fail_crypto(CryptoCall call, std::size_t count, std::size_t to_fail) {
  plans[static_cast<std::size_t>(call)] = {count, to_fail};
}

void mend_crypto() {
  plans = {};
  failures = 0;
}

std::size_t crypto_failures() { return failures; }

}  // namespace sealroom::test

namespace sealroom::crypto {

Result<std::unique_ptr<Aead>> Aead::create(Backend backend, AeadAlgorithm algorithm, ByteView key) {
  return test::wrap<test::FailingAead>(backend == Backend::ipsec_mb
                                           ? ipsec_mb::create_aead(algorithm, key)
                                           : openssl::create_aead(algorithm, key));
}

Result<std::unique_ptr<AesCtr>> AesCtr::create(Backend backend, ByteView key) {
  return test::wrap<test::FailingAesCtr>(
      backend == Backend::ipsec_mb ? ipsec_mb::create_aes_ctr(key) : openssl::create_aes_ctr(key));
}

Result<std::unique_ptr<Hmac>> Hmac::create(Backend backend, HashAlgorithm algorithm, ByteView key) {
  return test::wrap<test::FailingHmac>(backend == Backend::ipsec_mb
                                           ? ipsec_mb::create_hmac(algorithm, key)
                                           : openssl::create_hmac(algorithm, key));
}

}  // namespace sealroom::crypto
