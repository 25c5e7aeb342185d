#pragma once

#include <initializer_list>
#include <memory>
#include <span>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/crypto/backend.h"

namespace sealroom::crypto {

enum class HashAlgorithm : std::uint8_t { sha1, sha256, sha512 };

[[nodiscard]] constexpr std::size_t digest_size(HashAlgorithm algorithm) {
  return algorithm == HashAlgorithm::sha1 ? 20 : algorithm == HashAlgorithm::sha256 ? 32 : 64;
}

struct MacMessage {
  ByteView data;
  ByteView suffix;      ///< counts as the end of `data`; without one `data` is read where it lies
  MutableByteView out;  ///< 1..digest_size bytes, not inside `data`
};

/// HMAC (RFC 2104) under one key of any length; the padded-key states are computed once. Not safe
/// for concurrent use. Where ipsec_mb is slower than OpenSSL (SHA-512, single messages on a CPU
/// without SHA-NI, parts of more than 2 kB together) it hands the message over.
class Hmac {
 public:
  static Result<std::unique_ptr<Hmac>> create(Backend backend, HashAlgorithm algorithm,
                                              ByteView key);
  virtual ~Hmac() = default;
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;

  /// MAC over the parts in order, truncated to `out.size()` (1..digest_size). No allocation.
  virtual Result<void> compute(std::initializer_list<ByteView> parts, MutableByteView out) = 0;

  /// As `compute` for each message; ipsec_mb hashes up to 16 at a time, a multiple of that is best.
  /// Stops at the first refusal; what the outputs then hold is undefined.
  virtual Result<void> compute_many(std::span<const MacMessage> messages) = 0;

 protected:
  Hmac() = default;
};

}  // namespace sealroom::crypto
