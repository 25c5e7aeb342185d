#include "contract.h"
#include "ipsec_mb_backend.h"
#include "openssl_backend.h"

namespace sealroom::crypto {

Result<std::unique_ptr<Aead>> Aead::create(Backend backend, AeadAlgorithm algorithm, ByteView key) {
  if (!is_available(backend)) return Error::unsupported;
  if (key.size() != key_size(algorithm)) return Error::invalid_argument;
  return backend == Backend::ipsec_mb ? ipsec_mb::create_aead(algorithm, key)
                                      : openssl::create_aead(algorithm, key);
}

Result<std::unique_ptr<AesCtr>> AesCtr::create(Backend backend, ByteView key) {
  if (!is_available(backend)) return Error::unsupported;
  if (!is_aes_ctr_key(key)) return Error::invalid_argument;
  return backend == Backend::ipsec_mb ? ipsec_mb::create_aes_ctr(key)
                                      : openssl::create_aes_ctr(key);
}

Result<std::unique_ptr<Hmac>> Hmac::create(Backend backend, HashAlgorithm algorithm, ByteView key) {
  if (!is_available(backend)) return Error::unsupported;
  return backend == Backend::ipsec_mb ? ipsec_mb::create_hmac(algorithm, key)
                                      : openssl::create_hmac(algorithm, key);
}

}  // namespace sealroom::crypto
