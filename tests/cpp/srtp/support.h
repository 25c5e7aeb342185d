#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "sealroom/srtp/packet_header.h"
#include "sealroom/srtp/profile.h"
#include "sealroom/srtp/receiver.h"
#include "sealroom/srtp/sender.h"
#include "support/backends.h"

namespace sealroom::srtp::test {

struct Case {
  crypto::Backend backend;
  Profile profile;
};

inline std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto backend : sealroom::test::available_backends()) {
    for (const auto profile :
         {Profile::aes128_cm_sha1_80, Profile::aes128_cm_sha1_32, Profile::aead_aes_128_gcm,
          Profile::aead_aes_256_gcm, Profile::aes256_cm_sha1_80, Profile::aes256_cm_sha1_32}) {
      cases.push_back({backend, profile});
    }
  }
  return cases;
}

inline std::string case_name(const testing::TestParamInfo<Case>& info) {
  return std::string(crypto::backend_name(info.param.backend)) + "_" +
         std::string(profile_parameters(info.param.profile).value().name);
}

inline void PrintTo(const Case& value, std::ostream* out) {
  *out << case_name(testing::TestParamInfo<Case>(value, 0));
}

inline Bytes master_of(Profile profile, std::uint8_t first = 1) {
  const auto parameters = profile_parameters(profile).value();
  Bytes master(parameters.key_size + parameters.salt_size);
  for (std::size_t i = 0; i < master.size(); ++i)
    master[i] = static_cast<std::uint8_t>(first + 7 * i);
  return master;
}

inline Sender make_sender(const Case& param, SenderOptions options = {}) {
  return Sender::create(param.backend, param.profile, master_of(param.profile), options).value();
}

inline Receiver make_receiver(const Case& param, ReceiverOptions options = {}) {
  return Receiver::create(param.backend, param.profile, master_of(param.profile), options).value();
}

struct RtpFields {
  std::uint16_t sequence_number = 0;
  std::uint32_t ssrc = 0xCAFEBABE;
  std::size_t payload_size = 100;
  std::size_t csrc_count = 0;
  int extension_words = -1;  ///< -1: no header extension
};

inline void append_u32(Bytes& bytes, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<std::uint8_t>(number >> shift));
}

inline Bytes rtp_packet(const RtpFields& fields) {
  Bytes packet;
  const int extension = fields.extension_words >= 0 ? 0x10 : 0;
  append_u32(packet,
             static_cast<std::uint32_t>(0x80 | extension | static_cast<int>(fields.csrc_count))
                     << 24 |
                 96U << 16 | fields.sequence_number);
  append_u32(packet, 3000U * fields.sequence_number);
  append_u32(packet, fields.ssrc);
  for (std::size_t i = 0; i < fields.csrc_count; ++i)
    append_u32(packet, 0x11111111U * static_cast<std::uint32_t>(i));
  if (fields.extension_words >= 0) {
    append_u32(packet, 0xBEDE0000U | static_cast<std::uint32_t>(fields.extension_words));
    for (int i = 0; i < fields.extension_words; ++i) append_u32(packet, 0x22AABBCCU);
  }
  for (std::size_t i = 0; i < fields.payload_size; ++i) {
    packet.push_back(static_cast<std::uint8_t>(i * 31 + fields.sequence_number));
  }
  return packet;
}

/// A receiver report with `size - 8` bytes of content.
inline Bytes rtcp_packet(std::size_t size = 32, std::uint32_t ssrc = 0xCAFEBABE) {
  Bytes packet;
  append_u32(packet, 0x81C90000U | static_cast<std::uint32_t>(size / 4 - 1));
  append_u32(packet, ssrc);
  for (std::size_t i = packet.size(); i < size; ++i)
    packet.push_back(static_cast<std::uint8_t>(i * 5));
  return packet;
}

inline Result<Bytes> protect_rtp(Sender& sender, const Bytes& packet) {
  const auto header = parse_rtp_header(packet);
  if (!header) return header.error();
  Bytes buffer(packet.size() + sender.rtp_overhead());
  std::ranges::copy(packet, buffer.begin());
  const auto size = sender.protect_rtp(
      buffer, header.value().size,
      ByteView(buffer).subspan(header.value().size, packet.size() - header.value().size));
  if (!size) return size.error();
  buffer.resize(size.value());
  return buffer;
}

inline Result<Bytes> protect_rtcp(Sender& sender, const Bytes& packet) {
  Bytes buffer(packet.size() + sender.rtcp_overhead());
  std::ranges::copy(packet, buffer.begin());
  const auto size = sender.protect_rtcp(buffer, packet.size());
  if (!size) return size.error();
  buffer.resize(size.value());
  return buffer;
}

inline Result<Bytes> unprotect_rtp(Receiver& receiver, ByteView packet) {
  Bytes out(packet.size());
  const auto size = receiver.unprotect_rtp(packet, out);
  if (!size) return size.error();
  out.resize(size.value());
  return out;
}

inline Result<Bytes> unprotect_rtcp(Receiver& receiver, ByteView packet) {
  Bytes out(packet.size());
  const auto size = receiver.unprotect_rtcp(packet, out);
  if (!size) return size.error();
  out.resize(size.value());
  return out;
}

template <class T>
testing::AssertionResult fails_with(const Result<T>& result, Error error) {
  if (result.ok()) return testing::AssertionFailure() << "accepted, expected " << error_name(error);
  if (result.error() == error) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << error_name(result.error()) << ", expected " << error_name(error);
}

inline testing::AssertionResult gives(const Result<Bytes>& result, const Bytes& expected) {
  if (!result.ok()) return testing::AssertionFailure() << error_name(result.error());
  if (result.value() == expected) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "other bytes";
}

class SrtpTest : public testing::TestWithParam<Case> {
 protected:
  Sender sender_ = make_sender(GetParam());
  Receiver receiver_ = make_receiver(GetParam());
};

}  // namespace sealroom::srtp::test
