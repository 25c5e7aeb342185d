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

inline constexpr std::size_t kMaxReceiveStreams = 4096;

struct ReceiverOptions {
  std::size_t replay_window = 1024;  ///< packets, 64..32768, rounded up to a multiple of 64
  /// Packets accepted under one master key; higher limits than the RFC's have no effect.
  std::uint64_t max_rtp_packets = kMaxRtpPackets;
  std::uint64_t max_rtcp_packets = kMaxRtcpPackets;
  ByteView mki{};  ///< of the first master key; every later one has an MKI of the same size
};

/// Opens RTP and RTCP of one direction of one association (RFC 3711, RFC 7714, RFC 6188). Not safe
/// for concurrent use. The replay window, one per stream and master key, is checked before and
/// moved after authentication; an SSRC has no state until a packet of it verified. Errors:
/// truncated, malformed, buffer_too_small, replayed, too_old, authentication_failed, unknown_key_id
/// (no master key has this MKI), limit_exceeded (kMaxReceiveStreams), key_exhausted (the key's
/// lifetime, or an index past the last one), not_encrypted (RTCP whose E flag is 0).
class Receiver {
 public:
  /// `master` is master key followed by master salt. Errors: unsupported (profile),
  /// invalid_argument (sizes, window).
  static Result<Receiver> create(crypto::Backend backend, Profile profile, ByteView master,
                                 ReceiverOptions options = {});
  Receiver(Receiver&&) noexcept;
  Receiver& operator=(Receiver&&) noexcept;
  ~Receiver();

  /// Writes header and decrypted payload to `out` and returns their size, which is `packet.size()`
  /// less what protection added; `out` needs no more. `out` may begin where `packet` begins (in
  /// place); a packet that is refused may then be destroyed.
  Result<std::size_t> unprotect_rtp(ByteView packet, MutableByteView out);
  Result<std::size_t> unprotect_rtcp(ByteView packet, MutableByteView out);

  /// As unprotect_rtp for each task in order, with the same verdicts, faster. No two packets share
  /// memory. Returns how many succeeded.
  std::size_t unprotect_rtp_batch(std::span<UnprotectTask> tasks);

  /// Whether it is faster than the single calls, under this profile and back end.
  [[nodiscard]] bool gains_from_batches() const;

  /// Adds a master key, or replaces the one with this MKI (without MKIs: the only one, at once).
  /// Roll-over counters go on, the key's replay windows and lifetime begin anew: never a key that
  /// was here before. Errors: invalid_argument (size of `master` or of `mki`), limit_exceeded
  /// (kMaxMasterKeys). On an error nothing changes.
  Result<void> set_key(ByteView master, ByteView mki = {});
  /// Forgets a master key; its packets are then of an unknown_key_id. Errors: unknown_key_id.
  Result<void> remove_key(ByteView mki);
  [[nodiscard]] std::size_t key_count() const;
  /// Errors: unknown_key_id.
  [[nodiscard]] Result<KeyUsage> key_usage(ByteView mki = {}) const;

  /// What protection added to a packet.
  [[nodiscard]] std::size_t rtp_overhead() const;
  [[nodiscard]] std::size_t rtcp_overhead() const;

  /// Roll-over counter of a stream, for late joiners. Errors: unknown_ssrc before an RTP packet
  /// authenticated.
  [[nodiscard]] Result<std::uint32_t> roll_over_counter(Ssrc ssrc) const;
  /// Where the stream stands when its first packet arrives. Errors: invalid_argument once one
  /// authenticated, limit_exceeded for more than kMaxReceiveStreams expected streams.
  Result<void> set_roll_over_counter(Ssrc ssrc, std::uint32_t roll_over_counter);
  /// Forgets a stream and what was seen of it, so that its old packets would be accepted again.
  void remove_stream(Ssrc ssrc);
  /// SSRCs that have authenticated.
  [[nodiscard]] std::size_t stream_count() const;

 private:
  struct State;
  explicit Receiver(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sealroom::srtp
