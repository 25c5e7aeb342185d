#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "sealroom/base/bytes.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/rtp/header_extension.h"
#include "sealroom/rtp/payload_format.h"
#include "sealroom/sframe/cipher_suite.h"
#include "sealroom/srtp/profile.h"

namespace sealroom::bindings {

/// What was given where a name is expected, for the sentence that refuses it: "'vp7'". Only what
/// could be a name is shown, for arguments in the wrong order put a frame or a message there.
std::string shown(const std::string& name);

/// Python's words for native values. Each throws InvalidArgumentError (or UnsupportedError) that
/// names what was wrong.
rtp::Codec codec_from_name(const std::string& name);  ///< "opus", "vp8", "vp9", "h264", "av1"
rtp::ExtensionMap extension_map(
    const std::map<std::string, int>& ids);  ///< {"mid": 1, "abs_send_time": 2}
/// The named back end; without a name $SEALROOM_CRYPTO, else the fastest one.
crypto::Backend backend_from_option(const std::optional<std::string>& name);
std::uint8_t payload_type(int value);  ///< 0..127
/// Where RTP and RTCP share a port: 0..63 and 96..127.
PayloadType shared_port_payload_type(const char* name, int value);
sframe::CipherSuite cipher_suite(std::int64_t number);  ///< of RFC 9605
srtp::Profile srtp_profile(int number);                 ///< of DTLS-SRTP
/// `key` if it is as long as master key and salt of `profile`; `name` is its argument's.
ByteView checked_master(const char* name, srtp::Profile profile, ByteView key);

}  // namespace sealroom::bindings
