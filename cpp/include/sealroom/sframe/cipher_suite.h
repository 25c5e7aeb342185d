#pragma once

#include <cstddef>
#include <cstdint>

#include "sealroom/base/result.h"
#include "sealroom/crypto/aead.h"
#include "sealroom/crypto/hmac.h"

namespace sealroom::sframe {

/// RFC 9605 section 4.5, with the RFC's numbers and names.
enum class CipherSuite : std::uint16_t {
  aes_128_ctr_hmac_sha256_80 = 1,
  aes_128_ctr_hmac_sha256_64 = 2,
  aes_128_ctr_hmac_sha256_32 = 3,
  aes_128_gcm_sha256_128 = 4,
  aes_256_gcm_sha512_128 = 5,  ///< default of sealroom
};

struct SuiteParameters {
  crypto::HashAlgorithm hash;
  std::size_t hash_size;   ///< Nh
  std::size_t key_size;    ///< Nk
  std::size_t nonce_size;  ///< Nn
  std::size_t tag_size;    ///< Nt
};

/// `unsupported` for numbers outside RFC 9605 and for suites this build cannot run.
Result<SuiteParameters> suite_parameters(CipherSuite suite);

}  // namespace sealroom::sframe
