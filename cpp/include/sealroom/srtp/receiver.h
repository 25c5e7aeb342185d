#pragma once

#include <memory>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/srtp/profile.h"

namespace sealroom::srtp {

inline constexpr std::size_t kMaxReceiveStreams = 4096;

struct ReceiverOptions {
  std::size_t replay_window = 1024;  ///< packets, 64..32768, rounded up to a multiple of 64
};

/// Opens RTP and RTCP of one direction of one association (RFC 3711, RFC 7714). Not safe for
/// concurrent use. The replay window is checked before and moved after authentication; an SSRC has
/// no state until a packet of it verified. Errors: truncated, malformed, buffer_too_small,
/// replayed, too_old, authentication_failed, limit_exceeded (kMaxReceiveStreams), key_exhausted (an
/// index past 2^48), not_encrypted (RTCP whose E flag is 0).
class Receiver {
 public:
  static Result<Receiver> create(crypto::Backend backend, Profile profile, ByteView master,
                                 ReceiverOptions options = {});
  Receiver(Receiver&&) noexcept;
  Receiver& operator=(Receiver&&) noexcept;
  ~Receiver();

  /// Writes header and decrypted payload to `out` and returns their size, which is `packet.size()`
  /// less what protection added; `out` needs no more. `out` may begin where `packet` begins (in
  /// place); a packet that fails to authenticate may then be destroyed.
  Result<std::size_t> unprotect_rtp(ByteView packet, MutableByteView out);
  Result<std::size_t> unprotect_rtcp(ByteView packet, MutableByteView out);

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
