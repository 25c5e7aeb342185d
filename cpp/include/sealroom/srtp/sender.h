#pragma once

#include <memory>
#include <span>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/srtp/batch.h"
#include "sealroom/srtp/master_key.h"
#include "sealroom/srtp/profile.h"

namespace sealroom::srtp {

inline constexpr std::size_t kMaxSendStreams = 4096;

/// Lower limits make an application re-key earlier; higher ones than the RFC's have no effect. They
/// hold for each master key.
struct SenderOptions {
  std::uint64_t max_rtp_packets = kMaxRtpPackets;
  std::uint64_t max_rtcp_packets = kMaxRtcpPackets;
  ByteView mki{};  ///< of the first master key; every later one has an MKI of the same size
  /// Whether a sequence number may be sealed again, which gives the same key stream. Only for a
  /// caller whose second packet is byte-identical to the first: a retransmission.
  bool allow_repeats = false;
};

/// Packets behind the newest one whose numbers a Sender still tells apart.
inline constexpr std::size_t kSendWindow = 1024;
/// Packets behind the newest one that a Sender with allow_repeats seals again. Far less than half
/// the round of the numbers: what a caller has let get ahead of the newest sealed one by up to 2^16
/// less this looks old, and must not be sealed under the index, the key stream, of another packet.
inline constexpr std::size_t kRepeatWindow = 16'384;

/// Protects RTP and RTCP of one direction of one association (RFC 3711, RFC 7714, RFC 6188). Not
/// safe for concurrent use. Keeps one roll-over counter per SSRC. A sequence number is sealed once
/// under a key, as the same index is the same key stream; with allow_repeats one less than
/// kRepeatWindow behind the newest is sealed again under the index it had.
class Sender {
 public:
  /// `master` is master key followed by master salt. Keys are derived with a key derivation rate of
  /// 0. Errors: unsupported (profile), invalid_argument (sizes).
  static Result<Sender> create(crypto::Backend backend, Profile profile, ByteView master,
                               SenderOptions options = {});
  Sender(Sender&&) noexcept;
  Sender& operator=(Sender&&) noexcept;
  ~Sender();

  /// `buffer` holds the RTP header (with CSRCs and extensions) in its first `header_size` bytes.
  /// `payload` is encrypted to `buffer[header_size..]`; it may begin exactly there (in place) or
  /// lie outside `buffer`. Returns the size of the protected packet. Errors: malformed (also when
  /// the result would not fit a datagram, or `header_size` is not what the header says),
  /// buffer_too_small, limit_exceeded (kMaxSendStreams), key_exhausted; replayed (sealed before)
  /// and too_old (kSendWindow, or with allow_repeats kRepeatWindow, or more behind the newest).
  Result<std::size_t> protect_rtp(MutableByteView buffer, std::size_t header_size,
                                  ByteView payload);

  /// As protect_rtp for each task in order, faster; a refused packet does not stop the others.
  /// Returns how many succeeded.
  std::size_t protect_rtp_batch(std::span<ProtectTask> tasks);
  /// Whether it is faster than the single calls, under this profile and back end.
  [[nodiscard]] bool gains_from_batches() const;

  /// Protects the compound packet in `buffer[0..size)` in place; `buffer` needs `size +
  /// rtcp_overhead()` bytes. The first packet of an SSRC has index 1. Errors as above.
  Result<std::size_t> protect_rtcp(MutableByteView buffer, std::size_t size);

  /// Re-keying: from now on packets go under this master key. Roll-over counters and indices go on
  /// (RFC 3711 sections 3.2.1 and 3.4), the key's lifetime begins anew. Never a key that was used
  /// before. Errors: invalid_argument (size of `master` or of `mki`, or the key in use); the old
  /// key then stays.
  Result<void> set_key(ByteView master, ByteView mki = {});
  [[nodiscard]] KeyUsage key_usage() const;

  /// What protection adds to a packet.
  [[nodiscard]] std::size_t rtp_overhead() const;
  [[nodiscard]] std::size_t rtcp_overhead() const;

  /// Forgets the state of a stream that will never be sent again under this key: indices would
  /// start over, and with them the key stream.
  void remove_stream(Ssrc ssrc);

 private:
  struct State;
  explicit Sender(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sealroom::srtp
