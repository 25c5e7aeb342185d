#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/srtp/master_key.h"
#include "sealroom/srtp/profile.h"
#include "srtp/packet_cipher.h"

namespace sealroom::srtp {

/// A master key that a Receiver holds. `serial` is never used again, so that replay windows of a
/// removed key are not taken for those of its successor.
struct ReceiveKey {
  std::uint64_t serial;
  Bytes mki;
  PacketCipher rtp;
  PacketCipher rtcp;
  std::uint64_t rtp_packets = 0;
  std::uint64_t rtcp_packets = 0;
};

/// The master keys of a Receiver by MKI, at most kMaxMasterKeys. Keys stay where they are until
/// they are replaced or removed.
class ReceiveKeys {
 public:
  ReceiveKeys(crypto::Backend backend, const ProfileParameters& profile, std::size_t mki_size)
      : backend_(backend), profile_(profile), layout_(profile, mki_size) {}

  /// Adds, or replaces the key of this MKI; `replaced` gets that one's serial, else 0. Errors:
  /// invalid_argument (sizes, or a key that is here), limit_exceeded.
  Result<void> set(ByteView master, ByteView mki, std::uint64_t& replaced);
  /// The serial of the removed key. Errors: unknown_key_id.
  Result<std::uint64_t> remove(ByteView mki);

  /// Null without such a key. Packets come in runs of one key, so the last one found is at hand.
  [[nodiscard]] ReceiveKey* find(ByteView mki);
  [[nodiscard]] const ReceiveKey* find(ByteView mki) const;

  [[nodiscard]] const PacketLayout& layout() const { return layout_; }
  [[nodiscard]] std::size_t size() const { return keys_.size(); }

 private:
  [[nodiscard]] std::size_t position_of(ByteView mki) const;

  crypto::Backend backend_;
  ProfileParameters profile_;
  PacketLayout layout_;
  std::vector<std::unique_ptr<ReceiveKey>> keys_;
  std::size_t last_ = 0;
  std::uint64_t next_serial_ = 1;
};

}  // namespace sealroom::srtp
