#pragma once

#include <limits>
#include <memory>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/sframe/cipher_suite.h"
#include "sealroom/sframe/header.h"
#include "sealroom/sframe/ratchet.h"

namespace sealroom::sframe {

inline constexpr std::size_t kMaxOverhead = kMaxHeaderSize + 16;
/// Metadata is joined with the header on the stack; more is invalid_argument.
inline constexpr std::size_t kMaxMetadataSize = 1024;

struct SenderOptions {
  std::uint64_t first_counter = 0;
  /// Counters at or above are refused with key_exhausted (RFC 9605 section 9.3).
  std::uint64_t counter_limit = std::numeric_limits<std::uint64_t>::max();
  /// R of RFC 9605 section 5.1 for a key that ratchet() may replace, 1 to kMaxRatchetBits; 0: none.
  unsigned ratchet_bits = 0;
};

/// Encrypts frames under one key (RFC 9605 section 4.4.3). One-way; not safe for concurrent use.
/// The counter is spent only when a frame is really produced and never wraps. No allocation per
/// frame.
class Sender {
 public:
  /// Any base key that is not empty (RFC 9605 section 4.4.2 stretches it to the suite's size);
  /// invalid_argument for that and for impossible ratchet bits.
  static Result<Sender> create(crypto::Backend backend, CipherSuite suite, KeyId key_id,
                               ByteView base_key, SenderOptions options = {});
  Sender(Sender&&) noexcept;
  Sender& operator=(Sender&&) noexcept;
  ~Sender();

  /// Writes header, ciphertext and tag to `out` and returns their total size, at most
  /// `plaintext.size() + kMaxOverhead`. `metadata` is authenticated and not written. `out` must not
  /// overlap `plaintext` or `metadata`.
  Result<std::size_t> protect(ByteView metadata, ByteView plaintext, MutableByteView out);

  /// One step on (section 5.1): the next base key, its KID, counter 0; the key so far is wiped. For
  /// when a member joins, who then cannot open what was sent before. Needs
  /// SenderOptions::ratchet_bits (invalid_argument); on an error nothing has changed.
  Result<void> ratchet();

  [[nodiscard]] std::size_t protected_size(
      std::size_t plaintext_size) const;  ///< of the next frame
  [[nodiscard]] std::uint64_t next_counter() const;
  [[nodiscard]] KeyId key_id() const;
  [[nodiscard]] CipherSuite suite() const;

 private:
  struct State;
  explicit Sender(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sealroom::sframe
