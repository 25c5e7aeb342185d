#pragma once

#include <cstddef>
#include <cstdint>

namespace sealroom::srtp {

/// A master key identifier names the master key of a packet (RFC 3711 section 3.1). Its size is
/// fixed per context: 0 (no MKI) to 128 bytes. In AES-CM packets it stands before the tag, in
/// AES-GCM packets it ends the packet (RFC 7714 sections 8.2 and 9.2).
inline constexpr std::size_t kMaxMkiSize = 128;
/// Master keys that a Receiver holds at a time.
inline constexpr std::size_t kMaxMasterKeys = 16;

/// RFC 3711 section 9.2: what one master key may protect, over all streams. The section wants a new
/// one as soon as either is spent; here only packets of the kind that is spent are refused, as each
/// kind has session keys of its own.
inline constexpr std::uint64_t kMaxRtpPackets = std::uint64_t{1} << 48;
inline constexpr std::uint64_t kMaxRtcpPackets = std::uint64_t{1} << 31;

/// How far a master key is on its way to its limits, for an application that re-keys in time.
struct KeyUsage {
  std::uint64_t rtp_packets = 0;
  std::uint64_t rtcp_packets = 0;
  std::uint64_t remaining_rtp_packets = 0;
  std::uint64_t remaining_rtcp_packets = 0;
};

}  // namespace sealroom::srtp
