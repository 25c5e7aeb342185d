#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sealroom/base/result.h"

namespace sealroom::srtp {

/// DTLS-SRTP protection profiles with their registry numbers (RFC 5764 section 4.1.2, RFC 7714
/// section 14.2).
enum class Profile : std::uint16_t {
  aes128_cm_sha1_80 = 0x0001,
  aes128_cm_sha1_32 = 0x0002,
  aead_aes_128_gcm = 0x0007,
  aead_aes_256_gcm = 0x0008,
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

inline constexpr std::size_t kMaxMasterSize = 32 + 14;  ///< key and salt
/// What protection adds at most to an RTP packet, and to an RTCP packet (tag and the E/index word).
inline constexpr std::size_t kMaxRtpOverhead = 16;
inline constexpr std::size_t kMaxRtcpOverhead = 20;

}  // namespace sealroom::srtp
