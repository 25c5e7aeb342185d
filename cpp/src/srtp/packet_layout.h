#pragma once

#include <cstddef>
#include <cstdint>

#include "sealroom/base/bytes.h"
#include "sealroom/srtp/profile.h"

namespace sealroom::srtp {

inline constexpr std::size_t kRtcpIndexSize = 4;
inline constexpr std::uint32_t kRtcpEncryptedFlag = 0x80000000U;

/// Where the parts behind the payload stand:
///   AES-CM   RTP   payload | MKI | tag             RTCP  payload | E, index | MKI | tag
///   AES-GCM  RTP   payload | tag | MKI             RTCP  payload | tag | E, index | MKI
/// (RFC 3711 figures 1 and 2, RFC 7714 sections 8.2 and 9.2). A packet given to the methods holds
/// at least its overhead.
class PacketLayout {
 public:
  PacketLayout() = default;
  PacketLayout(const ProfileParameters& profile, std::size_t mki_size)
      : rtp_tag_size_(profile.rtp_tag_size),
        rtcp_tag_size_(profile.rtcp_tag_size),
        mki_size_(mki_size),
        is_aead_(profile.is_aead) {}

  [[nodiscard]] bool is_aead() const { return is_aead_; }
  [[nodiscard]] std::size_t mki_size() const { return mki_size_; }
  [[nodiscard]] std::size_t rtp_tag_size() const { return rtp_tag_size_; }
  [[nodiscard]] std::size_t rtcp_tag_size() const { return rtcp_tag_size_; }
  [[nodiscard]] std::size_t rtp_overhead() const { return rtp_tag_size_ + mki_size_; }
  [[nodiscard]] std::size_t rtcp_overhead() const {
    return rtcp_tag_size_ + kRtcpIndexSize + mki_size_;
  }

  [[nodiscard]] ByteView rtp_mki(ByteView packet) const { return mki(packet, rtp_tag_size_); }
  [[nodiscard]] ByteView rtcp_mki(ByteView packet) const { return mki(packet, rtcp_tag_size_); }
  /// The word with E flag and index.
  [[nodiscard]] ByteView rtcp_index_word(ByteView packet) const {
    const std::size_t behind = mki_size_ + (is_aead_ ? 0 : rtcp_tag_size_);
    return packet.subspan(packet.size() - behind - kRtcpIndexSize, kRtcpIndexSize);
  }

 private:
  [[nodiscard]] ByteView mki(ByteView packet, std::size_t tag_size) const {
    const std::size_t behind = is_aead_ ? 0 : tag_size;
    return packet.subspan(packet.size() - behind - mki_size_, mki_size_);
  }

  std::size_t rtp_tag_size_ = 0;
  std::size_t rtcp_tag_size_ = 0;
  std::size_t mki_size_ = 0;
  bool is_aead_ = false;
};

}  // namespace sealroom::srtp
