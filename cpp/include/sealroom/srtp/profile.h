#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sealroom/base/result.h"

namespace sealroom::srtp {

/// Values below 2^16 are DTLS-SRTP protection profiles with their registry numbers (RFC 5764
/// section 4.1.2, RFC 7714 section 14.2). The crypto suites of RFC 6188 have no such number and are
/// never offered in DTLS: they stand above 2^16, for keys that came another way (SDES, RFC 4568).
enum class Profile : std::uint32_t {
  aes128_cm_sha1_80 = 0x0001,
  aes128_cm_sha1_32 = 0x0002,
  aead_aes_128_gcm = 0x0007,
  aead_aes_256_gcm = 0x0008,
  aes256_cm_sha1_80 = 0x1'0001,
  aes256_cm_sha1_32 = 0x1'0002,
};

struct ProfileParameters {
  std::string_view name;  ///< the RFC's: "SRTP_AEAD_AES_256_GCM"
  std::size_t key_size;   ///< master key
  std::size_t salt_size;  ///< master salt
  std::size_t rtp_tag_size;
  std::size_t rtcp_tag_size;
  bool is_aead;
};

Result<ProfileParameters> profile_parameters(Profile profile);

/// What protection adds at most to an RTP packet, and to an RTCP packet (tag and the E/index word),
/// without an MKI; with one, its size comes on top.
inline constexpr std::size_t kMaxRtpOverhead = 16;
inline constexpr std::size_t kMaxRtcpOverhead = 20;

}  // namespace sealroom::srtp
