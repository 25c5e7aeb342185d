#pragma once

#include <memory>
#include <vector>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/sframe/cipher_suite.h"
#include "sealroom/sframe/mls_key_id.h"
#include "sealroom/sframe/ratchet.h"

namespace sealroom::sframe {

inline constexpr std::size_t kReplayWindow = 1024;  ///< frames per key
inline constexpr std::size_t kMaxReceiverKeys = 64;
inline constexpr std::size_t kMaxReceiverRatchets = 4;

/// Decrypts frames of one sender under its keys (RFC 9605 section 4.4.4). One-way; not safe for
/// concurrent use. Order of checks: header, key, replay window, tag; window and ratchet move only
/// after the tag verified, and an unknown KID creates no state. Errors: malformed/truncated,
/// unknown_key_id, replayed, too_old, authentication_failed. No allocation per frame.
class Receiver {
 public:
  Receiver(crypto::Backend backend, CipherSuite suite);
  Receiver(Receiver&&) noexcept;
  Receiver& operator=(Receiver&&) noexcept;
  ~Receiver();

  /// At most kMaxReceiverKeys keys (limit_exceeded). A KID already present, or of a ratchet's
  /// generation, is refused (invalid_argument): its replay window must not be forgotten. With a
  /// `commitment` (key_commitment() of whoever vouches for the key) another key is refused with
  /// commitment_mismatch.
  Result<void> add_key(KeyId key_id, ByteView base_key, ByteView commitment = {});

  /// Follows a sender that ratchets (section 5.1), from the step of `key_id` on. A frame is tried
  /// up to max_steps_ahead ahead of the newest authentic step; what lies further is unknown_key_id
  /// and needs a new generation. At most kMaxReceiverRatchets generations (limit_exceeded), none
  /// twice (invalid_argument). The commitment is to the first step's key.
  Result<void> add_ratchet(KeyId key_id, ByteView base_key, RatchetOptions options = {},
                           ByteView commitment = {});

  /// The key of an MLS epoch (section 5.2). Takes the place of an older epoch with the same KID,
  /// whose frames are then refused; an epoch that is not newer is refused (invalid_argument).
  Result<void> add_mls_epoch(const MlsKeyIdLayout& layout, const MlsKeyId& id, ByteView base_key,
                             ByteView commitment = {});

  /// The key of this KID, or the ratchet of its generation; false if there was neither.
  bool remove_key(KeyId key_id);
  /// The KIDs that have a key, and of each ratchet that of its newest authentic step.
  [[nodiscard]] std::vector<KeyId> key_ids() const;
  /// Whether a frame of this KID would be tried.
  [[nodiscard]] bool has_key(KeyId key_id) const;
  /// The KID of the newest authentic step of the ratchet whose generation `key_id` is of.
  [[nodiscard]] Result<KeyId> ratchet_position(KeyId key_id) const;

  /// Opens header, ciphertext and tag into `out` (at least `frame.size()` bytes is always enough)
  /// and returns the plaintext's size. `out` must not overlap `frame`, unless it begins where the
  /// ciphertext does. `metadata` as in Sender::protect.
  Result<std::size_t> unprotect(ByteView metadata, ByteView frame, MutableByteView out);

  /// What unprotect would write, as far as the header tells.
  [[nodiscard]] Result<std::size_t> plaintext_size(ByteView frame) const;
  /// The KID of the last frame that was unknown_key_id, for who wants to hold such frames until
  /// their key comes (PendingQueue).
  [[nodiscard]] KeyId unknown_key_id() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealroom::sframe
