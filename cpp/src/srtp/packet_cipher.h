#pragma once

#include <array>
#include <memory>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/crypto/aead.h"
#include "sealroom/crypto/aes_ctr.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/crypto/hmac.h"
#include "sealroom/srtp/profile.h"
#include "srtp/key_derivation.h"

namespace sealroom::srtp {

inline constexpr std::size_t kCounterModeSaltSize = 14;

/// Initial counter block of AES-CM: salt * 2^16 XOR SSRC * 2^64 XOR index * 2^16 (RFC 3711
/// section 4.1.1). `salt` has kCounterModeSaltSize bytes.
std::array<std::uint8_t, 16> counter_block(ByteView salt, Ssrc ssrc, std::uint64_t index);
/// AES-GCM nonce of SRTP (RFC 7714 section 8.1) and, as a 31-bit index leaves the same bytes zero,
/// of SRTCP (9.1). `salt` has kAeadNonceSize bytes.
std::array<std::uint8_t, crypto::kAeadNonceSize> aead_nonce(ByteView salt, Ssrc ssrc,
                                                            std::uint64_t index);

inline constexpr std::size_t kRtcpIndexSize = 4;
inline constexpr std::uint32_t kRtcpEncryptedFlag = 0x80000000U;

/// Seals and opens the packets of one protocol under its session keys; knows packet layouts but no
/// streams, indices or replay. Sizes are the caller's duty: every packet holds at least its header
/// and trailer, every buffer the result. Not safe for concurrent use; allocates in `create` only.
class PacketCipher {
 public:
  static Result<PacketCipher> create(crypto::Backend backend, const ProfileParameters& profile,
                                     const SessionKeys& keys);
  /// With the session keys derived from master key and salt. Errors: invalid_argument (size of
  /// `master`).
  static Result<PacketCipher> create(crypto::Backend backend, const ProfileParameters& profile,
                                     ByteView master, Protocol protocol);

  /// Header in `buffer[0..header_size)`, the result is `header_size + payload.size() +
  /// rtp_tag_size` bytes.
  Result<void> seal_rtp(Ssrc ssrc, std::uint64_t index, MutableByteView buffer,
                        std::size_t header_size, ByteView payload);
  /// Writes the payload only, to `out[0..packet.size() - header_size - rtp_tag_size)`.
  Result<void> open_rtp(Ssrc ssrc, std::uint64_t index, ByteView packet, std::size_t header_size,
                        MutableByteView out);

  /// Compound packet in `buffer[0..size)`, the result is `size + rtcp_tag_size + kRtcpIndexSize`
  /// bytes.
  Result<void> seal_rtcp(Ssrc ssrc, std::uint32_t index, MutableByteView buffer, std::size_t size);
  /// Writes what follows the first 8 bytes, to `out[0..packet.size() - 8 - rtcp_tag_size -
  /// kRtcpIndexSize)`.
  Result<void> open_rtcp(Ssrc ssrc, std::uint32_t index, ByteView packet, MutableByteView out);

 private:
  PacketCipher() = default;
  Result<void> verify(ByteView authenticated, ByteView suffix, ByteView tag);

  std::unique_ptr<crypto::Aead> aead_;  // or the next two
  std::unique_ptr<crypto::AesCtr> counter_mode_;
  std::unique_ptr<crypto::Hmac> hmac_;
  SecretBytes<kMaxSaltSize> salt_;
  std::size_t rtp_tag_size_ = 0;
  std::size_t rtcp_tag_size_ = 0;
};

}  // namespace sealroom::srtp
