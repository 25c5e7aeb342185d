#pragma once

#include <memory>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/srtp/profile.h"

namespace sealroom::srtp {

inline constexpr std::size_t kMaxSendStreams = 4096;
/// RFC 3711 section 9.2: what one master key may protect, over all streams.
inline constexpr std::uint64_t kMaxRtpPackets = std::uint64_t{1} << 48;
inline constexpr std::uint64_t kMaxRtcpPackets = std::uint64_t{1} << 31;

/// Lower limits make an application re-key earlier; higher ones than the RFC's have no effect.
struct SenderOptions {
  std::uint64_t max_rtp_packets = kMaxRtpPackets;
  std::uint64_t max_rtcp_packets = kMaxRtcpPackets;
};

/// Protects RTP and RTCP of one direction of one association (RFC 3711, RFC 7714). Not safe for
/// concurrent use. Keeps one roll-over counter per SSRC. A sequence number up to 2^15 behind the
/// newest is sealed under the index it had, so that a retransmission is possible; the caller
/// guarantees that such a packet is byte-identical to the first one, as the same index is the same
/// key stream.
class Sender {
 public:
  /// `master` is master key followed by master salt. Keys are derived with a key derivation rate of
  /// 0.
  static Result<Sender> create(crypto::Backend backend, Profile profile, ByteView master,
                               SenderOptions options = {});
  Sender(Sender&&) noexcept;
  Sender& operator=(Sender&&) noexcept;
  ~Sender();

  /// `buffer` holds the RTP header (with CSRCs and extensions) in its first `header_size` bytes.
  /// `payload` is encrypted to `buffer[header_size..]`; it may begin exactly there (in place) or
  /// lie outside `buffer`. Returns the size of the protected packet. Errors: malformed (also when
  /// the result would not fit a datagram, or `header_size` is not what the header says),
  /// buffer_too_small, limit_exceeded (kMaxSendStreams), key_exhausted.
  Result<std::size_t> protect_rtp(MutableByteView buffer, std::size_t header_size,
                                  ByteView payload);

  /// Protects the compound packet in `buffer[0..size)` in place; `buffer` needs `size +
  /// kMaxRtcpOverhead` bytes. The first packet of an SSRC has index 1. Errors as above.
  Result<std::size_t> protect_rtcp(MutableByteView buffer, std::size_t size);

  /// Forgets the state of a stream that will never be sent again under this key: indices would
  /// start over, and with them the key stream.
  void remove_stream(Ssrc ssrc);

 private:
  struct State;
  explicit Sender(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sealroom::srtp
