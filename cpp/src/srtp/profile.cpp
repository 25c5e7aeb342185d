#include "sealroom/srtp/profile.h"

namespace sealroom::srtp {

Result<ProfileParameters> profile_parameters(Profile profile) {
  // Only RTP has the short tag: RTCP is forged more profitably (RFC 5764 section 4.1.2, RFC 6188
  // section 4).
  switch (profile) {
    case Profile::aes128_cm_sha1_80:
      return ProfileParameters{"SRTP_AES128_CM_HMAC_SHA1_80", 16, 14, 10, 10, false};
    case Profile::aes128_cm_sha1_32:
      return ProfileParameters{"SRTP_AES128_CM_HMAC_SHA1_32", 16, 14, 4, 10, false};
    case Profile::aead_aes_128_gcm:
      return ProfileParameters{"SRTP_AEAD_AES_128_GCM", 16, 12, 16, 16, true};
    case Profile::aead_aes_256_gcm:
      return ProfileParameters{"SRTP_AEAD_AES_256_GCM", 32, 12, 16, 16, true};
    case Profile::aes256_cm_sha1_80:
      return ProfileParameters{"AES_256_CM_HMAC_SHA1_80", 32, 14, 10, 10, false};
    case Profile::aes256_cm_sha1_32:
      return ProfileParameters{"AES_256_CM_HMAC_SHA1_32", 32, 14, 4, 10, false};
  }
  return Error::unsupported;
}

}  // namespace sealroom::srtp
