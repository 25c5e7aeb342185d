#pragma once

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/rtp/header_extension.h"
#include "sealroom/rtp/packet.h"

namespace sealroom::rtp {

/// RFC 4588 section 4: the original sequence number (OSN) stands before the payload.
inline constexpr std::size_t kRtxOverhead = 2;

/// Where the packets of one stream belong: its own for RTX, the media's for what comes out of it.
struct StreamAddress {
  Ssrc ssrc{};
  PayloadType payload_type{};
};

struct RtxPayload {
  std::uint16_t original_sequence_number = 0;
  ByteView payload;  ///< of the original packet, without its padding
};
/// truncated for a packet without room for the OSN, such as one that only probes with padding.
Result<RtxPayload> parse_rtx(const RtpPacketView& packet);

/// Writes `original` as packet `sequence_number` of the RTX stream: timestamp, marker, CSRCs and
/// header extensions are those of the original, padding is left out. Returns the size, which is
/// kRtxOverhead more. Errors: buffer_too_small, invalid_argument for a payload type above 127.
Result<std::size_t> wrap_rtx(const RtpPacketView& original, const StreamAddress& rtx,
                             std::uint16_t sequence_number, MutableByteView out);

/// The same with these header extensions instead of the original's: a retransmission has a
/// transport-wide sequence number of its own, and repaired-rid where the original has rid (RFC 8852
/// section 3). Errors as those of write_header.
Result<std::size_t> wrap_rtx(const RtpPacketView& original, const StreamAddress& rtx,
                             std::uint16_t sequence_number, const HeaderExtensions& extensions,
                             const ExtensionMap& map, MutableByteView out);

/// The way back. Errors besides those: truncated.
Result<std::size_t> unwrap_rtx(const RtpPacketView& packet, const StreamAddress& media,
                               MutableByteView out);

}  // namespace sealroom::rtp
