#pragma once

#include <array>
#include <memory>
#include <span>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/crypto/backend.h"

namespace sealroom::crypto {

struct CtrMessage {
  std::array<std::uint8_t, 16> initial_counter;
  ByteView in;
  MutableByteView out;  ///< `in.size()` bytes; may begin where `in` begins
};

/// AES in counter mode (NIST SP 800-38A) with a 16-byte initial counter block; the key length, 16
/// or 32 bytes, chooses the variant. Key schedule once, no allocation per message. Not safe for
/// concurrent use.
class AesCtr {
 public:
  static Result<std::unique_ptr<AesCtr>> create(Backend backend, ByteView key);
  virtual ~AesCtr() = default;
  AesCtr(const AesCtr&) = delete;
  AesCtr& operator=(const AesCtr&) = delete;

  /// `out.size() == in.size()`; `out` may begin where `in` begins. After crypto_failure it may hold
  /// part of the result: the caller wipes it.
  virtual Result<void> crypt(ByteView initial_counter, ByteView in, MutableByteView out) = 0;

  /// As `crypt` for each message, in batches where the back end has them. Stops at the first
  /// refusal; what the outputs then hold is undefined, and the caller wipes them.
  virtual Result<void> crypt_many(std::span<const CtrMessage> messages) = 0;

 protected:
  AesCtr() = default;
};

}  // namespace sealroom::crypto
