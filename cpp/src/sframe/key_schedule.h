#pragma once

#include <string_view>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/sframe/cipher_suite.h"

namespace sealroom::sframe {

inline constexpr std::size_t kMaxHashSize = 64;
/// A pseudo-random key of Nh bytes.
using Secret = SecretBytes<kMaxHashSize>;

/// sframe_secret = HKDF-Extract("", base_key) of RFC 9605 section 4.4.2. An empty base key is
/// invalid_argument.
Result<Secret> extract_secret(const SuiteParameters& parameters, ByteView base_key);

/// HKDF-Expand of it under `label`, KID and suite, as section 4.4.2 does for key and salt. The
/// label's last space is part of it.
Result<void> expand_secret(const SuiteParameters& parameters, CipherSuite suite, KeyId key_id,
                           const Secret& secret, std::string_view label, MutableByteView out);

/// The base key of the next ratchet step (section 5.1), Nh bytes.
Result<Secret> next_base_key(CipherSuite suite, ByteView base_key);

}  // namespace sealroom::sframe
