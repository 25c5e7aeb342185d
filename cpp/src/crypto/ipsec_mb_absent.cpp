#include "ipsec_mb_backend.h"

namespace sealroom::crypto::ipsec_mb {

bool is_available() { return false; }
std::string_view version() { return ""; }

Result<std::unique_ptr<Aead>> create_aead(AeadAlgorithm, ByteView) { return Error::unsupported; }
Result<std::unique_ptr<AesCtr>> create_aes_ctr(ByteView) { return Error::unsupported; }
Result<std::unique_ptr<Hmac>> create_hmac(HashAlgorithm, ByteView) { return Error::unsupported; }

}  // namespace sealroom::crypto::ipsec_mb
