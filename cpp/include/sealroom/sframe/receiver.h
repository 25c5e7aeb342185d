#pragma once

#include <memory>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/sframe/cipher_suite.h"

namespace sealroom::sframe {

inline constexpr std::size_t kReplayWindow = 1024;  ///< frames per key
inline constexpr std::size_t kMaxReceiverKeys = 64;

/// Decrypts frames of one sender under its keys (RFC 9605 section 4.4.4). One-way; not safe for
/// concurrent use. Order of checks: header, key, replay window, tag; the window moves only after
/// the tag verified, and an unknown KID creates no state. Errors: malformed/truncated,
/// unknown_key_id, replayed, too_old, authentication_failed. No allocation per frame.
class Receiver {
 public:
  Receiver(crypto::Backend backend, CipherSuite suite);
  Receiver(Receiver&&) noexcept;
  Receiver& operator=(Receiver&&) noexcept;
  ~Receiver();

  /// At most kMaxReceiverKeys keys (limit_exceeded). A KID already present is refused
  /// (invalid_argument): its replay window must not be forgotten.
  Result<void> add_key(KeyId key_id, ByteView base_key);
  bool remove_key(KeyId key_id);
  [[nodiscard]] bool has_key(KeyId key_id) const;

  /// Opens header, ciphertext and tag into `out` (at least `frame.size()` bytes is always enough)
  /// and returns the plaintext's size. `out` must not overlap `frame`. `metadata` as in
  /// Sender::protect.
  Result<std::size_t> unprotect(ByteView metadata, ByteView frame, MutableByteView out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealroom::sframe
