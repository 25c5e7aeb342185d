#pragma once

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/srtp/profile.h"

namespace sealroom::srtp {

/// First label of the three that a protocol uses for cipher key, authentication key and salt (RFC
/// 3711 section 4.3.2).
enum class Protocol : std::uint8_t { rtp = 0, rtcp = 3 };

inline constexpr std::size_t kAuthenticationKeySize = 20;
inline constexpr std::size_t kMaxSaltSize = 14;

struct SessionKeys {
  SecretBytes<32> key;
  SecretBytes<kAuthenticationKeySize> authentication_key;  ///< unused by AEAD profiles
  SecretBytes<kMaxSaltSize> salt;
};

/// The AES-CM pseudo-random function with a key derivation rate of 0 (RFC 3711 section 4.3.1; with
/// a 32-byte key AES_256_CM_PRF, RFC 6188 section 3). A 12-byte salt counts as followed by two zero
/// bytes (RFC 7714 section 11).
Result<void> derive(crypto::Backend backend, ByteView master_key, ByteView master_salt,
                    std::uint8_t label, MutableByteView out);

/// Errors: invalid_argument if `master` is not key and salt of the profile.
Result<SessionKeys> derive_session_keys(crypto::Backend backend, const ProfileParameters& profile,
                                        ByteView master, Protocol protocol);

}  // namespace sealroom::srtp
