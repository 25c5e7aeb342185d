#pragma once

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/crypto/hmac.h"

namespace sealroom::crypto {

/// HKDF (RFC 5869). Set-up path, so always OpenSSL.
/// `out.size()` is digest_size for extract, 1..255 * digest_size for expand.
Result<void> hkdf_extract(HashAlgorithm algorithm, ByteView salt, ByteView secret,
                          MutableByteView out);
Result<void> hkdf_expand(HashAlgorithm algorithm, ByteView pseudo_random_key, ByteView info,
                         MutableByteView out);

}  // namespace sealroom::crypto
