#include "sealroom/sframe/cipher_suite.h"

namespace sealroom::sframe {

Result<SuiteParameters> suite_parameters(CipherSuite suite) {
  using crypto::HashAlgorithm;
  switch (suite) {
    case CipherSuite::aes_128_ctr_hmac_sha256_80:
      return SuiteParameters{HashAlgorithm::sha256, 32, 48, 12, 10};
    case CipherSuite::aes_128_ctr_hmac_sha256_64:
      return SuiteParameters{HashAlgorithm::sha256, 32, 48, 12, 8};
    case CipherSuite::aes_128_ctr_hmac_sha256_32:
      return SuiteParameters{HashAlgorithm::sha256, 32, 48, 12, 4};
    case CipherSuite::aes_128_gcm_sha256_128:
      return SuiteParameters{HashAlgorithm::sha256, 32, 16, 12, 16};
    case CipherSuite::aes_256_gcm_sha512_128:
      return SuiteParameters{HashAlgorithm::sha512, 64, 32, 12, 16};
  }
  return Error::unsupported;
}

}  // namespace sealroom::sframe
