#pragma once

#include <array>
#include <memory>
#include <span>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/crypto/aead.h"
#include "sealroom/crypto/aead_nonce.h"
#include "sealroom/crypto/aes_ctr.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/crypto/hmac.h"
#include "sealroom/srtp/profile.h"
#include "srtp/key_derivation.h"
#include "srtp/packet_layout.h"

namespace sealroom::srtp {

inline constexpr std::size_t kCounterModeSaltSize = 14;

/// Initial counter block of AES-CM: salt * 2^16 XOR SSRC * 2^64 XOR index * 2^16 (RFC 3711
/// section 4.1.1). `salt` has kCounterModeSaltSize bytes.
std::array<std::uint8_t, 16> counter_block(ByteView salt, Ssrc ssrc, std::uint64_t index);
/// AES-GCM nonce of SRTP (RFC 7714 section 8.1) and, as a 31-bit index leaves the same bytes zero,
/// of SRTCP (9.1). `salt` has crypto::kAeadNonceSize bytes, `index` 48 bits.
crypto::AeadNonce aead_nonce(ByteView salt, Ssrc ssrc, std::uint64_t index);

/// Packets that one call of the batch methods takes.
inline constexpr std::size_t kMaxBatch = 64;

/// Arguments of seal_rtp and of open_rtp.
struct SealJob {
  Ssrc ssrc;
  std::uint64_t index;
  MutableByteView buffer;
  std::size_t header_size;
  ByteView payload;
};
struct OpenJob {
  Ssrc ssrc;
  std::uint64_t index;
  ByteView packet;
  std::size_t header_size;
  MutableByteView out;
};

/// Seals and opens the packets of one protocol under its session keys; knows packet layouts but no
/// streams, indices or replay. Sizes are the caller's duty: every packet holds at least its header
/// and trailer, every buffer the result. Not safe for concurrent use; allocates in `create` only.
class PacketCipher {
 public:
  /// Sealed packets carry `mki`.
  static Result<PacketCipher> create(crypto::Backend backend, const ProfileParameters& profile,
                                     const SessionKeys& keys, ByteView mki = {});
  /// With the session keys derived from master key and salt. Errors: invalid_argument (size of
  /// `master`).
  static Result<PacketCipher> create(crypto::Backend backend, const ProfileParameters& profile,
                                     ByteView master, Protocol protocol, ByteView mki = {});

  /// Whether both come from the same master key: that derives the session salt, too.
  [[nodiscard]] bool has_key_of(const PacketCipher& other) const {
    return equal_constant_time(salt_.view(), other.salt_.view());
  }

  [[nodiscard]] const PacketLayout& layout() const { return layout_; }
  /// AES-GCM gains nothing from batches: its kernel takes one message at a time.
  [[nodiscard]] bool gains_from_batches() const { return aead_ == nullptr; }

  /// Header in `buffer[0..header_size)`, the result is `header_size + payload.size() +
  /// layout().rtp_overhead()` bytes.
  Result<void> seal_rtp(const SealJob& job);
  /// Writes the payload only, to `out[0..packet.size() - header_size - overhead)`.
  Result<void> open_rtp(const OpenJob& job);

  /// As seal_rtp for each of at most kMaxBatch jobs; for ciphers that gain from batches.
  Result<void> seal_rtp_batch(std::span<const SealJob> jobs);
  /// The two halves of open_rtp, so that the caller can decide in between; as above.
  /// `authentic[i]` tells whether job i has the right tag.
  Result<void> verify_rtp_batch(std::span<const OpenJob> jobs, std::span<bool> authentic);
  Result<void> decrypt_rtp_batch(std::span<const OpenJob> jobs);

  /// Compound packet in `buffer[0..size)`, the result is `size + layout().rtcp_overhead()` bytes.
  Result<void> seal_rtcp(Ssrc ssrc, std::uint32_t index, MutableByteView buffer, std::size_t size);
  /// Writes what follows the first 8 bytes, to `out[0..packet.size() - 8 - overhead)`.
  Result<void> open_rtcp(Ssrc ssrc, std::uint32_t index, ByteView packet, MutableByteView out);

 private:
  PacketCipher() = default;
  /// MKI and tag of an AES-CM packet, behind its `size` bytes.
  void append_trailer(const SealJob& job, std::size_t size, ByteView tag) const;
  Result<void> verify(ByteView authenticated, ByteView suffix, ByteView tag);

  std::unique_ptr<crypto::Aead> aead_;  // or the next two
  std::unique_ptr<crypto::AesCtr> counter_mode_;
  std::unique_ptr<crypto::Hmac> hmac_;
  SecretBytes<kMaxSaltSize> salt_;
  Bytes mki_;
  PacketLayout layout_;
};

}  // namespace sealroom::srtp
