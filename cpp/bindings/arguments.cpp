#include "arguments.h"

#include <algorithm>

#include "errors.h"
#include "sealroom/rtp/payload_type.h"

namespace sealroom::bindings {

std::string shown(const std::string& name) {
  constexpr std::size_t kLongestName = 16;
  const auto is_of_a_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  if (name.size() > kLongestName || !std::ranges::all_of(name, is_of_a_name)) return "this";
  return "'" + name + "'";
}

rtp::Codec codec_from_name(const std::string& name) {
  if (name == "opus") return rtp::Codec::opus;
  if (name == "vp8") return rtp::Codec::vp8;
  if (name == "vp9") return rtp::Codec::vp9;
  if (name == "h264") return rtp::Codec::h264;
  if (name == "av1") return rtp::Codec::av1;
  raise(Error::unsupported,
        "codec: " + shown(name) + " is not supported; choose one of: opus, vp8, vp9, h264, av1");
}

rtp::ExtensionMap extension_map(const std::map<std::string, int>& ids) {
  using rtp::ExtensionType;
  static const std::map<std::string, ExtensionType> kNames{
      {"mid", ExtensionType::mid},
      {"rid", ExtensionType::rid},
      {"repaired_rid", ExtensionType::repaired_rid},
      {"abs_send_time", ExtensionType::abs_send_time},
      {"transport_sequence_number", ExtensionType::transport_sequence_number},
      {"audio_level", ExtensionType::audio_level},
      {"video_orientation", ExtensionType::video_orientation},
      {"dependency_descriptor", ExtensionType::dependency_descriptor},
  };
  rtp::ExtensionMap map;
  for (const auto& [name, id] : ids) {
    const auto type = kNames.find(name);
    if (type == kNames.end())
      raise(Error::unsupported, "extensions: " + shown(name) + " is not the name of one");
    if (id < 1 || id > 255 || !map.set(type->second, static_cast<std::uint8_t>(id))) {
      raise(Error::invalid_argument,
            "extensions: the id of '" + name + "' must be 1 to 255 and used once (RFC 8285)");
    }
  }
  return map;
}

std::uint8_t payload_type(int value) {
  if (value < 0 || value > 127) raise(Error::invalid_argument, "payload_type: 0 to 127");
  return static_cast<std::uint8_t>(value);
}

PayloadType shared_port_payload_type(const char* name, int value) {
  const PayloadType type{static_cast<std::uint8_t>(value)};
  if (value != type.value || !rtp::may_share_port_with_rtcp(type)) {
    raise(Error::invalid_argument,
          std::string(name) + ": a payload type of 0 to 63 or 96 to 127 (RFC 5761 section 4)");
  }
  return type;
}

sframe::CipherSuite cipher_suite(std::int64_t number) {
  const auto suite = static_cast<sframe::CipherSuite>(number);
  if (number < 0 || number > 0xFFFF || !sframe::suite_parameters(suite)) {
    raise(Error::unsupported,
          "suite: " + std::to_string(number) + " is not a supported cipher suite of RFC 9605");
  }
  return suite;
}

srtp::Profile srtp_profile(int number) {
  const auto profile = static_cast<srtp::Profile>(number);
  if (number < 0 || number > 0xFFFF || !srtp::profile_parameters(profile)) {
    raise(Error::unsupported,
          "profile: " + std::to_string(number) + " is not a supported DTLS-SRTP profile");
  }
  return profile;
}

ByteView checked_master(const char* name, srtp::Profile profile, ByteView key) {
  const auto parameters = unwrap(srtp::profile_parameters(profile));
  if (key.size() != parameters.key_size + parameters.salt_size) {
    raise(Error::invalid_argument, name + (": " + std::string(parameters.name)) + " needs " +
                                       std::to_string(parameters.key_size) + " bytes of key and " +
                                       std::to_string(parameters.salt_size) + " of salt, got " +
                                       std::to_string(key.size()));
  }
  return key;
}

}  // namespace sealroom::bindings
