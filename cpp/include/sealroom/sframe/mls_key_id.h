#pragma once

#include "sealroom/base/result.h"
#include "sealroom/base/types.h"

namespace sealroom::sframe {

struct MlsKeyId {
  std::uint64_t context = 0;  ///< the sender's own numbering of its streams
  std::uint64_t sender = 0;   ///< leaf index in the group
  std::uint64_t epoch = 0;    ///< after decode(): its low epoch_bits

  friend bool operator==(const MlsKeyId&, const MlsKeyId&) = default;
};

/// KIDs under MLS (RFC 9605 section 5.2):
///   KID = (context << (S + E)) + (sender << E) + (epoch mod 2^E)
/// Epochs 2^E apart share their KIDs, so a receiver drops the older one when the newer comes:
/// Receiver::add_mls_epoch. E is 1 to 63, S is 0 to 64 - E.
struct MlsKeyIdLayout {
  unsigned epoch_bits = 8;    ///< E
  unsigned sender_bits = 16;  ///< S

  /// invalid_argument for impossible bits, and for a sender or context that does not fit.
  [[nodiscard]] Result<KeyId> encode(const MlsKeyId& id) const;
  [[nodiscard]] Result<MlsKeyId> decode(KeyId key_id) const;
};

}  // namespace sealroom::sframe
