#pragma once

#include <memory>
#include <string_view>

#include "sealroom/crypto/aead.h"
#include "sealroom/crypto/aes_ctr.h"
#include "sealroom/crypto/hmac.h"

/// Either ipsec_mb_{aead,aes_ctr,hmac,manager}.cpp or ipsec_mb_absent.cpp implements this.
namespace sealroom::crypto::ipsec_mb {

[[nodiscard]] bool is_available();
[[nodiscard]] std::string_view version();

Result<std::unique_ptr<Aead>> create_aead(AeadAlgorithm algorithm, ByteView key);
Result<std::unique_ptr<AesCtr>> create_aes_ctr(ByteView key);
Result<std::unique_ptr<Hmac>> create_hmac(HashAlgorithm algorithm, ByteView key);

}  // namespace sealroom::crypto::ipsec_mb
