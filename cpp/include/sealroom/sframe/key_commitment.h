#pragma once

#include <array>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/sframe/cipher_suite.h"

namespace sealroom::sframe {

inline constexpr std::size_t kCommitmentSize = 32;
using KeyCommitment = std::array<std::uint8_t, kCommitmentSize>;

/// Binds a key to its KID and suite without telling it: HKDF-Expand under the hash of the suite,
///   info = "sealroom/1 SFrame key commitment" || 0 || 8 (4 bytes) || suite (8) || 8 (4) || KID (8)
/// of the secret of RFC 9605 section 4.4.2. AES-GCM does not commit to its key: whoever hands out
/// keys can make one ciphertext that two receivers open to different frames, each with the key he
/// gave it. Members who compare commitments (from a signed record, say) hold the same key.
/// An empty base key is invalid_argument.
Result<KeyCommitment> key_commitment(CipherSuite suite, KeyId key_id, ByteView base_key);

/// commitment_mismatch, found out in constant time; invalid_argument for one of another size.
Result<void> check_commitment(CipherSuite suite, KeyId key_id, ByteView base_key,
                              ByteView commitment);

}  // namespace sealroom::sframe
